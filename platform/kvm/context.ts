/**
 * One guest thread as the kernel sees it. Its registers are in this object whenever the thread is
 * not in the machine.
 *
 * Its FPU state stays in the vCPU that it ran on until another thread needs that vCPU. Neighbours:
 * `scheduler.ts` gives it a vCPU, `stops.ts` fills its trap, `fpu_state.ts`.
 */

import { KvmRegs, KvmXsave } from "../../ffi/abi/kvm.ts";
import { SI_KERNEL } from "../../ffi/abi/siginfo.ts";
import { SIGSEGV } from "../../ffi/abi/signal.ts";
import { X86_TRAP_GP } from "../../ffi/abi/ucontext.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import {
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
import { setException } from "../traps.ts";
import { acceptFpu, showFpu } from "./fpu_state.ts";
import type { Scheduler } from "./scheduler.ts";
import type { KvmSpace } from "./space.ts";
import type { Vcpu } from "./vcpu.ts";

const G = KvmRegs.at;
/** Offsets of the bases of fs and gs in `state`, behind the general registers. */
const FS = KvmRegs.size, GS = FS + 8;
const STATE_BYTES = GS + 8;
/** Pairs: offset in `state`, offset in Context.regs. */
const PAIRS = new Int32Array([
  ...[G.r8, R8, G.r9, R9, G.r10, R10, G.r11, R11, G.r12, R12, G.r13, R13, G.r14, R14, G.r15, R15],
  ...[G.rdi, RDI, G.rsi, RSI, G.rbp, RBP, G.rbx, RBX, G.rdx, RDX, G.rax, RAX, G.rcx, RCX],
  ...[G.rsp, RSP, G.rip, RIP, G.rflags, EFLAGS, FS, FS_BASE],
]);
/**
 * Flags that a thread can have: ID, AC, RF, OF, DF, TF, SF, ZF, AF, PF, CF; bit 1 and interrupts
 * are always on.
 */
const USER_FLAGS = 0x250dd5, FIXED_FLAGS = 0x202;

/** High words: of the last address of user space, and of the first address of ring 0. */
const USER_HIGH_MAX = 0x7fff, UPPER_HIGH_MIN = 0xffff8000;

export class KvmContext extends Context {
  override rip = 0;
  override rsp = 0;
  override readonly space: KvmSpace;
  override readonly fpu: Uint8Array<ArrayBuffer>;
  /** struct kvm_regs, then the bases of fs and gs. */
  readonly state: DataView<ArrayBuffer> = new DataView(new ArrayBuffer(STATE_BYTES));
  /** The general registers in `state`. */
  readonly stateBytes: Uint8Array<ArrayBuffer>;
  /** struct kvm_xsave: the FPU state, when no vCPU holds it. */
  readonly savedFpuAddress: number;
  fpuVcpu: Vcpu | null = null;
  /** The vCPU that it runs on or ran on last. */
  vcpu: Vcpu | null = null;
  /** It runs, or waits for a vCPU. */
  isRunning = false;
  isQueued = false;
  hadTicks: number;
  /** The kernel wants this run to end. */
  wantsInterrupt = false;
  /** Consecutive faults at addresses that the page tables allow. */
  retries = 0;
  readonly #scheduler: Scheduler;
  readonly #savedFpu: Uint8Array<ArrayBuffer>;

  constructor(space: KvmSpace, scheduler: Scheduler) {
    super();
    this.space = space;
    this.#scheduler = scheduler;
    this.hadTicks = scheduler.birthTicks;
    this.fpu = new Uint8Array(scheduler.fpuBytes);
    this.stateBytes = new Uint8Array(this.state.buffer, 0, KvmRegs.size);
    this.#savedFpu = allocBuffer(KvmXsave.size);
    this.savedFpuAddress = addressOf(this.#savedFpu);
    acceptFpu(this.#savedFpu, this.fpu, 0);
    this.isFull = true; // the host has the FPU state at any stop
  }

  override fetchRegs(): void {
    if (this.isNew) return;
    const from = this.state, to = this.regs;
    for (let i = 0; i < PAIRS.length; i += 2) {
      const source = PAIRS[i]!, target = PAIRS[i + 1]!;
      to.setUint32(target, from.getUint32(source, true), true);
      to.setUint32(target + 4, from.getUint32(source + 4, true), true);
    }
    to.setUint32(GS_BASE, from.getUint32(GS, true), true);
    to.setUint32(GS_BASE + 4, from.getUint32(GS + 4, true), true);
    to.setUint32(CSGSFS, USER_CS, true);
    to.setUint32(CSGSFS + 4, USER_SS * 0x10000, true);
    setNumber(to, ERR, this.errorCode);
    setNumber(to, TRAPNO, this.trapno);
    setNumber(to, OLDMASK, 0);
    setNumber(to, CR2, this.faultAddr);
  }

  override fetchFpu(): void {
    if (this.isNew) return;
    this.fpuVcpu?.saveFpu();
    showFpu(this.fpu, this.#savedFpu);
  }

  /** HOT */
  override resumeRet(result: number): void {
    if (!this.#canRun()) return;
    setNumber(this.state, G.rax, result);
    this.#run(true);
  }

  override resumeAll(withFpu: boolean): void {
    if (!this.#canRun()) return;
    this.isNew = false;
    const from = this.regs, to = this.state;
    for (let i = 0; i < PAIRS.length; i += 2) {
      const target = PAIRS[i]!, source = PAIRS[i + 1]!;
      to.setUint32(target, from.getUint32(source, true), true);
      to.setUint32(target + 4, from.getUint32(source + 4, true), true);
    }
    const gsLow = from.getUint32(GS_BASE, true), gsHigh = from.getUint32(GS_BASE + 4, true);
    if (gsLow !== 0 || gsHigh !== 0) {
      to.setUint32(GS, gsLow, true);
      to.setUint32(GS + 4, gsHigh, true);
    }
    this.keepBases();
    this.keepFlags(from.getUint32(EFLAGS, true));
    if (withFpu) {
      this.fpuVcpu?.dropFpu();
      acceptFpu(this.#savedFpu, this.fpu, this.#scheduler.features);
    }
    this.#run(false);
  }

  /** Makes the FPU state acceptable that the kernel wrote. */
  acceptFpu(): void {
    acceptFpu(this.#savedFpu, this.#savedFpu.slice(0, this.fpu.length), this.#scheduler.features);
  }

  /** Clears bases outside of user space. */
  keepBases(): void {
    this.#keepBase(FS);
    this.#keepBase(GS);
  }

  /** Keeps only the flags that a thread can have, whatever the thread or its vCPU reported. */
  keepFlags(low: number): void {
    this.state.setUint32(G.rflags, low & USER_FLAGS | FIXED_FLAGS, true);
    this.state.setUint32(G.rflags + 4, 0, true);
  }

  #keepBase(at: number): void {
    if (this.state.getUint32(at + 4, true) <= USER_HIGH_MAX) return;
    this.state.setUint32(at, 0, true);
    this.state.setUint32(at + 4, 0, true);
  }

  #canRun(): boolean {
    return !this.isReleased && !this.isRunning && this.trap !== TRAP_DEATH &&
      !this.space.isDestroyed;
  }

  #run(isReply: boolean): void {
    this.space.flush();
    if (!this.hasRip) this.#refuseRip();
    else this.#scheduler.start(this, isReply);
  }

  /** Whether rip is a canonical address. */
  get hasRip(): boolean {
    const high = this.state.getUint32(G.rip + 4, true);
    return high <= USER_HIGH_MAX || high >= UPPER_HIGH_MIN;
  }

  /**
   * Reports the fault that Linux gives for a rip that is no canonical address, to which a vCPU
   * cannot return.
   */
  #refuseRip(): void {
    setException(this, SIGSEGV, SI_KERNEL, 0, X86_TRAP_GP, 0);
    this.rip = this.word(G.rip);
    this.rsp = this.word(G.rsp);
    this.#scheduler.report(this);
  }

  override requestFull(): void {
    if (this.isReleased || this.isRunning || this.trap === TRAP_DEATH) return;
    this.trap = TRAP_FULL;
    this.#scheduler.report(this);
  }

  override park(): void {
    this.#scheduler.park(this);
  }

  override interrupt(): void {
    this.#scheduler.interrupt(this);
  }

  override release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.owner = null;
    this.#scheduler.release(this);
  }

  /** A register as a number, rounded from 2^53 on. */
  word(at: number): number {
    return this.state.getUint32(at, true) + this.state.getUint32(at + 4, true) * 0x100000000;
  }

  setWord(at: number, value: number): void {
    setNumber(this.state, at, value);
  }

  /** Clears the trap before a run. */
  clearTrap(): void {
    this.trap = TRAP_NONE;
  }
}

/** Sets a register to an integer of at most 53 bits, or to a negative one. */
function setNumber(dv: DataView, at: number, value: number): void {
  dv.setUint32(at, value >>> 0, true);
  dv.setUint32(at + 4, Math.floor(value / 0x100000000) >>> 0, true);
}
