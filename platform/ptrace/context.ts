/**
 * One guest thread as the kernel sees it, over a traced host thread.
 *
 * Not here: running and stopping (`guest_thread.ts`), the meaning of stops (`stops.ts`), FPU state
 * (`fpu_state.ts`).
 */

import { UserRegs } from "../../ffi/abi/ptrace.ts";
import {
  ADDRESS_LIMIT_HIGH,
  Context,
  CR2,
  CSGSFS,
  EFLAGS,
  ERR,
  FS_BASE,
  GS_BASE,
  OLDMASK,
  R10,
  R11,
  R12,
  R13,
  R14,
  R15,
  R8,
  R9,
  RAX,
  RBP,
  RBX,
  RCX,
  RDI,
  RDX,
  RIP,
  RSI,
  RSP,
  TRAP_DEATH,
  TRAP_FULL,
  TRAP_NONE,
  TRAPNO,
  USER_CS,
  USER_SS,
} from "../platform.ts";
import { fetchFpu, loadFpu } from "./fpu_state.ts";
import type { GuestThread } from "./guest_thread.ts";
import type { PtraceSpace } from "./space.ts";

const U = UserRegs.at;
/** Pairs: offset in struct user_regs_struct, offset in Context.regs. */
const PAIRS = new Int32Array([
  ...[U.r8, R8, U.r9, R9, U.r10, R10, U.r11, R11, U.r12, R12, U.r13, R13, U.r14, R14, U.r15, R15],
  ...[U.rdi, RDI, U.rsi, RSI, U.rbp, RBP, U.rbx, RBX, U.rdx, RDX, U.rax, RAX, U.rcx, RCX],
  ...[U.rsp, RSP, U.rip, RIP, U.eflags, EFLAGS, U.fsBase, FS_BASE, U.gsBase, GS_BASE],
]);
/** The 16-bit parts of CSGSFS. */
const CS_PART = 0, GS_PART = 2, FS_PART = 4, SS_PART = 6;

export class PtraceContext extends Context {
  override rip = 0;
  override rsp = 0;
  override readonly space: PtraceSpace;
  override readonly fpu: Uint8Array<ArrayBuffer>;
  readonly thread: GuestThread;
  /** Stopped at a system call: the block's rax is -ENOSYS, its orig_rax the number. */
  isAtCall = false;
  isQueued = false;

  constructor(space: PtraceSpace, thread: GuestThread, fpuSize: number) {
    super();
    this.space = space;
    this.thread = thread;
    this.fpu = new Uint8Array(fpuSize);
    this.isFull = true; // ptrace can fetch all state at any stop
    this.viaSignal = true;
  }

  override fetchRegs(): void {
    const thread = this.thread;
    if (this.isNew || thread.isDead) return; // its register block may hold another thread's
    const from = thread.tracer.dv, block = thread.block, to = this.regs;
    for (let i = 0; i < PAIRS.length; i += 2) {
      const source = block + PAIRS[i]!, target = PAIRS[i + 1]!;
      to.setUint32(target, from.getUint32(source, true), true);
      to.setUint32(target + 4, from.getUint32(source + 4, true), true);
    }
    if (this.isAtCall) {
      to.setUint32(RAX, from.getUint32(block + U.origRax, true), true);
      to.setUint32(RAX + 4, from.getUint32(block + U.origRax + 4, true), true);
    }
    to.setUint16(CSGSFS + CS_PART, from.getUint16(block + U.cs, true), true);
    to.setUint16(CSGSFS + GS_PART, from.getUint16(block + U.gs, true), true);
    to.setUint16(CSGSFS + FS_PART, from.getUint16(block + U.fs, true), true);
    to.setUint16(CSGSFS + SS_PART, from.getUint16(block + U.ss, true), true);
    setNumber(to, ERR, this.errorCode);
    setNumber(to, TRAPNO, this.trapno);
    setNumber(to, OLDMASK, 0);
    setNumber(to, CR2, this.faultAddr);
  }

  override fetchFpu(): void {
    if (!this.isNew && this.thread.isStopped) fetchFpu(this.thread, this.fpu);
  }

  /** HOT */
  override resumeRet(result: number): void {
    if (!this.#prepare()) return;
    this.thread.poke(U.rax, result);
    this.thread.run();
  }

  override resumeAll(withFpu: boolean): void {
    if (!this.#prepare()) return;
    this.isNew = false;
    const from = this.regs, thread = this.thread, to = thread.tracer.dv, block = thread.block;
    for (let i = 0; i < PAIRS.length; i += 2) {
      const target = block + PAIRS[i]!, source = PAIRS[i + 1]!;
      to.setUint32(target, from.getUint32(source, true), true);
      to.setUint32(target + 4, from.getUint32(source + 4, true), true);
    }
    // The host refuses a base outside of user space, and then loads none of the registers behind
    // it.
    if (to.getUint32(block + U.fsBase + 4, true) >= ADDRESS_LIMIT_HIGH) thread.set(U.fsBase, 0);
    if (to.getUint32(block + U.gsBase + 4, true) >= ADDRESS_LIMIT_HIGH) thread.set(U.gsBase, 0);
    thread.set(U.cs, USER_CS);
    thread.set(U.ss, USER_SS);
    thread.set(U.origRax, -1); // the host must not restart the call
    thread.load();
    if (withFpu) loadFpu(thread, this.fpu);
    thread.run();
  }

  /** Applies queued mappings first. False if the thread cannot run. */
  #prepare(): boolean {
    const thread = this.thread;
    if (this.isReleased || !thread.isStopped) return false;
    this.space.flush();
    if (!thread.isStopped) return false; // it was killed meanwhile
    this.trap = TRAP_NONE;
    return true;
  }

  override requestFull(): void {
    if (this.isReleased || this.trap === TRAP_DEATH || !this.thread.isStopped) return;
    this.trap = TRAP_FULL;
    this.thread.tracer.enqueue(this);
  }

  override park(): void {}

  override interrupt(): void {
    this.thread.interrupt();
  }

  override release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.owner = null;
    this.thread.release();
  }
}

function setNumber(dv: DataView, at: number, value: number): void {
  dv.setUint32(at, value >>> 0, true);
  dv.setUint32(at + 4, Math.floor(value / 0x100000000), true);
}
