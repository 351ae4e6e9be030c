import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import type { ContainmentOptions } from "./containment.ts";
import { KernelBug } from "./core/kernel_bug.ts";
import { SandboxKernel } from "./kernel.ts";
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

function kernelOn(lab: LabKernel, options: ContainmentOptions): SandboxKernel {
  const host = new IoHost(), driver = new LoopDriver(host, lab.platform);
  return new SandboxKernel(host, driver, lab.memory.arena, {
    hostname: "lab",
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
