import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { ContainmentOptions } from "./containment.ts";
import { KernelBug } from "./core/kernel_bug.ts";
import { SandboxKernel } from "./kernel.ts";
import { endKernel } from "./kernel_end.ts";
import { LoopDriver } from "./loop_driver.ts";
import { describeCrash } from "./observe/crash.ts";
import { BLOCKED, HANDLING } from "./task/task.ts";
import { IoHost } from "./testing/io_host.ts";
import { LabKernel } from "./testing/task_lab.ts";
import { Timer } from "./time/timer.ts";

/** Something in the kernel that goes wrong. */
class Broken extends Timer {
  override onExpire(_nowNs = 0): void {
    throw new RangeError("Invalid array length");
  }
}

/** It comes again and again. */
class Endless extends Broken {
  private readonly kernel: SandboxKernel;

  constructor(kernel: SandboxKernel) {
    super();
    this.kernel = kernel;
  }

  override onExpire(nowNs: number): void {
    this.kernel.timers.arm(this, nowNs);
    super.onExpire();
  }
}

class End extends Timer {
  private readonly kernel: SandboxKernel;

  constructor(kernel: SandboxKernel) {
    super();
    this.kernel = kernel;
  }

  override onExpire(): void {
    this.kernel.loop.stop();
  }
}

const REPORT = "RangeError: Invalid array length\nno process is to blame";

function kernelOn(
  lab: LabKernel,
  options: ContainmentOptions,
  beside?: SandboxKernel,
): SandboxKernel {
  const host = new IoHost(), driver = beside?.loop.driver ?? new LoopDriver(host, lab.platform);
  return new SandboxKernel(host, driver, lab.memory.arena, {
    hostname: "lab",
    ...(beside === undefined ? {} : { beside }),
    ...options,
  });
}

Deno.test("with panicOnBug whatever is thrown in the loop ends it with a KernelBug", () => {
  const lab = new LabKernel(), kernel = kernelOn(lab, { panicOnBug: true });
  kernel.timers.arm(new Broken(), kernel.now());
  const bug = assertThrows(() => kernel.run(), KernelBug, "while no task was served");
  assertEquals(bug.cause instanceof RangeError, true);
  assertEquals(kernel.containment.count, 0);
  lab.close();
});

Deno.test("without it the loop goes on, until faults come without an end", () => {
  const lab = new LabKernel(), reports: string[] = [];
  const kernel = kernelOn(lab, { sink: { report: (text) => reports.push(text) } });
  for (let i = 0; i < 3; i++) kernel.timers.arm(new Broken(), kernel.now());
  kernel.timers.arm(new End(kernel), kernel.now() + 1_000_000);
  assertEquals(kernel.run(), -1);
  assertEquals(kernel.containment.count, 3);
  assertEquals(reports[0], `contained a bug in dvisor while no task was served: ${REPORT}`);
  assertEquals(reports.length, 3);
  const again = kernelOn(lab, {});
  again.timers.arm(new Endless(again), again.now());
  assertThrows(() => again.run(), KernelBug);
  lab.close();
});

Deno.test("a report names the call", () => {
  const lab = new LabKernel(), task = lab.start();
  lab.call(task, "write", -1, 0x7fffffffffff, 3);
  task.comm = "sh\x1b[2J\n";
  task.nr = 1;
  task.state = HANDLING;
  const call = "in write(0xffffffffffffffff, 0x7fffffffffff, 0x3, 0x0, 0x0, 0x0)";
  assertEquals(describeCrash(task), `${call} of thread 1 of process 1 (sh?[2J?), uid 0`);
  task.nr = -1;
  assertStringIncludes(describeCrash(task), "in no call of thread 1");
  task.state = BLOCKED;
  assertStringIncludes(
    describeCrash(task),
    "for thread 1 of process 1 (sh?[2J?), which is blocked",
  );
  lab.close();
});

Deno.test("a kernel that cannot go on ends alone, and a fault of it is contained in it", () => {
  const lab = new LabKernel(), kernel = kernelOn(lab, {}), failures: unknown[] = [];
  const other = kernelOn(lab, { panicOnBug: true }, kernel), third = kernelOn(lab, {}, kernel);
  other.timers.arm(new Broken(), other.now() + 1e6);
  third.timers.arm(new Broken(), third.now() + 2e6);
  for (const end of [third, kernel]) end.timers.arm(new End(end), end.now() + 3e6);
  for (const one of [other, third]) {
    one.loop.driver.add(one.loop, (failure) => failures.push(failure));
  }
  kernel.run();
  assertEquals(failures.map((failure) => failure instanceof KernelBug), [true, false]);
  assertEquals([kernel, other, third].map((one) => one.containment.count), [0, 0, 1]);
  lab.close();
});

Deno.test("kernels of one arena have a pool of frames; one that ends gives all of its back", () => {
  const lab = new LabKernel(), kernel = kernelOn(lab, {}), { pool } = kernel.memory.frames;
  const before = pool.heldBytes, other = kernelOn(lab, {}, kernel), { frames } = other.memory;
  assert(frames.pool === pool && other.memory.windows === kernel.memory.windows);
  assert(frames.alloc(5000) >= 0);
  assertEquals(pool.heldBytes, before + frames.usedBytes);
  endKernel(other);
  kernel.timers.arm(new End(kernel), kernel.now() + 5e6);
  kernel.run();
  assertEquals([pool.heldBytes, frames.usedBytes], [before, 0]);
  lab.close();
});
