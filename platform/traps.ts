/**
 * Fills the trap of a context that has stopped; the stop readers of all platforms end here.
 *
 * Not here: why it stopped. Neighbours: `platform.ts` has the fields; `stop.ts` and `stops.ts` of
 * the platforms call this.
 */

import { X86_TRAP_PF } from "../ffi/abi/ucontext.ts";
import { type Context, TRAP_EXCEPTION, TRAP_FAULT, TRAP_SYSCALL } from "./platform.ts";

/** Error code of #GP for `int 0x80` without a gate: the vector, times 8, in the interrupt table. */
export const INT80_ERROR = 0x402;

/**
 * Reports a system call, with its arguments copied from `dv`.
 *
 * @param at offset of the registers
 * @param registers their offsets behind `at`, in the order of the six arguments. HOT
 */
export function setCall(
  context: Context,
  nr: number,
  dv: DataView,
  at: number,
  registers: Int32Array,
): void {
  const { words } = context.args;
  for (let i = 0; i < 6; i++) {
    const from = at + registers[i]!;
    words[2 * i] = dv.getUint32(from, true);
    words[2 * i + 1] = dv.getUint32(from + 4, true);
  }
  context.nr = nr;
  context.trap = TRAP_SYSCALL;
}

/** Reports an exception. @param addr si_addr */
export function setException(
  context: Context,
  signo: number,
  code: number,
  addr: number,
  vector: number,
  error: number,
): void {
  context.trap = TRAP_EXCEPTION;
  set(context, signo, code, addr, 0, vector, error);
}

/** Reports a page fault with the error code that the processor made, or would have made. */
export function setFault(
  context: Context,
  signo: number,
  code: number,
  addr: number,
  access: number,
  error: number,
): void {
  context.trap = TRAP_FAULT;
  set(context, signo, code, addr, access, X86_TRAP_PF, error);
}

function set(
  context: Context,
  signo: number,
  code: number,
  addr: number,
  access: number,
  vector: number,
  error: number,
): void {
  context.signo = signo;
  context.sigcode = code;
  context.faultAddr = addr;
  context.faultAccess = access;
  context.trapno = vector;
  context.errorCode = error;
}
