/** Who the first process is: credentials and limits of a process spec, as the kernel has them. */

import { capSet } from "../../kernel/cred/cap_set.ts";
import {
  ALL_CAPS,
  type CapSet,
  type Credentials,
  NO_CAPS,
  userCredentials,
} from "../../kernel/cred/credentials.ts";
import { Limits } from "../../kernel/task/limits.ts";
import type { ProcessSpec } from "./boot_spec.ts";

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
  return {
    ...base,
    noNewPrivs,
    bounding: setOf(capabilities.bounding),
    effective: setOf(capabilities.effective),
    permitted: setOf(capabilities.permitted),
    inheritable: setOf(capabilities.inheritable),
    ambient: setOf(capabilities.ambient),
  };
}

export function limitsOf(process: ProcessSpec): Limits {
  const limits = new Limits(null);
  for (const { resource, soft, hard } of process.rlimits) {
    limits.set(resource, soft ?? Infinity, hard ?? Infinity);
  }
  return limits;
}
