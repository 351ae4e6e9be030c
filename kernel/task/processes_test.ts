import { assert, assertEquals } from "@std/assert";
import {
  SIG_IGN,
  SIGCHLD,
  SIGCONT,
  SIGHUP,
  SIGKILL,
  SIGSTOP,
  SIGTERM,
} from "../../ffi/abi/signal.ts";
import { RLIMIT_NPROC } from "../../ffi/abi/resource.ts";
import { EACCES, EAGAIN, ECHILD, EINVAL, EPERM, ESRCH } from "../../ffi/abi/errno.ts";
import { CLD_EXITED, SiginfoChld } from "../../ffi/abi/siginfo.ts";
import {
  CLONE_CHILD_CLEARTID,
  CLONE_CHILD_SETTID,
  CLONE_FILES,
  CLONE_FS,
  CLONE_PARENT_SETTID,
  CLONE_SETTLS,
  CLONE_SIGHAND,
  CLONE_THREAD,
  CLONE_VM,
} from "../../ffi/abi/sched.ts";
import { __WCLONE, WCONTINUED, WEXITED, WNOHANG, WNOWAIT, WUNTRACED } from "../../ffi/abi/wait.ts";
import { FS_BASE, RAX, RSP } from "../../platform/platform.ts";
import { capSet } from "../cred/cap_set.ts";
import { contextOf, DATA, GONE, LabKernel, WAITS } from "../testing/task_lab.ts";
import { getReg } from "./registers.ts";
import { sendToGroup, userSignal } from "../signal/send.ts";
import { DEAD, type Task } from "./task.ts";

const ANY = -1;
const THREAD = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;

function withTask(test: (kernel: LabKernel, task: Task) => void): void {
  const kernel = new LabKernel();
  const task = kernel.start();
  test(kernel, task);
  kernel.close();
}

function taskOf(kernel: LabKernel, tid: number | string): Task {
  const task = kernel.pids.tasks.get(Number(tid));
  if (task === undefined) throw new Error(`no task ${tid}`);
  return task;
}

function fork(kernel: LabKernel, task: Task): Task {
  return taskOf(kernel, kernel.call(task, "fork"));
}

function thread(kernel: LabKernel, task: Task, extra: number = 0): Task {
  return taskOf(kernel, kernel.call(task, "clone", (THREAD | extra) >>> 0, DATA + 0x8000, DATA));
}

Deno.test("fork: the child has its parent's registers but for rax, and memory of its own", () =>
  withTask((kernel, task) => {
    task.mm.store32(DATA, 1);
    const child = fork(kernel, task);
    assertEquals(contextOf(task).result, child.tid);
    assertEquals(getReg(contextOf(child).regs, RAX), 0);
    assertEquals(getReg(contextOf(child).regs, RSP), getReg(contextOf(task).regs, RSP));
    child.mm.store32(DATA, 2);
    assertEquals([task.mm.load32(DATA), child.mm.load32(DATA)], [1, 2]);
    assertEquals(kernel.call(child, "getppid"), task.pid);
    assertEquals([child.cred, child.group.pgrp], [task.cred, task.group.pgrp]);
  }));

Deno.test("wait4 returns status and usage, blocks until a child ends, then ECHILD", () =>
  withTask((kernel, task) => {
    assertEquals(kernel.call(task, "wait4", ANY, 0, 0, 0), -ECHILD);
    const child = fork(kernel, task);
    assertEquals(kernel.call(task, "wait4", ANY, DATA, WNOHANG, 0), 0);
    assertEquals(kernel.call(task, "wait4", ANY, DATA, 0, DATA + 64), WAITS);
    assertEquals(kernel.call(child, "exit_group", 0x105), GONE);
    assertEquals(kernel.outcome(task), child.tid);
    assertEquals(task.mm.load32(DATA), 5 << 8);
    assertEquals(kernel.pids.groups.has(child.tid), false);
    assertEquals(kernel.call(task, "wait4", ANY, 0, 0, 0), -ECHILD);
    assertEquals(kernel.call(task, "wait4", ANY, 0, 0x10, 0), -EINVAL);
  }));

Deno.test("waitid: WNOWAIT leaves the child, __WCLONE wants clones", () =>
  withTask((kernel, task) => {
    const child = fork(kernel, task);
    kernel.call(child, "exit_group", 3);
    assertEquals(kernel.call(task, "waitid", 0, 0, DATA, WEXITED | __WCLONE, 0), -ECHILD);
    for (const options of [WEXITED | WNOWAIT, WEXITED]) {
      assertEquals(kernel.call(task, "waitid", 1, child.tid, DATA, options, 0), 0);
      assertEquals(task.mm.load32(DATA + SiginfoChld.at.code), CLD_EXITED);
      assertEquals(task.mm.load32(DATA + SiginfoChld.at.status), 3);
      assertEquals(task.mm.load32(DATA + SiginfoChld.at.pid), child.tid);
    }
    assertEquals(kernel.call(task, "waitid", 1, child.tid, DATA, WEXITED, 0), -ECHILD);
    assertEquals(kernel.call(task, "waitid", 0, 0, DATA, 0, 0), -EINVAL);
  }));

Deno.test("a parent that ignores SIGCHLD has no zombies, and its wait ends when all are gone", () =>
  withTask((kernel, task) => {
    task.sighand.of(SIGCHLD).handler = SIG_IGN;
    const child = fork(kernel, task);
    assertEquals(kernel.call(task, "wait4", ANY, 0, 0, 0), WAITS);
    kernel.call(child, "exit_group", 0);
    assertEquals(kernel.outcome(task), -ECHILD);
    assertEquals(kernel.pids.groups.size, 1);
  }));

Deno.test("a stop and a continue are reported once each", () =>
  withTask((kernel, task) => {
    const child = fork(kernel, task);
    assertEquals(kernel.call(task, "wait4", ANY, DATA, WUNTRACED, 0), WAITS);
    sendToGroup(child.group, userSignal(SIGSTOP, task));
    kernel.settle();
    assertEquals(kernel.outcome(task), child.tid);
    assertEquals(task.mm.load32(DATA), (SIGSTOP << 8) | 0x7f);
    const both = WUNTRACED | WCONTINUED | WNOHANG;
    assertEquals(kernel.call(task, "wait4", ANY, DATA, both, 0), 0);
    kernel.call(task, "kill", child.tid, SIGCONT);
    assertEquals(kernel.call(task, "wait4", ANY, DATA, both, 0), child.tid);
    assertEquals(task.mm.load32(DATA), 0xffff);
    assertEquals(kernel.call(task, "wait4", ANY, DATA, both, 0), 0);
  }));

Deno.test("a stopped process with many threads is stopped when all are, and SIGKILL ends it", () =>
  withTask((kernel, task) => {
    const child = fork(kernel, task);
    const second = thread(kernel, child);
    kernel.call(second, "pause");
    kernel.call(task, "kill", child.pid, SIGSTOP);
    assertEquals(child.group.isStopped, true);
    kernel.call(task, "kill", child.pid, SIGKILL);
    assertEquals([child.state, second.state], [DEAD, DEAD]);
    assertEquals(kernel.call(task, "wait4", ANY, DATA, 0, 0), child.pid);
    assertEquals(task.mm.load32(DATA), SIGKILL);
  }));

Deno.test("clone of a thread: ids are stored, TLS and stack set, the id cleared at its end", () =>
  withTask((kernel, task) => {
    const flags = CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_SETTLS;
    const tid = kernel.call(
      task,
      "clone",
      (THREAD | flags) >>> 0,
      DATA + 0x8000,
      DATA,
      DATA + 4,
      0x7777,
    );
    const other = taskOf(kernel, tid), { regs } = contextOf(other);
    assertEquals([getReg(regs, RSP), getReg(regs, FS_BASE)], [DATA + 0x8000, 0x7777]);
    assertEquals([task.mm.load32(DATA), task.mm.load32(DATA + 4)], [other.tid, other.tid]);
    assertEquals([other.pid, other.group.tasks.length], [task.pid, 2]);
    assertEquals(kernel.call(task, "futex", DATA + 4, 0, other.tid, 0, 0, 0), WAITS);
    kernel.call(other, "exit", 0);
    assertEquals(task.mm.load32(DATA + 4), 0);
    assertEquals(kernel.outcome(task), 0);
    assertEquals(task.group.tasks.length, 1);
  }));

Deno.test("clone refuses flags that exclude each other", () =>
  withTask((kernel, task) => {
    for (const flags of [CLONE_THREAD, CLONE_SIGHAND, CLONE_THREAD | CLONE_SIGHAND, 0x20200]) {
      assertEquals(kernel.call(task, "clone", flags, 0, 0, 0, 0), -EINVAL, flags.toString(16));
    }
    assertEquals(kernel.pids.tasks.size, 1);
  }));

Deno.test("RLIMIT_NPROC bounds an unprivileged user", () =>
  withTask((kernel, task) => {
    const child = fork(kernel, task);
    kernel.call(child, "setresuid", 1000, 1000, 1000);
    child.group.limits.set(RLIMIT_NPROC, 2, 2);
    assertEquals(typeof kernel.call(child, "fork"), "number");
    assertEquals(kernel.call(child, "fork"), -EAGAIN);
  }));

Deno.test("vfork: the parent waits for the child's end, deaf to signals that do not kill", () =>
  withTask((kernel, task) => {
    assertEquals(kernel.call(task, "vfork"), WAITS);
    const child = [...kernel.pids.tasks.values()].find((t) => t !== task)!;
    assertEquals(child.mm, task.mm);
    task.sighand.of(SIGTERM).handler = 0x6000;
    task.sighand.of(SIGTERM).flags = 0x04000000;
    sendToGroup(task.group, userSignal(SIGTERM, task));
    kernel.settle();
    assertEquals(kernel.outcome(task), WAITS);
    kernel.call(child, "exit_group", 0);
    assertEquals(getReg(contextOf(task).regs, RSP) < DATA + 0x30000, true);
  }));

Deno.test("exit_group ends threads that run, wait and are stopped in a handler's frame", () =>
  withTask((kernel, task) => {
    const child = fork(kernel, task);
    const running = thread(kernel, child), waiting = thread(kernel, child);
    kernel.call(waiting, "pause");
    kernel.call(child, "exit_group", 9);
    assertEquals([child.state, running.state, waiting.state], [DEAD, DEAD, DEAD]);
    assertEquals(kernel.call(task, "wait4", ANY, DATA, 0, 0), child.pid);
    assertEquals(task.mm.load32(DATA), 9 << 8);
  }));

Deno.test("the leader may end first; the process lives until its last thread", () =>
  withTask((kernel, task) => {
    const child = fork(kernel, task), other = thread(kernel, child);
    kernel.call(child, "exit", 7);
    assertEquals(kernel.call(task, "wait4", ANY, DATA, WNOHANG, 0), 0);
    assertEquals(kernel.call(task, "kill", child.pid, 0), 0);
    kernel.call(other, "exit", 1);
    assertEquals(kernel.call(task, "wait4", ANY, DATA, 0, 0), child.pid);
    assertEquals(task.mm.load32(DATA), 7 << 8);
  }));

Deno.test("orphans go to the nearest subreaper, else to init, with their death signal", () =>
  withTask((kernel, task) => {
    const middle = fork(kernel, task);
    kernel.call(middle, "prctl", 36, 1);
    const parent = fork(kernel, middle), child = fork(kernel, parent);
    kernel.call(child, "prctl", 1, SIGTERM);
    child.sighand.of(SIGTERM).handler = 0x6000;
    child.signals.blocked.add(SIGTERM);
    kernel.call(parent, "exit_group", 0);
    assertEquals(child.group.parent, middle.group);
    assertEquals(child.group.pending.set.has(SIGTERM), true);
    kernel.call(middle, "exit_group", 0);
    assertEquals(child.group.parent, task.group);
  }));

Deno.test("setpgid and setsid: errors in Linux's order", () =>
  withTask((kernel, task) => {
    const child = fork(kernel, task), other = fork(kernel, task), grand = fork(kernel, child);
    assertEquals(kernel.call(task, "setpgid", 0, 0), -EPERM);
    assertEquals(kernel.call(task, "setpgid", 9999, 0), -ESRCH);
    assertEquals(kernel.call(task, "setpgid", grand.pid, 0), -ESRCH);
    assertEquals(kernel.call(task, "setpgid", child.pid, -1), -EINVAL);
    assertEquals(kernel.call(task, "setpgid", child.pid, 9999), -EPERM);
    assertEquals(kernel.call(task, "setpgid", child.pid, child.pid), 0);
    assertEquals(kernel.call(task, "setpgid", other.pid, child.pid), 0);
    assertEquals(kernel.call(other, "setsid"), other.pid);
    assertEquals(kernel.call(other, "getsid", 0), other.pid);
    assertEquals(kernel.call(other, "setsid"), -EPERM);
    assertEquals(kernel.call(task, "setpgid", other.pid, other.pid), -EPERM);
    child.group.hasExeced = true;
    assertEquals(kernel.call(task, "setpgid", child.pid, task.pid), -EACCES);
  }));

Deno.test("a process group orphaned with a stopped member gets SIGHUP and SIGCONT", () =>
  withTask((kernel, task) => {
    const leader = fork(kernel, task);
    kernel.call(leader, "setsid");
    const shell = fork(kernel, leader), job = fork(kernel, shell);
    kernel.call(job, "setpgid", 0, 0);
    job.sighand.of(SIGHUP).handler = 0x6000;
    job.signals.blocked.add(SIGHUP);
    sendToGroup(job.group, userSignal(SIGSTOP, task));
    kernel.settle();
    assertEquals(job.group.isStopped, true);
    kernel.call(shell, "exit_group", 0);
    assertEquals(job.group.isStopped, false);
    assertEquals(job.group.pending.set.has(SIGHUP), true);
  }));

Deno.test("the end of a parent looks once at a process group of its children", () =>
  withTask((kernel, init) => {
    const parent = taskOf(kernel, kernel.call(init, "fork")), count = 100;
    const children = Array.from(
      { length: count },
      () => taskOf(kernel, kernel.call(parent, "fork")),
    );
    const [first] = children;
    for (const child of children) {
      assertEquals(kernel.call(parent, "setpgid", child.tid, first!.tid), 0);
    }
    const { members } = first!.group.pgrp, visit = members.values.bind(members);
    let visits = 0;
    members[Symbol.iterator] = () => {
      visits++;
      return visit();
    };
    kernel.call(parent, "exit_group", 0);
    assertEquals(children.every(({ group }) => group.parent === init.group), true);
    assert(visits <= 2, `${visits} looks`);
  }));

Deno.test("the end of init kills all other processes", () =>
  withTask((kernel, task) => {
    const child = fork(kernel, task), other = thread(kernel, child);
    kernel.call(other, "pause");
    kernel.call(task, "exit_group", 4);
    kernel.settle();
    assertEquals(kernel.initStatus, 4 << 8);
    assertEquals([child.state, other.state], [DEAD, DEAD]);
  }));

Deno.test("kill: the selected processes, and those that may not be signalled", () =>
  withTask((kernel, task) => {
    const child = fork(kernel, task), pid = child.pid;
    kernel.call(child, "setresuid", 1000, 1000, 1000);
    assertEquals(kernel.call(child, "kill", 1, 0), -EPERM);
    assertEquals(kernel.call(child, "kill", 1, SIGCONT), 0);
    assertEquals(kernel.call(child, "kill", 0, 0), 0);
    assertEquals(kernel.call(child, "kill", ANY, 0), -ESRCH);
    assertEquals(kernel.call(task, "kill", ANY, 0), 0);
    assertEquals(kernel.call(task, "kill", pid, 65), -EINVAL);
    assertEquals(kernel.call(task, "kill", 9999, 0), -ESRCH);
    kernel.call(child, "exit_group", 0);
    assertEquals(kernel.call(task, "kill", pid, SIGKILL), 0);
    kernel.call(task, "wait4", pid, 0, 0, 0);
    assertEquals(kernel.call(task, "kill", pid, 0), -ESRCH);
  }));

Deno.test("clone: an exit signal that is none is not sent, and the child can be waited for", () =>
  withTask((kernel, task) => {
    for (const sig of [65, 255]) {
      const child = taskOf(kernel, kernel.call(task, "clone", sig));
      assertEquals(kernel.call(child, "exit_group", 3), GONE);
      assertEquals(kernel.call(task, "wait4", ANY, DATA, __WCLONE), child.pid);
      assertEquals(task.mm.load32(DATA), 3 << 8);
    }
  }));

Deno.test("a process with more capabilities is out of reach, same ids or not", () =>
  withTask((kernel, task) => {
    const weak = fork(kernel, task), other = fork(kernel, weak);
    weak.cred = { ...weak.cred, permitted: capSet(0, 0), effective: capSet(0, 0) };
    const iov = DATA + 64;
    weak.mm.store64(iov, DATA);
    weak.mm.store64(iov + 8, 8);
    const write = (pid: number) => kernel.call(weak, "process_vm_writev", pid, iov, 1, iov, 1, 0);
    assertEquals(write(task.pid), -EPERM);
    assertEquals(kernel.call(weak, "kcmp", weak.pid, task.pid, 1, 0, 0), -EPERM);
    const pidfd = kernel.call(weak, "pidfd_open", task.pid, 0);
    assertEquals(kernel.call(weak, "pidfd_getfd", Number(pidfd), 0, 0), -EPERM);
    other.cred = weak.cred;
    assertEquals(write(other.pid), 8);
  }));
