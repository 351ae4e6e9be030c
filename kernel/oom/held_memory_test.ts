// What one of several kernels has of an arena: its own frames and shared ones, as far as touched.

import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { Arena } from "../../ffi/mem/arena.ts";
import { fill } from "../../ffi/mem/native_memory.ts";
import { FrameAllocator } from "../mm/frames.ts";
import { FakeHost } from "../testing/fake_host.ts";
import { HeldMemory } from "./held_memory.ts";

Deno.test("each kernel has what it holds and the host has supplied", () => {
  const arena = Arena.create(1 << 30, 0), host = new FakeHost();
  const first = new FrameAllocator(arena), second = new FrameAllocator(arena, null, first.pool);
  const off = first.alloc(100_000), far = second.alloc(70_000), one = first.alloc(1);
  fill(arena.base + off, 1, 200 * PAGE_SIZE);
  fill(arena.base + far + 60_000 * PAGE_SIZE, 1, 30 * PAGE_SIZE);
  fill(arena.base + one, 1, PAGE_SIZE);
  second.share(off, 50);
  const found = [first, second].map((frames) => {
    const memory = new HeldMemory(arena, frames, host);
    let slices = 0;
    do {
      // The fake clock goes on by 1 us a look.
      memory.measure(host.monotonicNs() + 20_000);
      assert(++slices < 100);
    } while (memory.isCounting);
    assert(slices > 1);
    const bytes = memory.suppliedBytes;
    memory.measure(host.monotonicNs() + 20_000);
    assert(!memory.isCounting, "a measurement is followed by a pause");
    return bytes / PAGE_SIZE;
  });
  assertEquals(found, [201, 80]);
  arena.close();
});
