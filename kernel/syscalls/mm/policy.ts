/**
 * set_mempolicy(2), get_mempolicy(2), mbind(2), set_mempolicy_home_node(2), migrate_pages(2) on a
 * machine with one node, node 0. Policies are in mm/mem_policy.ts.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { CAP_SYS_NICE } from "../../../ffi/abi/capability.ts";
import {
  EFAULT,
  EINVAL,
  ENOENT,
  ENOMEM,
  EOPNOTSUPP,
  EPERM,
  ESRCH,
} from "../../../ffi/abi/errno.ts";
import {
  MPOL_DEFAULT,
  MPOL_F_ADDR,
  MPOL_F_MEMS_ALLOWED,
  MPOL_F_NODE,
  MPOL_MF_MOVE,
  MPOL_MF_MOVE_ALL,
  MPOL_MF_STRICT,
} from "../../../ffi/abi/system.ts";
import { ACCESS_READ, type SyscallArgs } from "../../../platform/platform.ts";
import { hasCap } from "../../cred/credentials.ts";
import { checkMode, makePolicy, MemPolicy } from "../../mm/mem_policy.ts";
import { pageUp } from "../../mm/region.ts";
import type { Task } from "../../task/task.ts";
import { nodesIn, nodesOut } from "./node_mask.ts";
import { mayAccessByReal } from "../../ptrace/access.ts";

const TWO64 = 2 ** 64;

/** The policy of a call's mode and mask, or -errno. */
function policyArg(
  t: Task,
  mode: number,
  mask: number,
  maxNode: number,
): MemPolicy | null | number {
  const r = checkMode(mode);
  if (r < 0) return r;
  const nodes = nodesIn(t.mm, mask, maxNode);
  return typeof nodes === "number" ? nodes : makePolicy(mode, nodes);
}

export function sysSetMempolicy(t: Task, a: SyscallArgs): number {
  const policy = policyArg(t, a.i32(0), a.u64(1), a.u64(2));
  if (typeof policy === "number") return policy;
  t.memPolicy = policy;
  return 0;
}

export function sysGetMempolicy(t: Task, a: SyscallArgs): number {
  const modeAt = a.u64(0), maskAt = a.u64(1), maxNode = a.u64(2), addr = a.u64(3);
  const flags = a.u64(4);
  if (maskAt !== 0 && maxNode < 1) return -EINVAL;
  if (flags > (MPOL_F_NODE | MPOL_F_ADDR | MPOL_F_MEMS_ALLOWED)) return -EINVAL;
  let mode = MPOL_DEFAULT, nodes = 0n;
  if ((flags & MPOL_F_MEMS_ALLOWED) !== 0) {
    if (flags !== MPOL_F_MEMS_ALLOWED) return -EINVAL;
    nodes = 1n;
  } else {
    let policy = t.memPolicy;
    if ((flags & MPOL_F_ADDR) !== 0) {
      const vma = t.mm.vmas.find(addr);
      if (vma === null) return -EFAULT;
      policy = vma.policy;
    } else if (addr !== 0) return -EINVAL;
    if (policy !== null) nodes = policy.nodes;
    if ((flags & MPOL_F_NODE) === 0) {
      if (policy !== null) mode = policy.mode | policy.flags;
    } else if ((flags & MPOL_F_ADDR) !== 0) {
      if (t.mm.translate(addr, ACCESS_READ) < 0) return -EFAULT;
    } else if (policy === null || !policy.isInterleaved) return -EINVAL;
  }
  if (modeAt !== 0 && t.mm.store32(modeAt, mode) < 0) return -EFAULT;
  return maskAt === 0 ? 0 : nodesOut(t.mm, maskAt, maxNode, nodes);
}

/** [start, end) in whole pages, or -EINVAL; an empty range ends at its start. */
function pageRange(start: number, len: number): number {
  if (start % PAGE_SIZE !== 0) return -EINVAL;
  const size = pageUp(len);
  if (size >= TWO64) return start;
  return start + size >= TWO64 ? -EINVAL : start + size;
}

/** True if all of [start, end) is mapped. */
function isMapped(t: Task, start: number, end: number): boolean {
  let at = start;
  while (at < end) {
    const vma = t.mm.vmas.find(at);
    if (vma === null) return false;
    at = vma.end;
  }
  return true;
}

export function sysMbind(t: Task, a: SyscallArgs): number {
  const start = a.u64(0), mode = a.u32(2), flags = a.u32(5);
  const r = checkMode(mode);
  if (r < 0) return r;
  const nodes = nodesIn(t.mm, a.u64(3), a.u64(4));
  if (typeof nodes === "number") return nodes;
  if ((flags & ~(MPOL_MF_STRICT | MPOL_MF_MOVE | MPOL_MF_MOVE_ALL)) !== 0) return -EINVAL;
  if ((flags & MPOL_MF_MOVE_ALL) !== 0 && !hasCap(t.cred, CAP_SYS_NICE)) return -EPERM;
  const end = pageRange(start, a.u64(1));
  if (end <= start) return end === start ? 0 : -EINVAL;
  const policy = makePolicy(mode, nodes);
  if (typeof policy === "number") return policy;
  if (!isMapped(t, start, end)) return -EFAULT;
  const { vmas } = t.mm;
  if (!vmas.maySplit(start, end)) return -ENOMEM;
  const first = vmas.splitAt(start), last = vmas.splitAt(end);
  for (let i = first; i < last; i++) vmas.at(i).policy = policy;
  vmas.mergeAround(start, end);
  return 0;
}

/** The home node of all policies is the only node. */
export function sysSetMempolicyHomeNode(t: Task, a: SyscallArgs): number {
  const start = a.u64(0);
  if (start % PAGE_SIZE !== 0 || a.u64(3) !== 0 || a.u64(2) !== 0) return -EINVAL;
  const end = pageRange(start, a.u64(1));
  if (end <= start) return end === start ? 0 : -EINVAL;
  const { vmas } = t.mm;
  let r = -ENOENT;
  for (let i = vmas.indexOf(start); i < vmas.length && vmas.at(i).start < end; i++) {
    const { policy } = vmas.at(i);
    if (policy === null) continue;
    if (!policy.mayHaveHome) return -EOPNOTSUPP;
    r = 0;
  }
  return r;
}

/** migrate_pages(2): all pages are on node 0 already. */
export function sysMigratePages(t: Task, a: SyscallArgs): number {
  const pid = a.i32(0), maxNode = a.u64(1);
  const from = nodesIn(t.mm, a.u64(2), maxNode);
  if (typeof from === "number") return from;
  const to = nodesIn(t.mm, a.u64(3), maxNode);
  if (typeof to === "number") return to;
  const target = pid === 0 ? t : t.pids.tasks.get(pid);
  if (target === undefined) return -ESRCH;
  if (target !== t && !mayAccessByReal(t, target)) return -EPERM;
  if (to >> 1n !== 0n && !hasCap(t.cred, CAP_SYS_NICE)) return -EPERM;
  return (to & 1n) === 0n || target.group.isZombie ? -EINVAL : 0;
}
