/** ptrace(2): memory and registers of a tracee. */

import { NT_PRSTATUS, NT_X86_XSTATE } from "../../../ffi/abi/elf.ts";
import { EFAULT, EINVAL, EIO, ENODEV, EPERM } from "../../../ffi/abi/errno.ts";
import * as P from "../../../ffi/abi/ptrace.ts";
import { ARCH_GET_FS, ARCH_GET_GS, ARCH_SET_FS, ARCH_SET_GS } from "../../../ffi/abi/prctl.ts";
import { FS_BASE, GS_BASE, type SyscallArgs, USER_END } from "../../../platform/platform.ts";
import { mayUseMemory } from "../../cred/task_access.ts";
import { DebugRegisters } from "../debug_registers.ts";
import { readUserRegs, writeUserRegs } from "../user_regs.ts";
import type { Trace } from "../trace.ts";
import { getReg, setReg } from "../../task/registers.ts";
import { accept, FXSAVE_SIZE } from "../../signal/fpu_state.ts";
import { setWord } from "../../signal/siginfo.ts";
import type { Task } from "../../task/task.ts";

/** struct user: its size, and the offsets of its parts. */
const USER_SIZE = 928, DEBUG_REGISTERS = P.USER_DEBUGREG_OFFSET, DEBUG_END = DEBUG_REGISTERS + 64;
const NO_DEBUG = new DebugRegisters();
/** Offset of the machine's feature mask in an XSAVE area (sw_reserved, for debuggers). */
const XCR0_AT = 464;

const word = new Uint8Array(8);
const wordView = new DataView(word.buffer);
/** Registers, or an XSAVE area, during one request. */
const area = new Uint8Array(16384);
const areaView = new DataView(area.buffer);

/** Performs a request about memory or registers. Null: another kind of request. */
export function stateRequest(
  t: Task,
  task: Task,
  trace: Trace,
  request: number,
  a: SyscallArgs,
): number | null {
  const addr = a.u64(2), data = a.u64(3);
  switch (request) {
    case P.PTRACE_PEEKTEXT:
    case P.PTRACE_PEEKDATA:
      if (!mayUseMemory(trace.cred, task.mm)) return -EIO;
      if (task.mm.readForced(word, 0, addr, 8) !== 8) return -EIO;
      return t.mm.copyOut(data, word, 0, 8);
    case P.PTRACE_POKETEXT:
    case P.PTRACE_POKEDATA:
      if (!mayUseMemory(trace.cred, task.mm)) return -EIO;
      takeWord(a);
      return task.mm.writeForced(addr, word, 0, 8) === 8 ? 0 : -EIO;
    case P.PTRACE_PEEKUSR:
      return peekUser(t, task, trace, addr, data);
    case P.PTRACE_POKEUSR:
      takeWord(a);
      return pokeUser(task, trace, addr);
    case P.PTRACE_GETREGS:
      readUserRegs(task, trace, areaView, 0);
      return t.mm.copyOut(data, area, 0, P.UserRegs.size);
    case P.PTRACE_SETREGS:
      if (t.mm.copyIn(area, 0, data, P.UserRegs.size) !== 0) return -EFAULT;
      return writeUserRegs(task, trace, areaView, 0, 0, P.UserRegs.size) ? 0 : -EIO;
    case P.PTRACE_GETFPREGS:
      area.set(task.ctx.fpu.subarray(0, FXSAVE_SIZE));
      return t.mm.copyOut(data, area, 0, FXSAVE_SIZE);
    case P.PTRACE_SETFPREGS:
      return setFpu(t, task, data, FXSAVE_SIZE);
    case P.PTRACE_GETREGSET:
    case P.PTRACE_SETREGSET:
      return registerSet(t, task, trace, request === P.PTRACE_SETREGSET, addr, data);
    case P.PTRACE_ARCH_PRCTL:
      return archPrctl(t, task, data, addr);
    default:
      return null;
  }
}

/** Stores the data argument in `word`, with all 64 bits. */
function takeWord(a: SyscallArgs): void {
  wordView.setUint32(0, a.words[6]!, true);
  wordView.setUint32(4, a.words[7]!, true);
}

function peekUser(t: Task, task: Task, trace: Trace, at: number, data: number): number {
  if (at % 8 !== 0 || at >= USER_SIZE) return -EIO;
  word.fill(0);
  if (at < P.UserRegs.size) {
    readUserRegs(task, trace, areaView, 0);
    word.set(area.subarray(at, at + 8));
  }
  if (at >= DEBUG_REGISTERS && at < DEBUG_END) {
    setWord(wordView, 0, (trace.debug ?? NO_DEBUG).get((at - DEBUG_REGISTERS) / 8));
  }
  // The rest of struct user is zero in Linux too.
  return t.mm.copyOut(data, word, 0, 8);
}

function pokeUser(task: Task, trace: Trace, at: number): number {
  if (at % 8 !== 0 || at >= USER_SIZE) return -EIO;
  if (at < P.UserRegs.size) return writeUserRegs(task, trace, wordView, 0, at, at + 8) ? 0 : -EIO;
  if (at < DEBUG_REGISTERS || at >= DEBUG_END) return -EIO;
  trace.debug ??= new DebugRegisters();
  return trace.debug.set((at - DEBUG_REGISTERS) / 8, getReg(wordView, 0));
}

/**
 * Reads or writes a register set. `kind` is NT_*; `iovAddr` a struct iovec, whose length becomes
 * the number of copied bytes.
 */
function registerSet(
  t: Task,
  task: Task,
  trace: Trace,
  isSet: boolean,
  kind: number,
  iovAddr: number,
): number {
  const base = t.mm.load64(iovAddr), length = t.mm.load64(iovAddr + 8);
  if (base < 0 || length < 0) return -EFAULT;
  const { fpu } = task.ctx;
  const size = kind === NT_PRSTATUS
    ? P.UserRegs.size
    : kind === P.NT_PRFPREG
    ? FXSAVE_SIZE
    : kind === NT_X86_XSTATE && fpu.length > FXSAVE_SIZE
    ? fpu.length
    : 0;
  if (size === 0) return kind === NT_X86_XSTATE ? -ENODEV : -EINVAL;
  if (length % 8 !== 0) return -EINVAL;
  const n = Math.min(length, size);
  if (isSet) {
    const r = setRegisterSet(t, task, trace, kind, base, n, size);
    if (r !== 0) return r;
  } else {
    if (kind === NT_PRSTATUS) readUserRegs(task, trace, areaView, 0);
    else showFpu(task);
    if (t.mm.copyOut(base, area, 0, n) !== 0) return -EFAULT;
  }
  return t.mm.store64(iovAddr + 8, n);
}

function setRegisterSet(
  t: Task,
  task: Task,
  trace: Trace,
  kind: number,
  base: number,
  n: number,
  size: number,
): number {
  if (kind === NT_PRSTATUS) {
    if (t.mm.copyIn(area, 0, base, n) !== 0) return -EFAULT;
    return writeUserRegs(task, trace, areaView, 0, 0, n) ? 0 : -EIO;
  }
  // A partial floating-point state is an error.
  if (n < size) return kind === NT_X86_XSTATE ? -EFAULT : -EINVAL;
  return setFpu(t, task, base, n);
}

function showFpu(task: Task): void {
  const { fpu } = task.ctx, { platform } = task.kernel;
  area.set(fpu);
  setWord(areaView, XCR0_AT, platform.fpuFeatures ?? 7);
}

function setFpu(t: Task, task: Task, base: number, size: number): number {
  const { fpu } = task.ctx;
  if (t.mm.copyIn(area, 0, base, size) !== 0) return -EFAULT;
  const old = fpu.slice();
  fpu.set(area.subarray(0, size));
  // The legacy registers alone: the other components keep their values.
  if (size === FXSAVE_SIZE && fpu.length > FXSAVE_SIZE) fpu[FXSAVE_SIZE]! |= 3;
  if (accept(fpu, fpu.length)) return 0;
  fpu.set(old);
  return -EINVAL;
}

/** PTRACE_ARCH_PRCTL: arch_prctl(2) on a tracee. */
function archPrctl(t: Task, task: Task, code: number, addr: number): number {
  const { regs } = task.ctx;
  switch (code) {
    case ARCH_GET_FS:
    case ARCH_GET_GS:
      return t.mm.store64(addr, getReg(regs, code === ARCH_GET_FS ? FS_BASE : GS_BASE));
    case ARCH_SET_FS:
    case ARCH_SET_GS:
      if (addr >= USER_END) return -EPERM;
      if (code === ARCH_SET_GS && addr !== 0) task.mm.hasOwnGs = true;
      setReg(regs, code === ARCH_SET_FS ? FS_BASE : GS_BASE, addr);
      return 0;
    default:
      return -EINVAL;
  }
}
