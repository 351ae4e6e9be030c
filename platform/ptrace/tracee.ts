/**
 * A thread of a stub as ptrace(2) sees it: its registers, and the requests that resume it.
 *
 * Not here: what its stops mean. Neighbours: `helper_thread.ts` and `guest_thread.ts` are the two
 * kinds, `tracer.ts` waits.
 */

import {
  PTRACE_GETREGS,
  PTRACE_GETSIGINFO,
  PTRACE_POKEUSR,
  PTRACE_SETREGS,
} from "../../ffi/abi/ptrace.ts";
import { SYS_ptrace } from "../../ffi/abi/syscall_numbers.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { Tracer } from "./tracer.ts";

export abstract class Tracee {
  readonly tracer: Tracer;
  readonly tid: number;
  /** Offset of its struct user_regs_struct in `tracer.dv`. */
  readonly block: number;
  /** In a ptrace stop; kept by Tracer and `resume`. */
  isStopped = false;
  isDead = false;

  constructor(tracer: Tracer, tid: number) {
    this.tracer = tracer;
    this.tid = tid;
    this.block = tracer.takeBlock();
  }

  /** Called when it stopped: `status` as of wait4(2). */
  abstract onStop(status: number): void;
  /** Called when it has ended; another thread can have its number from now on. */
  abstract onEnd(status: number): void;

  /** @returns 0, or -ESRCH if the thread was killed: the tracer reports its end later */
  request(op: number, addr: number, data: number): number {
    return syscall(SYS_ptrace, op, this.tid, addr, data);
  }

  /** Registers of the stopped thread -> block. */
  fetch(): number {
    return this.request(PTRACE_GETREGS, 0, this.tracer.address(this.block));
  }

  /** Block -> registers of the stopped thread. */
  load(): number {
    return this.request(PTRACE_SETREGS, 0, this.tracer.address(this.block));
  }

  /** One register; `offset` is that of the field in struct user_regs_struct. */
  poke(offset: number, value: number): number {
    return this.request(PTRACE_POKEUSR, offset, value);
  }

  /** siginfo of a signal-delivery stop -> tracer.siginfo. */
  fetchSiginfo(): number {
    return this.request(PTRACE_GETSIGINFO, 0, this.tracer.address(this.tracer.siginfo));
  }

  /** Resumes it with PTRACE_CONT, PTRACE_SYSEMU, ...; no signal is delivered. */
  resume(op: number): number {
    this.isStopped = false;
    const r = this.request(op, 0, 0);
    return r;
  }

  /** A field of the block as a number: bits beyond 2^53 are rounded. */
  u64(field: number): number {
    const dv = this.tracer.dv, at = this.block + field;
    return dv.getUint32(at, true) + dv.getUint32(at + 4, true) * 0x100000000;
  }

  i64(field: number): number {
    const dv = this.tracer.dv, at = this.block + field;
    return dv.getUint32(at, true) + dv.getInt32(at + 4, true) * 0x100000000;
  }

  /** Sets a field of the block; value is an integer of either sign, exact. */
  set(field: number, value: number): void {
    const dv = this.tracer.dv, at = this.block + field;
    dv.setUint32(at, value >>> 0, true);
    dv.setInt32(at + 4, Math.floor(value / 0x100000000), true);
  }
}
