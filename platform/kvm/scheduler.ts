/**
 * Assigns threads to vCPUs. There are few vCPUs, so threads wait for one (`turns.ts`), and a thread
 * that runs while others wait is stopped after its slice.
 *
 * A stopped thread keeps its vCPU until another thread needs it, because its FPU state is there.
 * Neighbours: `vcpu.ts`, `stops.ts`; `kvm_platform.ts` drives it.
 */

import { TRAP_DEATH, TRAP_INTERRUPT } from "../platform.ts";
import { KvmRegs } from "../../ffi/abi/kvm.ts";
import type { KvmContext } from "./context.ts";
import type { StopReader } from "./stops.ts";
import { AGAIN, DEATH, FINISH, howItLeft, PROCEED } from "./stops.ts";
import type { KvmSpace } from "./space.ts";
import { Turns } from "./turns.ts";
import type { Vcpu } from "./vcpu.ts";

/** Ticks (about a millisecond each) that a thread may run while others wait. */
const SLICE_TICKS = 4;
const { rax: RAX_AT, rip: RIP_AT, rsp: RSP_AT } = KvmRegs.at;

export class Scheduler {
  readonly vcpus: readonly Vcpu[];
  readonly features: number;
  readonly fpuBytes: number;
  /** Threads that run or wait for a vCPU. */
  runningCount = 0;
  /** The vCPU whose thread stopped last. */
  last: Vcpu | null = null;
  readonly #stops: StopReader;
  /** Threads that wait for a vCPU. */
  readonly #waiting: Turns<KvmContext> = new Turns();
  /** Threads that stopped, in the order in which `poll` returns them. */
  readonly #ready: KvmContext[] = [];
  #next = 0;
  /** The vCPU whose stop was read last runs the same thread again. */
  #goesOn = false;
  #uses = 0;

  constructor(vcpus: readonly Vcpu[], stops: StopReader, features: number, fpuBytes: number) {
    this.vcpus = vcpus;
    this.#stops = stops;
    this.features = features;
    this.fpuBytes = fpuBytes;
  }

  /**
   * A vCPU has to be kicked soon: threads wait for one, or it was left running for a moment and has
   * to leave.
   */
  get isKicking(): boolean {
    if (!this.#waiting.isEmpty) return true;
    for (const vcpu of this.vcpus) {
      if (vcpu.isRunning && (vcpu.isKickDue || vcpu.context!.isReleased)) return true;
    }
    return false;
  }

  /**
   * Makes the vCPUs of a space leave the machine while their calls wait for answers. Each range
   * that the host forgets costs an interrupt to a vCPU in the machine, so leaving is cheaper for
   * many.
   */
  leave(space: KvmSpace): void {
    for (const vcpu of this.vcpus) {
      if (!vcpu.isTaken || vcpu.space !== space) continue;
      vcpu.leave();
      vcpu.awaitStop();
    }
  }

  /** @param isReply only the result of its call changes. HOT */
  start(context: KvmContext, isReply: boolean): void {
    context.clearTrap();
    context.isRunning = true;
    context.wantsInterrupt = false;
    this.runningCount++;
    const { vcpu } = context;
    if (vcpu !== null && vcpu.isTaken && vcpu.context === context) {
      if (isReply && !this.#mustLeave(vcpu) && this.#reply(vcpu, context)) return;
      vcpu.leave();
      if (vcpu.hasStopped) this.#stopped(vcpu);
    }
    const idle = this.#waiting.isEmpty ? this.#idleFor(context) : null;
    if (idle === null) this.#enqueue(context);
    else this.#enterMachine(idle, context);
  }

  /** Whether other threads wait and this one has used its slice. HOT */
  #mustLeave(vcpu: Vcpu): boolean {
    return !this.#waiting.isEmpty && vcpu.sliceTicks >= SLICE_TICKS;
  }

  /** Answers the call of a thread that waits in the machine. False: it has left the machine. HOT */
  #reply(vcpu: Vcpu, context: KvmContext): boolean {
    const { state } = context;
    if (!vcpu.reply(state.getUint32(RAX_AT, true), state.getUint32(RAX_AT + 4, true))) {
      vcpu.awaitStop();
      return false;
    }
    vcpu.lastUse = ++this.#uses;
    if (vcpu.hasStopped) this.#stopped(vcpu); // it was kicked before
    return true;
  }

  #enqueue(context: KvmContext): void {
    this.#waiting.push(context);
    for (const vcpu of this.vcpus) if (vcpu.isTaken && this.#mustLeave(vcpu)) vcpu.leave();
  }

  #enterMachine(vcpu: Vcpu, context: KvmContext): void {
    vcpu.lastUse = ++this.#uses;
    context.space.hasRun = true;
    if (vcpu.runThread(context)) {
      context.space.vcpuEntered();
      return;
    }
    context.trap = TRAP_DEATH;
    context.deathCause = "there is no memory for its page tables";
    this.#ended(context);
    this.#ready.push(context);
  }

  /**
   * The vCPU to run a thread on: its last one, unless that sleeps and another does not; else the
   * one used longest ago. HOT
   */
  #idleFor(context: KvmContext): Vcpu | null {
    const last = context.vcpu;
    const own = last !== null && !last.isRunning && last.fpuOwner === context ? last : null;
    if (own !== null && !own.isAsleep) return own;
    let best: Vcpu | null = null;
    for (const vcpu of this.vcpus) {
      if (!vcpu.isRunning && (best === null || isBetter(vcpu, best))) best = vcpu;
    }
    return own !== null && best!.isAsleep ? own : best;
  }

  report(context: KvmContext): void {
    this.#ready.push(context);
  }

  /**
   * Queues all that stopped before it returns the first, so that no thread delays the others' turn.
   * HOT
   */
  poll(): KvmContext | null {
    if (this.#ready.length > 0) return this.#ready.shift()!;
    const count = this.vcpus.length;
    for (let i = 0; i < count; i++) {
      const vcpu = this.vcpus[(this.#next + i) % count]!;
      if (vcpu.hasStopped) this.#stopped(vcpu);
      else if (vcpu.hasPosted) this.#posted(vcpu);
    }
    this.#next = (this.#next + 1) % count;
    return this.#ready.shift() ?? null;
  }

  /** `hadTicks` of a new thread. */
  get birthTicks(): number {
    return this.#waiting.birthTicks;
  }

  get hasReady(): boolean {
    if (this.#ready.length > 0) return true;
    for (const vcpu of this.vcpus) if (vcpu.hasStopped || vcpu.hasPosted) return true;
    return false;
  }

  /** Takes a call that left its thread in the machine. HOT */
  #posted(vcpu: Vcpu): void {
    const context = vcpu.context!;
    if (context.isReleased) return; // it was kicked
    if (!vcpu.take()) return; // it is leaving
    this.#stops.readSlot(vcpu, context);
    context.hadTicks += vcpu.gapTicks;
    if (this.#mustLeave(vcpu)) vcpu.leave();
    this.#handOut(vcpu, context);
  }

  #handOut(vcpu: Vcpu, context: KvmContext): void {
    this.#ended(context);
    this.last = vcpu;
    this.#ready.push(context);
  }

  #stopped(vcpu: Vcpu): void {
    const context = vcpu.context!;
    vcpu.isRunning = false;
    if (vcpu.isTaken || context.isReleased) this.#handleSilentStop(vcpu, context);
    else this.#readStop(vcpu, context);
    if (vcpu.isRunning) return;
    context.space.vcpuLeft();
    if (this.#goesOn) {
      this.#goesOn = false;
      this.#runAgain(vcpu, context);
      if (vcpu.isRunning) return;
    }
    const next = this.#waiting.shift();
    if (next === null) return;
    next.space.flush();
    this.#enterMachine(vcpu, next);
  }

  /**
   * Handles the stop of a thread that has nothing to report: the kernel has its call, or released
   * its context.
   */
  #handleSilentStop(vcpu: Vcpu, context: KvmContext): void {
    const verdict = this.#stops.readSilentStop(vcpu);
    if (verdict === FINISH) return vcpu.finishInstruction();
    if (verdict === PROCEED) return vcpu.continueForMoment();
    vcpu.isTaken = false;
    if (verdict === DEATH) vcpu.reset();
    if (!context.isReleased || context.vcpu !== vcpu) return;
    vcpu.dropFpu();
    if (context.isRunning) this.#ended(context);
  }

  #readStop(vcpu: Vcpu, context: KvmContext): void {
    const verdict = this.#stops.read(vcpu, context);
    if (verdict === PROCEED) {
      vcpu.continueForMoment();
    } else if (verdict === FINISH) {
      vcpu.finishInstruction();
    } else if (verdict === AGAIN) {
      context.hadTicks += vcpu.gapTicks;
      this.#goesOn = true;
    } else {
      if (verdict === DEATH) {
        context.trap = TRAP_DEATH;
        context.deathCause = howItLeft(vcpu);
        vcpu.dropFpu();
        vcpu.reset();
      }
      context.hadTicks += vcpu.gapTicks;
      this.#handOut(vcpu, context);
    }
  }

  /** Continues the thread, unless it was to be stopped. */
  #runAgain(vcpu: Vcpu, context: KvmContext): void {
    if (context.wantsInterrupt) {
      this.#interrupted(context);
    } else if (!this.#waiting.isEmpty) {
      this.#enqueue(context);
    } else {
      context.space.flush();
      this.#enterMachine(vcpu, context);
    }
  }

  #interrupted(context: KvmContext): void {
    context.trap = TRAP_INTERRUPT;
    context.rip = context.word(RIP_AT);
    context.rsp = context.word(RSP_AT);
    this.#ended(context);
    this.#ready.push(context);
  }

  /** Marks the context as stopped for the kernel. */
  #ended(context: KvmContext): void {
    context.isRunning = false;
    context.wantsInterrupt = false;
    this.runningCount--;
  }

  interrupt(context: KvmContext): void {
    if (!context.isRunning) return;
    if (context.isQueued) {
      this.#waiting.remove(context);
      this.#interrupted(context);
    } else if (!context.wantsInterrupt) {
      context.wantsInterrupt = true;
      context.vcpu!.kick();
    }
  }

  /** Called when the answer to a call will take long: another thread can have the vCPU. */
  park(context: KvmContext): void {
    const { vcpu } = context;
    if (vcpu !== null && vcpu.context === context) vcpu.park();
  }

  /** Stops a released context if it runs; it reports nothing more. */
  release(context: KvmContext): void {
    const at = this.#ready.indexOf(context);
    if (at >= 0) this.#ready.splice(at, 1);
    context.space.forgetThread(context);
    if (context.isQueued) {
      this.#waiting.remove(context);
      this.#ended(context);
    }
    const { vcpu } = context;
    if (vcpu !== null && vcpu.isRunning && vcpu.context === context) {
      if (vcpu.isTaken) vcpu.leave(); // `tick` kicks the others
      else vcpu.kick();
    } else context.fpuVcpu?.dropFpu();
  }

  tick(): void {
    for (const vcpu of this.vcpus) {
      if (!vcpu.isRunning) continue;
      if (vcpu.isKickDue) {
        vcpu.kickAfterMoment();
        continue;
      }
      const isWanted = !this.#waiting.isEmpty;
      if (!vcpu.isTaken && !isWanted) continue;
      if (isWanted) vcpu.sliceTicks++;
      if (++vcpu.ticks % SLICE_TICKS !== 0 && !this.#mustLeave(vcpu)) continue;
      vcpu.leave();
      vcpu.kick();
    }
  }
}

/** Order of preference: awake before asleep, then free before owned, then by last use. */
function isBetter(a: Vcpu, b: Vcpu): boolean {
  if (a.isAsleep !== b.isAsleep) return b.isAsleep;
  if ((a.fpuOwner === null) !== (b.fpuOwner === null)) return a.fpuOwner === null;
  return a.lastUse < b.lastUse;
}
