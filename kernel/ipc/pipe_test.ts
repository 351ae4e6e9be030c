import { assertEquals } from "@std/assert";
import { POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../ffi/abi/poll.ts";
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { EAGAIN, EBUSY, EPERM, EPIPE } from "../../ffi/abi/errno.ts";
import { O_DIRECT, O_RDONLY, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import { S_IFIFO } from "../../ffi/abi/stat.ts";
import { Waiter } from "../core/wait.ts";
import { AnonFs } from "../fs/anonfd/anon_inode.ts";
import { BufferCursor, TestFiles } from "../vfs/vfs_testing.ts";
import { Pipe, PIPE_MAX_BYTES, PipeFile } from "./pipe.ts";

const IN = POLLIN | POLLRDNORM, OUT = POLLOUT | POLLWRNORM;

function pipe(flags = 0): readonly [PipeFile, PipeFile] {
  const { frames, vfs } = new TestFiles();
  const p = new Pipe(frames, new AnonFs(vfs.devices, "pipefs").makeInode(S_IFIFO | 0o600));
  return [
    new PipeFile(TEST_ACCOUNT, p, O_RDONLY | flags),
    new PipeFile(TEST_ACCOUNT, p, O_WRONLY | flags),
  ];
}

function write(file: PipeFile, text: string): number {
  return file.write(new BufferCursor(new TextEncoder().encode(text)), -1);
}

function read(file: PipeFile, max = 100): string | number {
  const io = new BufferCursor(new Uint8Array(max));
  const n = file.read(io, -1);
  return n < 0 ? n : new TextDecoder().decode(io.buffer.subarray(0, n));
}

class Counter extends Waiter {
  events: number[] = [];
  override onWake(events: number): void {
    this.events.push(events);
  }
}

Deno.test("a pipe delivers in order, then the end", () => {
  const [r, w] = pipe();
  assertEquals(read(r), -EAGAIN);
  assertEquals([write(w, "ab"), write(w, "cd"), read(r, 3), read(r)], [2, 2, "abc", "d"]);
  assertEquals([r.poll(), w.poll()], [0, OUT]);
  write(w, "rest");
  w.drop();
  assertEquals([r.poll(), read(r), r.poll(), read(r)], [IN | POLLHUP, "rest", POLLHUP, ""]);
});

Deno.test("a write of up to PIPE_BUF goes in whole or not at all", () => {
  const [r, w] = pipe();
  assertEquals(w.pipe.resize(1), 4096);
  assertEquals(write(w, "x".repeat(4000)), 4000);
  assertEquals([write(w, "y".repeat(97)), w.poll()], [-EAGAIN, 0]);
  assertEquals(write(w, "y".repeat(96)), 96);
  assertEquals(read(r, 5000), "x".repeat(4000) + "y".repeat(96));
  assertEquals([write(w, "z".repeat(9000)), w.pipe.ring.length], [4096, 4096]);
});

Deno.test("without readers a write is EPIPE and the poll says error", () => {
  const [r, w] = pipe();
  write(w, "lost");
  r.drop();
  assertEquals([write(w, "x"), write(w, ""), w.poll()], [-EPIPE, 0, OUT | POLLERR]);
  assertEquals(w.pipe.ring.frames.usedBytes > 0, true);
  w.drop();
  assertEquals(w.pipe.ring.frames.usedBytes, 0);
});

Deno.test("packets keep their boundaries, and a short read loses the rest", () => {
  const [r, w] = pipe(O_DIRECT);
  write(w, "first");
  write(w, "second");
  assertEquals([read(r, 2), read(r), read(r)], ["fi", "second", -EAGAIN]);
  assertEquals(write(w, "x".repeat(5000)), 4096);
  write(w, "tail");
  assertEquals([(read(r, 9000) as string).length, read(r)], [4096, "tail"]);
});

Deno.test("ordinary bytes before a packet are read with it", () => {
  const [r, w] = pipe();
  write(w, "x".repeat(4096));
  w.flags |= O_DIRECT;
  write(w, "packet");
  w.flags &= ~O_DIRECT;
  write(w, "more");
  assertEquals((read(r, 4000) as string).length, 4000);
  assertEquals([read(r, 200), read(r)], ["x".repeat(96) + "packet", "more"]);
});

Deno.test("the capacity has bounds and does not shrink below the content", () => {
  const [, w] = pipe();
  assertEquals(w.pipe.resize(PIPE_MAX_BYTES + 1), -EPERM);
  write(w, "x".repeat(10_000));
  assertEquals([w.pipe.resize(8192), w.pipe.resize(9000)], [-EBUSY, 16384]);
});

Deno.test("a waiting reader is woken by bytes, a writer by room, both by the end", () => {
  const [r, w] = pipe();
  const waiter = new Counter();
  r.pipe.waitQueue.add(waiter, 0);
  write(w, "a");
  assertEquals(waiter.events.splice(0), [IN]);
  read(r);
  assertEquals(waiter.events.splice(0), [], "there was room before");
  write(w, "x".repeat(65536));
  waiter.events.length = 0;
  read(r, 100);
  assertEquals(waiter.events.splice(0), [], "less than PIPE_BUF is no room");
  read(r, 5000);
  assertEquals(waiter.events.splice(0), [OUT]);
  w.drop();
  assertEquals(waiter.events.splice(0), [POLLHUP | IN]);
});

Deno.test("splice and tee move bytes between rings", () => {
  const [r, w] = pipe(O_DIRECT);
  const other = pipe();
  const target = new Pipe(w.pipe.ring.frames, other[0].inode);
  const tr = new PipeFile(TEST_ACCOUNT, target, O_RDONLY);
  new PipeFile(TEST_ACCOUNT, target, O_WRONLY);
  write(w, "one");
  write(w, "two");
  assertEquals([target.moveFrom(r.pipe, 2, false), read(tr)], [2, "on"]);
  assertEquals([target.moveFrom(r.pipe, 5, true), read(tr), read(r)], [5, "onetw", "o"]);
});
