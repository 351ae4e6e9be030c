/**
 * Which thread runs on which processor. There are few processors, so that threads wait for one (`turns.ts`), and whoever
 * runs while others wait is stopped after a while.
 *
 * A stopped thread keeps its processor as long as nobody else wants it: its FPU state is in there. Neighbours: `vcpu.ts`,
 * `stops.ts`; `kvm_platform.ts` drives it.
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
  /** Threads that run or wait for a processor. */
  runningCount = 0;
  /** The processor whose thread stopped last. */
  last: Vcpu | null = null;
  readonly #stops: StopReader;
  /** Threads that wait for a processor. */
  readonly #waiting: Turns<KvmContext> = new Turns();
  /** Threads that stopped and have not been handed out. */
  readonly #ready: KvmContext[] = [];
  #next = 0;
  /** The processor that was looked at last shall run the same thread on. */
  #goesOn = false;
  #uses = 0;

  constructor(vcpus: readonly Vcpu[], stops: StopReader, features: number, fpuBytes: number) {
    this.vcpus = vcpus;
    this.#stops = stops;
    this.features = features;
    this.fpuBytes = fpuBytes;
  }

  /** Somebody has to be stopped soon: threads wait for a processor, or one is to leave that was let go on. */
  get isKicking(): boolean {
    if (!this.#waiting.isEmpty) return true;
    for (const vcpu of this.vcpus) {
      if (vcpu.isRunning && (vcpu.isKickDue || vcpu.context!.isReleased)) return true;
    }
    return false;
  }

  /** To take pages from who waits in the machine for an answer costs an interrupt each time: more than to have it leave. */
  leave(space: KvmSpace): void {
    for (const vcpu of this.vcpus) {
      if (!vcpu.isTaken || vcpu.space !== space) continue;
      vcpu.leave();
      vcpu.awaitStop();
    }
  }

  /**
   * @param isReply nothing of it changes but the result of its call. HOT
   */
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
    else this.#enter(idle, context);
  }

  /** Others wait, and its thread has had its slice. HOT */
  #mustLeave(vcpu: Vcpu): boolean {
    return !this.#waiting.isEmpty && vcpu.sliceTicks >= SLICE_TICKS;
  }

  /** Where its call waits for the answer. False: it does not any more. HOT */
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

  #enter(vcpu: Vcpu, context: KvmContext): void {
    vcpu.lastUse = ++this.#uses;
    context.space.hasRun = true;
    if (vcpu.enter(context)) {
      context.space.entered();
      return;
    }
    context.trap = TRAP_DEATH;
    context.deathCause = "there is no memory for its page tables";
    this.#ended(context);
    this.#ready.push(context);
  }

  /** Its last processor, unless that sleeps and another does not; or the one that was used longest ago. HOT */
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

  /** All that stopped is queued before anything is handed out, so that no thread keeps the others from their turn. HOT */
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

  /** A call came that left its thread in the machine. HOT */
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
    if (vcpu.isTaken || context.isReleased) this.#silent(vcpu, context);
    else this.#look(vcpu, context);
    if (vcpu.isRunning) return;
    context.space.left();
    if (this.#goesOn) {
      this.#goesOn = false;
      this.#again(vcpu, context);
      if (vcpu.isRunning) return;
    }
    const next = this.#waiting.shift();
    if (next === null) return;
    next.space.flush();
    this.#enter(vcpu, next);
  }

  /** Its thread has nothing to tell: the kernel has its call, or does not want to hear of it. */
  #silent(vcpu: Vcpu, context: KvmContext): void {
    const verdict = this.#stops.readSilent(vcpu);
    if (verdict === FINISH) return vcpu.finish();
    if (verdict === PROCEED) return vcpu.finishMoment();
    vcpu.isTaken = false;
    if (verdict === DEATH) vcpu.reset();
    if (!context.isReleased || context.vcpu !== vcpu) return;
    vcpu.dropFpu();
    if (context.isRunning) this.#ended(context);
  }

  #look(vcpu: Vcpu, context: KvmContext): void {
    const verdict = this.#stops.read(vcpu, context);
    if (verdict === PROCEED) {
      vcpu.finishMoment();
    } else if (verdict === FINISH) {
      vcpu.finish();
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

  /** The thread goes on, unless it was to be stopped. */
  #again(vcpu: Vcpu, context: KvmContext): void {
    if (context.wantsInterrupt) {
      this.#interrupted(context);
    } else if (!this.#waiting.isEmpty) {
      this.#enqueue(context);
    } else {
      context.space.flush();
      this.#enter(vcpu, context);
    }
  }

  #interrupted(context: KvmContext): void {
    context.trap = TRAP_INTERRUPT;
    context.rip = context.word(RIP_AT);
    context.rsp = context.word(RSP_AT);
    this.#ended(context);
    this.#ready.push(context);
  }

  /** In the kernel's eyes. */
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

  /** The answer to its call is going to take long: somebody else can have its processor. */
  park(context: KvmContext): void {
    const { vcpu } = context;
    if (vcpu !== null && vcpu.context === context) vcpu.park();
  }

  /** Stops it, if it runs; nothing is reported of it any more. */
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
      if (vcpu.isTaken) vcpu.leave(); // `tick` kicks who does not
      else vcpu.kick();
    } else context.fpuVcpu?.dropFpu();
  }

  tick(): void {
    for (const vcpu of this.vcpus) {
      if (!vcpu.isRunning) continue;
      if (vcpu.isKickDue) {
        vcpu.tickMoment();
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

/** Awake before asleep, then free before owned, then by last use. */
function isBetter(a: Vcpu, b: Vcpu): boolean {
  if (a.isAsleep !== b.isAsleep) return b.isAsleep;
  if ((a.fpuOwner === null) !== (b.fpuOwner === null)) return a.fpuOwner === null;
  return a.lastUse < b.lastUse;
}
