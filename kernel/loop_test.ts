// The loop among several users: which it serves next, and which task long turns are charged to.

import { assert, assertEquals } from "@std/assert";
import { SYS_getppid } from "../ffi/abi/syscall_numbers.ts";
import { type Context, TRAP_SYSCALL } from "../platform/platform.ts";
import { Loop } from "./loop.ts";
import { LoopDriver } from "./loop_driver.ts";
import { changeCredentials } from "./task/change_credentials.ts";
import { cpuUse } from "./cgroup/cpu.ts";
import { RUNNING, type Task } from "./task/task.ts";
import { LabKernel } from "./testing/task_lab.ts";

const MS = 1e6;

/** Threads that make one call after the other. A call costs its maker what `costNs` says. */
class Crowd {
  readonly kernel: LabKernel = new LabKernel();
  readonly loop: Loop;
  readonly posted: Context[] = [];
  /** Tasks that were served, in order. */
  readonly served: Task[] = [];
  private readonly limit: number;

  constructor(limit: number) {
    this.limit = limit;
    this.kernel.platform.poll = () => this.posted.shift() ?? null;
    const driver = new LoopDriver(this.kernel.host, this.kernel.platform);
    this.loop = new Loop(this.kernel, driver, { reclaim: () => false });
  }

  /** @param isEager its next call comes at once */
  thread(uid: number, costNs: number, isEager: boolean): Task {
    const { kernel } = this, task = kernel.start(), { ctx } = task;
    changeCredentials(task, { ...task.cred, uid });
    ctx.resumeRet = () => {
      kernel.host.nowNs += costNs;
      this.served.push(task);
      if (isEager) this.post(task);
      if (this.served.length >= this.limit) this.loop.stop();
    };
    this.post(task);
    return task;
  }

  post(task: Task): void {
    assertEquals(task.state, RUNNING);
    task.ctx.trap = TRAP_SYSCALL;
    task.ctx.nr = SYS_getppid;
    this.posted.push(task.ctx);
  }

  /** Runs to the limit. */
  run(): void {
    this.loop.run();
    this.kernel.close();
  }
}

Deno.test("a user's rare call waits for one long turn of another user's 64 threads", () => {
  const crowd = new Crowd(2000);
  for (let i = 0; i < 64; i++) crowd.thread(1, 2 * MS, true);
  const victim = crowd.thread(2, 1000, false), { ctx } = victim, { served } = crowd;
  const waits: number[] = [], resume = ctx.resumeRet;
  let since = 0;
  ctx.resumeRet = (result) => {
    resume(result);
    waits.push(served.length - 1 - since);
    since = served.length;
    crowd.post(victim);
  };
  crowd.run();
  // Only before the loop knows that turns are long does it serve a few without a look at the clock.
  assert(Math.max(...waits.slice(0, 1)) <= 64 && Math.max(...waits.slice(1)) <= 1, `${waits}`);
  assert(waits.length >= 900, `${waits.length}`);
});

Deno.test("short calls of 64 threads do not keep those of another user waiting for all", () => {
  const crowd = new Crowd(20_000);
  for (let i = 0; i < 64; i++) crowd.thread(1, 500, true);
  const other = crowd.thread(2, 500, true);
  crowd.run();
  const share = crowd.served.filter((task) => task === other).length / crowd.served.length;
  assert(share > 0.15, `${share}`);
});

Deno.test("a long turn is charged to the task that it was for, and to its control group", () => {
  const crowd = new Crowd(400), quick = crowd.thread(0, 1000, true);
  const slow = crowd.thread(0, 5 * MS, true), group = slow.cgroups.unified;
  const startNs = crowd.kernel.host.nowNs;
  crowd.loop.run();
  // The last turns of all are not charged yet.
  const wallNs = crowd.kernel.host.nowNs - startNs, { systemNs } = cpuUse(group);
  assert(systemNs > 0.8 * wallNs && systemNs <= wallNs, `${systemNs} of ${wallNs}`);
  assert(slow.systemNs > 10 * quick.systemNs, `${slow.systemNs} and ${quick.systemNs}`);
  crowd.kernel.close();
});

Deno.test("a long turn is charged whole, whether housekeeping comes right behind it or not", () => {
  const crowd = new Crowd(400), only = crowd.thread(0, 2 * MS, true);
  const startNs = crowd.kernel.host.nowNs;
  crowd.loop.run();
  const wallNs = crowd.kernel.host.nowNs - startNs;
  assert(only.systemNs > 0.9 * wallNs && only.systemNs <= wallNs, `${only.systemNs} of ${wallNs}`);
  crowd.kernel.close();
});

Deno.test("a loop whose clock went back goes on: it ticks, and nothing is charged", () => {
  const crowd = new Crowd(4000), { kernel, loop, served } = crowd, { platform, host } = kernel;
  host.nowNs += 2e15;
  const task = crowd.thread(0, 0.1 * MS, true), resume = task.ctx.resumeRet;
  const ticks: number[] = [];
  platform.tick = (nowNs) => ticks.push(nowNs);
  let ticksBefore = 0, systemNs = 0;
  const onStandstill = () => {
    host.monotonicOffsetNs -= 1e15;
    loop.restartClock();
    loop.quiescence.resume();
  };
  task.ctx.resumeRet = (result) => {
    resume(result);
    if (served.length !== 2000) return;
    ticksBefore = ticks.length;
    systemNs = task.systemNs;
    task.ctx.isFull = true;
    loop.quiescence.request({ onStandstill, onSandboxEnd: () => {} });
  };
  crowd.run();
  assert(ticksBefore > 100 && ticks.length > 1.5 * ticksBefore, `${ticksBefore} ${ticks.length}`);
  assert(ticks.every((ns) => ns > 2e15 && ns <= host.nowNs), "ticks have the host's time");
  assert(task.systemNs >= systemNs && task.systemNs < 0.5e9, `${task.systemNs}`);
});

/** Two kernels with a driver, a platform and a clock. */
class Neighbours {
  readonly first: LabKernel = new LabKernel();
  readonly second: LabKernel = new LabKernel();
  readonly driver: LoopDriver;
  readonly loops: readonly Loop[];
  readonly served: Task[] = [];
  private readonly posted: Context[] = [];

  constructor() {
    const { first, second } = this;
    Object.assign(second.host, { time: Reflect.get(first.host, "time") });
    first.platform.poll = () => this.posted.shift() ?? null;
    this.driver = new LoopDriver(first.host, first.platform);
    this.loops = [first, second].map((kernel) =>
      new Loop(kernel, this.driver, { reclaim: () => false })
    );
    for (const loop of this.loops) this.driver.add(loop, () => {});
  }

  /** @param onServed called when the call of the thread has been served; it makes the next one */
  thread(kernel: LabKernel, costNs: number, onServed: (post: () => void) => void): Task {
    const task = kernel.start(), { ctx } = task;
    const post = () => {
      ctx.trap = TRAP_SYSCALL;
      ctx.nr = SYS_getppid;
      this.posted.push(ctx);
    };
    ctx.resumeRet = () => {
      this.first.host.nowNs += costNs;
      this.served.push(task);
      onServed(post);
    };
    post();
    return task;
  }

  close(): void {
    this.first.close();
    this.second.close();
  }
}

Deno.test("64 threads with long turns in one kernel leave half of the time to another one", () => {
  const world = new Neighbours(), { first, second, served, loops } = world;
  for (let i = 0; i < 64; i++) world.thread(first, 2 * MS, (post) => post());
  const quick = world.thread(second, 20_000, (post) => {
    if (served.length < 20_000) post();
    else for (const loop of loops) loop.stop();
  });
  world.driver.run();
  const quickNs = served.filter((task) => task === quick).length * 20_000;
  const slowNs = served.filter((task) => task !== quick).length * 2 * MS;
  assert(quickNs > 0.45 * slowNs, `${quickNs} and ${slowNs}`);
  world.close();
});

Deno.test("a kernel that rests saves nothing up, and a rare call of it waits for one turn", () => {
  const world = new Neighbours(), { first, second, served, loops } = world;
  const waits: number[] = [];
  let since = 0, rare: (() => void) | null = null;
  for (let i = 0; i < 8; i++) {
    world.thread(first, MS, (post) => {
      post();
      if (served.length % 50 !== 0 || rare === null) return;
      since = served.length;
      rare();
      rare = null;
    });
  }
  world.thread(second, 1000, (post) => {
    waits.push(served.length - 1 - since);
    rare = post;
    if (waits.length === 40) { for (const loop of loops) loop.stop(); }
  });
  world.driver.run();
  // A turn may have up to eight quick traps, before the loop knows that they are long.
  assert(Math.max(...waits.slice(1)) <= 1 && waits[0]! <= 8, `${waits}`);
  world.close();
});

Deno.test("a loop that stops leaves the others running, and one can be added meanwhile", () => {
  const world = new Neighbours(), { first, second, driver, served } = world, ends: string[] = [];
  const third = new LabKernel();
  Object.assign(third.host, { time: Reflect.get(first.host, "time") });
  const late = new Loop(third, driver, { reclaim: () => false });
  let isAdded = false;
  world.thread(first, 1000, (post) => {
    post();
    if (served.length >= 100 && !isAdded) {
      isAdded = true;
      world.thread(third, 1000, (again) => {
        again();
        if (served.length >= 300) late.stop();
      });
      driver.add(late, () => ends.push("third"));
    }
    if (served.length >= 200) world.loops[0]!.stop();
  });
  world.thread(second, 1000, (post) => {
    if (served.length < 400) post();
    else world.loops[1]!.stop();
  });
  driver.run();
  assertEquals(ends, ["third"]);
  for (const kernel of [first, second, third]) {
    assert(served.filter((task) => task.kernel === kernel).length > 20);
  }
  third.close();
  world.close();
});
