/** Test of CLONE_PARENT (clone.ts) by a process that a runtime started: it has no parent. */

import { assert, assertEquals } from "@std/assert";
import { CLONE_PARENT } from "../../ffi/abi/sched.ts";
import { SIGCHLD } from "../../ffi/abi/signal.ts";
import { LabKernel } from "../testing/task_lab.ts";
import { Container } from "./container.ts";

Deno.test("a child made with CLONE_PARENT is in its maker's container, and charged to it", () => {
  const lab = new LabKernel(), init = lab.start();
  const container = new Container("c", lab.pids, init.fs.namespace, init.ns, lab.accounts.open());
  // The first process may not use the flag.
  const started = lab.pids.tasks.get(Number(lab.call(init, "fork")))!;
  init.group.children.delete(started.group);
  started.group.parent = null;
  started.group.container = container;
  started.group.account.moveTo(container.accounts.ofUser(0));
  container.groups.add(started.group);
  const pid = Number(lab.call(started, "clone", CLONE_PARENT | SIGCHLD, 0, 0, 0, 0));
  assert(pid > 0);
  const { group } = lab.pids.tasks.get(pid)!;
  assert(group.container === container);
  assert(group.account.parent === container.accounts.ofUser(0));
  assertEquals([group.parent, container.groups.has(group)], [null, true]);
  lab.close();
});
