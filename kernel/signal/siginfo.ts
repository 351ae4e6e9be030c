/**
 * Encodes siginfo_t. The number and the code of a signal decide which arm of the union it uses
 * (sigaction(2)).
 */

import {
  SIGBUS,
  SIGCHLD,
  SIGFPE,
  SIGILL,
  SIGIO,
  SIGSEGV,
  SIGSYS,
  SIGTRAP,
} from "../../ffi/abi/signal.ts";
import { PAGE_SHIFT } from "../../ffi/abi/mman.ts";
import { AUDIT_ARCH_X86_64 } from "../../ffi/abi/seccomp.ts";
import {
  BUS_MCEERR_AR,
  POLL_HUP,
  POLL_IN,
  SI_KERNEL,
  SI_MAX_SIZE,
  SI_SIGIO,
  SI_TIMER,
  SiginfoChld,
  SiginfoFault,
  SiginfoPoll,
  SiginfoRt,
  SiginfoSys,
  SiginfoTimer,
} from "../../ffi/abi/siginfo.ts";
import type { SigInfo } from "./pending.ts";

/** Writes the 128 bytes at `at`, which are zero already. */
export function writeSigInfo(dv: DataView, at: number, info: SigInfo): void {
  if (info.raw !== null) {
    for (let i = 0; i < SI_MAX_SIZE; i++) dv.setUint8(at + i, info.raw[i]!);
    return;
  }
  dv.setInt32(at + SiginfoRt.at.signo, info.signo, true);
  dv.setInt32(at + SiginfoRt.at.errno, info.errno, true);
  dv.setInt32(at + SiginfoRt.at.code, info.code, true);
  if (info.code > 0 && info.code < SI_KERNEL) writeKernelArm(dv, at, info);
  else if (info.code === SI_TIMER) writeTimer(dv, at, info);
  else if (info.code === SI_SIGIO) writePoll(dv, at, info);
  else writeSender(dv, at, info);
}

function writeKernelArm(dv: DataView, at: number, info: SigInfo): void {
  switch (info.signo) {
    case SIGILL:
    case SIGFPE:
    case SIGSEGV:
    case SIGBUS:
    case SIGTRAP:
      if (info.signo === SIGBUS && info.code === BUS_MCEERR_AR) {
        dv.setInt16(at + SiginfoFault.at.addrLsb, PAGE_SHIFT, true);
      }
      return setWord(dv, at + SiginfoFault.at.addr, info.addr);
    case SIGCHLD:
      dv.setInt32(at + SiginfoChld.at.pid, info.pid, true);
      dv.setUint32(at + SiginfoChld.at.uid, info.uid, true);
      dv.setInt32(at + SiginfoChld.at.status, info.status, true);
      setWord(dv, at + SiginfoChld.at.utime, info.utimeTicks);
      return setWord(dv, at + SiginfoChld.at.stime, info.stimeTicks);
    case SIGSYS:
      setWord(dv, at + SiginfoSys.at.callAddr, info.addr);
      dv.setInt32(at + SiginfoSys.at.syscall, info.syscall, true);
      return dv.setUint32(at + SiginfoSys.at.arch, AUDIT_ARCH_X86_64, true);
    case SIGIO:
      return writePoll(dv, at, info);
    default:
      // F_SETSIG sends POLL_* codes with any number.
      if (info.code >= POLL_IN && info.code <= POLL_HUP) writePoll(dv, at, info);
  }
}

function writeTimer(dv: DataView, at: number, info: SigInfo): void {
  dv.setInt32(at + SiginfoTimer.at.tid, info.timerId, true);
  dv.setInt32(at + SiginfoTimer.at.overrun, info.status, true);
  writeValue(dv, at + SiginfoTimer.at.value, info);
}

function writePoll(dv: DataView, at: number, info: SigInfo): void {
  setWord(dv, at + SiginfoPoll.at.band, info.band);
  dv.setInt32(at + SiginfoPoll.at.fd, info.fd, true);
}

function writeSender(dv: DataView, at: number, info: SigInfo): void {
  dv.setInt32(at + SiginfoRt.at.pid, info.pid, true);
  dv.setUint32(at + SiginfoRt.at.uid, info.uid, true);
  writeValue(dv, at + SiginfoRt.at.value, info);
}

function writeValue(dv: DataView, at: number, info: SigInfo): void {
  dv.setUint32(at, info.valueLo, true);
  dv.setUint32(at + 4, info.valueHi, true);
}

/** Writes a u64 that is passed as a number below 2^64. */
export function setWord(dv: DataView, at: number, value: number): void {
  dv.setUint32(at, value % 0x100000000, true);
  dv.setUint32(at + 4, Math.floor(value / 0x100000000), true);
}
