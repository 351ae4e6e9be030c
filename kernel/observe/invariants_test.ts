/** Tests of invariants.ts: damaged kernels, each of which one check finds. */

import { assert, assertEquals } from "@std/assert";
import { SIGCHLD } from "../../ffi/abi/signal.ts";
import { LabKernel } from "../testing/task_lab.ts";
import { BLOCKED, HANDLING, READY, type Task } from "../task/task.ts";
import { INVARIANTS, violations } from "./invariants.ts";

/** Makes a parent, and a child that waits for a signal. */
function family(): { lab: LabKernel; parent: Task; child: Task } {
  const lab = new LabKernel(), parent = lab.start();
  const pid = lab.call(parent, "clone", SIGCHLD, 0, 0, 0, 0);
  assert(typeof pid === "number");
  const child = lab.pids.tasks.get(pid)!;
  assertEquals(lab.call(child, "pause"), "waits");
  lab.call(parent, "pipe2", 0x10000, 0);
  return { lab, parent, child };
}

interface Damage {
  /** The check that finds the damage. */
  readonly check: string;
  readonly what: string;
  readonly make: (lab: LabKernel, parent: Task, child: Task) => void;
}

const DAMAGES: readonly Damage[] = [
  {
    check: "tasks",
    what: "a task that nothing serves",
    make: (_, __, child) => child.state = HANDLING,
  },
  {
    check: "tasks",
    what: "a task that its process does not know",
    make: (_, __, child) => child.group.tasks.pop(),
  },
  {
    check: "processes",
    what: "a child that its parent does not know",
    make: (_, parent) => parent.group.children.clear(),
  },
  {
    check: "processes",
    what: "a zombie with tasks",
    make: (_, __, child) => child.group.isZombie = true,
  },
  {
    check: "process groups",
    what: "a process that its group does not know",
    make: (_, __, child) => child.group.pgrp.members.delete(child.group),
  },
  {
    check: "shared structures",
    what: "a descriptor table with a reference too many",
    make: (_, parent) => parent.files.refs++,
  },
  {
    check: "shared structures",
    what: "memory with a user too few",
    make: (_, parent) => parent.mm.users--,
  },
  {
    check: "open files",
    what: "an open file that is gone",
    make: (_, parent) => parent.files.get(0)!.refs = 0,
  },
  {
    check: "run queue",
    what: "a task that is due and not queued",
    make: (_, __, child) => child.state = READY,
  },
  {
    check: "waits",
    what: "a running task in a wait queue",
    make: (_, parent) => parent.waitFor(parent.group.childEvents, 0),
  },
  {
    check: "timers",
    what: "the time-out of a task that is gone",
    make: (lab, _, child) => {
      lab.timers.arm(child.timeout, 5);
      lab.pids.tasks.delete(child.id.numbers[0]!);
    },
  },
  {
    check: "control groups",
    what: "a group that counts a task too few",
    make: (_, parent) => parent.cgroups.unified.ownTasks--,
  },
  {
    check: "areas",
    what: "an area that is not aligned",
    make: (_, parent) => parent.mm.vmas.at(0).start -= 1,
  },
  {
    check: "areas",
    what: "pages that were not counted",
    make: (_, parent) => parent.mm.counters.total++,
  },
  {
    check: "pages",
    what: "pages without an area",
    make: (_, parent) => parent.mm.vmas.remove(0, 1),
  },
  {
    check: "frames",
    what: "a frame that was given back and is mapped",
    make: (lab, parent) => lab.memory.frames.release(parent.mm.pages.frame(0) * 4096, 1),
  },
];

Deno.test("a kernel in order has no violations", () => {
  const { lab, child } = family();
  assertEquals(child.state, BLOCKED);
  assertEquals(violations(lab), []);
  lab.close();
});

for (const { check, what, make } of DAMAGES) {
  Deno.test(`the check of ${check} finds ${what}`, () => {
    const { lab, parent, child } = family();
    make(lab, parent, child);
    const found: string[] = [];
    INVARIANTS.find(({ name }) => name === check)!.check(lab, found);
    assert(found.length > 0);
    lab.close();
  });
}
