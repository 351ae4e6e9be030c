/** What a bug in a handler does to its process and to those around it. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { SIGCHLD, SIGKILL } from "../ffi/abi/signal.ts";
import { CLONE_VFORK } from "../ffi/abi/sched.ts";
import { Containment } from "./containment.ts";
import { violations } from "./observe/invariants.ts";
import { BLOCKED, DEAD, type Task } from "./task/task.ts";
import { DATA, GONE, LabKernel, WAITS } from "./testing/task_lab.ts";

const CLONE_THREAD = 0x10f00;

class Lab extends LabKernel {
  readonly reports: string[] = [];
  readonly containment: Containment = new Containment(this, {
    sink: { report: (text) => this.reports.push(text) },
  });

  /** As the fence of the loop does. */
  guarded(act: () => void): void {
    for (let isOver = false; !isOver;) {
      try {
        this.containment.endCondemned();
        act();
        isOver = true;
      } catch (cause) {
        act = () => this.settle();
        this.containment.contain(cause);
      }
    }
  }

  /** A call during which the task's descriptor table fails. */
  fail(task: Task): void {
    task.files.get = () => {
      throw new TypeError("not a function\x1b[2J");
    };
    this.guarded(() => this.call(task, "read", 0, DATA, 1));
  }

  child(parent: Task, flags = SIGCHLD): Task {
    const before = [...this.pids.tasks.values()];
    this.call(parent, "clone", flags, 0, 0, 0, 0);
    const child = [...this.pids.tasks.values()].find((task) => !before.includes(task));
    assert(child !== undefined);
    return child;
  }

  /** The status that a wait for any child gives. */
  status(parent: Task): number {
    const pid = this.call(parent, "wait4", -1, DATA, 1, 0);
    return typeof pid === "number" && pid > 0 ? parent.mm.load32(DATA) : -1;
  }
}

Deno.test("the process is killed, reported and reaped as any other", () => {
  const lab = new Lab(), init = lab.start(), culprit = lab.child(init);
  lab.fail(culprit);
  assertEquals(culprit.state, DEAD);
  assertEquals(lab.status(init), SIGKILL);
  assertEquals(violations(lab), []);
  assertEquals(lab.containment.count, 1);
  assertStringIncludes(lab.reports[0]!, "in read(0x0, 0x10000, 0x1, 0x0, 0x0, 0x0) of thread 2");
  assertStringIncludes(lab.reports[0]!, "TypeError: not a function?[2J");
  lab.close();
});

Deno.test("its threads go with it, and a parent that waits in vfork goes on", () => {
  const lab = new Lab(), init = lab.start(), child = lab.child(init, SIGCHLD | CLONE_VFORK);
  assertEquals(lab.outcome(init), WAITS);
  const thread = lab.child(child, CLONE_THREAD);
  assertEquals(lab.call(thread, "pause"), WAITS);
  lab.fail(child);
  assertEquals([child.state, thread.state], [DEAD, DEAD]);
  assertEquals(lab.outcome(init), child.pid);
  assertEquals(lab.status(init), SIGKILL);
  assertEquals(violations(lab), []);
  lab.close();
});

Deno.test("a first process ends with SIGKILL", () => {
  const lab = new Lab(), init = lab.start();
  init.group.isUnkillable = true;
  lab.fail(init);
  assertEquals(lab.initStatus, SIGKILL);
  lab.close();
});

Deno.test("a waiter whose wake-up failed checks its condition again", () => {
  const lab = new Lab(), init = lab.start();
  assertEquals(lab.call(init, "pipe2", DATA, 0), 0);
  const [readEnd, writeEnd] = [init.mm.load32(DATA), init.mm.load32(DATA + 4)];
  const culprit = lab.child(init), reader = lab.child(init);
  assertEquals(lab.call(reader, "read", readEnd, DATA, 1), WAITS);
  // The byte is written, and the wake-up fails.
  reader.waiter.onWake = () => {
    throw new Error("lost");
  };
  lab.guarded(() => lab.call(culprit, "write", writeEnd, DATA, 1));
  assertEquals(culprit.state, DEAD);
  assertEquals(lab.outcome(reader), 1);
  lab.close();
});

Deno.test("a failed clean-up continues after the failed step, and frees the rest", () => {
  const lab = new Lab(), init = lab.start(), culprit = lab.child(init);
  assertEquals(lab.call(culprit, "pipe2", DATA, 0), 0);
  const [readEnd, writeEnd] = [culprit.mm.load32(DATA), culprit.mm.load32(DATA + 4)];
  const files = [culprit.files.get(readEnd)!, culprit.files.get(writeEnd)!];
  culprit.keyrings.release = () => {
    throw new Error("in an end");
  };
  files[0]!.onFdClose = () => {
    throw new Error("in a close");
  };
  lab.guarded(() => lab.call(culprit, "exit_group", 3));
  assertEquals(lab.containment.count, 2);
  // The file whose close failed stays; the one behind it does not.
  assertEquals(files.map(({ refs }) => refs), [1, 0]);
  assertEquals(lab.status(init), 3 << 8);
  assertEquals(violations(lab), []);
  lab.close();
});

Deno.test("others in the same table, group or pipe are left alone", () => {
  const lab = new Lab(), init = lab.start(), bystander = lab.child(init), culprit = lab.child(init);
  assertEquals(lab.call(bystander, "pause"), WAITS);
  lab.fail(culprit);
  assertEquals(bystander.state, BLOCKED);
  assertEquals(lab.call(init, "getpid"), init.pid);
  assertEquals(lab.outcome(culprit), GONE);
  lab.close();
});

Deno.test("reports are bounded", () => {
  const lab = new Lab(), init = lab.start();
  for (let i = 0; i < 30; i++) {
    lab.fail(lab.child(init));
    lab.status(init);
  }
  assertEquals(lab.containment.count, 30);
  assertEquals(lab.reports.length, 16);
  assertStringIncludes(lab.reports[15]!, "further reports are left out");
  lab.close();
});
