// The world stops between turns and goes on: what is held back, what is asked for, what is charged.

import { assert, assertEquals, assertThrows } from "@std/assert";
import { SYS_getppid, SYS_pause } from "../../ffi/abi/syscall_numbers.ts";
import {
  type Context,
  TRAP_DEATH,
  TRAP_FULL,
  TRAP_INTERRUPT,
  TRAP_SYSCALL,
} from "../../platform/platform.ts";
import { Loop } from "../loop.ts";
import { LoopDriver } from "../loop_driver.ts";
import { resume } from "../task/alert.ts";
import { changeCredentials } from "../task/change_credentials.ts";
import { AWAIT_FULL, BLOCKED, FROZEN, RUNNING, type Task } from "../task/task.ts";
import type { FakeSpace } from "../testing/fake_platform.ts";
import { contextOf, FakeContext, LabKernel } from "../testing/task_lab.ts";
import type { StandstillListener } from "./quiesce.ts";

const MS = 1e6;

/** A context that stops when it is interrupted, and counts what is fetched of it. */
class StopContext extends FakeContext {
  fetches: number = 0;
  /** It stops by this before its interrupt arrives; TRAP_INTERRUPT: it does not. */
  nextTrap: number = TRAP_INTERRUPT;
  private readonly posted: Context[];

  constructor(space: FakeSpace, fpuSize: number, posted: Context[]) {
    super(space, fpuSize, (ctx) => posted.push(ctx));
    this.posted = posted;
  }

  override interrupt(): void {
    if (this.isRunning) this.stop(this.nextTrap);
  }
  stop(trap: number, nr: number = SYS_getppid): void {
    this.isRunning = false;
    this.trap = trap;
    this.nr = nr;
    this.isFull = trap === TRAP_INTERRUPT;
    this.posted.push(this);
  }
  override fetchFpu(): void {
    assert(this.isFull);
    this.fetches++;
  }
}

/** A world of tasks whose loop the test drives. */
class World implements StandstillListener {
  readonly kernel: LabKernel = new LabKernel();
  readonly loop: Loop;
  readonly posted: Context[] = [];
  /** Tasks that went on in guest code behind a call, in order. */
  readonly answered: Task[] = [];
  stands: number = 0;
  ends: number = 0;
  /** What the test does in a standstill. */
  inStandstill: () => void = () => {};

  constructor() {
    const { kernel } = this, { platform } = kernel;
    platform.contextMaker = (space) => new StopContext(space, platform.fpuSize, this.posted);
    platform.poll = () => this.posted.shift() ?? null;
    const driver = new LoopDriver(kernel.host, platform);
    this.loop = new Loop(kernel, driver, { reclaim: () => false });
    kernel.enqueue = (task) => this.loop.runQueue.push(task);
  }

  task(uid: number = 0): Task {
    const task = this.kernel.start(), ctx = stopContextOf(task), answer = ctx.resumeRet;
    task.ranSinceNs = this.kernel.now();
    if (uid !== 0) changeCredentials(task, { ...task.cred, uid });
    ctx.resumeRet = (result) => {
      this.answered.push(task);
      answer.call(ctx, result);
    };
    return task;
  }

  onStandstill(): void {
    this.stands++;
    assertEquals([this.loop.quiescence.request(this), this.posted], [false, []]);
    this.inStandstill();
    this.loop.quiescence.resume();
  }
  onSandboxEnd(): void {
    this.ends++;
  }

  /** Stops the world once. */
  stand(): void {
    const { kernel: { platform, host }, loop: { quiescence } } = this;
    assert(quiescence.request(this));
    for (;;) {
      quiescence.step();
      if (!quiescence.isAsked) return;
      assertEquals([quiescence.hasWork, quiescence.sleepNs > 0], [false, true]);
      platform.prepareSleep();
      platform.finishSleep();
      platform.tick(host.nowNs);
    }
  }

  /** Serves what is there, one batch. */
  serve(): number {
    return this.loop.server.serve(this.kernel.now());
  }

  /** A task that waits in pause(2), whose thread has its FPU state. */
  sleeper(): Task {
    const task = this.task();
    stopContextOf(task).stop(TRAP_SYSCALL, SYS_pause);
    this.serve();
    assertEquals(task.state, BLOCKED);
    return task;
  }
}

function stopContextOf(task: Task): StopContext {
  const ctx = contextOf(task);
  if (!(ctx instanceof StopContext)) throw new Error("not a context of this test");
  return ctx;
}

function inWorld(body: (world: World) => void): void {
  const world = new World();
  try {
    body(world);
  } finally {
    world.kernel.close();
  }
}

Deno.test("running tasks are interrupted, and go on", () =>
  inWorld((world) => {
    const tasks = [world.task(), world.task(), world.task()];
    world.inStandstill = () => {
      for (const task of tasks) {
        const ctx = stopContextOf(task);
        assertEquals([task.state, ctx.isRunning, ctx.fetches], [RUNNING, false, 1]);
      }
    };
    world.stand();
    assertEquals([world.stands, world.serve()], [1, 3]);
    for (const task of tasks) {
      assertEquals([task.state, contextOf(task).isRunning], [RUNNING, true]);
    }
  }));

Deno.test("calls that come before the interrupts are held back, and served in their order", () =>
  inWorld((world) => {
    const [a, b, c] = [world.task(), world.task(), world.task()];
    stopContextOf(c).stop(TRAP_SYSCALL);
    stopContextOf(a).nextTrap = TRAP_SYSCALL;
    world.inStandstill = () => {
      assertEquals(world.answered, []);
      const held = world.loop.server.held.all();
      assertEquals(held.map((ctx) => ctx.owner), [c, a, b]);
      assertEquals(held.map((ctx) => ctx.trap), [TRAP_SYSCALL, TRAP_SYSCALL, TRAP_INTERRUPT]);
      for (const ctx of held) assertEquals((ctx as StopContext).fetches, 1);
    };
    world.stand();
    world.serve();
    assertEquals(world.answered, [c, a]);
    assertEquals([a, b, c].map((task) => contextOf(task).result), [0, null, 0]);
  }));

Deno.test("a task that waits keeps its wait, and returns as a call does", () =>
  inWorld((world) => {
    const task = world.sleeper(), ctx = stopContextOf(task);
    world.inStandstill = () => {
      assertEquals([task.state, ctx.trap, ctx.nr], [BLOCKED, TRAP_SYSCALL, SYS_pause]);
      assertEquals([ctx.fetches, task.regsFetched], [1, false]);
    };
    world.stand();
    task.nr = SYS_getppid;
    task.wake();
    world.serve();
    assertEquals(world.answered, [task]);
    assertEquals(task.state, RUNNING);
  }));

Deno.test("registers that the kernel has already are not fetched again", () =>
  inWorld((world) => {
    const task = world.sleeper(), ctx = stopContextOf(task);
    task.regsFetched = true;
    ctx.fpu[0] = 7;
    world.stand();
    assertEquals([ctx.fetches, ctx.fpu[0]], [0, 7]);
    // A new task, which never ran.
    const child = world.task();
    contextOf(child).isRunning = false;
    child.regsFetched = true;
    resume(child);
    world.stand();
    assertEquals([world.stands, stopContextOf(child).fetches], [2, 0]);
    world.serve();
    assertEquals(child.state, RUNNING);
  }));

Deno.test("a task's own request for its state is answered after the standstill", () =>
  inWorld((world) => {
    const task = world.sleeper(), ctx = stopContextOf(task);
    task.state = AWAIT_FULL;
    task.result = -4;
    ctx.requestFull();
    world.inStandstill = () => {
      assertEquals([task.state, ctx.trap, ctx.fetches], [AWAIT_FULL, TRAP_FULL, 1]);
    };
    world.stand();
    world.serve();
    assertEquals([task.state, ctx.result], [RUNNING, -4]);
  }));

Deno.test("a context that dies is served as a death, once", () =>
  inWorld((world) => {
    const task = world.task(), sleeper = world.sleeper(), other = world.task();
    stopContextOf(task).nextTrap = TRAP_DEATH;
    const ctx = stopContextOf(sleeper);
    ctx.requestFull = () => ctx.stop(TRAP_DEATH); // in place of the answer
    const late = stopContextOf(other), { requestFull } = late;
    late.nextTrap = TRAP_SYSCALL;
    late.requestFull = () => {
      requestFull.call(late); // both
      late.stop(TRAP_DEATH);
    };
    world.inStandstill = () => {
      const owners = world.loop.server.held.all().map((held) => held.owner);
      assertEquals([owners.length, new Set(owners)], [3, new Set([task, sleeper, other])]);
    };
    world.stand();
    world.serve();
    for (const dead of [task, sleeper, other]) assert(dead.group.isExiting);
  }));

Deno.test("a thread that does not stop is waited for until the platform kills it", () =>
  inWorld((world) => {
    const task = world.task(), ctx = stopContextOf(task), { platform } = world.kernel;
    ctx.interrupt = () => {};
    let ticks = 0;
    platform.tick = () => {
      if (++ticks === 5) ctx.stop(TRAP_DEATH);
    };
    platform.finishSleep = () => world.kernel.host.nowNs += MS;
    world.inStandstill = () => assertEquals([ticks, task.state], [5, RUNNING]);
    world.stand();
    world.serve();
    assertEquals([world.stands, task.group.isExiting], [1, true]);
  }));

Deno.test("tasks that stand still already stay where they are", () =>
  inWorld((world) => {
    const task = world.sleeper(), ctx = stopContextOf(task);
    task.state = FROZEN;
    world.stand();
    assertEquals([world.stands, task.state, ctx.fetches], [1, FROZEN, 1]);
    task.result = 0;
    resume(task);
    world.serve();
    assertEquals([task.state, ctx.result], [RUNNING, 0]);
  }));

Deno.test("stops that wait in their accounts stay there", () =>
  inWorld((world) => {
    const [a, b] = [world.task(1), world.task(2)], { server, fair } = world.loop;
    for (const task of [a, b]) {
      stopContextOf(task).stop(TRAP_SYSCALL);
      fair.addTrap(task.ctx, task.turnAccount!);
    }
    world.posted.length = 0;
    world.inStandstill = () => {
      assertEquals([server.held.length, fair.pending], [0, 2]);
      for (const { ctx } of [a, b]) {
        assertEquals([ctx.trap, (ctx as StopContext).fetches], [TRAP_SYSCALL, 1]);
      }
    };
    world.stand();
    world.serve();
    assertEquals(new Set(world.answered), new Set([a, b]));
  }));

Deno.test("changes of address spaces are done when the world stands still", () =>
  inWorld((world) => {
    const task = world.sleeper(), { space } = contextOf(task), { platform } = world.kernel;
    platform.acksAtOnce = false;
    space.seq++;
    let looks = 0;
    platform.finishSleep = () => {
      if (++looks === 3) space.ackedSeq = space.seq;
    };
    world.inStandstill = () => assertEquals([space.ackedSeq, looks], [space.seq, 3]);
    world.stand();
    assertEquals(world.stands, 1);
  }));

Deno.test("the time of a standstill is charged to no task", () =>
  inWorld((world) => {
    const { kernel } = world, { host } = kernel, busy = world.task(), caller = world.task();
    stopContextOf(caller).stop(TRAP_SYSCALL);
    world.serve();
    host.nowNs += MS;
    world.inStandstill = () => host.nowNs += 1000 * MS;
    world.stand();
    for (let i = 0; i < 3; i++) world.serve();
    stopContextOf(busy).stop(TRAP_INTERRUPT);
    world.serve();
    for (const { userNs, systemNs } of [busy, caller]) {
      assert(userNs + systemNs < 10 * MS, `${userNs} and ${systemNs}`);
    }
    assert(busy.userNs >= MS, `${busy.userNs}`);
  }));

Deno.test("a stop that was held back is served in a copy, whose threads have no state yet", () =>
  inWorld((world) => {
    const caller = world.task(), spinner = world.task(), results: unknown[] = [];
    stopContextOf(caller).stop(TRAP_SYSCALL);
    world.inStandstill = () => {
      for (const task of [caller, spinner]) {
        const old = contextOf(task), ctx = old.space.newContext() as StopContext;
        ctx.regBytes.set(old.regBytes);
        ctx.regBytes[0] = task.tid;
        ctx.trap = old.trap;
        ctx.nr = old.nr;
        task.rebind(ctx, task.mm);
        task.regsFetched = task.attention = true;
        ctx.resumeAll = (withFpu) => results.push([task, withFpu, ctx.regBytes[0], ctx.trap]);
        ctx.resumeRet = () => results.push("without the state");
      }
      world.loop.server.held.drain();
      for (const { ctx } of [caller, spinner]) world.loop.server.held.push(ctx);
    };
    world.stand();
    world.inStandstill = () => {};
    world.stand(); // once more before they ran
    for (const { ctx } of [caller, spinner]) {
      assertEquals(stopContextOf(ctx.owner as Task).fetches, 0);
    }
    world.serve();
    assertEquals(results, [[caller, true, caller.tid, TRAP_SYSCALL], [
      spinner,
      true,
      spinner.tid,
      TRAP_INTERRUPT,
    ]]);
  }));

Deno.test("a request that is taken back before the next turn does nothing", () =>
  inWorld((world) => {
    const task = world.task(), { quiescence } = world.loop;
    assert(quiescence.request(world));
    quiescence.resume();
    quiescence.step();
    assertEquals([world.stands, quiescence.isAsked, contextOf(task).isRunning], [0, false, true]);
  }));

Deno.test("the end of the sandbox ends a standstill, and refuses others", () =>
  inWorld((world) => {
    const { loop } = world;
    world.task();
    world.inStandstill = () => loop.stop();
    assert(loop.quiescence.request(world));
    loop.run();
    assertEquals([world.stands, world.ends, loop.quiescence.request(world)], [1, 1, false]);
  }));

Deno.test("the sandbox can end while threads are being stopped", () =>
  inWorld((world) => {
    const { loop, kernel: { platform } } = world, ctx = stopContextOf(world.task());
    ctx.interrupt = () => {}; // it does not stop
    platform.tick = () => loop.stop();
    assert(loop.quiescence.request(world));
    loop.run();
    assertEquals([world.stands, world.ends], [0, 1]);
  }));

Deno.test("a fault of the listener lets the world go on", () =>
  inWorld((world) => {
    const task = world.task();
    world.inStandstill = () => {
      throw new Error("no room");
    };
    assertThrows(() => world.stand(), Error, "no room");
    assertEquals(world.loop.quiescence.isAsked, false);
    world.serve();
    assert(contextOf(task).isRunning);
  }));
