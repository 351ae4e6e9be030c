/**
 * FPU and vector state between the kernel and the host, in the standard XSAVE form of a signal
 * frame.
 *
 * Neighbours: `context.ts`, `../xsave.ts`. Source: KVM_SET_XSAVE, Intel SDM vol. 1 ch. 13.
 */

import {
  FPE_FLTDIV,
  FPE_FLTINV,
  FPE_FLTOVF,
  FPE_FLTRES,
  FPE_FLTUND,
} from "../../ffi/abi/siginfo.ts";
import { Fpstate } from "../../ffi/abi/ucontext.ts";
import { acceptXsave, XSAVE_HEADER } from "../xsave.ts";

/** The MXCSR bits that exist: every processor that runs machines has DAZ. */
const MXCSR_BITS = 0xffff;
const { cwd: FCW, swd: FSW, mxcsr: MXCSR, swReserved: SW_RESERVED } = Fpstate.at;

/** Host form -> the kernel's form. The bytes reserved for software become 0. */
export function showFpu(fpu: Uint8Array<ArrayBuffer>, saved: Uint8Array<ArrayBuffer>): void {
  fpu.set(saved.subarray(0, fpu.length));
  fpu.fill(0, SW_RESERVED, XSAVE_HEADER);
}

/** The kernel's form -> host form. `features`: bits that the header may have. */
export function acceptFpu(
  saved: Uint8Array<ArrayBuffer>,
  fpu: Uint8Array<ArrayBuffer>,
  features: number,
): void {
  saved.fill(0);
  saved.set(fpu);
  const support = { featuresLow: features, featuresHigh: 0, mxcsrMask: MXCSR_BITS };
  acceptXsave(new DataView(saved.buffer), 0, support);
}

/** `si_code` of the exception that x87 code, or else SSE code, raised, as Linux chooses it. */
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
