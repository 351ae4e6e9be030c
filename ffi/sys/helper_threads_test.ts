/**
 * Tests of the helper threads: blocking calls beside the loop, more requests than threads, results
 * and errors, a clean end.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { EBADF } from "../abi/errno.ts";
import { MFD_CLOEXEC, O_CLOEXEC } from "../abi/fcntl.ts";
import { POLLIN } from "../abi/poll.ts";
import {
  SYS_fsync,
  SYS_getppid,
  SYS_gettid,
  SYS_mmap,
  SYS_pread64,
  SYS_pwrite64,
  SYS_read,
} from "../abi/syscall_numbers.ts";
import { addressOf, allocBuffer, scratch } from "./cstring.ts";
import { check } from "./errors.ts";
import { close, memfdCreate, pipe, poll, write } from "./files.ts";
import { HelperPool } from "./helper_threads.ts";
import { syscall } from "./native.ts";

/** Sleeps on the doorbell until a request is done; returns its token. */
function reapOne(pool: HelperPool): number {
  for (;;) {
    const token = pool.reap();
    if (token >= 0) return token;
    assertEquals(poll(pool.doorbellFd, POLLIN, 10_000), POLLIN, "the doorbell did not ring");
  }
}

function withPool(threads: number, body: (pool: HelperPool) => void): void {
  const pool = new HelperPool(threads);
  body(pool);
  pool.close();
}

function makePipe(): [number, number] {
  const ends = pipe(O_CLOEXEC);
  assert(typeof ends !== "number");
  return ends;
}

Deno.test("fsync and pread run on a helper, with result and token", () => {
  withPool(2, (pool) => {
    const fd = check(memfdCreate("data", MFD_CLOEXEC), "memfd_create");
    const text = new TextEncoder().encode("read me again");
    const source = allocBuffer(text.length);
    source.set(text);
    const target = allocBuffer(64);
    pool.submit(SYS_pwrite64, fd, addressOf(source), text.length, 1e9, 0, 0, 5);
    assertEquals([reapOne(pool), pool.result], [5, text.length]);
    pool.submit(SYS_fsync, fd, 0, 0, 0, 0, 0, 6);
    assertEquals([reapOne(pool), pool.result], [6, 0]);
    pool.submit(SYS_pread64, fd, addressOf(target), 64, 1e9, 0, 0, 7);
    assertEquals([reapOne(pool), pool.result], [7, text.length]);
    assertEquals(target.slice(0, text.length), source);
    pool.submit(SYS_fsync, -1, 0, 0, 0, 0, 0, 8);
    assertEquals([reapOne(pool), pool.result], [8, -EBADF]);
    assertEquals([pool.inFlight, pool.reap()], [0, -1]);
    close(fd);
  });
});

Deno.test("a read that blocks on a pipe holds up one thread and no other", () => {
  withPool(2, (pool) => {
    const [reader, writer] = makePipe();
    const buffer = allocBuffer(16);
    pool.submit(SYS_read, reader, addressOf(buffer), 16, 0, 0, 0, 1);
    for (let i = 0; i < 100; i++) {
      pool.submit(SYS_getppid, 0, 0, 0, 0, 0, 0, 100 + i);
      assertEquals(reapOne(pool), 100 + i);
    }
    assertEquals([pool.inFlight, pool.reap()], [1, -1]);
    assertEquals(write(writer, scratch.cstr("hello"), 5), 5);
    assertEquals([reapOne(pool), pool.result], [1, 5]);
    assertEquals(new TextDecoder().decode(buffer.slice(0, 5)), "hello");
    for (const fd of [reader, writer]) close(fd);
  });
});

Deno.test("hundreds in flight on few threads all come back once, blocked ones last", () => {
  withPool(4, (pool) => {
    const [reader, writer] = makePipe();
    const memory = allocBuffer(1024);
    for (let i = 0; i < 3; i++) {
      pool.submit(SYS_read, reader, addressOf(memory) + i, 1, 0, 0, 0, 1000 + i);
    }
    const parent = syscall(SYS_getppid);
    for (let i = 0; i < 500; i++) pool.submit(SYS_getppid, 0, 0, 0, 0, 0, 0, i);
    assertEquals(pool.inFlight, 503);
    const seen = new Set<number>();
    while (pool.inFlight > 3) {
      seen.add(reapOne(pool));
      assertEquals(pool.result, parent);
    }
    assertEquals([seen.size, Math.max(...seen)], [500, 499]);
    write(writer, scratch.cstr("abc"), 3);
    while (pool.inFlight > 0) seen.add(reapOne(pool));
    assertEquals([seen.size, seen.has(1002), pool.reap()], [503, true, -1]);
    for (const fd of [reader, writer]) close(fd);
  });
});

Deno.test("arguments and results keep 53 bits and their sign; calls run on another thread", () => {
  withPool(1, (pool) => {
    pool.submit(SYS_mmap, 0, 4096, 3, 0x22, -1, 0, 0);
    assertEquals(reapOne(pool), 0);
    assert(pool.result > 2 ** 32 && pool.result % 4096 === 0);
    pool.submit(SYS_gettid, 0, 0, 0, 0, 0, 0, 0);
    reapOne(pool);
    assert(pool.result > 0 && pool.result !== syscall(SYS_gettid));
  });
});

Deno.test("close() leaves nothing, and refuses while something is in flight", () => {
  const threads = () => Array.from(Deno.readDirSync("/proc/self/task")).length;
  const fds = () => Array.from(Deno.readDirSync("/proc/self/fd")).length;
  const [threadsBefore, fdsBefore] = [threads(), fds()];
  for (let i = 0; i < 20; i++) {
    const pool = new HelperPool(3);
    pool.submit(SYS_getppid, 0, 0, 0, 0, 0, 0, 1);
    assertThrows(() => pool.close(), Error, "in flight");
    reapOne(pool);
    pool.close();
  }
  // The host removes a thread from the list a moment after it cleared its id.
  for (let i = 0; i < 1000 && threads() > threadsBefore; i++) poll(-1, 0, 1);
  assertEquals([threads(), fds()], [threadsBefore, fdsBefore]);
});
