import { assertEquals, assertStringIncludes } from "@std/assert";
import { KernelBug } from "./core/kernel_bug.ts";
import { SandboxKernel } from "./kernel.ts";
import { describeCrash } from "./observe/crash.ts";
import { HANDLING } from "./task/task.ts";
import { IoHost } from "./testing/io_host.ts";
import { LabKernel } from "./testing/task_lab.ts";
import { Timer } from "./time/timer.ts";

/** Something in the kernel that goes wrong. */
class Broken extends Timer {
  override onExpire(): void {
    throw new RangeError("Invalid array length");
  }
}

class EventlessHost extends IoHost {
  poll(_timeoutNs: number): void {}
}

Deno.test("whatever is thrown in the loop ends it with a KernelBug that names the call", () => {
  const lab = new LabKernel(), task = lab.start(), host = new EventlessHost();
  const kernel = new SandboxKernel(host, lab.platform, lab.memory.arena, {
    hostname: "lab",
    log: () => {},
  });
  kernel.timers.arm(new Broken(), kernel.now());
  lab.call(task, "write", -1, 0x7fffffffffff, 3);
  kernel.current = task;
  task.comm = "sh\x1b[2J";
  task.nr = 1;
  task.state = HANDLING;
  let bug: unknown = null;
  try {
    kernel.run();
  } catch (error) {
    bug = error;
  }
  assertEquals(bug instanceof KernelBug, true);
  if (!(bug instanceof KernelBug)) return;
  assertEquals(bug.cause instanceof RangeError, true);
  const call = "in write(0xffffffffffffffff, 0x7fffffffffff, 0x3, 0x0, 0x0, 0x0)";
  assertEquals(bug.message, `${call} of thread 1 of process 1 (sh?[2J), uid 0`);
  lab.close();
});

Deno.test("a failure outside of calls is not blamed on one", () => {
  assertEquals(describeCrash(null), "no task has made a call");
  const lab = new LabKernel(), task = lab.start();
  assertStringIncludes(describeCrash(task), "between calls; the last one was that of thread 1");
  task.state = HANDLING;
  task.nr = -1;
  assertStringIncludes(describeCrash(task), "in no call of thread 1");
  lab.close();
});
