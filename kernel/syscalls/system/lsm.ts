/**
 * Security modules: lsm_list_modules(2), lsm_get_self_attr(2), lsm_set_self_attr(2). The modules
 * are capabilities and Landlock. Neither has attributes: a well-formed request is EOPNOTSUPP.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { E2BIG, EFAULT, EINVAL, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import * as L from "../../../ffi/abi/lsm.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { getReg } from "../../task/registers.ts";
import type { Task } from "../../task/task.ts";

const MODULES: readonly number[] = [L.LSM_ID_CAPABILITY, L.LSM_ID_LANDLOCK];
const ID_BYTES = 8;

export function sysLsmListModules(t: Task, a: SyscallArgs): number {
  const ids = a.u64(0), sizeAddr = a.u64(1), total = MODULES.length * ID_BYTES;
  if (a.u32(2) !== 0) return -EINVAL;
  const size = t.mm.load32(sizeAddr);
  if (size < 0 || t.mm.store32(sizeAddr, total) !== 0) return -EFAULT;
  if (size < total) return -E2BIG;
  for (const [i, id] of MODULES.entries()) {
    if (t.mm.store64(ids + i * ID_BYTES, id) !== 0) return -EFAULT;
  }
  return MODULES.length;
}

export function sysLsmGetSelfAttr(t: Task, a: SyscallArgs): number {
  const attribute = a.u32(0), ctx = a.u64(1), sizeAddr = a.u64(2), flags = a.u32(3);
  if (attribute === L.LSM_ATTR_UNDEF || sizeAddr === 0) return -EINVAL;
  if (t.mm.load32(sizeAddr) < 0) return -EFAULT;
  if (flags !== 0) {
    if (flags !== L.LSM_FLAG_SINGLE || ctx === 0) return -EINVAL;
    const { u8, dv } = t.kernel.scratch;
    if (t.mm.copyIn(u8, 0, ctx, L.LsmCtx.size) !== 0) return -EFAULT;
    if (getReg(dv, L.LsmCtx.at.id) === L.LSM_ID_UNDEF) return -EINVAL;
  }
  return t.mm.store32(sizeAddr, 0) === 0 ? -EOPNOTSUPP : -EFAULT;
}

export function sysLsmSetSelfAttr(t: Task, a: SyscallArgs): number {
  const size = a.u32(2), { u8, dv } = t.kernel.scratch, at = L.LsmCtx.at;
  if (a.u32(3) !== 0 || size < L.LsmCtx.size) return -EINVAL;
  if (size > PAGE_SIZE) return -E2BIG;
  if (t.mm.copyIn(u8, 0, a.u64(1), size) !== 0) return -EFAULT;
  const len = getReg(dv, at.len);
  const isSane = size >= len && len >= getReg(dv, at.ctxLen) + L.LsmCtx.size;
  return isSane ? -EOPNOTSUPP : -EINVAL;
}
