import { assert, assertEquals } from "@std/assert";
import { POLLHUP } from "../../ffi/abi/poll.ts";
import { ENXIO, ERESTARTSYS } from "../../ffi/abi/errno.ts";
import { AT_FDCWD, O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import { S_IFIFO } from "../../ffi/abi/stat.ts";
import { BLOCK } from "../core/result.ts";
import { Waiter, type WaitQueue } from "../core/wait.ts";
import { mknodAt } from "../vfs/create.ts";
import { openAt } from "../vfs/open.ts";
import { OpenFile } from "../vfs/open_file.ts";
import { unlinkAt } from "../vfs/remove.ts";
import { Progress } from "../task/progress.ts";
import { TestCaller, TestFiles } from "../vfs/vfs_testing.ts";
import { resumeOpen } from "./fifo.ts";

class Wakes extends Waiter {
  count: number = 0;
  override onWake(): void {
    this.count++;
  }
}

/** A caller that can wait, as a task can. */
class Waiting extends TestCaller {
  readonly progress: Progress = new Progress();
  readonly waiter: Wakes = new Wakes();
  isInterrupted: boolean = false;

  waitFor(queue: WaitQueue, events: number): number {
    if (this.isInterrupted) return -ERESTARTSYS;
    queue.add(this.waiter, events);
    return BLOCK;
  }
}

function lab(): { a: Waiting; b: Waiting; files: TestFiles } {
  const files = new TestFiles();
  const { root } = files;
  assertEquals(mknodAt(root, AT_FDCWD, "/f", S_IFIFO | 0o644, 0), 0);
  const make = () => new Waiting(root.files, root.fs, root.cred, root.account);
  return { a: make(), b: make(), files };
}

function open(caller: Waiting, flags: number): OpenFile | number {
  return openAt(caller, AT_FDCWD, "/f", flags, 0);
}

Deno.test("the two ends of a FIFO wait for each other", () => {
  const { a, b } = lab();
  assertEquals(open(a, O_RDONLY), BLOCK);
  const w = open(b, O_WRONLY);
  assert(w instanceof OpenFile);
  assertEquals(a.waiter.count, 1);
  const r = resumeOpen(a);
  assert(r instanceof OpenFile);
  assertEquals(a.progress.object, null);
  w.drop();
  assertEquals(r.poll(), POLLHUP);
  r.drop();
});

Deno.test("a waiting open continues although writer and path are gone", () => {
  const { a, b } = lab();
  assertEquals(open(a, O_RDONLY), BLOCK);
  const w = open(b, O_WRONLY);
  assert(w instanceof OpenFile);
  w.drop();
  assertEquals(unlinkAt(b, AT_FDCWD, "/f"), 0);
  const r = resumeOpen(a);
  assert(r instanceof OpenFile);
  r.drop();
});

Deno.test("an interrupted open leaves no end behind", () => {
  const { a, b } = lab();
  assertEquals(open(a, O_RDONLY), BLOCK);
  a.isInterrupted = true;
  assertEquals(resumeOpen(a), -ERESTARTSYS);
  assertEquals(open(b, O_WRONLY | O_NONBLOCK), -ENXIO);
});

Deno.test("O_NONBLOCK and O_RDWR do not wait; no hang-up before the first writer", () => {
  const { a, b } = lab();
  const r = open(a, O_RDONLY | O_NONBLOCK);
  assert(r instanceof OpenFile);
  assertEquals(r.poll(), 0);
  const w = open(b, O_WRONLY | O_NONBLOCK);
  assert(w instanceof OpenFile);
  w.drop();
  assertEquals(r.poll(), POLLHUP);
  const both = open(a, O_RDWR);
  assert(both instanceof OpenFile);
  assertEquals(r.poll(), 0);
  both.drop();
  r.drop();
});
