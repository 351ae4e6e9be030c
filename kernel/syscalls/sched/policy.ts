/**
 * Scheduling policies and priorities: sched_setscheduler(2), sched_setparam(2), sched_setattr(2)
 * and the calls that read them.
 *
 * DIFFERS: they are kept, checked and shown, and do not influence the host's scheduling.
 */

import { RLIMIT_NICE, RLIMIT_RTPRIO } from "../../../ffi/abi/resource.ts";
import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { CAP_SYS_NICE } from "../../../ffi/abi/capability.ts";
import { E2BIG, EFAULT, EINVAL, EOPNOTSUPP, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import * as S from "../../../ffi/abi/sched.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { isSubset } from "../../cred/cap_set.ts";
import { hasCap, hasCapIn } from "../../cred/credentials.ts";
import { getReg } from "../../task/registers.ts";
import type { Task } from "../../task/task.ts";
import { copyInStruct } from "../copy_struct.ts";

const MAX_RT_PRIORITY = 99;
/** SCHED_RR's slice. */
const RR_SLICE_NS = 100_000_000;
/**
 * Range of slices that sched_setattr(2) accepts for ordinary threads, and the rounding of shown
 * slices (CONFIG_HZ=250).
 */
const MIN_SLICE_NS = 100_000, MAX_SLICE_NS = 100_000_000, TICK_NS = 4_000_000;
/** Slice of a thread that requested none, on one CPU; it grows with the number of CPUs. */
const BASE_SLICE_NS = 750_000, MOST_CPUS = 8;
/** SCHED_DEADLINE: bounds of the period (sched_deadline_period_min_us and _max_us). */
const MIN_PERIOD_NS = 100_000, MAX_PERIOD_NS = 4_194_304_000;
const DEADLINE_FLAGS = S.SCHED_FLAG_RECLAIM | S.SCHED_FLAG_DL_OVERRUN;

/** The attributes that a call sets. */
interface Wanted {
  readonly policy: number;
  readonly priority: number;
  readonly nice: number;
  readonly resetOnFork: boolean;
  readonly deadlineFlags: number;
  readonly runtimeNs: number;
  readonly deadlineNs: number;
  readonly periodNs: number;
}

function isRealtime(policy: number): boolean {
  return policy === S.SCHED_FIFO || policy === S.SCHED_RR;
}

function isKnownPolicy(policy: number): boolean {
  return policy === S.SCHED_NORMAL || isRealtime(policy) || policy === S.SCHED_BATCH ||
    policy === S.SCHED_IDLE || policy === S.SCHED_DEADLINE;
}

/** The thread with this id; 0: the caller. */
export function threadOf(t: Task, tid: number): Task | null {
  return tid === 0 ? t : t.pids.taskOf(tid);
}

/**
 * True if the effective user id is the thread's real or effective one (check_same_owner of Linux).
 */
function ownsThread(t: Task, target: Task): boolean {
  const { euid } = t.cred;
  return euid === target.cred.euid || euid === target.cred.uid;
}

/** The owner, or CAP_SYS_NICE in the thread's user namespace: nice values and affinity. */
export function maySetNice(t: Task, target: Task): boolean {
  return ownsThread(t, target) || hasCapIn(t.cred, target.cred.userNs, CAP_SYS_NICE);
}

/** True if the thread has no capability that the caller lacks (cap_safe_nice of Linux). */
export function isNoStronger(t: Task, target: Task): boolean {
  return isSubset(target.cred.permitted, t.cred.permitted) ||
    hasCapIn(t.cred, target.cred.userNs, CAP_SYS_NICE);
}

/**
 * The owner, or CAP_SYS_NICE over the whole machine: policies, which can take the processor from
 * all others.
 */
function maySchedule(t: Task, target: Task): boolean {
  return ownsThread(t, target) || hasCap(t.cred, CAP_SYS_NICE);
}

export function sysSchedSetscheduler(t: Task, a: SyscallArgs): number {
  const policy = a.i32(1);
  return policy < 0 ? -EINVAL : setParam(t, a.i32(0), policy, a.u64(2));
}

export function sysSchedSetparam(t: Task, a: SyscallArgs): number {
  return setParam(t, a.i32(0), -1, a.u64(1));
}

/** @param policy -1 keeps the thread's */
function setParam(t: Task, tid: number, policy: number, addr: number): number {
  if (addr === 0 || tid < 0) return -EINVAL;
  const priority = t.mm.load32(addr);
  if (priority < 0) return -EFAULT;
  const target = threadOf(t, tid);
  if (target === null) return -ESRCH;
  const { sched } = target, reset = (policy & S.SCHED_RESET_ON_FORK) !== 0;
  return applyAttributes(t, target, {
    policy: policy < 0 ? sched.policy : policy & ~S.SCHED_RESET_ON_FORK,
    priority: priority | 0,
    nice: sched.nice,
    resetOnFork: policy < 0 ? sched.resetOnFork : reset,
    deadlineFlags: 0,
    runtimeNs: 0,
    deadlineNs: 0,
    periodNs: 0,
  });
}

export function sysSchedGetscheduler(t: Task, a: SyscallArgs): number {
  if (a.i32(0) < 0) return -EINVAL;
  const target = threadOf(t, a.i32(0));
  if (target === null) return -ESRCH;
  const { policy, resetOnFork } = target.sched;
  return resetOnFork ? policy | S.SCHED_RESET_ON_FORK : policy;
}

export function sysSchedGetparam(t: Task, a: SyscallArgs): number {
  if (a.u64(1) === 0 || a.i32(0) < 0) return -EINVAL;
  const target = threadOf(t, a.i32(0));
  if (target === null) return -ESRCH;
  return t.mm.store32(a.u64(1), target.sched.priority);
}

/** sched_setattr(2). */
export function sysSchedSetattr(t: Task, a: SyscallArgs): number {
  const addr = a.u64(1), at = S.SchedAttr.at, { dv } = t.kernel.scratch;
  if (addr === 0 || a.i32(0) < 0 || a.u32(2) !== 0) return -EINVAL;
  let size = t.mm.load32(addr);
  if (size < 0) return -EFAULT;
  if (size === 0) size = S.SCHED_ATTR_SIZE_VER0;
  if (size < S.SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE) return tooBig(t, addr);
  const r = copyInStruct(t, addr, size, S.SchedAttr.size);
  if (r !== 0) return r === -E2BIG ? tooBig(t, addr) : r;
  const flags = getReg(dv, at.schedFlags);
  const utilClamp = S.SCHED_FLAG_UTIL_CLAMP_MIN | S.SCHED_FLAG_UTIL_CLAMP_MAX;
  if ((flags & utilClamp) !== 0 && size < S.SCHED_ATTR_SIZE_VER1) return -EINVAL;
  // As a kernel without CONFIG_UCLAMP_TASK.
  if ((flags & utilClamp) !== 0) return -EOPNOTSUPP;
  const policy = dv.getInt32(at.schedPolicy, true);
  if (policy < 0) return -EINVAL;
  const target = threadOf(t, a.i32(0));
  if (target === null) return -ESRCH;
  if (flags > S.SCHED_FLAG_ALL) return -EINVAL;
  const { sched } = target, keepsParams = (flags & S.SCHED_FLAG_KEEP_PARAMS) !== 0;
  return applyAttributes(t, target, {
    policy: (flags & S.SCHED_FLAG_KEEP_POLICY) !== 0 ? sched.policy : policy,
    priority: keepsParams ? sched.priority : dv.getUint32(at.schedPriority, true),
    nice: keepsParams ? sched.nice : clampNice(dv.getInt32(at.schedNice, true)),
    resetOnFork: (flags & S.SCHED_FLAG_RESET_ON_FORK) !== 0,
    deadlineFlags: flags & DEADLINE_FLAGS,
    runtimeNs: getReg(dv, at.schedRuntime),
    deadlineNs: getReg(dv, at.schedDeadline),
    periodNs: getReg(dv, at.schedPeriod),
  });
}

/** Stores the known size for the caller: -E2BIG. */
function tooBig(t: Task, addr: number): number {
  return t.mm.store32(addr, S.SchedAttr.size) === 0 ? -E2BIG : -EFAULT;
}

export function clampNice(nice: number): number {
  return Math.max(-20, Math.min(19, nice));
}

/** sched_getattr(2). */
export function sysSchedGetattr(t: Task, a: SyscallArgs): number {
  const size = a.u32(2), at = S.SchedAttr.at, { scratch } = t.kernel;
  if (a.u64(1) === 0 || a.i32(0) < 0 || a.u32(3) !== 0) return -EINVAL;
  if (size > PAGE_SIZE || size < S.SCHED_ATTR_SIZE_VER0) return -EINVAL;
  const target = threadOf(t, a.i32(0));
  if (target === null) return -ESRCH;
  const { sched } = target, used = Math.min(size, S.SchedAttr.size);
  scratch.clear(S.SchedAttr.size);
  scratch.dv.setUint32(at.size, used, true);
  scratch.dv.setUint32(at.schedPolicy, sched.policy, true);
  const reset = sched.resetOnFork ? S.SCHED_FLAG_RESET_ON_FORK : 0;
  scratch.setU53(at.schedFlags, reset | sched.deadlineFlags);
  if (isRealtime(sched.policy)) {
    scratch.dv.setUint32(at.schedPriority, sched.priority, true);
  } else if (sched.policy === S.SCHED_DEADLINE) {
    scratch.setU53(at.schedRuntime, sched.runtimeNs);
    scratch.setU53(at.schedDeadline, sched.deadlineNs);
    scratch.setU53(at.schedPeriod, sched.periodNs);
  } else {
    scratch.dv.setInt32(at.schedNice, sched.nice, true);
    scratch.setU53(at.schedRuntime, sliceOf(target));
  }
  return t.mm.copyOut(a.u64(1), scratch.u8, 0, used) === 0 ? 0 : -EFAULT;
}

/** Performs the checks of __sched_setscheduler, and the change. */
function applyAttributes(t: Task, target: Task, want: Wanted): number {
  const { policy, priority } = want, { sched } = target;
  if (!isKnownPolicy(policy)) return -EINVAL;
  if (priority < 0 || priority > MAX_RT_PRIORITY) return -EINVAL;
  if (isRealtime(policy) !== (priority !== 0)) return -EINVAL;
  if (policy === S.SCHED_DEADLINE && !isSaneDeadline(want)) return -EINVAL;
  if (!hasCap(t.cred, CAP_SYS_NICE)) {
    const refused = checkUnprivileged(t, target, want);
    if (refused !== 0) return refused;
  }
  if (!isNoStronger(t, target)) return -EPERM;
  sched.policy = policy;
  sched.priority = priority;
  sched.resetOnFork = want.resetOnFork;
  if (isFair(policy)) sched.nice = want.nice;
  sched.deadlineFlags = policy === S.SCHED_DEADLINE ? want.deadlineFlags : 0;
  if (isFair(policy)) sched.sliceNs = clampSlice(want.runtimeNs);
  sched.runtimeNs = want.runtimeNs;
  sched.deadlineNs = want.deadlineNs;
  sched.periodNs = want.periodNs === 0 ? want.deadlineNs : want.periodNs;
  return 0;
}

/** Policies for which nice values count. */
function isFair(policy: number): boolean {
  return policy === S.SCHED_NORMAL || policy === S.SCHED_BATCH;
}

/** @param ns 0: no slice was requested */
function clampSlice(ns: number): number {
  return ns === 0 ? 0 : Math.max(MIN_SLICE_NS, Math.min(MAX_SLICE_NS, ns));
}

function sliceOf({ sched, kernel }: Task): number {
  if (sched.sliceNs !== 0) return sched.sliceNs;
  return BASE_SLICE_NS * (1 + Math.floor(Math.log2(Math.min(kernel.host.cpuCount, MOST_CPUS))));
}

function isSaneDeadline(want: Wanted): boolean {
  const period = want.periodNs === 0 ? want.deadlineNs : want.periodNs;
  if (period < MIN_PERIOD_NS || period > MAX_PERIOD_NS) return false;
  return want.runtimeNs >= 1024 && want.runtimeNs <= want.deadlineNs &&
    want.deadlineNs <= period;
}

function checkUnprivileged(t: Task, target: Task, want: Wanted): number {
  const { sched } = target, { limits } = target.group;
  if (isFair(want.policy) && want.nice < sched.nice && 20 - want.nice > limits.get(RLIMIT_NICE)) {
    return -EPERM;
  }
  if (isRealtime(want.policy)) {
    const limit = limits.get(RLIMIT_RTPRIO);
    if (want.policy !== sched.policy && limit === 0) return -EPERM;
    if (want.priority > sched.priority && want.priority > limit) return -EPERM;
  }
  if (want.policy === S.SCHED_DEADLINE) return -EPERM;
  if (sched.policy === S.SCHED_IDLE && want.policy !== S.SCHED_IDLE) {
    if (20 - sched.nice > limits.get(RLIMIT_NICE)) return -EPERM;
  }
  if (sched.resetOnFork && !want.resetOnFork) return -EPERM;
  return maySchedule(t, target) ? 0 : -EPERM;
}

export function sysSchedGetPriorityMax(_t: Task, a: SyscallArgs): number {
  const policy = a.i32(0);
  if (!isKnownPolicy(policy) && policy !== S.SCHED_EXT) return -EINVAL;
  return isRealtime(policy) ? MAX_RT_PRIORITY : 0;
}

export function sysSchedGetPriorityMin(_t: Task, a: SyscallArgs): number {
  const policy = a.i32(0);
  if (!isKnownPolicy(policy) && policy !== S.SCHED_EXT) return -EINVAL;
  return isRealtime(policy) ? 1 : 0;
}

export function sysSchedRrGetInterval(t: Task, a: SyscallArgs): number {
  if (a.i32(0) < 0) return -EINVAL;
  const target = threadOf(t, a.i32(0));
  if (target === null) return -ESRCH;
  const { policy } = target.sched;
  const slice = policy === S.SCHED_RR
    ? RR_SLICE_NS
    : isFair(policy) || policy === S.SCHED_IDLE
    ? Math.floor(sliceOf(target) / TICK_NS) * TICK_NS
    : 0;
  if (t.mm.store64(a.u64(1), 0) !== 0) return -EFAULT;
  return t.mm.store64(a.u64(1) + 8, slice) === 0 ? 0 : -EFAULT;
}
