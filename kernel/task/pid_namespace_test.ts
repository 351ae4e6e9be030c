import { assertEquals } from "@std/assert";
import { WNOHANG } from "../../ffi/abi/wait.ts";
import { SIGCHLD, SIGKILL, SIGTERM } from "../../ffi/abi/signal.ts";
import { ECHILD, EEXIST, EINVAL, ENOMEM, EPERM, ESRCH } from "../../ffi/abi/errno.ts";
import { CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUTS, CLONE_THREAD } from "../../ffi/abi/sched.ts";
import { DATA, GONE, LabKernel, WAITS } from "../testing/task_lab.ts";
import { Container } from "./container.ts";
import { FROZEN, RUNNING, type Task } from "./task.ts";

/** The first process of a lab and a child in a PID namespace of its own. */
function nested(): { lab: LabKernel; outer: Task; init: Task; pid: number } {
  const lab = new LabKernel(), outer = lab.start();
  const pid = Number(lab.call(outer, "clone", CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
  return { lab, outer, init: lab.pids.tasks.get(pid)!, pid };
}

function fork(lab: LabKernel, task: Task): Task {
  return task.pids.tasks.get(Number(lab.call(task, "fork")))!;
}

Deno.test("the first process of a PID namespace is 1 there, and has a number outside", () => {
  const { lab, outer, init, pid } = nested();
  assertEquals([pid, init.id.numbers], [2, [2, 1]]);
  assertEquals(lab.call(init, "getpid"), 1);
  assertEquals(lab.call(init, "gettid"), 1);
  assertEquals(lab.call(init, "getppid"), 0);
  assertEquals(lab.call(init, "getpgid", 0), 0, "its process group is outside");
  assertEquals(lab.call(init, "getsid", 0), 0);
  assertEquals(lab.call(init, "setsid"), 1);
  assertEquals(lab.call(outer, "getsid", pid), pid);
  const child = fork(lab, init);
  assertEquals([lab.call(child, "getpid"), child.id.numbers], [2, [3, 2]]);
  assertEquals(lab.call(child, "kill", 3, 0), -ESRCH);
  assertEquals(lab.call(outer, "kill", 3, 0), 0);
  lab.close();
});

Deno.test("a namespace's init adopts orphans, and signals from inside have no effect on it", () => {
  const { lab, init } = nested();
  const parent = fork(lab, init), child = fork(lab, parent);
  assertEquals(lab.call(parent, "exit_group", 0), GONE);
  assertEquals(lab.call(child, "getppid"), 1);
  assertEquals(lab.call(child, "kill", 1, SIGTERM), 0);
  assertEquals(lab.call(child, "kill", 1, SIGKILL), 0);
  assertEquals(init.group.isExiting, false, "signals from inside do nothing to it");
  assertEquals(lab.call(init, "wait4", -1, 0, 0, 0), 2);
  assertEquals(lab.call(init, "wait4", -1, 0, WNOHANG, 0), 0);
  lab.close();
});

Deno.test("SIGKILL from outside ends an init and all of its namespace; then it is a zombie", () => {
  const { lab, outer, init, pid } = nested();
  const child = fork(lab, init), grandchild = fork(lab, child);
  assertEquals(lab.call(outer, "kill", pid, SIGKILL), 0);
  assertEquals([child.group.isReaped, grandchild.group.isReaped], [true, true]);
  assertEquals([init.group.isZombie, init.pids.groups.size], [true, 1]);
  assertEquals(lab.call(outer, "wait4", -1, DATA, 0, 0), pid);
  assertEquals(outer.mm.load32(DATA), SIGKILL);
  assertEquals(lab.call(outer, "wait4", -1, 0, 0, 0), -ECHILD);
  assertEquals([init.pids.init, lab.pids.tasks.size], [null, 1]);
  lab.close();
});

Deno.test("unshare: children are born elsewhere; without an init there are no more of them", () => {
  const lab = new LabKernel(), outer = lab.start();
  assertEquals(lab.call(outer, "unshare", CLONE_NEWPID), 0);
  assertEquals(lab.call(outer, "unshare", CLONE_NEWPID), -EINVAL);
  const thread = CLONE_THREAD | 0x800 | 0x100;
  assertEquals(lab.call(outer, "clone", thread, 0, 0, 0, 0), -EINVAL);
  const pid = Number(lab.call(outer, "fork")), init = lab.pids.tasks.get(pid)!;
  assertEquals([lab.call(init, "getpid"), lab.call(outer, "getpid")], [1, 1]);
  const second = lab.pids.tasks.get(Number(lab.call(outer, "fork")))!;
  assertEquals(lab.call(second, "getpid"), 2);
  assertEquals(lab.call(second, "getppid"), 0);
  assertEquals(lab.call(init, "exit_group", 0), GONE);
  assertEquals(init.group.isZombie, false, "its end is reported when the others were waited for");
  assertEquals(lab.call(outer, "wait4", 3, 0, 0, 0), 3);
  assertEquals(lab.call(outer, "wait4", -1, 0, 0, 0), pid);
  assertEquals(lab.call(outer, "fork"), -ENOMEM);
  lab.close();
});

Deno.test("names of a UTS namespace are its own", () => {
  const lab = new LabKernel(), outer = lab.start();
  const flags = CLONE_NEWUTS | SIGCHLD;
  const inner = lab.pids.tasks.get(Number(lab.call(outer, "clone", flags, 0, 0, 0, 0)))!;
  inner.mm.store32(DATA, 0x78);
  assertEquals(lab.call(inner, "sethostname", DATA, 1), 0);
  assertEquals([inner.ns.uts.hostname, outer.ns.uts.hostname], ["x", "lab"]);
  lab.close();
});

Deno.test("wrong flags and wanted ids fail as on Linux", () => {
  const lab = new LabKernel(), task = lab.start();
  assertEquals(lab.call(task, "unshare", 1), -EINVAL);
  assertEquals(lab.call(task, "clone", CLONE_NEWNS | 0x200 | SIGCHLD, 0, 0, 0, 0), -EINVAL);
  const id = lab.pids.allocateAs([1], task.cred);
  assertEquals(id, -EEXIST);
  assertEquals(lab.pids.allocateAs([5, 6], task.cred), -EINVAL);
  assertEquals(lab.pids.allocateAs([0], task.cred), -EINVAL);
  task.cred = { ...task.cred, effective: { lo: 0, hi: 0 } };
  assertEquals(lab.call(task, "unshare", CLONE_NEWUTS), -EPERM);
  assertEquals(lab.call(task, "clone", CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0), -EPERM);
  lab.close();
});

Deno.test("a frozen container does not run, but its waits continue", () => {
  const lab = new LabKernel(), task = lab.start();
  const container = new Container("c", lab.pids, task.fs.namespace, task.ns, lab.accounts.open());
  task.group.container = container;
  container.groups.add(task.group);
  const child = fork(lab, task);
  assertEquals(child.group.container, container);
  container.freeze();
  lab.settle();
  assertEquals([task.state, child.state], [FROZEN, FROZEN]);
  container.thaw();
  lab.settle();
  assertEquals([task.state, child.state], [RUNNING, RUNNING]);
  container.groups.delete(child.group);
  child.group.container = null;
  assertEquals(lab.call(task, "wait4", -1, 0, 0, 0), WAITS);
  container.freeze();
  lab.settle();
  assertEquals(lab.call(child, "exit_group", 3), GONE);
  assertEquals([task.state, task.result], [FROZEN, 2], "the call is over, its result is kept");
  container.thaw();
  lab.settle();
  assertEquals(lab.outcome(task), 2);
  lab.close();
});
