/**
 * Makes new tasks: clone(2), clone3(2), fork(2), vfork(2), after their arguments were decoded
 * (syscalls/process/clone.ts). The calling context is full: registers and FPU state can be copied.
 */

import { RLIMIT_NOFILE, RLIMIT_NPROC } from "../../ffi/abi/resource.ts";
import { TASKS } from "../core/quota.ts";
import {
  CLONE_CHILD_CLEARTID,
  CLONE_CHILD_SETTID,
  CLONE_FILES,
  CLONE_FS,
  CLONE_NEWNS,
  CLONE_NEWPID,
  CLONE_NEWUSER,
  CLONE_PARENT,
  CLONE_PARENT_SETTID,
  CLONE_PIDFD,
  CLONE_SETTLS,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_VFORK,
  CLONE_VM,
} from "../../ffi/abi/sched.ts";
import { CAP_SYS_ADMIN, CAP_SYS_RESOURCE } from "../../ffi/abi/capability.ts";
import { EAGAIN, EFAULT, EINTR, EINVAL, ENOMEM, ENOSYS } from "../../ffi/abi/errno.ts";
import { type Context, EFLAGS, FS_BASE, RAX, RSP } from "../../platform/platform.ts";
import { BLOCK, IN_GUEST, IN_STOP } from "../core/result.ts";
import { type Credentials, hasCap } from "../cred/credentials.ts";
import { SemUndoList } from "../ipc/sysv/sem_undo.ts";
import { blankClock } from "../loader/vdso.ts";
import { ForkWork, isQuickFork } from "../mm/fork_slices.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import type { Cgroup } from "../cgroup/cgroup.ts";
import { joinGroups } from "../cgroup/group_set.ts";
import { mayPlaceChild } from "../cgroup/membership.ts";
import { fullGroup, noteFullContainer } from "../cgroup/pids.ts";
import { isFull } from "./container.ts";
import { awaitChange } from "./await_change.ts";
import { resume } from "./alert.ts";
import { dropSemUndo } from "./exit.ts";
import { Limits } from "./limits.ts";
import { PidFd } from "./pidfd.ts";
import { tellFork } from "./process_events.ts";
import { copyRegs, setReg } from "./registers.ts";
import { inheritSeccomp, releaseSeccomp } from "../seccomp/task_seccomp.ts";
import { enrollGroup, enrollTask, type PidNamespace, type TaskPid } from "./pid_namespace.ts";
import { disableAltStack } from "../signal/alt_stack.ts";
import { SignalHandlers } from "../signal/handlers.ts";
import { traceChild } from "../ptrace/attach.ts";
import { stopForEvent } from "../ptrace/stops.ts";
import { PTRACE_EVENT_VFORK_DONE } from "../../ffi/abi/ptrace.ts";
import { Task, THEN_CALL } from "./task.ts";
import { ThreadGroup } from "./thread_group.ts";
import { type ChildWorld, worldForChild } from "./unshare.ts";

/** The trap flag, which a tracer may have set. */
const TF = 0x100;

export interface CloneRequest {
  /** CLONE_* of the low 32 bits, without the exit signal. */
  readonly flags: number;
  readonly clearSighand: boolean;
  readonly exitSignal: number;
  /** New stack pointer; 0: the caller's. */
  readonly stack: number;
  readonly tls: number;
  readonly pidfdAddr: number;
  readonly parentTidAddr: number;
  readonly childTidAddr: number;
  /** Wanted ids (clone3's set_tid), the innermost PID namespace first. */
  readonly tids: readonly number[];
  /** CLONE_INTO_CGROUP: the child's first group; null: the caller's. */
  readonly cgroup: Cgroup | null;
}

/** The parts of the parent that the child shares or copies. */
interface Parts {
  readonly mm: MemoryManager;
  readonly ctx: Context;
}

/** A child that is being made, and the parts of it that exist. */
interface Birth {
  readonly world: ChildWorld;
  parts: Parts | null;
  group: ThreadGroup | null;
  /**
   * Set when the child can be found by its number. From then on it owns its namespaces and parts,
   * and ends like any task.
   */
  child: Task | null;
}

/** The child's id, -errno, or BLOCK while a vfork child runs. */
export function cloneTask(task: Task, request: CloneRequest): number {
  if (task.progress.step === 1) return awaitVfork(task);
  const { flags } = request;
  const invalid = checkFlags(task, flags);
  if (invalid !== 0) return invalid;
  const wait = (flags & CLONE_VM) !== 0 ? 0 : awaitChange(task);
  if (wait !== 0) return wait;
  const full = checkCount(task, request);
  if (full !== 0) return undoFork(task, full);
  const { account } = task;
  if ((flags & CLONE_FILES) === 0 && !task.files.mayCopy(account)) return undoFork(task, -ENOMEM);
  const { vmas, pages } = task.mm;
  if ((flags & CLONE_VM) === 0 && !(vmas.mayCopy(account) && pages.mayCopy(account))) {
    return undoFork(task, -ENOMEM);
  }
  if ((flags & CLONE_FS) !== 0 && task.fs.isInExec) return undoFork(task, -EAGAIN);
  const copy = (flags & CLONE_VM) !== 0 ? 0 : copyInSlices(task);
  if (copy !== 0) return copy;
  const world = worldForChild(task, flags);
  if (typeof world === "number") return undoFork(task, world);
  const birth: Birth = { world, parts: null, group: null, child: null };
  try {
    return makeChild(task, request, birth);
  } catch (cause) {
    abortBirth(task, birth);
    throw cause;
  }
}

function makeChild(task: Task, request: CloneRequest, birth: Birth): number {
  const { flags } = request, { world } = birth;
  const id = chooseId(world.ns.pidForChildren, request.tids, task.cred);
  if (typeof id === "number") {
    world.drop();
    return undoFork(task, id);
  }
  const parts = makeParts(task, flags);
  if (typeof parts === "number") {
    world.drop();
    return parts;
  }
  birth.parts = parts;
  const group = (flags & CLONE_THREAD) !== 0 ? task.group : makeGroup(task, id, request);
  birth.group = group;
  const child = makeTask(task, id, group, parts, request, world);
  birth.child = child;
  if (world.ns !== task.ns && world.ns.time.isShifted) blankClock(child.mm);
  if ((flags & CLONE_PIDFD) !== 0) {
    const r = installPidfd(task, child, request);
    if (r < 0) return undoChild(task, child, r);
  }
  enrollTask(child);
  joinGroups(child);
  if (group.job !== null) group.job.tasks++;
  request.cgroup?.cpu.wake();
  group.tasks.push(child);
  if (group.tasks.length > 1) group.hadThreads = true;
  if (group.leader === null && group !== task.group) {
    group.leader = child;
    enrollGroup(group);
    group.container?.groups.add(group);
    group.job?.add(group);
  }
  const tid = id.numberIn(task.pids);
  if ((flags & CLONE_PARENT_SETTID) !== 0) task.mm.store32(request.parentTidAddr, tid);
  if ((flags & CLONE_CHILD_SETTID) !== 0) child.mm.store32(request.childTidAddr, id.nr);
  setChildRegs(task, child, request);
  child.result = IN_GUEST;
  traceChild(task, child, flags, request.exitSignal);
  tellFork(child);
  resume(child);
  if ((flags & CLONE_VFORK) === 0) return tid;
  child.vforkParent = task;
  task.progress.step = 1;
  task.progress.object = child;
  task.progress.value = tid;
  return awaitVfork(task);
}

/**
 * Copies a large memory in several turns (mm/fork_slices.ts); the copy is in `progress.object`. 0:
 * it is complete, or needs no turns of its own; otherwise -errno or BLOCK. Only the end of the task
 * interrupts it.
 */
function copyInSlices(task: Task): number {
  const { progress, mm } = task;
  if (progress.object === null && isQuickFork(mm)) return 0;
  const work = progress.object instanceof ForkWork
    ? progress.object
    : new ForkWork(task.account, mm);
  if (work.isOver) return 0;
  progress.object = work;
  if (task.interrupted) return undoFork(task, -EINTR);
  if (work.run()) {
    mm.changes.leave(task);
    return work.child === null ? undoFork(task, -ENOMEM) : 0;
  }
  mm.changes.take(task, 0, 0);
  task.uninterruptible = true;
  return task.yieldTurn() === BLOCK ? BLOCK : undoFork(task, -EINTR);
}

/** Undoes a fork before there is a child: drops the copied memory. */
function undoFork(task: Task, error: number): number {
  const { progress, mm } = task;
  if (!(progress.object instanceof ForkWork)) return error;
  progress.object.discard();
  progress.object = null;
  mm.changes.leave(task);
  return error;
}

/** vfork(2): until the child calls execve or _exit, only a fatal signal ends this wait. */
function awaitVfork(task: Task): number {
  const child = task.progress.object, { trace } = task;
  if (trace !== null && trace.event !== 0) {
    const { event } = trace;
    trace.event = 0;
    stopForEvent(task, event, THEN_CALL, -ENOSYS);
    return IN_STOP;
  }
  if (child instanceof Task && child.vforkParent === task && !task.interrupted) {
    task.uninterruptible = true;
    return BLOCK;
  }
  if (child instanceof Task && child.vforkParent === task) child.vforkParent = null;
  task.uninterruptible = false;
  if (trace?.wants(PTRACE_EVENT_VFORK_DONE)) trace.event = PTRACE_EVENT_VFORK_DONE;
  return task.progress.value;
}

/** Checks every limit on the number of tasks: 0 or -errno. */
function checkCount(task: Task, { cgroup, flags }: CloneRequest): number {
  const { container, job } = task.group;
  if (job !== null && job.refusesTask(task.group)) return -EAGAIN;
  if (exceedsProcessLimit(task) || !TASKS.hasRoom(1, task.account)) return -EAGAIN;
  // The child's execve has both address spaces for a moment.
  if ((flags & CLONE_VM) === 0 && !task.kernel.memory.leavingSpaces.hasRoom(2, task.account)) {
    return -EAGAIN;
  }
  if (container !== null && isFull(container)) {
    noteFullContainer(task);
    return -EAGAIN;
  }
  if (cgroup !== null) {
    const r = mayPlaceChild(task, cgroup, (flags & CLONE_THREAD) !== 0);
    if (r < 0) return r;
  }
  const full = fullGroup(cgroup === null ? task.cgroups : task.cgroups.with(cgroup));
  if (full === null) return 0;
  full.pids.fail();
  return -EAGAIN;
}

function checkFlags(task: Task, flags: number): number {
  if ((flags & CLONE_NEWNS) !== 0 && (flags & CLONE_FS) !== 0) return -EINVAL;
  if ((flags & CLONE_NEWUSER) !== 0 && (flags & CLONE_FS) !== 0) return -EINVAL;
  if ((flags & CLONE_THREAD) !== 0 && (flags & CLONE_SIGHAND) === 0) return -EINVAL;
  if ((flags & CLONE_SIGHAND) !== 0 && (flags & CLONE_VM) === 0) return -EINVAL;
  if ((flags & CLONE_PARENT) !== 0 && task.group.isInit) return -EINVAL;
  if ((flags & CLONE_THREAD) === 0) return 0;
  if ((flags & (CLONE_NEWUSER | CLONE_NEWPID)) !== 0) return -EINVAL;
  // A thread is in the PID namespace and the time namespace of its process.
  return task.ns.pidForChildren === task.pids ? 0 : -EINVAL;
}

/**
 * A new identity for a child in `pids`: -ENOMEM when the namespace ends, -EAGAIN without a free
 * number.
 */
function chooseId(
  pids: PidNamespace,
  wanted: readonly number[],
  cred: Credentials,
): TaskPid | number {
  if (pids.isEnding) return -ENOMEM;
  return wanted.length > 0 ? pids.allocateAs(wanted, cred) : pids.allocate() ?? -EAGAIN;
}

/** RLIMIT_NPROC counts the tasks of a real user. */
function exceedsProcessLimit(task: Task): boolean {
  const limit = task.group.limits.get(RLIMIT_NPROC), { cred } = task;
  if (limit === Infinity || cred.uid === 0 || task.kernel.pids.tasks.size < limit) return false;
  if (hasCap(cred, CAP_SYS_RESOURCE) || hasCap(cred, CAP_SYS_ADMIN)) return false;
  let n = 0;
  for (const t of task.kernel.pids.tasks.values()) if (t.cred.uid === cred.uid) n++;
  return n >= limit;
}

function makeParts(task: Task, flags: number): Parts | number {
  const { object } = task.progress, copy = object instanceof ForkWork ? object.child : null;
  const mm = (flags & CLONE_VM) !== 0
    ? task.mm.share()
    : copy ?? task.mm.fork(task.account, task.ctx.rsp);
  task.progress.object = null;
  if (typeof mm === "number") return mm;
  const ctx = mm.space.newContext();
  if (ctx !== null) return { mm, ctx };
  mm.put();
  return -EAGAIN;
}

function makeGroup(task: Task, id: TaskPid, request: CloneRequest): ThreadGroup {
  const from = task.group, sharesParent = (request.flags & CLONE_PARENT) !== 0;
  const group = new ThreadGroup(
    id,
    sharesParent ? from.parent : from,
    from.pgrp,
    sharesParent ? from.exitSignal : request.exitSignal,
    new Limits(from.limits),
    task.kernel.now(),
    from,
  );
  group.exe = from.exe?.hold() ?? null;
  group.argStart = from.argStart;
  group.argEnd = from.argEnd;
  group.envStart = from.envStart;
  group.envEnd = from.envEnd;
  group.auxv = from.auxv;
  group.parentExecSerial = sharesParent ? from.parentExecSerial : from.execSerial;
  group.oomScoreAdj = from.oomScoreAdj;
  group.oomScoreAdjMin = from.oomScoreAdjMin;
  group.isUnkillable = group.isInit;
  group.timers.inheritLimits(group, task.kernel.timers, task.kernel.now());
  return group;
}

function makeTask(
  task: Task,
  id: TaskPid,
  group: ThreadGroup,
  parts: Parts,
  request: CloneRequest,
  world: ChildWorld,
): Task {
  const { flags } = request;
  const sighand = (flags & CLONE_SIGHAND) !== 0
    ? task.sighand.hold()
    : new SignalHandlers(task.sighand);
  if (request.clearSighand) sighand.clearHandlers();
  const child = new Task(
    task.kernel,
    id,
    group,
    parts.ctx,
    parts.mm,
    (flags & CLONE_FILES) !== 0 ? task.files.hold() : task.files.copy(group.account),
    world.fs,
    world.cred,
    sighand,
    world.ns,
  );
  child.cred.domain?.hold();
  child.cred.userNs.hold();
  inheritSeccomp(child, task);
  child.keyrings.inherit(task.keyrings, world.cred, task.account, (flags & CLONE_THREAD) !== 0);
  child.cgroups = request.cgroup === null ? task.cgroups : task.cgroups.with(request.cgroup);
  child.comm = task.comm;
  child.personality = task.personality;
  child.memPolicy = task.memPolicy;
  child.memoryErrorPolicy = task.memoryErrorPolicy;
  child.isIoFlusher = task.isIoFlusher;
  child.sched.inherit(task.sched);
  child.signals.blocked.copy(task.signals.hasSaved ? task.signals.saved : task.signals.blocked);
  child.signals.altBase = task.signals.altBase;
  child.signals.altSize = task.signals.altSize;
  child.signals.altFlags = task.signals.altFlags;
  if ((flags & (CLONE_VM | CLONE_VFORK)) === CLONE_VM) disableAltStack(child.signals);
  if ((flags & CLONE_SYSVSEM) !== 0) {
    task.semUndo ??= new SemUndoList(task.account);
    child.semUndo = task.semUndo.hold();
  }
  if ((flags & CLONE_CHILD_CLEARTID) !== 0) child.clearChildTid = request.childTidAddr;
  return child;
}

function setChildRegs(task: Task, child: Task, request: CloneRequest): void {
  const from = task.ctx, to = child.ctx;
  if (!task.regsFetched) {
    from.fetchRegs();
    from.fetchFpu();
  }
  copyRegs(to.regs, from.regs);
  to.fpu.set(from.fpu);
  if (task.hasTrapFlag) to.regs.setUint32(EFLAGS, to.regs.getUint32(EFLAGS, true) & ~TF, true);
  setReg(to.regs, RAX, 0);
  if (request.stack !== 0) setReg(to.regs, RSP, request.stack);
  if ((request.flags & CLONE_SETTLS) !== 0) setReg(to.regs, FS_BASE, request.tls);
  child.regsFetched = true;
}

/** CLONE_PIDFD: installs the descriptor and stores its number at the caller's address. */
function installPidfd(task: Task, child: Task, request: CloneRequest): number {
  const isThread = (request.flags & CLONE_THREAD) !== 0;
  const file = new PidFd(task.account, child.kernel.anon, child.group, isThread ? child : null, 0);
  const fd = task.files.install(file, true, task.group.limits.get(RLIMIT_NOFILE));
  if (fd < 0) {
    file.drop();
    return fd;
  }
  if (task.mm.store32(request.pidfdAddr, fd) === 0) return fd;
  task.files.close(fd);
  return -EFAULT;
}

/**
 * Undoes the making of a child after a fault. A child that already has its number is ended as its
 * parent is.
 */
function abortBirth(task: Task, birth: Birth): void {
  const { world, parts, group, child } = birth;
  if (child !== null) {
    if (task.kernel.pids.tasks.get(child.id.numbers[0]!) !== child) undoChild(task, child, 0);
    return;
  }
  if (group !== null && group !== task.group) forgetGroup(group);
  parts?.ctx.release();
  parts?.mm.put();
  world.drop();
}

/** The child never ran: undoes everything. */
function undoChild(task: Task, child: Task, error: number): number {
  child.files.drop();
  child.fs.drop();
  child.ns.drop();
  child.sighand.refs--;
  releaseSeccomp(child);
  child.keyrings.release();
  child.cred.domain?.drop();
  child.cred.userNs.drop();
  dropSemUndo(child);
  child.ctx.release();
  child.mm.put();
  if (child.group !== task.group) forgetGroup(child.group);
  return error;
}

/** Removes a process that has no task and no number. */
function forgetGroup(group: ThreadGroup): void {
  group.exe?.drop();
  group.timers.destroy();
  group.parent?.children.delete(group);
  group.pgrp.members.delete(group);
}
