/**
 * FPU and vector state between the kernel and the host, in the standard XSAVE form of a signal frame.
 *
 * What the kernel hands back can come from guest memory (rt_sigreturn): it is made acceptable before the host sees it, as the host
 * would refuse the whole of it. Neighbour: `context.ts`. Source: KVM_SET_XSAVE, Intel SDM vol. 1 ch. 13.
 */

import {
  FPE_FLTDIV,
  FPE_FLTINV,
  FPE_FLTOVF,
  FPE_FLTRES,
  FPE_FLTUND,
} from "../../ffi/abi/siginfo.ts";
import { Fpstate } from "../../ffi/abi/ucontext.ts";

const HEADER = 512, HEADER_BYTES = 64;
const XSTATE_FP = 1, XSTATE_SSE = 2;
/** What an FPU holds after FNINIT and reset: all exceptions masked. */
const INITIAL_FCW = 0x37f, INITIAL_MXCSR = 0x1f80;
/** Every processor that runs machines has DAZ. */
const MXCSR_BITS = 0xffff;
const { cwd: FCW, swd: FSW, mxcsr: MXCSR, mxcsrMask: MXCSR_MASK, stSpace: ST_SPACE } = Fpstate.at;
const { xmmSpace: XMM_SPACE, swReserved: SW_RESERVED } = Fpstate.at;

/** What the host has -> what the kernel sees. The bytes that software may use are 0. */
export function showFpu(fpu: Uint8Array<ArrayBuffer>, saved: Uint8Array<ArrayBuffer>): void {
  fpu.set(saved.subarray(0, fpu.length));
  fpu.fill(0, SW_RESERVED, HEADER);
}

/** What the kernel gives -> what the host takes. `features`: bits of the header that may be set. */
export function acceptFpu(
  saved: Uint8Array<ArrayBuffer>,
  fpu: Uint8Array<ArrayBuffer>,
  features: number,
): void {
  saved.fill(0);
  saved.set(fpu);
  const dv = new DataView(saved.buffer);
  const present = dv.getUint32(HEADER, true) & features;
  // What is absent has its initial value, whatever bytes are there.
  if ((present & XSTATE_FP) === 0) {
    saved.fill(0, 0, MXCSR);
    saved.fill(0, ST_SPACE, XMM_SPACE);
    dv.setUint16(FCW, INITIAL_FCW, true);
  }
  if ((present & XSTATE_SSE) === 0) saved.fill(0, XMM_SPACE, SW_RESERVED);
  const mxcsr = present === 0 ? INITIAL_MXCSR : dv.getUint32(MXCSR, true) & MXCSR_BITS;
  dv.setUint32(MXCSR, mxcsr, true);
  dv.setUint32(MXCSR_MASK, MXCSR_BITS, true);
  saved.fill(0, SW_RESERVED, HEADER + HEADER_BYTES);
  dv.setUint32(HEADER, present | XSTATE_FP | XSTATE_SSE, true);
}

/** `si_code` of the exception that x87 (or else SSE) code raised, as Linux picks it. */
export function floatingCode(fpu: Uint8Array<ArrayBuffer>, isX87: boolean): number {
  const dv = new DataView(fpu.buffer), mxcsr = dv.getUint32(MXCSR, true);
  const raised = isX87
    ? dv.getUint16(FSW, true) & ~dv.getUint16(FCW, true)
    : mxcsr & ~(mxcsr >>> 7);
  if ((raised & 0x01) !== 0) return FPE_FLTINV;
  if ((raised & 0x04) !== 0) return FPE_FLTDIV;
  if ((raised & 0x08) !== 0) return FPE_FLTOVF;
  if ((raised & 0x12) !== 0) return FPE_FLTUND;
  return (raised & 0x20) !== 0 ? FPE_FLTRES : 0;
}
