import { assertEquals } from "@std/assert";
import { AF_UNIX, SOCK_STREAM } from "../../../ffi/abi/socket.ts";
import { scratch } from "../../../ffi/sys/cstring.ts";
import { close, socketpair, write } from "../../../ffi/sys/files.ts";
import type { ThreadGroup } from "../../../kernel/task/thread_group.ts";
import { IoHost } from "../../../kernel/testing/io_host.ts";
import { LabKernel } from "../../../kernel/testing/task_lab.ts";
import { TimerQueue } from "../../../kernel/time/timer.ts";
import { OomWitness } from "../../proxy/oom_witness.ts";
import { KillCounter } from "./kill_counter.ts";

/** More than the host may take for a kill. */
const LONG_NS = 1e10;

class CounterLab {
  readonly host: IoHost = new IoHost();
  readonly timers: TimerQueue = new TimerQueue();
  readonly released: ThreadGroup[] = [];
  readonly oom = { release: (victim: ThreadGroup): unknown => this.released.push(victim) };
  readonly counter: KillCounter;
  private readonly fd: number;
  private readonly witness: number;

  constructor() {
    const pair = socketpair(AF_UNIX, SOCK_STREAM);
    if (typeof pair === "number") throw new Error("socketpair");
    [this.fd, this.witness] = pair;
    this.counter = new KillCounter(this, new OomWitness(this.fd));
  }

  /** The witness answers once more. */
  answer(): void {
    assertEquals(write(this.witness, scratch.area(0), 1), 1);
    this.host.report(this.fd);
  }

  endWitness(): void {
    close(this.witness);
    this.host.report(this.fd);
  }
}

function victims(): [LabKernel, ThreadGroup, ThreadGroup] {
  const lab = new LabKernel(), task = lab.start();
  const child = lab.pids.tasks.get(Number(lab.call(task, "fork")))!;
  return [lab, task.group, child.group];
}

Deno.test("victims stand still until the host has counted all kills", () => {
  const [kernel, first, second] = victims(), lab = new CounterLab(), { counter, released } = lab;
  assertEquals([counter.countKill(first), counter.countKill(second)], [true, true]);
  lab.answer();
  assertEquals(released, []);
  lab.answer();
  assertEquals([released, lab.timers.size], [[first, second], 0]);
  counter.close();
  lab.endWitness();
  kernel.close();
});

Deno.test("victims do not wait for a witness that takes too long, which is not asked again", () => {
  const [kernel, first, second] = victims(), lab = new CounterLab(), { counter, released } = lab;
  assertEquals(counter.countKill(first), true);
  lab.timers.expire(lab.host.monotonicNs() + LONG_NS);
  assertEquals([released, counter.countKill(second)], [[first], false]);
  counter.close();
  lab.endWitness();
  kernel.close();
});

Deno.test("victims do not wait for a witness that has ended", () => {
  const [kernel, first, second] = victims(), lab = new CounterLab(), { counter, released } = lab;
  assertEquals(counter.countKill(first), true);
  lab.endWitness();
  assertEquals([released, counter.countKill(second)], [[first], false]);
  counter.close();
  kernel.close();
});
