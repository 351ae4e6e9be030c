/** capget(2), capset(2). */

import { CAP_SETPCAP } from "../../../ffi/abi/capability.ts";
import {
  _LINUX_CAPABILITY_VERSION_1,
  _LINUX_CAPABILITY_VERSION_2,
  _LINUX_CAPABILITY_VERSION_3,
  CapData,
  CapHeader,
} from "../../../ffi/abi/capability.ts";
import { EFAULT, EINVAL, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { capSet, intersection, isSubset, union } from "../../cred/cap_set.ts";
import { type CapSet, hasOwnCap, NO_CAPS } from "../../cred/credentials.ts";
import { changeCredentials } from "../../task/change_credentials.ts";
import type { Task } from "../../task/task.ts";

/**
 * Number of struct __user_cap_data_struct for a header's version, or -EINVAL after storing the
 * preferred version.
 */
function wordsOf(t: Task, header: number): number {
  const version = t.mm.load32(header);
  if (version < 0) return -EFAULT;
  if (version === _LINUX_CAPABILITY_VERSION_1) return 1;
  if (version === _LINUX_CAPABILITY_VERSION_2 || version === _LINUX_CAPABILITY_VERSION_3) return 2;
  return t.mm.store32(header, _LINUX_CAPABILITY_VERSION_3) === 0 ? -EINVAL : -EFAULT;
}

export function sysCapget(t: Task, a: SyscallArgs): number {
  const header = a.u64(0), data = a.u64(1);
  const words = wordsOf(t, header);
  // A null pointer queries the version alone.
  if (words < 0) return words === -EINVAL && data === 0 ? 0 : words;
  if (data === 0) return 0;
  const pid = t.mm.load32(header + CapHeader.at.pid);
  if (pid < 0) return -EFAULT;
  if ((pid | 0) < 0) return -EINVAL;
  const target = pid === 0 ? t : t.pids.taskOf(pid);
  if (target === null) return -ESRCH;
  const { scratch } = t.kernel, { cred } = target;
  putSets(scratch.dv, CapData.at.effective, cred.effective);
  putSets(scratch.dv, CapData.at.permitted, cred.permitted);
  putSets(scratch.dv, CapData.at.inheritable, cred.inheritable);
  return t.mm.copyOut(data, scratch.u8, 0, words * CapData.size) === 0 ? 0 : -EFAULT;
}

export function sysCapset(t: Task, a: SyscallArgs): number {
  const header = a.u64(0);
  const words = wordsOf(t, header);
  if (words < 0) return words;
  const pid = t.mm.load32(header + CapHeader.at.pid);
  if (pid < 0) return -EFAULT;
  if (pid !== 0 && pid !== t.tid) return -EPERM;
  const { u8, dv } = t.kernel.scratch;
  u8.fill(0, 0, 2 * CapData.size);
  if (t.mm.copyIn(u8, 0, a.u64(1), words * CapData.size) !== 0) return -EFAULT;
  const effective = takeSets(dv, CapData.at.effective),
    permitted = takeSets(dv, CapData.at.permitted);
  const inheritable = takeSets(dv, CapData.at.inheritable), { cred } = t;
  const isCapped = hasOwnCap(cred, CAP_SETPCAP) ||
    isSubset(inheritable, union(cred.inheritable, cred.permitted));
  if (!isCapped || !isSubset(inheritable, union(cred.inheritable, cred.bounding))) return -EPERM;
  if (!isSubset(permitted, cred.permitted) || !isSubset(effective, permitted)) return -EPERM;
  const ambient = cred.ambient === NO_CAPS
    ? NO_CAPS
    : intersection(cred.ambient, intersection(permitted, inheritable));
  changeCredentials(t, { ...cred, effective, permitted, inheritable, ambient });
  return 0;
}

function putSets(dv: DataView, at: number, set: CapSet): void {
  dv.setUint32(at, set.lo, true);
  dv.setUint32(at + CapData.size, set.hi, true);
}

function takeSets(dv: DataView, at: number): CapSet {
  return capSet(dv.getUint32(at, true), dv.getUint32(at + CapData.size, true));
}
