/** Tests of the arena and of shared regions: far offsets, sparseness, seals, windows. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { EINVAL, ENXIO, EPERM } from "../abi/errno.ts";
import { F_GET_SEALS, F_SEAL_GROW, F_SEAL_SHRINK, MFD_CLOEXEC } from "../abi/fcntl.ts";
import { SEEK_DATA } from "../abi/fs.ts";
import { MAP_SHARED, PAGE_SIZE, PROT_READ } from "../abi/mman.ts";
import { check } from "../sys/errors.ts";
import { close, fcntl, ftruncate, lseek, memfdCreate, mmap, munmap } from "../sys/files.ts";
import { Arena, WINDOW_BYTES } from "./arena.ts";
import { copy, FAULT, fill, load32, load8, store32 } from "./native_memory.ts";
import { SharedRegion } from "./shared_region.ts";

const GIB = 2 ** 30;

Deno.test("an arena far beyond RAM costs nothing and keeps data at its far end", () => {
  const arena = Arena.create(256 * GIB, 0);
  const far = 256 * GIB - 8;
  assertEquals(arena.dv.getUint32(far, true), 0);
  arena.dv.setUint32(far, 0xfeed, true);
  assertEquals(load32(arena.base + far), 0xfeed);
  assertEquals(store32(arena.base + 4, 7), 0);
  assertEquals(arena.dv.getUint32(4, true), 7);
  assertEquals(arena.dv.byteLength, 256 * GIB);
  assert(Deno.memoryUsage().external < 64 * 2 ** 20);
  arena.close();
});

Deno.test("the memory file is one and the same everywhere, and cannot change its size", () => {
  const arena = Arena.create(WINDOW_BYTES, 0);
  const other = check(mmap(0, PAGE_SIZE, PROT_READ, MAP_SHARED, arena.fd, PAGE_SIZE), "mmap");
  arena.dv.setUint32(PAGE_SIZE + 12, 99, true);
  assertEquals(load32(other + 12), 99);
  assertEquals(fcntl(arena.fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW);
  assertEquals(ftruncate(arena.fd, 0), -EPERM);
  assertEquals(ftruncate(arena.fd, 2 * WINDOW_BYTES), -EPERM);
  munmap(other, PAGE_SIZE);
  arena.close();
});

Deno.test("punch() gives pages back, and they read as zeros", () => {
  const arena = Arena.create(WINDOW_BYTES, 0);
  fill(arena.base, 1, 4 * PAGE_SIZE);
  assertEquals(arena.punch(0, 4 * PAGE_SIZE), 0);
  assertEquals(lseek(arena.fd, 0, SEEK_DATA), -ENXIO);
  assertEquals(arena.dv.getUint32(PAGE_SIZE, true), 0);
  assertEquals(arena.punch(0, 0), -EINVAL);
  arena.close();
});

Deno.test("windows show host files, read-only where asked, and vanish", () => {
  const arena = Arena.create(WINDOW_BYTES, 2 * WINDOW_BYTES);
  const fd = check(memfdCreate("file", MFD_CLOEXEC), "memfd_create");
  check(ftruncate(fd, 2 * PAGE_SIZE), "ftruncate");
  assertEquals(load8(arena.base + arena.size), FAULT);
  const writable = arena.mapWindow(1, fd, 0, 2 * PAGE_SIZE, true);
  assertEquals(writable, arena.windowOffset(1));
  assertEquals(store32(arena.base + writable + PAGE_SIZE, 77), 0);
  const readOnly = arena.mapWindow(0, fd, PAGE_SIZE, PAGE_SIZE, false);
  assertEquals(arena.dv.getUint32(readOnly, true), 77);
  assertEquals(store32(arena.base + readOnly, 1), FAULT);
  // The tail of a window beyond its file, and a window whose file was cut, are faults.
  assertEquals(load8(arena.base + readOnly + PAGE_SIZE), FAULT);
  check(ftruncate(fd, PAGE_SIZE), "ftruncate");
  assertEquals(copy(arena.base, arena.base + writable, 2 * PAGE_SIZE), PAGE_SIZE);
  assertEquals(arena.unmapWindow(1), 0);
  assertEquals(load8(arena.base + writable), FAULT);
  assertEquals(arena.mapWindow(2, fd, 0, PAGE_SIZE, false), -EINVAL);
  assertEquals(arena.mapWindow(-1, fd, 0, PAGE_SIZE, false), -EINVAL);
  assertEquals(arena.mapWindow(0, fd, 0, WINDOW_BYTES + PAGE_SIZE, false), -EINVAL);
  assertEquals(arena.mapWindow(0, fd, 1, PAGE_SIZE, false), -EINVAL);
  assertEquals(arena.unmapWindow(2), -EINVAL);
  close(fd);
  arena.close();
});

Deno.test("Arena.create() refuses sizes that are not whole windows", () => {
  for (
    const [size, windows] of [[0, 0], [4096, 0], [WINDOW_BYTES, 1], [-WINDOW_BYTES, 0]] as const
  ) {
    assertThrows(() => Arena.create(size, windows), RangeError);
  }
});

Deno.test("a shared region is whole pages, sealed, and atomic", () => {
  const region = SharedRegion.create("dvisor-control", 100);
  assertEquals([region.size, region.dv.byteLength], [PAGE_SIZE, PAGE_SIZE]);
  assertEquals(ftruncate(region.fd, 0), -EPERM);
  const other = check(mmap(0, PAGE_SIZE, PROT_READ, MAP_SHARED, region.fd, 0), "mmap");
  Atomics.store(region.i32, 3, -5);
  assertEquals([region.dv.getInt32(12, true), load32(other + 12)], [-5, 2 ** 32 - 5]);
  munmap(other, PAGE_SIZE);
  region.close();
});

Deno.test("pages that were touched, through any mapping, are resident", () => {
  const arena = Arena.create(GIB, 0);
  assertEquals(arena.residentPages(0, GIB), 0);
  const other = check(mmap(0, PAGE_SIZE, PROT_READ | 2, MAP_SHARED, arena.fd, GIB / 2), "mmap");
  assertEquals(fill(other, 1, 16), 16);
  arena.dv.setUint8(3 * PAGE_SIZE, 1);
  assertEquals(arena.residentPages(0, GIB), 2);
  assertEquals(arena.residentPages(3 * PAGE_SIZE, PAGE_SIZE), 1);
  assertEquals(arena.residentPages(4 * PAGE_SIZE, PAGE_SIZE), 0);
  assertEquals(arena.presentPages(0, 5), 1);
  assertEquals(arena.punch(3 * PAGE_SIZE, PAGE_SIZE), 0);
  assertEquals(arena.residentPages(0, GIB), 1);
  munmap(other, PAGE_SIZE);
  arena.close();
});
