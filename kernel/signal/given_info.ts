/**
 * Reads a siginfo_t from a program: rt_sigqueueinfo(2), pidfd_send_signal(2), PTRACE_SETSIGINFO.
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
import { E2BIG, EFAULT } from "../../ffi/abi/errno.ts";
import {
  SI_ASYNCNL,
  SI_DETHREAD,
  SI_KERNEL,
  SI_MAX_SIZE,
  SI_USER,
  SiginfoRt,
} from "../../ffi/abi/siginfo.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";

/**
 * Bytes that the kernel keeps (struct kernel_siginfo). For unknown codes the rest of SI_MAX_SIZE
 * must be zero.
 */
const KEPT_BYTES = 48;

/**
 * The last si_code of signals that have codes of their own (NSIGILL and so on); for others it is
 * NSIGPOLL.
 */
const LAST_CODE: ReadonlyMap<number, number> = new Map([
  [SIGILL, 11],
  [SIGFPE, 15],
  [SIGSEGV, 10],
  [SIGBUS, 5],
  [SIGTRAP, 6],
  [SIGCHLD, 6],
  [SIGIO, 6],
  [SIGSYS, 2],
]);
const NSIGPOLL = 6;

/** Reads SI_MAX_SIZE bytes, and sets the number to `sig` unless that is -1; or -EFAULT, -E2BIG. */
export function readGivenInfo(
  mm: MemoryManager,
  addr: number,
  sig: number,
): Uint8Array<ArrayBuffer> | number {
  const raw = new Uint8Array(SI_MAX_SIZE), dv = new DataView(raw.buffer);
  if (mm.copyIn(raw, 0, addr, KEPT_BYTES) !== 0) return -EFAULT;
  if (sig !== -1) dv.setInt32(SiginfoRt.at.signo, sig, true);
  const signo = dv.getInt32(SiginfoRt.at.signo, true);
  if (isKnown(signo, dv.getInt32(SiginfoRt.at.code, true))) return raw;
  if (mm.copyIn(raw, KEPT_BYTES, addr + KEPT_BYTES, SI_MAX_SIZE - KEPT_BYTES) !== 0) return -EFAULT;
  return raw.subarray(KEPT_BYTES).some((byte) => byte !== 0) ? -E2BIG : raw;
}

/** known_siginfo_layout of kernel/signal.c. */
function isKnown(signo: number, code: number): boolean {
  if (code === SI_KERNEL || code === SI_ASYNCNL) return true;
  return code > SI_USER ? code <= (LAST_CODE.get(signo) ?? NSIGPOLL) : code >= SI_DETHREAD;
}
