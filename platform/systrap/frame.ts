/**
 * Offsets in the signal frame at the top of a slot, and transfer of FPU state to and from it.
 *
 * The host writes a frame always at the same place, since the alternate stack is used from its top.
 * Its size depends on the processor's XSAVE area, so it is taken from the first frame of the first
 * stub, before any guest code has run. No later read of a frame decides which memory the Sentry
 * accesses. Source: arch/x86/kernel/signal_64.c.
 */

import {
  FP_XSTATE_MAGIC1,
  FP_XSTATE_MAGIC2,
  FP_XSTATE_MAGIC2_SIZE,
  Fpstate,
  FpxSwBytes,
  Sigcontext,
  Ucontext,
} from "../../ffi/abi/ucontext.ts";
import { copyFromBuffer, copyToBuffer } from "../../ffi/mem/native_memory.ts";
import { SIGNAL_STACK, SLOT_AT, SLOT_FPU_BYTES } from "./stub/layout.ts";
import { acceptXsave, XSAVE_HEADER, XSAVE_HEADER_END, type XsaveSupport } from "../xsave.ts";
import type { ControlMemory } from "./control_memory.ts";

const RETURN_ADDRESS_BYTES = 8;
/** The MXCSR mask when the processor gives 0. */
const DEFAULT_MXCSR_MASK = 0xffbf;
const SW = Fpstate.at.swReserved;
/** x87 and SSE, whose state is in front of the header. */
const XSTATE_LEGACY = 3;

/** Offsets from the start of a slot. */
export class FrameLayout {
  /** `struct sigcontext`: registers in the order of `platform.ts`. */
  readonly regs: number;
  readonly siginfo: number;
  readonly fpu: number;
  /** Bytes of the XSAVE area, without the mark behind it. */
  readonly fpuSize: number;
  readonly #support: XsaveSupport;

  /**
   * @param at control file offset of a slot whose thread waits in the handler and has run no guest
   * code
   * @param address of that slot in the stub
   * @throws Error if the frame has another layout
   */
  constructor(control: ControlMemory, at: number, address: number) {
    const { dv } = control;
    const frame = control.word(at + SLOT_AT.frame) - address;
    this.regs = frame + RETURN_ADDRESS_BYTES + Ucontext.at.mcontext;
    this.siginfo = frame + RETURN_ADDRESS_BYTES + Ucontext.size;
    this.fpu = control.word(at + this.regs + Sigcontext.at.fpstate) - address;
    const sw = at + this.fpu + SW;
    this.fpuSize = dv.getUint32(sw + FpxSwBytes.at.xstateSize, true);
    this.#support = {
      featuresLow: dv.getUint32(sw + FpxSwBytes.at.xfeatures, true),
      featuresHigh: dv.getUint32(sw + FpxSwBytes.at.xfeatures + 4, true),
      mxcsrMask: dv.getUint32(at + this.fpu + Fpstate.at.mxcsrMask, true) || DEFAULT_MXCSR_MASK,
    };
    const isSound = frame >= SIGNAL_STACK && this.fpu > this.siginfo &&
      dv.getUint32(sw, true) === FP_XSTATE_MAGIC1 && this.fpuSize >= XSAVE_HEADER_END &&
      this.fpu + this.fpuSize + FP_XSTATE_MAGIC2_SIZE <= control.slotBytes;
    if (!isSound) throw new Error("the host's signal frames are not as expected (XSAVE missing?)");
  }

  /** The features that the host's own frames have. */
  get features(): number {
    return this.#support.featuresLow + this.#support.featuresHigh * 0x100000000;
  }

  /** Whether `loadFpu` would load the state of a new thread. */
  isInitial(fpu: Uint8Array<ArrayBuffer>): boolean {
    for (let i = 0; i < 8; i++) if (fpu[XSAVE_HEADER + i] !== 0) return false;
    return true;
  }

  /** Whether a slot has room for the FPU state. */
  get fitsIntoSlot(): boolean {
    return this.fpuSize <= SLOT_FPU_BYTES;
  }

  /** FPU state in the area at `at` (control file offset), of a frame or of a slot -> fpu. */
  fetchFpu({ dv, base }: ControlMemory, at: number, fpu: Uint8Array<ArrayBuffer>): void {
    const bytes = this.#bytesOf(dv, at);
    copyToBuffer(fpu, 0, base + at, bytes);
    fpu.fill(0, bytes);
    fpu.fill(0, SW, XSAVE_HEADER);
  }

  /**
   * Bytes of the area at `at` that are in use: an absent component has no bytes there that are
   * read.
   */
  #bytesOf(dv: DataView, at: number): number {
    const low = dv.getUint32(at + XSAVE_HEADER, true);
    const high = dv.getUint32(at + XSAVE_HEADER + 4, true);
    return (low & ~XSTATE_LEGACY) === 0 && high === 0 ? XSAVE_HEADER_END : this.fpuSize;
  }

  /** fpu -> the area at `at`, in the form that the processor accepts. */
  loadFpu({ dv, base }: ControlMemory, at: number, fpu: Uint8Array<ArrayBuffer>): void {
    const bytes = this.#bytesOf(new DataView(fpu.buffer, fpu.byteOffset), 0);
    copyFromBuffer(base + at, fpu, 0, bytes);
    acceptXsave(dv, at, this.#support);
  }

  /** Writes the magic numbers by which the host recognizes the area at `at` of a frame. */
  markFpu({ dv }: ControlMemory, at: number): void {
    const sw = at + SW;
    dv.setUint32(sw + FpxSwBytes.at.magic1, FP_XSTATE_MAGIC1, true);
    const extended = this.fpuSize + FP_XSTATE_MAGIC2_SIZE;
    dv.setUint32(sw + FpxSwBytes.at.extendedSize, extended, true);
    dv.setUint32(sw + FpxSwBytes.at.xfeatures, this.#support.featuresLow, true);
    dv.setUint32(sw + FpxSwBytes.at.xfeatures + 4, this.#support.featuresHigh, true);
    dv.setUint32(sw + FpxSwBytes.at.xstateSize, this.fpuSize, true);
    dv.setUint32(at + this.fpuSize, FP_XSTATE_MAGIC2, true);
  }
}
