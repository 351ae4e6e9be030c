/**
 * Which thread runs on which processor. There are few processors, so that threads wait for one in order, and whoever runs
 * while others wait is stopped after a while.
 *
 * A stopped thread keeps its processor as long as nobody else wants it: its FPU state is in there. Neighbours: `vcpu.ts`,
 * `stops.ts`; `kvm_platform.ts` drives it.
 */

import { EINTR } from "../../ffi/abi/errno.ts";
import { TRAP_DEATH, TRAP_INTERRUPT } from "../platform.ts";
import { KvmRegs } from "../../ffi/abi/kvm.ts";
import type { KvmContext } from "./context.ts";
import type { StopReader } from "./stops.ts";
import { AGAIN, DEATH, FINISH, PROCEED } from "./stops.ts";
import type { Vcpu } from "./vcpu.ts";

/** Ticks (about a millisecond each) that a thread may run while others wait. */
const SLICE_TICKS = 4;
const { rip: RIP_AT, rsp: RSP_AT } = KvmRegs.at;

export class Scheduler {
  readonly vcpus: readonly Vcpu[];
  readonly features: number;
  readonly fpuBytes: number;
  /** Threads that run or wait for a processor. */
  runningCount = 0;
  /** The processor whose thread stopped last. */
  last: Vcpu | null = null;
  readonly #stops: StopReader;
  /** Threads that wait for a processor, in order. */
  readonly #waiting: KvmContext[] = [];
  /** Threads that stopped and have not been handed out. */
  readonly #ready: KvmContext[] = [];
  #next = 0;
  #uses = 0;

  constructor(vcpus: readonly Vcpu[], stops: StopReader, features: number, fpuBytes: number) {
    this.vcpus = vcpus;
    this.#stops = stops;
    this.features = features;
    this.fpuBytes = fpuBytes;
  }

  get hasWaiting(): boolean {
    return this.#waiting.length > 0;
  }

  /** HOT */
  start(context: KvmContext): void {
    context.clearTrap();
    context.isRunning = true;
    context.wantsInterrupt = false;
    context.space.runningCount++;
    this.runningCount++;
    const vcpu = this.#waiting.length === 0 ? this.#idleFor(context) : null;
    if (vcpu === null) this.#enqueue(context);
    else this.#enter(vcpu, context);
  }

  #enqueue(context: KvmContext): void {
    context.isQueued = true;
    this.#waiting.push(context);
  }

  #enter(vcpu: Vcpu, context: KvmContext): void {
    vcpu.lastUse = ++this.#uses;
    context.space.hasRun = true;
    vcpu.enter(context);
  }

  /** Its last processor, or the one that was used longest ago. HOT */
  #idleFor(context: KvmContext): Vcpu | null {
    const last = context.vcpu;
    if (last !== null && !last.isRunning && last.fpuOwner === context) return last;
    let best: Vcpu | null = null;
    for (const vcpu of this.vcpus) {
      if (vcpu.isRunning) continue;
      if (vcpu.fpuOwner === null) return vcpu;
      if (best === null || vcpu.lastUse < best.lastUse) best = vcpu;
    }
    return best;
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
    }
    this.#next = (this.#next + 1) % count;
    return this.#ready.shift() ?? null;
  }

  get hasReady(): boolean {
    if (this.#ready.length > 0) return true;
    for (const vcpu of this.vcpus) if (vcpu.hasStopped) return true;
    return false;
  }

  #stopped(vcpu: Vcpu): void {
    const context = vcpu.context!;
    vcpu.isRunning = false;
    if (context.isReleased) this.#freed(vcpu, context);
    else this.#look(vcpu, context);
    if (vcpu.isRunning) return;
    const next = this.#waiting.shift();
    if (next === undefined) return;
    next.isQueued = false;
    next.space.flush();
    this.#enter(vcpu, next);
  }

  #look(vcpu: Vcpu, context: KvmContext): void {
    const verdict = this.#stops.read(vcpu, context);
    if (verdict === PROCEED) {
      vcpu.proceed(0);
    } else if (verdict === FINISH) {
      vcpu.finish();
    } else if (verdict === AGAIN) {
      this.#again(vcpu, context);
    } else {
      if (verdict === DEATH) {
        context.trap = TRAP_DEATH;
        vcpu.dropFpu();
        vcpu.reset();
      }
      this.#ended(context);
      this.last = vcpu;
      this.#ready.push(context);
    }
  }

  /** The thread goes on, unless it was to be stopped. */
  #again(vcpu: Vcpu, context: KvmContext): void {
    if (vcpu.result === -EINTR && context.wantsInterrupt) {
      this.#interrupted(context);
    } else if (this.#waiting.length > 0) {
      this.#enqueue(context);
    } else {
      context.space.flush();
      vcpu.enter(context);
    }
  }

  #interrupted(context: KvmContext): void {
    context.trap = TRAP_INTERRUPT;
    context.rip = context.word(RIP_AT);
    context.rsp = context.word(RSP_AT);
    this.#ended(context);
    this.#ready.push(context);
  }

  #ended(context: KvmContext): void {
    context.isRunning = false;
    context.wantsInterrupt = false;
    this.runningCount--;
    context.space.threadStopped();
  }

  /** Its context was released while it ran. */
  #freed(vcpu: Vcpu, context: KvmContext): void {
    vcpu.dropFpu();
    this.#ended(context);
  }

  interrupt(context: KvmContext): void {
    if (!context.isRunning) return;
    if (context.isQueued) {
      this.#unqueue(context);
      this.#interrupted(context);
    } else if (!context.wantsInterrupt) {
      context.wantsInterrupt = true;
      context.vcpu!.kick();
    }
  }

  #unqueue(context: KvmContext): void {
    context.isQueued = false;
    this.#waiting.splice(this.#waiting.indexOf(context), 1);
  }

  /** Stops it, if it runs; nothing is reported of it any more. */
  release(context: KvmContext): void {
    const at = this.#ready.indexOf(context);
    if (at >= 0) this.#ready.splice(at, 1);
    context.space.forgetThread(context);
    if (context.isQueued) {
      this.#unqueue(context);
      this.#ended(context);
    } else if (context.isRunning) {
      context.vcpu!.kick();
      return;
    }
    context.fpuVcpu?.dropFpu();
  }

  tick(): void {
    if (this.#waiting.length === 0) return;
    for (const vcpu of this.vcpus) {
      if (vcpu.isRunning && ++vcpu.ticks === SLICE_TICKS) vcpu.kick();
    }
  }
}
