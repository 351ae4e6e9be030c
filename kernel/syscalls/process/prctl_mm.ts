/**
 * PR_SET_MM of prctl(2): sets the addresses of a program's arguments, environment and segments that
 * /proc/PID shows.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { CAP_SYS_RESOURCE } from "../../../ffi/abi/capability.ts";
import { EFAULT, EINVAL, EPERM } from "../../../ffi/abi/errno.ts";
import {
  PR_SET_MM_ARG_END,
  PR_SET_MM_ARG_START,
  PR_SET_MM_AUXV,
  PR_SET_MM_END_CODE,
  PR_SET_MM_END_DATA,
  PR_SET_MM_ENV_END,
  PR_SET_MM_ENV_START,
  PR_SET_MM_MAP,
  PR_SET_MM_MAP_SIZE,
  PR_SET_MM_START_CODE,
  PR_SET_MM_START_DATA,
  PR_SET_MM_START_STACK,
  PrctlMmMap,
} from "../../../ffi/abi/prctl.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasCap } from "../../cred/credentials.ts";
import { getReg } from "../../task/registers.ts";
import type { Task } from "../../task/task.ts";

/** LIMIT: bytes of an auxiliary vector (AT_VECTOR_SIZE). */
const MAX_AUXV = 46 * 8;

/**
 * PR_SET_MM.
 *
 * DIFFERS: the program break and the executable cannot be changed (EINVAL).
 */
export function setProgramAddress(t: Task, a: SyscallArgs): number {
  const what = a.u64(1), addr = a.u64(2), size = a.u64(3);
  if (a.u64(4) !== 0 && what !== PR_SET_MM_AUXV) return -EINVAL;
  if (what === PR_SET_MM_MAP_SIZE) return t.mm.store32(addr, PrctlMmMap.size);
  if (what === PR_SET_MM_MAP) return setAll(t, addr, size);
  if (!hasCap(t.cred, CAP_SYS_RESOURCE)) return -EPERM;
  if (what === PR_SET_MM_AUXV) return setAuxv(t, addr, size);
  const isInRange = addr >= PAGE_SIZE && addr < t.mm.layout.maxAddress;
  return isInRange && t.mm.vmas.find(addr) !== null ? setOne(t, what, addr) : -EINVAL;
}

function setOne(t: Task, what: number, addr: number): number {
  const { program } = t.mm;
  switch (what) {
    case PR_SET_MM_START_CODE:
      program.codeStart = addr;
      return 0;
    case PR_SET_MM_END_CODE:
      program.codeEnd = addr;
      return 0;
    case PR_SET_MM_START_DATA:
      program.dataStart = addr;
      return 0;
    case PR_SET_MM_END_DATA:
      program.dataEnd = addr;
      return 0;
    case PR_SET_MM_START_STACK:
      program.stackStart = addr;
      return 0;
    case PR_SET_MM_ARG_START:
      program.argStart = addr;
      return 0;
    case PR_SET_MM_ARG_END:
      program.argEnd = addr;
      return 0;
    case PR_SET_MM_ENV_START:
      program.envStart = addr;
      return 0;
    case PR_SET_MM_ENV_END:
      program.envEnd = addr;
      return 0;
    default:
      return -EINVAL;
  }
}

function setAuxv(t: Task, addr: number, size: number): number {
  if (size === 0 || size > MAX_AUXV || size % 8 !== 0) return -EINVAL;
  const auxv = new Uint8Array(size);
  if (t.mm.copyIn(auxv, 0, addr, size) !== 0) return -EFAULT;
  // The vector always ends with AT_NULL.
  auxv.fill(0, size - 16);
  t.mm.program.auxv = auxv;
  return 0;
}

function setAll(t: Task, addr: number, size: number): number {
  const { u8, dv } = t.kernel.scratch, at = PrctlMmMap.at, { program } = t.mm;
  if (size !== PrctlMmMap.size) return -EINVAL;
  if (t.mm.copyIn(u8, 0, addr, size) !== 0) return -EFAULT;
  if (dv.getInt32(at.exeFd, true) !== -1) return -EINVAL;
  const max = t.mm.layout.maxAddress;
  for (let i = 0; i < at.auxv; i += 8) {
    const word = getReg(dv, i);
    if (word < PAGE_SIZE || word >= max) return -EINVAL;
  }
  const isOrdered = getReg(dv, at.startCode) <= getReg(dv, at.endCode) &&
    getReg(dv, at.startData) <= getReg(dv, at.endData) &&
    getReg(dv, at.argStart) <= getReg(dv, at.argEnd) &&
    getReg(dv, at.envStart) <= getReg(dv, at.envEnd);
  if (!isOrdered) return -EINVAL;
  program.codeStart = getReg(dv, at.startCode);
  program.codeEnd = getReg(dv, at.endCode);
  program.dataStart = getReg(dv, at.startData);
  program.dataEnd = getReg(dv, at.endData);
  program.stackStart = getReg(dv, at.startStack);
  program.argStart = getReg(dv, at.argStart);
  program.argEnd = getReg(dv, at.argEnd);
  program.envStart = getReg(dv, at.envStart);
  program.envEnd = getReg(dv, at.envEnd);
  const auxvSize = dv.getUint32(at.auxvSize, true);
  return auxvSize === 0 ? 0 : setAuxv(t, getReg(dv, at.auxv), auxvSize);
}
