/**
 * ptrace(2): facts about a stop: its signal, event and call; pending signals, masks and filters of
 * the tracee.
 */

import { SIGSET_SIZE } from "../../../ffi/abi/signal.ts";
import { EACCES, EFAULT, EINVAL, EMEDIUMTYPE, ENOENT, MAX_ERRNO } from "../../../ffi/abi/errno.ts";
import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import * as P from "../../../ffi/abi/ptrace.ts";
import { PR_SYS_DISPATCH_ON } from "../../../ffi/abi/prctl.ts";
import {
  AUDIT_ARCH_X86_64,
  SECCOMP_FILTER_FLAG_LOG,
  SockFilter,
} from "../../../ffi/abi/seccomp.ts";
import { SI_MAX_SIZE } from "../../../ffi/abi/siginfo.ts";
import { RAX, RIP, RSP, type SyscallArgs } from "../../../platform/platform.ts";
import { hasCap } from "../../cred/credentials.ts";
import { AT_CALL_ENTRY, AT_CALL_EXIT, AT_NONE, AT_SECCOMP, type Trace } from "../trace.ts";
import { getReg } from "../../task/registers.ts";
import type { SeccompFilter } from "../../seccomp/filter.ts";
import { SigInfo } from "../../signal/pending.ts";
import { readGivenInfo } from "../../signal/given_info.ts";
import { writeSigInfo } from "../../signal/siginfo.ts";
import { UNBLOCKABLE_LO } from "../../signal/sigset.ts";
import type { Task } from "../../task/task.ts";
import { changeUserDispatch } from "../../task/user_dispatch.ts";

/** struct seccomp_metadata: the index, then flags. */
const METADATA_SIZE = 16;

/** Performs a request about a stop. Null: another kind of request. */
export function stopRequest(
  t: Task,
  task: Task,
  trace: Trace,
  request: number,
  a: SyscallArgs,
): number | null {
  const addr = a.u64(2), data = a.u64(3);
  switch (request) {
    case P.PTRACE_GETEVENTMSG:
      return t.mm.store64(data, trace.message);
    case P.PTRACE_GETSIGINFO:
      return trace.info === null ? -EINVAL : storeInfo(t, data, trace.info);
    case P.PTRACE_SETSIGINFO:
      return setInfo(t, trace, data);
    case P.PTRACE_PEEKSIGINFO:
      return peekInfo(t, task, addr, data);
    case P.PTRACE_GETSIGMASK:
      return addr === SIGSET_SIZE ? getMask(t, task, data) : -EINVAL;
    case P.PTRACE_SETSIGMASK:
      return addr === SIGSET_SIZE ? setMask(t, task, data) : -EINVAL;
    case P.PTRACE_GET_SYSCALL_INFO:
      return callInfo(t, task, trace, addr, data);
    case P.PTRACE_SECCOMP_GET_FILTER:
      return getFilter(t, task, addr, data);
    case P.PTRACE_SECCOMP_GET_METADATA:
      return getMetadata(t, task, addr, data);
    case P.PTRACE_GET_SYSCALL_USER_DISPATCH_CONFIG:
      return getDispatch(t, task, addr, data);
    case P.PTRACE_SET_SYSCALL_USER_DISPATCH_CONFIG:
      return setDispatch(t, task, addr, data);
    default:
      return null;
  }
}

function storeInfo(t: Task, addr: number, info: SigInfo): number {
  const { scratch } = t.kernel;
  scratch.clear(SI_MAX_SIZE);
  writeSigInfo(scratch.dv, 0, info);
  return t.mm.copyOut(addr, scratch.u8, 0, SI_MAX_SIZE);
}

function setInfo(t: Task, trace: Trace, addr: number): number {
  const raw = readGivenInfo(t.mm, addr, -1);
  if (typeof raw === "number") return raw;
  const dv = new DataView(raw.buffer);
  if (trace.info === null) return -EINVAL;
  const info = new SigInfo(dv.getInt32(0, true), dv.getInt32(8, true));
  info.raw = raw;
  trace.info = info;
  return 0;
}

/** PTRACE_PEEKSIGINFO: copies pending signals out, and returns their number. */
function peekInfo(t: Task, task: Task, argsAddr: number, data: number): number {
  const { u8, dv } = t.kernel.scratch, { at, size } = P.PtracePeeksiginfoArgs;
  if (t.mm.copyIn(u8, 0, argsAddr, size) !== 0) return -EFAULT;
  const off = dv.getUint32(at.off, true) + dv.getUint32(at.off + 4, true) * 0x100000000;
  const flags = dv.getUint32(at.flags, true), count = dv.getInt32(at.nr, true);
  if ((flags & ~P.PTRACE_PEEKSIGINFO_SHARED) !== 0 || count < 0) return -EINVAL;
  const pending = flags !== 0 ? task.group.pending : task.signals.pending;
  const found = pending.peek(off, count);
  let n = 0;
  for (; n < found.length; n++) {
    if (storeInfo(t, data + n * SI_MAX_SIZE, found[n]!) !== 0) return n > 0 ? n : -EFAULT;
  }
  return n;
}

function getMask(t: Task, task: Task, addr: number): number {
  const { u8, dv } = t.kernel.scratch, { signals } = task;
  const mask = signals.hasSaved ? signals.saved : signals.blocked;
  dv.setUint32(0, mask.lo, true);
  dv.setUint32(4, mask.hi, true);
  return t.mm.copyOut(addr, u8, 0, SIGSET_SIZE);
}

function setMask(t: Task, task: Task, addr: number): number {
  const { u8, dv } = t.kernel.scratch, { signals } = task;
  if (t.mm.copyIn(u8, 0, addr, SIGSET_SIZE) !== 0) return -EFAULT;
  const mask = signals.hasSaved ? signals.saved : signals.blocked;
  mask.set(dv.getUint32(0, true) & ~UNBLOCKABLE_LO, dv.getUint32(4, true));
  task.attention = true;
  return 0;
}

/** Copies as much of struct ptrace_syscall_info as fits into `size`; returns its whole length. */
function callInfo(t: Task, task: Task, trace: Trace, size: number, addr: number): number {
  const { scratch } = t.kernel, { dv } = scratch, { at } = P.PtraceSyscallInfo;
  const { regs } = task.ctx;
  scratch.clear(P.PtraceSyscallInfo.size);
  dv.setUint8(at.op, trace.at);
  dv.setUint32(at.arch, AUDIT_ARCH_X86_64, true);
  scratch.setU53(at.instructionPointer, getReg(regs, RIP));
  scratch.setU53(at.stackPointer, getReg(regs, RSP));
  let length = at.nr;
  if (trace.at === AT_CALL_EXIT) {
    dv.setUint32(at.nr, regs.getUint32(RAX, true), true);
    dv.setUint32(at.nr + 4, regs.getUint32(RAX + 4, true), true);
    const isError = dv.getInt32(at.nr + 4, true) === -1 && dv.getInt32(at.nr, true) >= -MAX_ERRNO &&
      dv.getInt32(at.nr, true) < 0;
    dv.setUint8(at.nr + 8, isError ? 1 : 0);
    length += 9;
  } else if (trace.at !== AT_NONE) {
    scratch.setU53(at.nr, trace.origRax);
    for (let i = 0; i < task.args.words.length; i++) {
      dv.setUint32(at.args + 4 * i, task.args.words[i]!, true);
    }
    length = at.retData;
    if (trace.at === AT_SECCOMP) {
      dv.setUint32(at.retData, trace.retData, true);
      length += 4;
    }
  }
  if (trace.at === AT_CALL_ENTRY) length = at.retData;
  const n = Math.min(size, length);
  return t.mm.copyOut(addr, scratch.u8, 0, n) === 0 ? length : -EFAULT;
}

/**
 * PTRACE_SECCOMP_GET_FILTER: the number of instructions of filter `index` (0: the oldest); with a
 * buffer they are stored.
 */
function getFilter(t: Task, task: Task, index: number, addr: number): number {
  if (!hasCap(t.cred, CAP_SYS_ADMIN) || t.seccompMode !== 0) return -EACCES;
  const filter = filterAt(task, index);
  if (typeof filter === "number") return filter;
  const { source } = filter;
  // A container's filter is no BPF program.
  if (source === null) return -EMEDIUMTYPE;
  if (addr !== 0 && t.mm.copyOut(addr, source, 0, source.length) !== 0) return -EFAULT;
  return source.length / SockFilter.size;
}

/** The filter that was installed as number `index`, from 0, or -errno. */
function filterAt(task: Task, index: number): SeccompFilter | number {
  let filter = task.seccomp;
  if (filter === null) return -EINVAL;
  if (index >= filter.count) return -ENOENT;
  while (filter.count !== index + 1 && filter.prev !== null) filter = filter.prev;
  return filter;
}

/** Copies as much of struct seccomp_metadata as fits into `size`; returns its whole length. */
function getMetadata(t: Task, task: Task, size: number, addr: number): number {
  if (!hasCap(t.cred, CAP_SYS_ADMIN) || t.seccompMode !== 0) return -EACCES;
  if (size < 8) return -EINVAL;
  const { u8, dv } = t.kernel.scratch, n = Math.min(size, METADATA_SIZE);
  if (t.mm.copyIn(u8, 0, addr, 8) !== 0) return -EFAULT;
  const index = dv.getUint32(0, true) + dv.getUint32(4, true) * 0x100000000;
  const filter = filterAt(task, index);
  if (typeof filter === "number") return filter;
  dv.setUint32(8, filter.isLogging ? SECCOMP_FILTER_FLAG_LOG : 0, true);
  dv.setUint32(12, 0, true);
  return t.mm.copyOut(addr, u8, 0, n) !== 0 ? -EFAULT : n;
}

function getDispatch(t: Task, task: Task, size: number, addr: number): number {
  const { scratch } = t.kernel, { at } = P.PtraceSudConfig, { userDispatch } = task;
  if (size !== P.PtraceSudConfig.size) return -EINVAL;
  scratch.clear(size);
  if (userDispatch !== null) {
    scratch.setU53(at.mode, PR_SYS_DISPATCH_ON);
    scratch.setU53(at.selector, userDispatch.selector);
    scratch.setU53(at.offset, userDispatch.start);
    scratch.setU53(at.len, userDispatch.length);
  }
  return t.mm.copyOut(addr, scratch.u8, 0, size);
}

function setDispatch(t: Task, task: Task, size: number, addr: number): number {
  const { u8, dv } = t.kernel.scratch, { at } = P.PtraceSudConfig;
  if (size !== P.PtraceSudConfig.size) return -EINVAL;
  if (t.mm.copyIn(u8, 0, addr, size) !== 0) return -EFAULT;
  const word = (i: number): number =>
    dv.getUint32(i, true) + dv.getUint32(i + 4, true) * 0x100000000;
  return changeUserDispatch(task, word(at.mode), word(at.offset), word(at.len), word(at.selector));
}
