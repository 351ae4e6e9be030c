/**
 * Why a vCPU left the machine: its registers are copied to its thread, and become the thread's
 * trap.
 *
 * All that is read here is in memory that no guest code reaches, or is copied before it is checked.
 * Neighbours: `ring0.ts` says what writes to which port, `scheduler.ts` acts. Source: sigaction(2),
 * Intel SDM vol. 3 ch. 6, KVM_RUN.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { EAGAIN, EFAULT, EINTR } from "../../ffi/abi/errno.ts";
import { KVM_EXIT_IO, KVM_EXIT_IO_OUT, KvmRegs, KvmRun, KvmSregs } from "../../ffi/abi/kvm.ts";
import * as I from "../../ffi/abi/siginfo.ts";
import { SIGBUS, SIGFPE, SIGILL, SIGSEGV, SIGTRAP } from "../../ffi/abi/signal.ts";
import * as X from "../../ffi/abi/ucontext.ts";
import {
  ACCESS_EXEC,
  ACCESS_READ,
  ACCESS_WRITE,
  ADDRESS_LIMIT_HIGH,
  USER_CS,
} from "../platform.ts";
import type { ThunkTable } from "../thunks.ts";
import { setCall, setException, setFault } from "../traps.ts";
import { CALL_PORT, REPLIED, RING0_CALL_PORT, Slot } from "./call_stub.ts";
import type { KvmContext } from "./context.ts";
import { floatingCode } from "./fpu_state.ts";
import { BEYOND_END, MAPPED, PRESENT, WRITABLE } from "./page_tables.ts";
import { EXCEPTION_PORT, EXCEPTIONS, type Ring0, RING0_HIGH } from "./ring0.ts";
import { FRAME_WORDS, type TableMemory } from "./table_memory.ts";
import { CS_AT, FS_BASE_AT, GS_BASE_AT, REGS, type Vcpu } from "./vcpu.ts";

/** The context's fields say what happened. */
const REPORT = 0;
/** Load the thread again: there is nothing to report, or it was kicked. */
export const AGAIN = 1;
/**
 * The thread is leaving the machine, or is between two instructions that belong together: let it
 * run for a moment.
 */
export const PROCEED = 2;
/** The thread is at an address or in a mode in which no guest thread can be. */
export const DEATH = 3;
/** Guest code used a port: the host must finish the instruction before another thread is loaded. */
export const FINISH = 4;

const G = KvmRegs.at, R = KvmRun.at;
const CR2_AT = R.sregs + KvmSregs.at.cr2;
const FS = KvmRegs.size, GS = FS + 8;
const GIB_4 = 0x100000000;
const ARGUMENTS = new Int32Array([G.rdi, G.rsi, G.rdx, G.r10, G.r8, G.r9]);
/** Words from the end of an exception stack: error code, rip, cs, rflags, rsp. */
const ERROR_WORD = 12, RIP_WORD = 10, CS_WORD = 8, FLAGS_WORD = 6, RSP_WORD = 4;
/**
 * LIMIT: consecutive faults of a thread whose entry allows the access: the host may be late to see
 * the entry, but not by more.
 */
const MAX_RETRIES = 64;
/**
 * Bytes of `syscall` and of the instruction in front of it at a patched site, and of the jump that
 * replaces both.
 */
const CALL_BYTES = 2, MOV_BYTES = 5, MOVES_BYTES = 6, JUMP = [0xff, 0x24, 0x25] as const;
const INT_BYTES = 2, INT_OPCODE = 0xcd, FLAG_TF = 0x100;
/** The page of the kernel's old calls, the distance of its entries, and their call numbers. */
const VSYSCALL_PAGE_LOW = 0xff600000, VSYSCALL_BYTES = 0x400;
const VSYSCALLS = [96, 201, 309] as const;

export class StopReader {
  readonly #tables: TableMemory;
  readonly #callLow: number;
  readonly #callSelector: number;
  readonly #behindPost: number;
  readonly #behindReply: number;
  /** Null: no calls are patched. */
  readonly #thunks: ThunkTable | null;

  constructor(tables: TableMemory, ring0: Ring0, thunks: ThunkTable | null) {
    this.#thunks = thunks;
    this.#tables = tables;
    this.#callLow = Number(ring0.callEntry & 0xffffffffn);
    this.#callSelector = ring0.callSelector;
    this.#behindPost = ring0.callStub.behindPost;
    this.#behindReply = ring0.callStub.behindReply;
  }

  /** HOT */
  read(vcpu: Vcpu, context: KvmContext): number {
    const { run, result } = vcpu;
    if (result !== 0) return this.#failed(vcpu, context, -result);
    if (run.getUint32(R.exitReason, true) !== KVM_EXIT_IO) return DEATH;
    const port = run.getUint16(R.ioPort, true);
    if (port === CALL_PORT) {
      return this.#usesPort(vcpu) ? FINISH : this.#leftStub(vcpu, context, 0);
    }
    if (port === RING0_CALL_PORT && !this.#isInUserMode(run)) {
      this.#take(vcpu, context);
      return this.#callAtEntry(context);
    }
    const vector = port - EXCEPTION_PORT;
    if (vector < 0 || vector >= EXCEPTIONS || this.#isInUserMode(run)) return DEATH;
    this.#take(vcpu, context);
    return this.#exception(vcpu, context, vector);
  }

  /**
   * Reads the stop of a vCPU whose thread has nothing to report: its call was taken, or its context
   * released. Never returns REPORT.
   */
  readSilentStop(vcpu: Vcpu): number {
    const { run, result } = vcpu;
    vcpu.usedPort = false;
    if (result !== 0) {
      if (result !== -EINTR && result !== -EFAULT && result !== -EAGAIN) return DEATH;
      return this.#isUnfinished(run) ? PROCEED : AGAIN;
    }
    if (run.getUint32(R.exitReason, true) !== KVM_EXIT_IO) return DEATH;
    return run.getUint16(R.ioPort, true) === CALL_PORT && this.#usesPort(vcpu) ? FINISH : AGAIN;
  }

  /** A call that the thread posted in the slot of its vCPU. HOT */
  readSlot(vcpu: Vcpu, context: KvmContext): number {
    this.#takeSlot(vcpu, context);
    vcpu.readCallGap();
    context.viaSignal = this.#thunks !== null && vcpu.slotWord(Slot.at.isPatched) === 0;
    return this.#reportCall(context, context.state.getInt32(G.rax, true));
  }

  #takeSlot(vcpu: Vcpu, context: KvmContext): void {
    const { state } = context;
    context.stateBytes.set(vcpu.slotBytes);
    state.setUint32(FS, vcpu.slotWord(Slot.at.fsBase), true);
    state.setUint32(FS + 4, vcpu.slotWord(Slot.at.fsBase + 4), true);
    state.setUint32(GS, vcpu.slotWord(Slot.at.gsBase), true);
    state.setUint32(GS + 4, vcpu.slotWord(Slot.at.gsBase + 4), true);
    context.keepBases();
    context.keepFlags(state.getUint32(G.rflags, true));
  }

  /**
   * A stop in the stub of calls, behind its post. `offset`: where in the stub, if it was kicked
   * there.
   */
  #leftStub(vcpu: Vcpu, context: KvmContext, offset: number): number {
    const isAnswered = vcpu.slotState === REPLIED || offset >= this.#behindReply;
    if (!isAnswered) return this.readSlot(vcpu, context);
    vcpu.gapTicks = 0;
    this.#takeSlot(vcpu, context);
    context.state.setUint32(G.rax, vcpu.slotWord(Slot.at.result), true);
    context.state.setUint32(G.rax + 4, vcpu.slotWord(Slot.at.result + 4), true);
    return context.hasRip ? AGAIN : this.#protection(context, 0);
  }

  #take(vcpu: Vcpu, context: KvmContext): void {
    const { run } = vcpu, { state } = context;
    vcpu.readRunGap();
    context.stateBytes.set(vcpu.regBytes);
    context.keepFlags(state.getUint32(G.rflags, true));
    state.setUint32(FS, run.getUint32(FS_BASE_AT, true), true);
    state.setUint32(FS + 4, run.getUint32(FS_BASE_AT + 4, true), true);
    state.setUint32(GS, run.getUint32(GS_BASE_AT, true), true);
    state.setUint32(GS + 4, run.getUint32(GS_BASE_AT + 4, true), true);
  }

  #failed(vcpu: Vcpu, context: KvmContext, errno: number): number {
    if (errno !== EINTR && errno !== EAGAIN && errno !== EFAULT) return DEATH;
    const { run } = vcpu;
    if (vcpu.usedPort) {
      vcpu.usedPort = false;
      this.#take(vcpu, context);
      return this.#protection(context, 0);
    }
    if (this.#isUnfinished(run)) return PROCEED;
    const offset = this.#stubOffset(run);
    if (offset >= this.#behindPost) return this.#leftStub(vcpu, context, offset);
    if (offset >= 0) return PROCEED;
    if (!this.#isInUserMode(run)) return ring0Place(run, REGS) < 0 ? PROCEED : DEATH;
    if (run.getUint16(CS_AT, true) !== USER_CS) return DEATH;
    if (errno !== EFAULT && this.#isInThunk(run)) return PROCEED;
    this.#take(vcpu, context);
    this.#leaveThunk(context);
    if (errno !== EFAULT) return AGAIN;
    if (context.space.markBehindEnds()) return AGAIN;
    // The host cannot provide the page and does not say why: it has no memory, or a disk fails.
    this.#setRipAndRsp(context);
    return fault(context, context.rip, SIGBUS, I.BUS_ADRERR, ACCESS_READ, 0);
  }

  /** The stub found itself in ring 0 and left: `syscall` had changed only rcx and r11. */
  #callAtEntry(context: KvmContext): number {
    const { state } = context;
    state.setUint32(G.rip, state.getUint32(G.rcx, true), true);
    state.setUint32(G.rip + 4, state.getUint32(G.rcx + 4, true), true);
    context.keepFlags(state.getUint32(G.r11, true));
    context.viaSignal = this.#thunks !== null;
    return this.#reportCall(context, state.getInt32(G.rax, true));
  }

  /** A stop in a thunk, on the way from a patched site to the stub. */
  #isInThunk(run: DataView): boolean {
    return this.#thunks !== null && this.#thunks.has(ring0Place(run, REGS));
  }

  /**
   * The first instruction of a thunk is the site's and was not executed: the thread is reported at
   * the site.
   */
  #leaveThunk(context: KvmContext): void {
    const site = this.#thunks?.siteOf(ring0Place(context.state, 0)) ?? -1;
    if (site >= 0) context.setWord(G.rip, site);
  }

  /**
   * A single step behind the jump of a patched site: the steps that follow belong to a call. -1: it
   * is elsewhere.
   */
  #stepInThunk(context: KvmContext): number {
    const thunks = this.#thunks, { state } = context, thunk = ring0Place(state, 0);
    const site = thunks?.siteOf(thunk) ?? -1;
    if (site < 0) return -1;
    const nr = thunks!.callOf(thunk);
    if (nr >= 0) {
      context.setWord(G.rax, nr);
      return this.#enterCall(context, site + MOV_BYTES + CALL_BYTES, nr);
    }
    // DIFFERS: the moved instruction cannot be executed here. The thread continues without the trap
    // flag.
    context.setWord(G.rip, site);
    context.keepFlags(state.getUint32(G.rflags, true) & ~FLAG_TF);
    return AGAIN;
  }

  /**
   * An invalid opcode at the old `syscall` of a patched site: the call number that the code there
   * meant. -1: it is elsewhere.
   */
  #callInSite(context: KvmContext): number {
    const { space, rip, state } = context;
    if (this.#thunks === null || !this.#thunks.returnsTo(rip + CALL_BYTES)) return -1;
    const isJump = (at: number) => JUMP.every((byte, i) => space.codeByte(at + i) === byte);
    if (!isJump(rip - MOV_BYTES) && !isJump(rip - MOVES_BYTES)) return -1;
    return this.#enterCall(context, rip + CALL_BYTES, state.getInt32(G.rax, true));
  }

  /** Sets the registers as a `syscall` in front of `back` does. */
  #enterCall(context: KvmContext, back: number, nr: number): number {
    context.setWord(G.rip, back);
    context.setWord(G.rcx, back);
    context.setWord(G.r11, context.state.getUint32(G.rflags, true));
    context.viaSignal = false;
    return this.#reportCall(context, nr);
  }

  #isInUserMode(run: DataView): boolean {
    return (run.getUint16(CS_AT, true) & 3) !== 0;
  }

  /**
   * Whether an exception would be lost, or would reach the thread that is loaded next: one that the
   * host was about to raise, or one that a load of ss delays (VMX could run no thread then whose
   * trap flag differs). For breakpoints the host reports only that the last exception was one;
   * there was none when the thread was loaded.
   */
  #isUnfinished(run: DataView): boolean {
    const last = run.getUint8(R.exceptionNr);
    return run.getUint8(R.exceptionInjected) !== 0 || run.getUint8(R.exceptionPending) !== 0 ||
      run.getUint8(R.interruptShadow) !== 0 || last === X.X86_TRAP_BP || last === X.X86_TRAP_OF;
  }

  /** Offset of rip in the stub of calls; -1 if it is elsewhere. */
  #stubOffset(run: DataView): number {
    if (run.getUint32(REGS + G.rip + 4, true) !== RING0_HIGH) return -1;
    const offset = run.getUint32(REGS + G.rip, true) - this.#callLow;
    const isThere = offset >= 0 && offset < PAGE_SIZE &&
      run.getUint16(CS_AT, true) === this.#callSelector;
    return isThere ? offset : -1;
  }

  /**
   * Whether guest code, and not the stub, used the port of calls. rip is at the instruction on some
   * hosts, behind it on others.
   */
  #usesPort(vcpu: Vcpu): boolean {
    const { run } = vcpu;
    const isStub = this.#stubOffset(run) > 0 && run.getUint8(R.ioDirection) === KVM_EXIT_IO_OUT;
    vcpu.usedPort = !isStub;
    return !isStub;
  }

  #setRipAndRsp(context: KvmContext): void {
    context.rip = context.word(G.rip);
    context.rsp = context.word(G.rsp);
  }

  #reportCall(context: KvmContext, nr: number): number {
    this.#setRipAndRsp(context);
    context.retries = 0;
    setCall(context, nr, context.state, 0, ARGUMENTS);
    return REPORT;
  }

  #exception(vcpu: Vcpu, context: KvmContext, vector: number): number {
    const { state } = context, { run } = vcpu;
    const words = this.#tables.words(vcpu.stackFrame);
    const top = this.#tables.wordOf(vcpu.stackFrame) + FRAME_WORDS;
    if (words[top - CS_WORD] !== USER_CS) return DEATH;
    state.setUint32(G.rip, words[top - RIP_WORD]!, true);
    state.setUint32(G.rip + 4, words[top - RIP_WORD + 1]!, true);
    context.keepFlags(words[top - FLAGS_WORD]!);
    state.setUint32(G.rsp, words[top - RSP_WORD]!, true);
    state.setUint32(G.rsp + 4, words[top - RSP_WORD + 1]!, true);
    if (vector === X.X86_TRAP_DB) {
      const step = this.#stepInThunk(context);
      if (step >= 0) return step;
    }
    this.#leaveThunk(context);
    this.#setRipAndRsp(context);
    const error = words[top - ERROR_WORD]!;
    if (vector === X.X86_TRAP_PF) {
      const low = run.getUint32(CR2_AT, true), high = run.getUint32(CR2_AT + 4, true);
      return this.#pageFault(context, error, low, high);
    }
    context.retries = 0;
    return this.#trap(context, vector, error);
  }

  #trap(context: KvmContext, vector: number, error: number): number {
    const { rip } = context;
    switch (vector) {
      case X.X86_TRAP_DE:
        return exception(context, SIGFPE, I.FPE_INTDIV, rip, vector, 0);
      case X.X86_TRAP_DB: {
        const isStep = (context.state.getUint32(G.rflags, true) & FLAG_TF) !== 0;
        return exception(context, SIGTRAP, isStep ? I.TRAP_TRACE : I.TRAP_BRKPT, rip, vector, 0);
      }
      case X.X86_TRAP_BP:
        return exception(context, SIGTRAP, I.SI_KERNEL, 0, vector, 0);
      case X.X86_TRAP_UD: {
        const call = this.#callInSite(context);
        if (call >= 0) return call;
        const gate = this.#refusedGate(context);
        if (gate >= 0) return this.#protection(context, gate * 8 + 2);
        return exception(context, SIGILL, I.ILL_ILLOPN, rip, vector, 0);
      }
      case X.X86_TRAP_MF:
      case X.X86_TRAP_XF: {
        context.fetchFpu();
        const code = floatingCode(context.fpu, vector === X.X86_TRAP_MF);
        return exception(context, SIGFPE, code, rip, vector, 0);
      }
      case X.X86_TRAP_AC:
        return exception(context, SIGBUS, I.BUS_ADRALN, 0, vector, error);
      case X.X86_TRAP_NP:
      case X.X86_TRAP_SS:
        return exception(context, SIGBUS, I.SI_KERNEL, 0, vector, error);
      case X.X86_TRAP_GP:
        return exception(context, SIGSEGV, I.SI_KERNEL, 0, vector, error);
      default:
        return exception(context, SIGSEGV, I.SI_KERNEL, 0, vector, 0);
    }
  }

  #protection(context: KvmContext, error: number): number {
    this.#setRipAndRsp(context);
    return exception(context, SIGSEGV, I.SI_KERNEL, 0, X.X86_TRAP_GP, error);
  }

  /**
   * The number n if the thread is at `int n`, which hosts that emulate report as an invalid opcode.
   */
  #refusedGate(context: KvmContext): number {
    const { space, rip } = context;
    return space.codeByte(rip) === INT_OPCODE ? space.codeByte(rip + INT_BYTES - 1) : -1;
  }

  #pageFault(context: KvmContext, error: number, low: number, high: number): number {
    const { space } = context, addr = low + high * GIB_4;
    const access = (error & X.X86_PF_INSTR) !== 0
      ? ACCESS_EXEC
      : (error & X.X86_PF_WRITE) !== 0
      ? ACCESS_WRITE
      : ACCESS_READ;
    if (high >= ADDRESS_LIMIT_HIGH) {
      if (access === ACCESS_EXEC && high === RING0_HIGH) {
        const call = this.#oldCall(context, low);
        if (call >= 0) {
          context.viaSignal = false;
          return this.#reportCall(context, call);
        }
      }
      return fault(context, addr, SIGSEGV, I.SEGV_MAPERR, access, error | X.X86_PF_PROT);
    }
    const flags = space.tables.flagsAt(addr);
    const isAllowed = (flags & PRESENT) !== 0 && (access === ACCESS_READ ||
      (access === ACCESS_WRITE ? (flags & WRITABLE) !== 0 : space.tables.isExecutable(addr)));
    if (isAllowed && context.retries++ < MAX_RETRIES) return AGAIN;
    context.retries = 0;
    if ((flags & MAPPED) === 0 && space.mapLate(addr)) return AGAIN;
    if ((flags & BEYOND_END) !== 0) {
      if (space.isBackInFile(addr)) return AGAIN;
      return fault(context, addr, SIGBUS, I.BUS_ADRERR, access, error);
    }
    const code = (flags & MAPPED) !== 0 ? I.SEGV_ACCERR : I.SEGV_MAPERR;
    return fault(context, addr, SIGSEGV, code, access, error);
  }

  /**
   * A call through the old page: its number, with the thread set behind its `call`; -1 if it is
   * none.
   */
  #oldCall(context: KvmContext, low: number): number {
    const { state, space } = context;
    const nr = VSYSCALLS[(low - VSYSCALL_PAGE_LOW) / VSYSCALL_BYTES];
    if (nr === undefined || state.getUint32(G.rip, true) !== low) return -1;
    const back = space.readWord(context.rsp);
    if (back < 0) return -1;
    context.setWord(G.rip, back);
    context.setWord(G.rsp, context.rsp + 8);
    return nr;
  }
}

/** rip if it is in the last 4 GiB of the upper half, as a negative number; else 0. */
function ring0Place(dv: DataView, registers: number): number {
  if (dv.getUint32(registers + G.rip + 4, true) !== RING0_HIGH) return 0;
  return dv.getUint32(registers + G.rip, true) - GIB_4;
}

function exception(
  context: KvmContext,
  signo: number,
  code: number,
  addr: number,
  vector: number,
  error: number,
): number {
  setException(context, signo, code, addr, vector, error);
  return REPORT;
}

function fault(
  context: KvmContext,
  addr: number,
  signo: number,
  code: number,
  access: number,
  error: number,
): number {
  setFault(context, signo, code, addr, access, error | X.X86_PF_USER);
  return REPORT;
}

/** A sentence about a vCPU that left the machine for a reason that does not exist here. */
export function howItLeft({ run, result }: Vcpu): string {
  const hex = (at: number): string => run.getBigUint64(at, true).toString(16);
  const why = result < 0 ? `with error ${-result}` : `for ${run.getUint32(R.exitReason, true)}`;
  return `KVM_RUN ended ${why} at ${run.getUint16(CS_AT, true).toString(16)}:${hex(REGS + G.rip)}`;
}
