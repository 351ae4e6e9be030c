// poll(2) and select(2) of more descriptors than a turn looks at: turns are counted, events between
// them are not lost, signals and the end of the process leave nothing behind.

import { assert, assertEquals } from "@std/assert";
import { RLIMIT_NOFILE } from "../../../ffi/abi/resource.ts";
import { SIGKILL } from "../../../ffi/abi/signal.ts";
import { MAP_ANONYMOUS, MAP_FIXED, MAP_PRIVATE } from "../../../ffi/abi/mman.ts";
import { EXTRA_WAITS, TEXT_BYTES } from "../../core/quota.ts";
import { BLOCKED, type Task } from "../../task/task.ts";
import { DATA, LabKernel, WAITS } from "../../testing/task_lab.ts";
import { FDS_A_TURN } from "./poll_passes.ts";

const ARRAY = 0x100000000, COUNT = 3 * FDS_A_TURN;

interface Pipe {
  readonly r: number;
  readonly w: number;
}

class Polling {
  readonly kernel: LabKernel = new LabKernel();
  readonly parent: Task = this.kernel.start();
  /** A child of the first process, which can be killed. */
  readonly task: Task = childOf(this.kernel, this.parent);
  readonly first: Pipe = this.pipe();
  readonly second: Pipe = this.pipe();

  /** Entries of the first slice are of one pipe, all others of two by turns. */
  constructor() {
    const { task, first, second } = this;
    task.group.limits.soft[RLIMIT_NOFILE] = Infinity;
    task.mm.mmap(ARRAY, 8 * COUNT, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, null, 0);
    const other = this.pipe();
    for (let i = 0; i < COUNT; i++) {
      const { r } = i < FDS_A_TURN ? first : i % 2 === 0 ? second : other;
      task.mm.store64(ARRAY + 8 * i, r + 2 ** 32);
    }
  }

  private pipe(): Pipe {
    assertEquals(this.kernel.call(this.task, "pipe", DATA), 0);
    return { r: this.task.mm.load32(DATA), w: this.task.mm.load32(DATA + 4) };
  }
  poll(timeoutMs: number): void {
    assertEquals(this.kernel.call(this.task, "poll", ARRAY, COUNT, timeoutMs), WAITS);
  }
  /** Turns until the call sleeps or is over. */
  turns(): number {
    let n = 0;
    const isUnderWay = () =>
      this.task.state !== BLOCKED ? false : this.task.uninterruptible || n === 0;
    for (; isUnderWay() && n < 100; n++) this.kernel.pass(1);
    return n;
  }
  write({ w }: Pipe): void {
    const { files, mm } = this.task, file = files.get(w);
    if (file === null) throw new Error("no pipe");
    const io = this.task.io;
    assertEquals(mm.store32(DATA + 64, 1), 0);
    io.set(DATA + 64, 1);
    assertEquals(file.write(io, -1), 1);
  }
}

function childOf(kernel: LabKernel, parent: Task): Task {
  const child = kernel.pids.tasks.get(Number(kernel.call(parent, "fork")));
  if (child === undefined) throw new Error("no child");
  return child;
}

function polling(test: (p: Polling) => void): void {
  const p = new Polling(), { root } = p.kernel.accounts, before = EXTRA_WAITS.countOf(root);
  test(p);
  assertEquals([p.task.moreWaiters, EXTRA_WAITS.countOf(root)], [null, before]);
  p.kernel.close();
}

Deno.test("a poll without a time-out registers no waiter", () =>
  polling((p) => {
    p.poll(0);
    assertEquals([p.task.moreWaiters, p.turns(), p.kernel.outcome(p.task)], [null, 2, 0]);
  }));

Deno.test("an event on a descriptor that a pass has checked makes another pass", () =>
  polling((p) => {
    p.poll(-1);
    assertEquals(p.task.moreWaiters?.length, 1);
    p.kernel.pass(1);
    p.write(p.first);
    // The third slice, a pass of three, and what is registered in three parts.
    p.turns();
    assertEquals(p.kernel.outcome(p.task), FDS_A_TURN);
  }));

Deno.test("a sleeping poll wakes and checks all descriptors again", () =>
  polling((p) => {
    p.poll(-1);
    p.turns();
    assertEquals([p.task.state, p.task.uninterruptible], [BLOCKED, false]);
    assert(p.task.moreWaiters!.length === 2 * FDS_A_TURN + 1);
    p.write(p.second);
    p.kernel.pass(1);
    p.turns();
    assertEquals(p.kernel.outcome(p.task), FDS_A_TURN);
  }));

Deno.test("a process that is killed between two turns, or asleep, is registered nowhere", () => {
  for (const turns of [0, 1, 10]) {
    polling((p) => {
      p.poll(-1);
      for (let n = 0; n < turns; n++) p.kernel.pass(1);
      assert(p.task.moreWaiters!.length > 0);
      assertEquals(p.kernel.call(p.parent, "kill", p.task.group.pid, SIGKILL), 0);
    });
  }
});

Deno.test("select checks a part of its sets a turn, and frees its memory", () =>
  polling((p) => {
    const { kernel, task, first } = p, high = 2 * FDS_A_TURN + 5, { root } = kernel.accounts;
    assertEquals(kernel.call(task, "dup2", first.r, high), high);
    const bits = () => task.mm.store8(ARRAY + (high >> 3), 1 << (high & 7));
    task.mm.clear(ARRAY, high);
    bits();
    const before = TEXT_BYTES.countOf(root);
    kernel.call(task, "select", high + 1, ARRAY, 0, 0, 0);
    assertEquals(TEXT_BYTES.countOf(root) > before, true);
    p.turns();
    assertEquals([task.state, task.moreWaiters?.length], [BLOCKED, 1]);
    p.write(first);
    kernel.pass(1);
    p.turns();
    assertEquals([kernel.outcome(task), task.mm.load8(ARRAY + (high >> 3))], [1, 1 << (high & 7)]);
    kernel.call(task, "getpid");
    assertEquals(TEXT_BYTES.countOf(root), before);
  }));
