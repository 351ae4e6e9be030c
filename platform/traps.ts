/**
 * The trap of a context that has stopped: what every platform's reader of stops ends in.
 *
 * Not here: why it stopped. Neighbours: `platform.ts` has the fields, the `stop.ts` and `stops.ts` of the platforms call this.
 */

import { X86_TRAP_PF } from "../ffi/abi/ucontext.ts";
import { type Context, TRAP_EXCEPTION, TRAP_FAULT, TRAP_SYSCALL } from "./platform.ts";

/** Error code of #GP for `int 0x80` without a gate: the vector, times 8, in the interrupt table. */
export const INT80_ERROR = 0x402;

/**
 * A system call with its arguments, copied from `dv`.
 *
 * @param at where the registers begin
 * @param registers where in them each of the six is, in the order of the arguments. HOT
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

/** @param addr si_addr */
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

/** A page fault by its error code as the processor made it, or would have. */
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
