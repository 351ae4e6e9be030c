/**
 * The XSAVE area of a signal frame: the marks that state its size, and the checks of an area that
 * the guest passes back (arch/x86/kernel/fpu/signal.c; Intel SDM vol. 1 chapter 13).
 */

import {
  FP_XSTATE_MAGIC1,
  FP_XSTATE_MAGIC2,
  FP_XSTATE_MAGIC2_SIZE,
  Fpstate,
  FpxSwBytes,
} from "../../ffi/abi/ucontext.ts";

/** Bytes of the FXSAVE area, and of the XSAVE header behind it. */
export const FXSAVE_SIZE = 512, XSAVE_HEADER_SIZE = 64;
const XSTATE_FP_SSE = 3;
const INITIAL_CWD = 0x37f, INITIAL_MXCSR = 0x1f80, MXCSR_MASK = 0xffff;
const AVX_SIZE = 832, XSTATE_AVX = 4;
const SW = Fpstate.at.swReserved;
const MAGIC1 = SW + FpxSwBytes.at.magic1, EXTENDED_SIZE = SW + FpxSwBytes.at.extendedSize;
const FEATURES = SW + FpxSwBytes.at.xfeatures, STATE_SIZE = SW + FpxSwBytes.at.xstateSize;
const XSTATE_BV = FXSAVE_SIZE;

type Bytes = Uint8Array<ArrayBuffer>;

function viewOf(fpu: Bytes): DataView {
  return new DataView(fpu.buffer, fpu.byteOffset, fpu.byteLength);
}

/** Sets the initial state of a program. The bytes reserved for software keep their value. */
export function initFpu(fpu: Bytes): void {
  fpu.fill(0, 0, SW);
  fpu.fill(0, FXSAVE_SIZE);
  const dv = viewOf(fpu);
  dv.setUint16(Fpstate.at.cwd, INITIAL_CWD, true);
  dv.setUint32(Fpstate.at.mxcsr, INITIAL_MXCSR, true);
  dv.setUint32(Fpstate.at.mxcsrMask, MXCSR_MASK, true);
  if (fpu.length > XSTATE_BV) dv.setUint32(XSTATE_BV, XSTATE_FP_SSE, true);
}

/** Bytes of an area of `size` bytes in a frame, with the second magic number. */
export function frameFpuSize(size: number): number {
  return size > FXSAVE_SIZE ? size + FP_XSTATE_MAGIC2_SIZE : size;
}

/** The magic number behind the area. */
export const MAGIC2_BYTES: Bytes = new Uint8Array(FP_XSTATE_MAGIC2_SIZE);
viewOf(MAGIC2_BYTES).setUint32(0, FP_XSTATE_MAGIC2, true);

/**
 * Writes the marks into the bytes reserved for software. `features` is undefined when the platform
 * does not know them; then the marks of the host's own frame are kept, if the area came from one.
 */
export function markForFrame(fpu: Bytes, features: number | undefined): void {
  const dv = viewOf(fpu), mask = features ?? featuresOf(dv);
  fpu.fill(0, SW, FXSAVE_SIZE);
  if (fpu.length <= FXSAVE_SIZE) return;
  dv.setUint32(MAGIC1, FP_XSTATE_MAGIC1, true);
  dv.setUint32(EXTENDED_SIZE, fpu.length + FP_XSTATE_MAGIC2_SIZE, true);
  dv.setUint32(FEATURES, mask % 0x100000000, true);
  dv.setUint32(FEATURES + 4, Math.floor(mask / 0x100000000), true);
  dv.setUint32(STATE_SIZE, fpu.length, true);
  dv.setUint32(XSTATE_BV, dv.getUint32(XSTATE_BV, true) | XSTATE_FP_SSE, true);
}

function featuresOf(dv: DataView): number {
  if (dv.getUint32(MAGIC1, true) === FP_XSTATE_MAGIC1) {
    return dv.getUint32(FEATURES, true) + dv.getUint32(FEATURES + 4, true) * 0x100000000;
  }
  return dv.byteLength >= AVX_SIZE ? XSTATE_FP_SSE | XSTATE_AVX : XSTATE_FP_SSE;
}

/** Bytes of extended state that the frame's FXSAVE area (512 bytes at `fx`) announces; 0: none. */
export function announcedSize(fx: Bytes, limit: number): number {
  const dv = viewOf(fx);
  if (dv.getUint32(MAGIC1, true) !== FP_XSTATE_MAGIC1) return 0;
  const size = dv.getUint32(STATE_SIZE, true);
  const isSane = size >= FXSAVE_SIZE + XSAVE_HEADER_SIZE && size <= limit &&
    size <= dv.getUint32(EXTENDED_SIZE, true);
  return isSane ? size : 0;
}

/**
 * Makes `fpu`, which came from the guest, loadable: `size` bytes of it are state (0: the FXSAVE
 * part alone), the rest gets its initial value. False: the header has bits that the processor
 * refuses.
 */
export function accept(fpu: Bytes, size: number): boolean {
  const dv = viewOf(fpu);
  dv.setUint32(Fpstate.at.mxcsr, dv.getUint32(Fpstate.at.mxcsr, true) & MXCSR_MASK, true);
  if (fpu.length <= FXSAVE_SIZE) return true;
  if (size === 0) {
    fpu.fill(0, FXSAVE_SIZE);
    dv.setUint32(XSTATE_BV, XSTATE_FP_SSE, true);
    return true;
  }
  fpu.fill(0, size);
  for (let i = 8; i < XSAVE_HEADER_SIZE; i++) if (fpu[FXSAVE_SIZE + i] !== 0) return false;
  return true;
}
