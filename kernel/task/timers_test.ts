import { assertEquals } from "@std/assert";
import { RLIMIT_CPU } from "../../ffi/abi/resource.ts";
import { SIGALRM, SIGCONT, SIGPROF, SIGSTOP, SIGUSR1, SIGXCPU } from "../../ffi/abi/signal.ts";
import { EINTR, EINVAL } from "../../ffi/abi/errno.ts";
import { SI_TIMER, SiginfoTimer } from "../../ffi/abi/siginfo.ts";
import { statusKilled } from "../../ffi/abi/wait.ts";
import { RAX } from "../../platform/platform.ts";
import { contextOf, DATA, LabKernel, WAITS } from "../testing/task_lab.ts";
import { sendToTask, userSignal } from "../signal/send.ts";
import { DEAD, RUNNING, type Task } from "./task.ts";

const MONOTONIC = 1, SPEC = DATA, OLD = DATA + 64, EVENT = DATA + 128, ID = DATA + 256;

function withTask(test: (kernel: LabKernel, task: Task) => void): void {
  const kernel = new LabKernel();
  const task = kernel.start();
  test(kernel, task);
  kernel.close();
}

function pair(task: Task, addr: number, a: number, b: number): void {
  task.mm.store64(addr, a);
  task.mm.store64(addr + 8, b);
}

Deno.test("nanosleep sleeps, and stores the time left when a handler interrupts it", () =>
  withTask((kernel, task) => {
    pair(task, SPEC, 2, 0);
    assertEquals(kernel.call(task, "nanosleep", SPEC, OLD), WAITS);
    kernel.pass(1e9);
    assertEquals(kernel.outcome(task), WAITS);
    kernel.pass(1.1e9);
    assertEquals(kernel.outcome(task), 0);
    task.sighand.of(SIGUSR1).handler = 0x6000;
    task.sighand.of(SIGUSR1).flags = 0x14000000;
    kernel.call(task, "nanosleep", SPEC, OLD);
    kernel.pass(0.5e9);
    sendToTask(task, userSignal(SIGUSR1, task));
    kernel.settle();
    assertEquals(task.mm.load64(OLD), 1);
    assertEquals(contextOf(task).regs.getUint32(RAX, true), 0, "the handler's rax");
  }));

Deno.test("a sleep that a stop interrupted ends when it would have", () =>
  withTask((kernel, task) => {
    pair(task, SPEC, 2, 0);
    kernel.call(task, "nanosleep", SPEC, 0);
    kernel.pass(1e9);
    sendToTask(task, userSignal(SIGSTOP, task));
    kernel.settle();
    kernel.pass(5e8);
    sendToTask(task, userSignal(SIGCONT, task));
    kernel.settle();
    assertEquals(kernel.outcome(task), WAITS);
    kernel.pass(6e8);
    assertEquals(kernel.outcome(task), 0);
  }));

Deno.test("alarm: seconds that were left, SIGALRM at the end", () =>
  withTask((kernel, task) => {
    assertEquals(kernel.call(task, "alarm", 10), 0);
    kernel.pass(2.2e9);
    assertEquals(kernel.call(task, "alarm", 1), 8);
    kernel.pass(1.1e9);
    assertEquals([kernel.initStatus, task.state], [statusKilled(SIGALRM, false), DEAD]);
  }));

Deno.test("an interval timer goes on, and a blocked signal is pending once", () =>
  withTask((kernel, task) => {
    task.signals.blocked.add(SIGALRM);
    pair(task, SPEC, 1, 0);
    pair(task, SPEC + 16, 1, 0);
    assertEquals(kernel.call(task, "setitimer", 0, SPEC, 0), 0);
    for (let i = 0; i < 5; i++) kernel.pass(1e9);
    assertEquals(task.group.pending.count, 1);
    pair(task, SPEC + 16, 0, 0);
    assertEquals(kernel.call(task, "setitimer", 0, SPEC, OLD), 0);
    assertEquals(task.mm.load64(OLD), 1);
    assertEquals(task.mm.load64(OLD + 24) > 900_000, true);
    assertEquals(kernel.call(task, "setitimer", 3, SPEC, 0), -EINVAL);
  }));

function createTimer(kernel: LabKernel, task: Task, clock: number, sig: number): number {
  pair(task, EVENT, 0x55, sig);
  task.mm.store64(EVENT + 8, sig);
  assertEquals(kernel.call(task, "timer_create", clock, EVENT, ID), 0);
  return task.mm.load32(ID);
}

Deno.test("a timer without a signal is over once its time has come, read or not", () =>
  withTask((kernel, task) => {
    const SIGEV_NONE = 1;
    pair(task, EVENT, 0, 0);
    task.mm.store32(EVENT + 12, SIGEV_NONE);
    assertEquals(kernel.call(task, "timer_create", MONOTONIC, EVENT, ID), 0);
    const id = task.mm.load32(ID);
    for (const [interval, leftMs] of [[0, 0], [3e8, 200]] as const) {
      pair(task, SPEC, 0, interval);
      pair(task, SPEC + 16, 0, 1e8);
      assertEquals(kernel.call(task, "timer_settime", id, 0, SPEC, 0), 0);
      kernel.host.nowNs += 2e8;
      kernel.clock.nowNs = kernel.host.nowNs;
      assertEquals(kernel.call(task, "timer_gettime", id, OLD), 0);
      assertEquals(Math.round(task.mm.load64(OLD + 24) / 1e6), leftMs);
    }
  }));

Deno.test("a POSIX timer counts missed expirations as overruns", () =>
  withTask((kernel, task) => {
    const SIG = 40;
    task.signals.blocked.add(SIG);
    const id = createTimer(kernel, task, MONOTONIC, SIG);
    pair(task, SPEC, 0, 1e8);
    pair(task, SPEC + 16, 0, 1e8);
    assertEquals(kernel.call(task, "timer_settime", id, 0, SPEC, 0), 0);
    kernel.pass(1e8);
    kernel.pass(3.5e8);
    task.mm.store64(SPEC, 2 ** (SIG - 1));
    assertEquals(kernel.call(task, "rt_sigtimedwait", SPEC, OLD, 0, 8), SIG);
    assertEquals(task.mm.load32(OLD + SiginfoTimer.at.code) | 0, SI_TIMER);
    assertEquals(task.mm.load32(OLD + SiginfoTimer.at.overrun), 3);
    assertEquals(task.mm.load32(OLD + SiginfoTimer.at.value), 0x55);
    assertEquals(kernel.call(task, "timer_getoverrun", id), 3);
    assertEquals(kernel.call(task, "timer_gettime", id, OLD), 0);
    assertEquals(task.mm.load64(OLD + 24) < 1e8, true);
    assertEquals(kernel.call(task, "timer_delete", id), 0);
    assertEquals(kernel.call(task, "timer_gettime", id, OLD), -EINVAL);
    kernel.pass(1e9);
    assertEquals(task.group.pending.count, 0);
  }));

Deno.test("deleting a timer takes its queued signal away", () =>
  withTask((kernel, task) => {
    task.signals.blocked.add(SIGUSR1);
    const id = createTimer(kernel, task, MONOTONIC, SIGUSR1);
    pair(task, SPEC, 0, 0);
    pair(task, SPEC + 16, 0, 1);
    kernel.call(task, "timer_settime", id, 0, SPEC, 0);
    kernel.pass(1e6);
    assertEquals(task.group.pending.set.has(SIGUSR1), true);
    kernel.call(task, "timer_delete", id);
    assertEquals(task.group.pending.set.has(SIGUSR1), false);
  }));

Deno.test("an ignored interval timer costs little", () =>
  withTask((kernel, task) => {
    task.sighand.of(SIGUSR1).handler = 1;
    const id = createTimer(kernel, task, MONOTONIC, SIGUSR1);
    pair(task, SPEC, 0, 1);
    pair(task, SPEC + 16, 0, 1);
    kernel.call(task, "timer_settime", id, 0, SPEC, 0);
    kernel.pass(1e6);
    assertEquals(kernel.timers.nextDeadlineNs > kernel.host.nowNs + 5e5, true);
  }));

/** The guest computes for a while. */
function compute(kernel: LabKernel, task: Task, ns: number): void {
  assertEquals(task.state, RUNNING);
  for (let left = ns; left > 0 && task.state === RUNNING; left -= 1e6) kernel.pass(1e6);
}

Deno.test("CPU timers count computation, not sleep", () =>
  withTask((kernel, task) => {
    task.signals.blocked.add(SIGPROF);
    pair(task, SPEC, 0, 0);
    pair(task, SPEC + 16, 0, 50_000);
    kernel.call(task, "setitimer", 2, SPEC, 0);
    pair(task, OLD, 1, 0);
    assertEquals(kernel.call(task, "nanosleep", OLD, 0), WAITS);
    kernel.pass(1.1e9);
    assertEquals(task.group.pending.set.has(SIGPROF), false);
    compute(kernel, task, 6e7);
    assertEquals(task.group.pending.set.has(SIGPROF), true);
  }));

Deno.test("RLIMIT_CPU: SIGXCPU every second, SIGKILL at the hard limit", () =>
  withTask((kernel, task) => {
    task.signals.blocked.add(SIGXCPU);
    pair(task, SPEC, 1, 3);
    assertEquals(kernel.call(task, "setrlimit", RLIMIT_CPU, SPEC), 0);
    compute(kernel, task, 1.2e9);
    assertEquals(task.group.pending.set.has(SIGXCPU), true);
    // With the second at which the lab's clock begins it is beyond 2.
    assertEquals(task.group.limits.get(RLIMIT_CPU), 3);
    compute(kernel, task, 2.5e9);
    kernel.settle();
    assertEquals(task.state, DEAD);
    assertEquals(kernel.initStatus, 9);
  }));

Deno.test("a signal handler interrupts pause with EINTR", () =>
  withTask((kernel, task) => {
    task.sighand.of(SIGUSR1).handler = 0x6000;
    task.sighand.of(SIGUSR1).flags = 0x14000000;
    assertEquals(kernel.call(task, "pause"), WAITS);
    sendToTask(task, userSignal(SIGUSR1, task));
    kernel.settle();
    const frame = contextOf(task).regs.getUint32(120, true);
    assertEquals(task.mm.load32(frame + 8 + 40 + RAX) | 0, -EINTR);
  }));
