/** Credentials and limits of a process, from its ProcessSpec. */

import { capSet, intersection } from "../../../kernel/cred/cap_set.ts";
import {
  ALL_CAPS,
  type CapSet,
  type Credentials,
  NO_CAPS,
  userCredentials,
} from "../../../kernel/cred/credentials.ts";
import { SCHED_FLAG_RESET_ON_FORK } from "../../../ffi/abi/sched.ts";
import { Limits } from "../../../kernel/task/limits.ts";
import type { Task } from "../../../kernel/task/task.ts";
import { seccompFilterOf, type SeccompSpec } from "../../../kernel/seccomp/oci_filter.ts";
import { attachFilter } from "../../../kernel/seccomp/task_seccomp.ts";
import { errnoName } from "../../../ffi/sys/errors.ts";
import { UserError } from "../../user_error.ts";
import type { ProcessSpec } from "../../protocol/boot_spec.ts";

function setOf(capabilities: readonly number[]): CapSet {
  let lo = 0, hi = 0;
  for (const cap of capabilities) {
    if (cap < 32) lo |= 1 << cap;
    else hi |= 1 << (cap - 32);
  }
  return capSet(lo, hi);
}

export function credentialsOf(process: ProcessSpec): Credentials {
  const { uid, gid, additionalGids, capabilities, noNewPrivileges: noNewPrivs } = process;
  const base = userCredentials(uid, gid, additionalGids, uid === 0 ? ALL_CAPS : NO_CAPS);
  if (capabilities === null) return { ...base, noNewPrivs };
  const permitted = setOf(capabilities.permitted), inheritable = setOf(capabilities.inheritable);
  return {
    ...base,
    noNewPrivs,
    bounding: setOf(capabilities.bounding),
    effective: setOf(capabilities.effective),
    permitted,
    inheritable,
    // Linux raises no ambient capability outside of these sets, and runc ignores that.
    ambient: intersection(setOf(capabilities.ambient), intersection(permitted, inheritable)),
  };
}

export function limitsOf(process: ProcessSpec): Limits {
  const limits = new Limits(null);
  for (const { resource, soft, hard } of process.rlimits) {
    limits.set(resource, soft ?? Infinity, hard ?? Infinity);
  }
  return limits;
}

/** Sets how the process is scheduled, its OOM score adjustment and its personality. */
export function setProcessAttributes(task: Task, process: ProcessSpec): void {
  const { sched, group } = task, { scheduler, affinity } = process;
  group.oomScoreAdj = process.oomScoreAdj ?? 0;
  task.personality = process.personality ?? 0;
  attachSeccomp(task, process.seccomp ?? null);
  sched.ioprio = process.ioPriority ?? 0;
  if (affinity !== undefined && affinity !== null) sched.affinity = maskOf(affinity);
  if (scheduler === undefined || scheduler === null) return;
  sched.policy = scheduler.policy;
  sched.nice = scheduler.nice;
  sched.priority = scheduler.priority;
  sched.resetOnFork = (scheduler.flags & SCHED_FLAG_RESET_ON_FORK) !== 0;
  sched.runtimeNs = scheduler.runtimeNs;
  sched.deadlineNs = scheduler.deadlineNs;
  sched.periodNs = scheduler.periodNs;
}

/**
 * Attaches the filter before the first instruction. No check applies: seccomp(2)'s conditions are
 * for processes that install a filter themselves.
 */
function attachSeccomp(task: Task, spec: SeccompSpec | null): void {
  if (spec === null) return;
  const r = attachFilter(task, seccompFilterOf(task.account, spec), spec.flags);
  if (r !== 0) throw new UserError(`linux.seccomp: the filter is too long: ${errnoName(-r)}`);
}

function maskOf(cpus: readonly number[]): Uint32Array<ArrayBuffer> {
  const words = new Uint32Array((Math.max(0, ...cpus) >> 5) + 1);
  for (const cpu of cpus) words[cpu >> 5] = (words[cpu >> 5] ?? 0) | 1 << (cpu & 31);
  return words;
}
