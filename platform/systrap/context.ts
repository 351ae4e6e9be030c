/**
 * One guest thread over one host thread of a stub: reads its stops from its slot, and writes
 * replies.
 *
 * A host thread waits in one of two places: on the fast path, where the slot has its registers, or
 * in the signal handler, where a signal frame has all its state. What the guest could have written
 * is copied once at the stop and checked then; later reads fetch only the guest's own registers.
 * Neighbours: `stub/wait_reply.ts` waits, `stop.ts` reads frames, `space.ts` owns slots.
 */

import { SYS_tgkill } from "../../ffi/abi/syscall_numbers.ts";
import { copyFromBuffer, copyToBuffer } from "../../ffi/mem/native_memory.ts";
import { syscall } from "../../ffi/sys/native.ts";
import {
  Context,
  CSGSFS,
  FS_BASE,
  GS_BASE,
  R10,
  R8,
  R9,
  RAX,
  RDI,
  RDX,
  RIP,
  RSI,
  RSP,
  TRAP_DEATH,
  TRAP_FULL,
  TRAP_INTERRUPT,
  TRAP_NONE,
  TRAP_SYSCALL,
} from "../platform.ts";
import {
  POSTED_FAST,
  POSTED_FRAME,
  POSTED_KIND,
  REPLY_CHAIN,
  REPLY_EXIT,
  REPLY_LOAD,
  REPLY_RET,
  REPLY_SAVE,
  REPLY_XSAVE,
  SIG_KICK,
  SLOT_AT,
  SLOT_HEADER,
  SLOT_LOAD_FPU,
  SLOT_LOAD_FS,
  SLOT_REGS,
  STATE_EXITED,
  STATE_FAILED,
  STATE_PARKED,
} from "./stub/layout.ts";
import type { Engine } from "./engine.ts";
import {
  fetchPosted,
  IN_ORDER,
  moveWords,
  needsFrame,
  setSegments,
  type Slot,
  SLOT_WORDS,
  storeBase,
} from "./slot.ts";
import type { SystrapSpace } from "./space.ts";
import { readStop, REPORTED_STOP, SAVED_STOP } from "./stop.ts";

const STOPPED = 1;
/** Guest code runs, or will run without another reply. */
const RUNNING = 2;
/** Stopped for the kernel, but on its way from the fast path to a signal frame. */
const SAVING = 3;
/** Stopped, on its way to store its FPU state alone, for which the slot has room. */
const STORING = 4;
/** It has the reply to exit. */
const LEAVING = 5;
const GONE = 6;

const NO_THREAD = "the host gave it no thread";

/** The step that follows when the frame, or the FPU state, has arrived: */
const THEN_NOTHING = 0, THEN_LOAD = 1, THEN_LOAD_FPU = 2, THEN_FULL = 3;

// Word offsets in a slot.
const RDI_WORD = SLOT_WORDS[RDI / 8]!, RSI_WORD = SLOT_WORDS[RSI / 8]!;
const RDX_WORD = SLOT_WORDS[RDX / 8]!, R10_WORD = SLOT_WORDS[R10 / 8]!;
const R8_WORD = SLOT_WORDS[R8 / 8]!, R9_WORD = SLOT_WORDS[R9 / 8]!;
const NR_WORD = SLOT_AT.nr / 4, RESULT_WORD = SLOT_AT.result / 4, KICK_WORD = SLOT_AT.kick / 4;
const SLOT_RIP = SLOT_REGS[RIP / 8]!, SLOT_RSP = SLOT_REGS[RSP / 8]!;
/** Bytes of the registers up to CR2, which a frame has. */
const FRAME_BYTES = 184;

export class SystrapContext extends Context {
  override readonly space: SystrapSpace;
  override readonly fpu: Uint8Array<ArrayBuffer>;
  readonly slot: Slot;
  /** Control file offset of the slot; the slot's index in `control.i32`, and that of its state. */
  readonly at: number;
  readonly wordAt: number;
  readonly stateWord: number;
  /** Place in the engine's list of running contexts, -1 if not there. */
  runIndex = -1;
  isKicked = false;
  kickedAtNs = -1;
  kickAgainNs = -1;
  /** It is in the engine's list `due`. */
  isDue = false;
  readonly #engine: Engine;
  readonly #i32: Int32Array<SharedArrayBuffer>;
  readonly #regWords: Int32Array<ArrayBuffer>;
  #phase = STOPPED;
  #then = THEN_NOTHING;
  #isLost = false;
  /** A reply that waits until the space's commands fit into the ring, or 0. */
  #held = 0;
  #kickWhenRunning = false;
  /** The present resume loads the base of fs. */
  #loadsFs = true;
  #rip = 0;
  #rsp = 0;

  /** The slot's host thread waits, or will be made. */
  constructor(engine: Engine, space: SystrapSpace, slot: Slot) {
    super();
    this.#engine = engine;
    this.space = space;
    this.slot = slot;
    this.at = slot.at;
    this.wordAt = slot.at / 4;
    this.stateWord = this.wordAt + SLOT_AT.state / 4;
    this.#i32 = engine.control.i32;
    this.#regWords = new Int32Array(this.regBytes.buffer);
    this.fpu = new Uint8Array(engine.frame.fpuSize);
    this.isFull = slot.hasFrame;
  }

  // Stopping

  /**
   * Takes the stop of a thread that posted `state`. The caller has just loaded `state`, so all that
   * the thread wrote to the slot before the post is visible. True if the kernel has to see the
   * stop. HOT
   */
  takeStop(state: number): boolean {
    const isCall = (state & POSTED_KIND) === POSTED_FAST && state < STATE_EXITED;
    if (!isCall || this.#phase !== RUNNING || this.isReleased) return this.#takeOtherStop(state);
    const from = this.#i32, at = this.wordAt, w = this.args.words;
    w[0] = from[at + RDI_WORD]!;
    w[1] = from[at + RDI_WORD + 1]!;
    w[2] = from[at + RSI_WORD]!;
    w[3] = from[at + RSI_WORD + 1]!;
    w[4] = from[at + RDX_WORD]!;
    w[5] = from[at + RDX_WORD + 1]!;
    w[6] = from[at + R10_WORD]!;
    w[7] = from[at + R10_WORD + 1]!;
    w[8] = from[at + R8_WORD]!;
    w[9] = from[at + R8_WORD + 1]!;
    w[10] = from[at + R9_WORD]!;
    w[11] = from[at + R9_WORD + 1]!;
    this.nr = from[at + NR_WORD]!;
    this.#rip = this.#rsp = -1;
    this.trap = TRAP_SYSCALL;
    this.isFull = false;
    this.viaSignal = false;
    this.slot.hasFrame = false;
    this.#stop();
    return true;
  }

  // rip and rsp of a patched call are read on first use: they are in another cache line.

  override get rip(): number {
    if (this.#rip < 0) this.#rip = this.#engine.control.word(this.at + SLOT_RIP);
    return this.#rip;
  }
  override set rip(value: number) {
    this.#rip = value;
  }
  override get rsp(): number {
    if (this.#rsp < 0) this.#rsp = this.#engine.control.word(this.at + SLOT_RSP);
    return this.#rsp;
  }
  override set rsp(value: number) {
    this.#rsp = value;
  }

  #stop(): void { // HOT
    this.#engine.removeRunning(this);
    this.#phase = STOPPED;
    if (this.slot.isFresh) this.space.hadFirstStop(this.slot);
    if (!this.isKicked) return;
    this.isKicked = false;
    this.#i32[this.wordAt + KICK_WORD] = 0;
  }

  #takeOtherStop(state: number): boolean {
    const kind = state & POSTED_KIND;
    if (state === STATE_EXITED && this.#phase === LEAVING) {
      this.#leaveList();
      this.#end();
    } else if (state === STATE_FAILED && this.slot.isFresh) this.lose(NO_THREAD);
    else if (kind === POSTED_FRAME && state < STATE_EXITED && this.#phase !== LEAVING) {
      return this.#takeHandlerStop();
    } else if (kind === POSTED_FAST && state < STATE_EXITED && this.#phase === STORING) {
      this.isFull = true;
      return this.#takeRequestedState();
    } else if (kind === POSTED_FAST && state < STATE_EXITED && this.#phase === RUNNING) {
      this.slot.hasFrame = false; // it was released meanwhile
      this.#stop();
      this.#retire();
    } else this.space.kill("it wrote a state into its slot that no stub writes");
    return false;
  }

  #takeHandlerStop(): boolean {
    const stop = readStop(this, this.#engine, this.at, this.space.thunks);
    this.slot.hasFrame = true;
    this.isFull = true;
    if (stop === SAVED_STOP) this.#frameFromSlot();
    if (this.#phase === SAVING || this.#phase === STORING) return this.#takeRequestedState();
    const wasKicked = this.isKicked;
    this.#stop();
    if (this.isReleased) this.#retire();
    else if (stop === REPORTED_STOP) return true;
    else if (wasKicked) {
      this.trap = TRAP_INTERRUPT;
      return true;
    } else this.#reply(REPLY_RET, RUNNING); // a kick that came too late: the frame stays as it is
    return false;
  }

  /** The frame or FPU state that was requested is there. True if the kernel requested it. */
  #takeRequestedState(): boolean {
    const then = this.#then;
    this.#then = THEN_NOTHING;
    this.#stop();
    if (this.isReleased) this.#retire();
    else if (then === THEN_FULL) {
      this.trap = TRAP_FULL;
      return true;
    } else this.#loadFrame(then === THEN_LOAD_FPU);
    return false;
  }

  /**
   * The thread went from the fast path into the handler: its registers are still those in the slot.
   */
  #frameFromSlot(): void {
    const { frame } = this.#engine;
    const words = this.#i32, at = this.wordAt;
    moveWords(words, at, SLOT_WORDS, words, at + frame.regs / 4, IN_ORDER);
    this.#rip = this.#rsp = -1; // the frame had those of the stub
  }

  #leaveList(): void {
    if (this.runIndex >= 0) this.#engine.removeRunning(this);
  }

  /** Called when the host thread or its stub is dead. */
  lose(cause: string): void {
    if (this.#isLost || this.#phase === GONE) return;
    this.#leaveList();
    this.#isLost = true;
    this.#phase = STOPPED;
    this.#held = 0;
    this.#then = THEN_NOTHING;
    this.isKicked = false;
    if (this.isReleased) return this.#end();
    this.trap = TRAP_DEATH;
    this.deathCause = cause;
    this.#engine.forget(this); // drops an earlier report
    this.#engine.report(this);
  }

  /** Whether the kernel has resumed it: it runs, or will once its frame is there. */
  get #isResumed(): boolean {
    return this.#phase === RUNNING || this.#then === THEN_LOAD || this.#then === THEN_LOAD_FPU;
  }

  // Answering

  override fetchRegs(): void {
    if (this.#isLost || this.isNew) return;
    const { control, frame } = this.#engine;
    const slot = control.base + this.at;
    if (!this.slot.hasFrame) {
      return fetchPosted(this.#i32, this.wordAt, this.#regWords, this.nr, this.isFull);
    }
    copyToBuffer(this.regBytes, 0, slot + frame.regs, FRAME_BYTES);
    copyToBuffer(this.regBytes, FS_BASE, slot + SLOT_AT.fsBase, 16);
    const gsBase = this.regs.getUint32(GS_BASE, true) +
      this.regs.getUint32(GS_BASE + 4, true) * 0x100000000;
    if (gsBase === this.slot.address) this.regs.setFloat64(GS_BASE, 0);
  }

  override fetchFpu(): void {
    if (this.#isLost || this.isNew || !this.isFull) return;
    const { frame, control } = this.#engine;
    frame.fetchFpu(control, this.at + (this.slot.hasFrame ? frame.fpu : SLOT_HEADER), this.fpu);
  }

  override resumeRet(result: number): void { // HOT
    if (this.#phase !== STOPPED || this.#isLost) return;
    this.trap = TRAP_NONE;
    if (this.slot.hasFrame || this.space.ring.isBehind) {
      const inFrame = (this.#engine.frame.regs + RAX) / 4;
      this.#storeResult(result, this.slot.hasFrame ? inFrame : RESULT_WORD);
      return this.#reply(REPLY_RET, RUNNING);
    }
    this.#phase = RUNNING;
    this.#engine.addRunning(this);
    // Result and state at once: the thread polls their line, and would take it to its core between.
    this.#storeResult(result, RESULT_WORD);
    this.#answer(REPLY_RET);
  }

  /** @param field word offset in the slot */
  #storeResult(result: number, field: number): void { // HOT
    const words = this.#i32, at = this.wordAt + field;
    words[at] = result;
    words[at + 1] = (result | 0) === result ? result >> 31 : Math.floor(result / 0x100000000);
  }

  override resumeAll(withFpu: boolean): void {
    if (this.#phase !== STOPPED || this.#isLost) return;
    this.trap = TRAP_NONE;
    this.#loadsFs = this.isNew || this.isFull;
    this.isNew = false;
    if (this.slot.hasFrame) return this.#loadFrame(withFpu);
    const { control, frame } = this.#engine;
    const mustLoadFpu = withFpu && !(this.slot.isFresh && frame.isInitial(this.fpu));
    if (needsFrame(this.#regWords) || (mustLoadFpu && !frame.fitsIntoSlot)) {
      return this.#save(withFpu ? THEN_LOAD_FPU : THEN_LOAD);
    }
    moveWords(this.#regWords, 0, IN_ORDER, this.#i32, this.wordAt, SLOT_WORDS);
    if (this.#loadsFs) storeBase(control, this.at + SLOT_AT.fsBase, this.regs, FS_BASE, 0);
    if (mustLoadFpu) frame.loadFpu(control, this.at + SLOT_HEADER, this.fpu);
    this.#i32[this.wordAt + SLOT_AT.flags / 4] = (this.#loadsFs ? SLOT_LOAD_FS : 0) |
      (mustLoadFpu ? SLOT_LOAD_FPU : 0);
    this.#reply(REPLY_LOAD, RUNNING);
  }

  #loadFrame(withFpu: boolean): void {
    const { control, frame } = this.#engine;
    setSegments(this.regs);
    copyFromBuffer(control.base + this.at + frame.regs, this.regBytes, 0, CSGSFS + 8);
    if (this.#loadsFs) storeBase(control, this.at + SLOT_AT.fsBase, this.regs, FS_BASE, 0);
    storeBase(control, this.at + SLOT_AT.gsBase, this.regs, GS_BASE, this.slot.address);
    if (withFpu) {
      frame.loadFpu(control, this.at + frame.fpu, this.fpu);
      frame.markFpu(control, this.at + frame.fpu);
    }
    this.#reply(REPLY_LOAD, RUNNING);
    if (this.#kickWhenRunning) this.interrupt();
    this.#kickWhenRunning = false;
  }

  override requestFull(): void {
    if (this.#phase !== STOPPED || this.#isLost) return;
    if (!this.isFull) {
      return this.#engine.frame.fitsIntoSlot ? this.#store() : this.#save(THEN_FULL);
    }
    this.trap = TRAP_FULL;
    this.#engine.report(this);
  }

  /** Makes the thread go from the fast path into the handler; `then`: what follows. */
  #save(then: number): void {
    this.#then = then;
    this.#mustAnswer(); // the guest may have broken the memory that this needs
    this.#engine.control.setWord(this.at + SLOT_REGS[RAX / 8]!, this.nr >>> 0);
    this.#reply(REPLY_SAVE, SAVING);
  }

  /** Makes the thread store its FPU state in the slot. */
  #store(): void {
    this.#then = THEN_FULL;
    this.#mustAnswer();
    this.#reply(REPLY_XSAVE, STORING);
  }

  override park(): void {
    if (this.#phase !== STOPPED || this.#isLost) return;
    const posted = this.slot.hasFrame ? POSTED_FRAME : POSTED_FAST;
    Atomics.compareExchange(this.#i32, this.stateWord, posted, posted | STATE_PARKED);
  }

  override interrupt(): void {
    if (this.isReleased || !this.#isResumed) return;
    if (this.#phase !== RUNNING) this.#kickWhenRunning = true;
    else if (!this.isKicked) this.#kick();
  }

  #kick(): void {
    this.isKicked = true;
    Atomics.store(this.#i32, this.wordAt + KICK_WORD, 1);
    this.#mustAnswer();
    this.sendKick();
  }

  /** From now on the engine checks the deadline. */
  #mustAnswer(): void {
    this.kickedAtNs = -1;
    if (this.isDue) return;
    this.isDue = true;
    this.#engine.due.push(this);
  }

  /** It was kicked, or a frame was requested, and the thread has not answered yet. */
  get owesAnswer(): boolean {
    return this.isKicked || this.#phase === SAVING || this.#phase === STORING;
  }

  /** Signals the host thread. The guest can write its tid, so the call names the stub too. */
  sendKick(): void {
    const tid = this.#i32[this.wordAt + SLOT_AT.tid / 4]!;
    this.space.stubIsAlive();
    if (this.space.pid > 0 && tid > 0) syscall(SYS_tgkill, this.space.pid, tid, SIG_KICK);
  }

  override release(): void {
    if (this.isReleased) return;
    this.isReleased = true;
    this.owner = null;
    this.#engine.forget(this);
    if (this.#isLost || this.space.isDestroyed) {
      this.#leaveList();
      this.#end();
    } else if (this.#phase === STOPPED) this.#retire();
    else if (this.#phase === RUNNING && !this.isKicked) this.#kick();
  }

  /** Makes the stopped host thread idle, or ends it. */
  #retire(): void {
    this.park();
    if (this.space.keepIdle(this.slot)) {
      this.#phase = GONE;
      this.space.contexts.delete(this);
    } else this.#reply(REPLY_EXIT, LEAVING);
  }

  /** Called when the host thread has ended, or is idle. */
  #end(): void {
    this.#phase = GONE;
    this.isKicked = false;
    this.space.contexts.delete(this);
    this.space.slotIsFree(this.slot);
  }

  #reply(code: number, phase: number): void { // HOT
    this.#phase = phase;
    if (this.space.ring.isBehind) return this.#replyBehindMapper(code);
    this.#engine.addRunning(this);
    this.#answer(code);
  }

  #answer(code: number): void { // HOT
    const before = Atomics.exchange(this.#i32, this.stateWord, code);
    if (before !== POSTED_FAST && before !== POSTED_FRAME) this.#wakeThread(before);
  }

  #wakeThread(before: number): void {
    if (before === STATE_FAILED && this.slot.isFresh) this.lose(NO_THREAD);
    else this.#engine.wake(this.at + SLOT_AT.state);
  }

  /** Resumes a thread after mapping changes, or after the mapper has made the thread. */
  #replyBehindMapper(code: number): void {
    const words = this.#i32, { space, slot } = this;
    const state = Atomics.load(words, this.stateWord);
    const isAsleep = state !== POSTED_FAST && state !== POSTED_FRAME;
    if (!space.stageForResume(isAsleep ? slot : null)) {
      this.#held = code;
      space.held.push(this);
      return;
    }
    words[this.wordAt + SLOT_AT.chain / 4] = space.ring.head;
    this.#engine.addRunning(this);
    // A thread that is awake wakes the mapper when it sees the reply: commands come first. One that
    // sleeps is woken by the mapper's last command: the reply comes first.
    if (!isAsleep) space.ring.commit();
    const before = Atomics.exchange(words, this.stateWord, code | REPLY_CHAIN);
    if (isAsleep) {
      space.ring.commit();
      space.wakeMapper();
    } else if (before !== state) this.#wakeThread(before); // it fell asleep meanwhile
    if (slot.isFresh) space.hurry();
    else space.needsWake = false;
  }

  /** Sends the held reply: the ring has room again. */
  replyHeld(): void {
    const code = this.#held;
    this.#held = 0;
    if (code !== 0) this.#reply(code, this.#phase);
  }
}
