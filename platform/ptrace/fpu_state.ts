/**
 * FPU and vector state of a traced thread, in the standard XSAVE form of a signal frame.
 *
 * What the kernel hands back can come from guest memory (rt_sigreturn): it is made acceptable before the host sees it, as the host
 * would refuse the whole of it. Neighbour: `context.ts`. Source: ptrace(2) PTRACE_GETREGSET, Intel SDM vol. 1 ch. 13.
 */

import { PTRACE_GETREGSET, PTRACE_SETREGSET } from "../../ffi/abi/ptrace.ts";
import { Fpstate } from "../../ffi/abi/ucontext.ts";
import { copyFromBuffer, copyToBuffer, fill } from "../../ffi/mem/native_memory.ts";
import type { Tracee } from "./tracee.ts";
import { MAX_XSTATE_BYTES } from "./tracer.ts";

const NT_X86_XSTATE = 0x202;
const HEADER = 512, HEADER_BYTES = 64;
const XSTATE_FP = 1, XSTATE_SSE = 2;
/** What an FPU holds after FNINIT and reset: all exceptions masked. */
const INITIAL_FCW = 0x37f, INITIAL_MXCSR = 0x1f80;
const FCW = Fpstate.at.cwd, MXCSR = Fpstate.at.mxcsr, MXCSR_MASK = Fpstate.at.mxcsrMask;
const ST_SPACE = Fpstate.at.stSpace, XMM_SPACE = Fpstate.at.xmmSpace;
const SW_RESERVED = Fpstate.at.swReserved;

/** Learns size and features of the state on this host from a stopped thread. False: the host has none. */
export function probeFpu(tracee: Tracee): boolean {
  const { tracer } = tracee;
  const { dv, iovec, xstate } = tracer;
  setIovec(tracee, MAX_XSTATE_BYTES);
  if (tracee.request(PTRACE_GETREGSET, NT_X86_XSTATE, tracer.address(iovec)) < 0) return false;
  tracer.fpuSize = dv.getUint32(iovec + 8, true);
  tracer.featuresLow = dv.getUint32(xstate + SW_RESERVED, true);
  tracer.featuresHigh = dv.getUint32(xstate + SW_RESERVED + 4, true);
  tracer.mxcsrMask = dv.getUint32(xstate + MXCSR_MASK, true);
  return true;
}

/** State of the stopped thread -> fpu. The bytes that software may use are 0. */
export function fetchFpu(tracee: Tracee, fpu: Uint8Array<ArrayBuffer>): void {
  const { tracer } = tracee;
  setIovec(tracee, fpu.length);
  if (tracee.request(PTRACE_GETREGSET, NT_X86_XSTATE, tracer.address(tracer.iovec)) < 0) return;
  copyToBuffer(fpu, 0, tracer.address(tracer.xstate), fpu.length);
  fpu.fill(0, SW_RESERVED, HEADER);
}

/** fpu -> state of the stopped thread. */
export function loadFpu(tracee: Tracee, fpu: Uint8Array<ArrayBuffer>): void {
  const { tracer } = tracee;
  const dv = tracer.dv, at = tracer.xstate;
  copyFromBuffer(tracer.address(at), fpu, 0, fpu.length);
  let present = dv.getUint32(at + HEADER, true) & tracer.featuresLow;
  // What is absent has its initial value, whatever bytes are there.
  if ((present & XSTATE_FP) === 0) {
    fill(tracer.address(at), 0, MXCSR);
    fill(tracer.address(at + ST_SPACE), 0, XMM_SPACE - ST_SPACE);
    dv.setUint16(at + FCW, INITIAL_FCW, true);
  }
  if ((present & XSTATE_SSE) === 0) {
    fill(tracer.address(at + XMM_SPACE), 0, SW_RESERVED - XMM_SPACE);
  }
  if (present === 0) dv.setUint32(at + MXCSR, INITIAL_MXCSR, true);
  present |= XSTATE_FP | XSTATE_SSE;
  dv.setUint32(at + MXCSR, dv.getUint32(at + MXCSR, true) & tracer.mxcsrMask, true);
  const high = dv.getUint32(at + HEADER + 4, true) & tracer.featuresHigh;
  fill(tracer.address(at + HEADER), 0, HEADER_BYTES);
  dv.setUint32(at + HEADER, present, true);
  dv.setUint32(at + HEADER + 4, high, true);
  setIovec(tracee, fpu.length);
  tracee.request(PTRACE_SETREGSET, NT_X86_XSTATE, tracer.address(tracer.iovec));
}

function setIovec(tracee: Tracee, len: number): void {
  const { dv, iovec } = tracee.tracer;
  const base = tracee.tracer.address(tracee.tracer.xstate);
  dv.setUint32(iovec, base >>> 0, true);
  dv.setUint32(iovec + 4, Math.floor(base / 0x100000000), true);
  dv.setUint32(iovec + 8, len, true);
  dv.setUint32(iovec + 12, 0, true);
}
