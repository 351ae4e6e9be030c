/**
 * FPU and vector state of a traced thread, in the standard XSAVE form of a signal frame.
 *
 * Neighbours: `context.ts`, `../xsave.ts`. Source: ptrace(2) PTRACE_GETREGSET, Intel SDM vol. 1 ch.
 * 13.
 */

import { NT_X86_XSTATE } from "../../ffi/abi/elf.ts";
import { PTRACE_GETREGSET, PTRACE_SETREGSET } from "../../ffi/abi/ptrace.ts";
import { Fpstate } from "../../ffi/abi/ucontext.ts";
import { copyFromBuffer, copyToBuffer } from "../../ffi/mem/native_memory.ts";
import { acceptXsave, XSAVE_HEADER } from "../xsave.ts";
import type { Tracee } from "./tracee.ts";
import { MAX_XSTATE_BYTES } from "./tracer.ts";

const MXCSR_MASK = Fpstate.at.mxcsrMask, SW_RESERVED = Fpstate.at.swReserved;

/**
 * Finds size and features of the state on this host from a stopped thread. False: the host has
 * none.
 */
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

/** State of the stopped thread -> fpu. The bytes reserved for software become 0. */
export function fetchFpu(tracee: Tracee, fpu: Uint8Array<ArrayBuffer>): void {
  const { tracer } = tracee;
  setIovec(tracee, fpu.length);
  if (tracee.request(PTRACE_GETREGSET, NT_X86_XSTATE, tracer.address(tracer.iovec)) < 0) return;
  copyToBuffer(fpu, 0, tracer.address(tracer.xstate), fpu.length);
  fpu.fill(0, SW_RESERVED, XSAVE_HEADER);
}

/** fpu -> state of the stopped thread. */
export function loadFpu(tracee: Tracee, fpu: Uint8Array<ArrayBuffer>): void {
  const { tracer } = tracee;
  const dv = tracer.dv, at = tracer.xstate;
  copyFromBuffer(tracer.address(at), fpu, 0, fpu.length);
  acceptXsave(dv, at, tracer);
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
