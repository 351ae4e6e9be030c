/** Tests of eventfd.ts and timerfd.ts. */
import { POLLERR, POLLIN, POLLOUT } from "../../../ffi/abi/poll.ts";
import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { assertEquals } from "@std/assert";
import { EAGAIN, EINVAL } from "../../../ffi/abi/errno.ts";
import { TimerQueue } from "../../time/timer.ts";
import { DeviceNumbers } from "../../vfs/device_numbers.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { BufferCursor } from "../../vfs/vfs_testing.ts";
import { AnonFiles } from "./anon_inode.ts";
import { EventFile } from "./eventfd.ts";
import { TimerFile } from "./timerfd.ts";

const anon = new AnonFiles(new DeviceNumbers());

function read(file: OpenFile): bigint | number {
  const io = new BufferCursor(new Uint8Array(8));
  const n = file.read(io, -1);
  return n < 0 ? n : new DataView(io.buffer.buffer).getBigUint64(0, true);
}

function write(file: OpenFile, value: bigint): number {
  const u8 = new Uint8Array(8);
  new DataView(u8.buffer).setBigUint64(0, value, true);
  return file.write(new BufferCursor(u8), -1);
}

Deno.test("an eventfd adds up and gives all at once", () => {
  const file = new EventFile(TEST_ACCOUNT, anon, 2, 3, false);
  assertEquals([read(file), read(file)], [3n, -EAGAIN]);
  assertEquals([write(file, 0xffffffffn), write(file, 2n), read(file)], [8, 8, 0x100000001n]);
  assertEquals([write(file, 0n), read(file)], [8, -EAGAIN]);
});

Deno.test("an eventfd never passes 2^64 - 2", () => {
  const file = new EventFile(TEST_ACCOUNT, anon, 2, 0, false), max = 2n ** 64n - 2n;
  assertEquals(write(file, 2n ** 64n - 1n), -EINVAL);
  assertEquals([write(file, max), write(file, 1n), file.poll()], [8, -EAGAIN, POLLIN]);
  assertEquals([read(file), file.poll()], [max, POLLOUT]);
  write(file, max - 5n);
  assertEquals([write(file, 6n), write(file, 5n), file.poll() & POLLERR], [-EAGAIN, 8, 0]);
});

Deno.test("a semaphore gives one at a time, through a borrow", () => {
  const file = new EventFile(TEST_ACCOUNT, anon, 2, 0, true);
  write(file, 0x100000000n);
  assertEquals([read(file), file.poll() & POLLIN, read(file)], [1n, POLLIN, 1n]);
  const small = new EventFile(TEST_ACCOUNT, anon, 2, 2, true);
  assertEquals([read(small), read(small), read(small)], [1n, 1n, -EAGAIN]);
});

Deno.test("eventfd reads and writes are of 8 bytes", () => {
  const file = new EventFile(TEST_ACCOUNT, anon, 2, 1, false);
  assertEquals(file.read(new BufferCursor(new Uint8Array(7)), -1), -EINVAL);
  assertEquals(file.write(new BufferCursor(new Uint8Array(7)), -1), -EINVAL);
  assertEquals(read(file), 1n);
});

class Clock {
  nowNs: number = 1000;
  readonly timers: TimerQueue = new TimerQueue();
  now(): number {
    return this.nowNs;
  }
  pass(ns: number): void {
    this.nowNs += ns;
    this.timers.expire(this.nowNs);
  }
}

Deno.test("a timerfd counts its expirations", () => {
  const clock = new Clock(), file = new TimerFile(TEST_ACCOUNT, anon, clock, 1, 0);
  assertEquals(read(file), -EAGAIN);
  file.set(clock.now() + 100, 50, 0);
  assertEquals([file.remainingNs, file.poll()], [100, 0]);
  clock.pass(99);
  assertEquals([read(file), file.remainingNs], [-EAGAIN, 1]);
  clock.pass(1);
  assertEquals([file.poll(), read(file), read(file)], [POLLIN, 1n, -EAGAIN]);
  clock.pass(149);
  assertEquals([read(file), file.remainingNs], [2n, 1]);
  clock.pass(1);
  assertEquals([read(file), file.remainingNs], [1n, 50]);
});

Deno.test("a timerfd without an interval expires once, also in the past", () => {
  const clock = new Clock(), file = new TimerFile(TEST_ACCOUNT, anon, clock, 1, 0);
  file.set(5, 0, 1);
  assertEquals([read(file), file.remainingNs, clock.timers.size], [1n, 0, 0]);
  file.set(clock.now() + 10, 0, 0);
  file.set(Infinity, 0, 0);
  clock.pass(100);
  assertEquals([read(file), file.remainingNs], [-EAGAIN, 0]);
});

Deno.test("setting a timerfd forgets expirations; closing removes it from the heap", () => {
  const clock = new Clock(), file = new TimerFile(TEST_ACCOUNT, anon, clock, 1, 0);
  file.set(clock.now() + 10, 10, 0);
  clock.pass(35);
  file.set(clock.now() + 10, 10, 0);
  assertEquals(read(file), -EAGAIN);
  assertEquals(clock.timers.size, 1);
  file.drop();
  assertEquals(clock.timers.size, 0);
});

Deno.test("a timerfd that is not read costs one expiration, whatever its interval", () => {
  const clock = new Clock(), file = new TimerFile(TEST_ACCOUNT, anon, clock, 1, 0);
  file.set(clock.now() + 1, 1, 0);
  clock.pass(1);
  assertEquals(clock.timers.size, 0);
  clock.pass(999_999);
  assertEquals([read(file), clock.timers.size], [1_000_000n, 1]);
});
