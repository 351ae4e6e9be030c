/**
 * State that contexts and spaces of one systrap platform share: the list of running threads, the
 * doorbell, sleeping.
 *
 * The Sentry decides from its own fields only: a word in a slot says that a thread stopped, but not
 * which thread it is or what it may do. Neighbours: `context.ts`, `space.ts`; `systrap.ts` builds
 * it.
 */

import { FUTEX_WAKE } from "../../ffi/abi/futex.ts";
import { SYS_futex } from "../../ffi/abi/syscall_numbers.ts";
import { close, eventfd } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { StubImage } from "./stub/image.ts";
import { FIRST_REPLY, GLOBAL_AT, SLOT_AT } from "./stub/layout.ts";
import type { SystrapContext } from "./context.ts";
import type { ControlMemory } from "./control_memory.ts";
import type { FrameLayout } from "./frame.ts";
import type { SystrapSpace } from "./space.ts";
import type { ZygoteLink } from "./zygote_link.ts";

/**
 * How long a guest may leave a kick unanswered before its stub is killed. It may have no core
 * meanwhile.
 */
export const KICK_DEADLINE_NS = 10e9;
/** The deadline, in ns, for a space that will end in any case. */
const DOOMED_DEADLINE_NS = 0.3e9;
const KICK_AGAIN_NS = 5e6;
const TOO_LATE = "it did not answer an interrupt in time";

/** Whether a state word says that its thread stopped, and not that it has a reply. */
function isPosted(state: number): boolean {
  return state > 0 && state < FIRST_REPLY;
}

export class Engine {
  readonly control: ControlMemory;
  readonly image: StubImage;
  readonly link: ZygoteLink;
  readonly doorbell: number;
  /** Threads whose slot may change; order does not matter. */
  readonly running: SystrapContext[] = [];
  /** Spaces whose mapper must be woken for a birth although no thread was resumed. */
  readonly starting: SystrapSpace[] = [];
  /** Spaces whose commands did not fit into their ring. */
  readonly overflowing: SystrapSpace[] = [];
  /** Threads that must answer in time, and those that answered since the last tick. */
  readonly due: SystrapContext[] = [];
  kickDeadlineNs = KICK_DEADLINE_NS;
  /** Set from the first stub's frame. */
  #frame: FrameLayout | null = null;
  #cursor = 0;
  /** The thread that stopped last. */
  #last: SystrapContext | null = null;
  /** Contexts that `poll` returns without a post in their slot. */
  readonly #pending: SystrapContext[] = [];
  readonly #sleepingIndex: number;
  readonly #spinIndex: number;
  readonly #loopCpuIndex: number;

  constructor(
    control: ControlMemory,
    image: StubImage,
    link: ZygoteLink,
    doorbell: number,
  ) {
    this.control = control;
    this.image = image;
    this.link = link;
    this.doorbell = doorbell;
    this.#sleepingIndex = (control.global + GLOBAL_AT.sleeping) / 4;
    this.#spinIndex = (control.global + GLOBAL_AT.spinTicks) / 4;
    this.#loopCpuIndex = (control.global + GLOBAL_AT.loopCpu) / 4;
  }

  static newDoorbell(): number {
    return eventfd();
  }

  get frame(): FrameLayout {
    if (this.#frame === null) throw new Error("the first stub has not reported yet");
    return this.#frame;
  }

  setFrame(frame: FrameLayout): void {
    this.#frame = frame;
    this.control.setWord(this.control.global + GLOBAL_AT.features, frame.features);
  }

  /** Number of the last message that the zygote has handled. */
  get installed(): number {
    return Atomics.load(this.control.i32, (this.control.global + GLOBAL_AT.installed) / 4);
  }

  addRunning(c: SystrapContext): void { // HOT
    c.runIndex = this.running.length;
    this.running.push(c);
  }

  removeRunning(c: SystrapContext): void { // HOT
    const list = this.running;
    const last = list.pop()!;
    if (last !== c) {
      list[c.runIndex] = last;
      last.runIndex = c.runIndex;
    }
    c.runIndex = -1;
  }

  /** Queues `c` for `poll` without a post. */
  report(c: SystrapContext): void {
    this.#pending.push(c);
  }

  forget(c: SystrapContext): void {
    const at = this.#pending.indexOf(c);
    if (at >= 0) this.#pending.splice(at, 1);
  }

  poll(): SystrapContext | null { // HOT
    if (this.#pending.length > 0) return this.#pending.shift()!;
    const list = this.running;
    const { i32 } = this.control;
    for (let n = list.length; n > 0; n--) {
      if (this.#cursor <= 0) this.#cursor = list.length;
      if (this.#cursor > list.length) this.#cursor = list.length;
      const c = list[--this.#cursor];
      if (c === undefined) break;
      // An element is loaded as a whole. Neither x86 nor V8 lets a later load of the slot pass it,
      // so it serves as the acquiring load; Atomics.load is a call, which costs 5% of a read(2).
      const state = i32[c.stateWord]!;
      if (isPosted(state) && c.takeStop(state)) return this.#last = c;
    }
    if (this.starting.length > 0) this.#flushStarting();
    if (this.overflowing.length > 0) this.#drainOverflow();
    return null;
  }

  get guestCpu(): number {
    const c = this.#last;
    return c === null ? -1 : this.control.i32[c.wordAt + SLOT_AT.cpu / 4]!;
  }

  /** Time stamp ticks from the return to the guest to the post of the thread that stopped last. */
  get guestGapTicks(): number {
    const c = this.#last, { i32 } = this.control;
    if (c === null) return -1;
    const rung = i32[c.wordAt + SLOT_AT.rung / 4]!;
    return (rung - i32[c.wordAt + SLOT_AT.resumed / 4]!) >>> 0;
  }

  #flushStarting(): void {
    for (const space of this.starting) if (space.needsWake) space.flush();
    this.starting.length = 0;
  }

  #drainOverflow(): void {
    const spaces = this.overflowing.splice(0);
    for (const space of spaces) space.drain();
  }

  /** To be called before a sleep. False if a thread stopped meanwhile. */
  prepareSleep(): boolean {
    if (this.starting.length > 0) this.#flushStarting();
    const { i32 } = this.control;
    Atomics.store(i32, this.#sleepingIndex, 1);
    let hasStopped = this.#pending.length > 0 || this.overflowing.length > 0;
    for (const c of this.running) if (isPosted(Atomics.load(i32, c.stateWord))) hasStopped = true;
    if (hasStopped) Atomics.store(i32, this.#sleepingIndex, 0);
    return !hasStopped;
  }

  wakeUp(): void {
    Atomics.store(this.control.i32, this.#sleepingIndex, 0);
  }

  setSpinTicks(ticks: number): void {
    Atomics.store(this.control.i32, this.#spinIndex, ticks);
  }

  setLoopCpu(cpu: number): void {
    Atomics.store(this.control.i32, this.#loopCpuIndex, cpu);
  }

  /** Wakes a thread that sleeps on a word of the control file. */
  wake(offset: number): void {
    syscall(SYS_futex, this.control.base + offset, FUTEX_WAKE, 1);
  }

  /**
   * Kicks threads again that have not answered, and kills the stubs of those that are over the
   * deadline.
   */
  tickKicks(nowNs: number): void {
    for (let i = this.due.length - 1; i >= 0; i--) {
      const c = this.due[i]!;
      if (!c.owesAnswer) {
        c.isDue = false;
        this.due[i] = this.due[this.due.length - 1]!;
        this.due.pop();
      } else if (c.kickedAtNs < 0) c.kickedAtNs = c.kickAgainNs = nowNs;
      else if (nowNs - c.kickedAtNs > this.#deadlineOf(c)) c.space.kill(TOO_LATE);
      else if (c.isKicked && nowNs - c.kickAgainNs > KICK_AGAIN_NS) {
        c.kickAgainNs = nowNs;
        c.sendKick();
      }
    }
  }

  #deadlineOf(c: SystrapContext): number {
    return c.space.isDoomed
      ? Math.min(DOOMED_DEADLINE_NS, this.kickDeadlineNs)
      : this.kickDeadlineNs;
  }

  close(): void {
    close(this.doorbell);
  }
}
