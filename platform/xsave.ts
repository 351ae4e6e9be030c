/**
 * Makes the XSAVE area of a signal frame (standard form) acceptable to the host. The area can come
 * from guest memory (rt_sigreturn), and a host refuses all of it for one wrong bit.
 *
 * Neighbours: `kvm/fpu_state.ts`, `ptrace/fpu_state.ts` and `systrap/frame.ts` load it. Source:
 * Intel SDM vol. 1 ch. 13.
 */

import { Fpstate } from "../ffi/abi/ucontext.ts";

/** Offset of the header, and of its end. */
export const XSAVE_HEADER = 512, XSAVE_HEADER_END = 576;
const XSTATE_FP = 1, XSTATE_SSE = 2;
/** Initial values after FNINIT and reset: all exceptions masked. */
const INITIAL_FCW = 0x37f, INITIAL_MXCSR = 0x1f80;
const { cwd: FCW, mxcsr: MXCSR, mxcsrMask: MXCSR_MASK, stSpace: ST_SPACE } = Fpstate.at;
const { xmmSpace: XMM_SPACE, swReserved: SW_RESERVED } = Fpstate.at;

/** The features that threads of this host have. */
export interface XsaveSupport {
  /** XCR0. */
  readonly featuresLow: number;
  readonly featuresHigh: number;
  /** Bits that MXCSR may have. */
  readonly mxcsrMask: number;
}

/**
 * Corrects the area at `at`: an absent component gets its initial value, whatever bytes are there;
 * the bytes reserved for software become 0.
 */
export function acceptXsave(dv: DataView, at: number, support: XsaveSupport): void {
  const area = new Uint8Array(dv.buffer, dv.byteOffset + at, XSAVE_HEADER_END);
  const header = at + XSAVE_HEADER;
  const present = dv.getUint32(header, true) & support.featuresLow;
  const presentHigh = dv.getUint32(header + 4, true) & support.featuresHigh;
  if ((present & XSTATE_FP) === 0) {
    area.fill(0, 0, MXCSR);
    area.fill(0, ST_SPACE, XMM_SPACE);
    dv.setUint16(at + FCW, INITIAL_FCW, true);
  }
  if ((present & XSTATE_SSE) === 0) area.fill(0, XMM_SPACE, SW_RESERVED);
  const mxcsr = present === 0 ? INITIAL_MXCSR : dv.getUint32(at + MXCSR, true) & support.mxcsrMask;
  dv.setUint32(at + MXCSR, mxcsr, true);
  dv.setUint32(at + MXCSR_MASK, support.mxcsrMask, true);
  area.fill(0, SW_RESERVED);
  dv.setUint32(header, present | XSTATE_FP | XSTATE_SSE, true);
  dv.setUint32(header + 4, presentHigh, true);
}
