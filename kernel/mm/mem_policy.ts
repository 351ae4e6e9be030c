/**
 * NUMA policies (set_mempolicy(2), mbind(2)) on a machine with one node: policies are checked,
 * stored and shown, and every page comes from node 0. kernel/syscalls/mm/policy.ts calls this; a
 * task and each area have a policy.
 */

import { EINVAL } from "../../ffi/abi/errno.ts";
import {
  MPOL_BIND,
  MPOL_DEFAULT,
  MPOL_F_NUMA_BALANCING,
  MPOL_F_RELATIVE_NODES,
  MPOL_F_STATIC_NODES,
  MPOL_INTERLEAVE,
  MPOL_LOCAL,
  MPOL_PREFERRED,
  MPOL_PREFERRED_MANY,
  MPOL_WEIGHTED_INTERLEAVE,
} from "../../ffi/abi/system.ts";

const MODE_FLAGS = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES | MPOL_F_NUMA_BALANCING;
const USER_MASK = MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES;

/** A policy. It is immutable; null stands for MPOL_DEFAULT. */
export class MemPolicy {
  readonly mode: number;
  /** MPOL_F_*. */
  readonly flags: number;
  /** The node set of get_mempolicy(2). */
  readonly nodes: bigint;

  constructor(mode: number, flags: number, nodes: bigint) {
    this.mode = mode;
    this.flags = flags;
    this.nodes = nodes;
  }

  get isInterleaved(): boolean {
    return this.mode === MPOL_INTERLEAVE || this.mode === MPOL_WEIGHTED_INTERLEAVE;
  }
  /** Whether set_mempolicy_home_node(2) accepts it. */
  get mayHaveHome(): boolean {
    return this.mode === MPOL_BIND || this.mode === MPOL_PREFERRED_MANY;
  }
  /** The text in /proc/PID/numa_maps. */
  describe(): string {
    const names = ["default", "prefer", "bind", "interleave", "local"];
    const name = names[this.mode] ??
      (this.mode === MPOL_PREFERRED_MANY ? "prefer (many)" : "weighted interleave");
    const kind = (this.flags & MPOL_F_STATIC_NODES) !== 0
      ? "=static"
      : (this.flags & MPOL_F_RELATIVE_NODES) !== 0
      ? "=relative"
      : "";
    return this.mode === MPOL_LOCAL ? name : `${name}${kind}:0`;
  }
}

/** Whether two policies are equal; null is the default policy. */
export function isSamePolicy(a: MemPolicy | null, b: MemPolicy | null): boolean {
  if (a === null || b === null) return a === b;
  return a.mode === b.mode && a.flags === b.flags && a.nodes === b.nodes;
}

/** Checks a mode with its flags: 0 or -EINVAL (sanitize_mpol_flags). */
export function checkMode(mode: number): number {
  const flags = mode & MODE_FLAGS, plain = (mode & ~MODE_FLAGS) >>> 0;
  if (plain > MPOL_WEIGHTED_INTERLEAVE || (flags & USER_MASK) === USER_MASK) return -EINVAL;
  const balances = (flags & MPOL_F_NUMA_BALANCING) !== 0;
  return balances && plain !== MPOL_BIND && plain !== MPOL_PREFERRED_MANY ? -EINVAL : 0;
}

/**
 * Makes the policy of a checked mode and a set of nodes (mpol_new, mpol_set_nodemask): null for the
 * default, or -EINVAL.
 */
export function makePolicy(mode: number, nodes: bigint): MemPolicy | null | number {
  const flags = mode & MODE_FLAGS, isEmpty = nodes === 0n;
  let plain = (mode & ~MODE_FLAGS) >>> 0;
  if (plain === MPOL_DEFAULT) return isEmpty ? null : -EINVAL;
  if (plain === MPOL_PREFERRED && isEmpty) {
    if ((flags & USER_MASK) !== 0) return -EINVAL;
    plain = MPOL_LOCAL;
  }
  if (plain === MPOL_LOCAL) {
    return isEmpty && (flags & USER_MASK) === 0 ? new MemPolicy(plain, flags, 0n) : -EINVAL;
  }
  if (isEmpty) return -EINVAL;
  const isRelative = (flags & MPOL_F_RELATIVE_NODES) !== 0;
  if (!isRelative && (nodes & 1n) === 0n) return -EINVAL;
  return new MemPolicy(plain, flags, (flags & USER_MASK) !== 0 ? nodes : 1n);
}
