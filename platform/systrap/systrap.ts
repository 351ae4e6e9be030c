/**
 * The systrap platform: guest threads are host threads of stub processes. seccomp turns their
 * system calls into signals, and patched call sites post directly.
 *
 * This file makes spaces, keeps some stubs ready, and handles ends of processes. Neighbours:
 * `engine.ts` polls, `space.ts`, `context.ts`; `stub/` has the code of the stubs.
 */

import { EPOLLIN } from "../../ffi/abi/epoll.ts";
import { WNOHANG } from "../../ffi/abi/wait.ts";
import { SIGKILL } from "../../ffi/abi/signal.ts";
import { SYS_kill, SYS_wait4 } from "../../ffi/abi/syscall_numbers.ts";
import type { Arena } from "../../ffi/mem/arena.ts";
import { Epoll } from "../../ffi/sys/epoll.ts";
import { poll } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { SpawnScript } from "../../ffi/sys/spawn.ts";
import type { Platform, Thunks } from "../platform.ts";
import { assembleStub } from "./stub/image.ts";
import {
  FIRST_REPLY,
  GLOBAL_AT,
  REPLY_SAVE,
  SIGNAL_STACK,
  SLOT_AT,
  STUB_BASE,
  TABLES,
} from "./stub/layout.ts";
import { TABLE_BYTES } from "../thunks.ts";
import type { SystrapContext } from "./context.ts";
import { ControlMemory, SHARED_OFFSETS } from "./control_memory.ts";
import { Engine, KICK_DEADLINE_NS } from "./engine.ts";
import { FileTable } from "./files.ts";
import { FrameLayout } from "./frame.ts";
import { hasFsGsBase, minSignalStackBytes } from "./host_facts.ts";
import { SystrapThunks } from "./site_memory.ts";
import { type SpaceOwner, SystrapSpace } from "./space.ts";
import { ZygoteLink } from "./zygote_link.ts";

export interface SystrapOptions {
  /** Stubs kept ready. Default 2. */
  readonly poolSize?: number;
  /** Adds steps to the start of the zygote: limits, cgroup, priority. All stubs inherit them. */
  readonly prepare?: (script: SpawnScript) => void;
  /**
   * How long a guest may leave an interrupt unanswered before its stub is killed. Default
   * KICK_DEADLINE_NS.
   */
  readonly kickDeadlineNs?: number;
}

/** How long the first stub may take to start. */
const START_TIMEOUT_MS = 10_000;
/** epoll tokens; a space has its number. */
const TOKEN_ZYGOTE = 0xfffffffe;
/** Ticks that are used until the clock is calibrated. */
const DEFAULT_TICKS_PER_NS = 2;
const CALIBRATION_NS = 20e6;
/** How often the platform looks for stubs that were killed at their birth, and their least age. */
const LOOK_NS = 100e6, STILLBORN_NS = 1e9;

/**
 * Starts the zygote and the first stubs; returns when one has reported.
 *
 * LIMIT: needs CLOSE_RANGE_CLOEXEC (Linux 5.11) and FSGSBASE (a processor of the last ten years);
 * elsewhere ptrace serves.
 *
 * @throws Error naming what the host refused, or that stubs do not start
 */
export function createSystrapPlatform(arena: Arena, options: SystrapOptions = {}): Platform {
  try {
    return new SystrapPlatform(arena, options);
  } catch (error) {
    // Where the host keeps addresses random, its stack is in the place of the stub's program once
    // in some 100,000 starts, and the zygote is killed by its execve.
    if (!(error instanceof ZygoteEnded)) throw error;
    return new SystrapPlatform(arena, options);
  }
}

class ZygoteEnded extends Error {
  override readonly message = "systrap: the zygote ended while it started";
}

export class SystrapPlatform implements Platform, SpaceOwner {
  readonly name = "systrap";
  readonly isInProcess = false;
  readonly sleepCostNs = 50_000;
  readonly maxUserAddress = STUB_BASE;
  readonly reserved: readonly (readonly [number, number])[];
  readonly engine: Engine;
  readonly #control: ControlMemory;
  readonly #link: ZygoteLink;
  readonly #epoll = new Epoll();
  readonly #files: FileTable;
  readonly #spaces = new Map<number, SystrapSpace>();
  /** Spaces whose stub has not reported its pid yet, and since when, ns. */
  readonly #unborn = new Map<SystrapSpace, number>();
  #nextLookNs = 0;
  /**
   * Pids of reaped stubs that were killed before they reported their pid: their space is unknown.
   */
  readonly #stillborn = new Set<number>();
  readonly #pool: SystrapSpace[] = [];
  readonly #poolSize: number;
  #isZygoteDead = false;
  #isDestroyed = false;
  #isCalibrated = false;
  #firstTicks = 0;
  #firstNs = -1;
  #ticksPerNs = DEFAULT_TICKS_PER_NS;
  #spinNs = 0;

  constructor(arena: Arena, options: SystrapOptions) {
    this.#poolSize = options.poolSize ?? 2;
    this.reserved = TABLES.map((start) => [start, start + TABLE_BYTES] as const);
    if (!hasFsGsBase()) throw new Error("systrap: this host does not let programs use wrfsbase");
    const slotBytes = slotSize(minSignalStackBytes());
    this.#control = new ControlMemory(slotBytes);
    const image = assembleStub(
      slotBytes,
      SHARED_OFFSETS,
      crypto.getRandomValues(new Uint32Array(4)),
    );
    const doorbell = Engine.newDoorbell();
    const fds = { control: this.#control.fd, arena: arena.fd, doorbell };
    this.#link = ZygoteLink.start(image.elf, fds, options.prepare ?? null);
    this.engine = new Engine(this.#control, image, this.#link, doorbell);
    this.engine.kickDeadlineNs = options.kickDeadlineNs ?? KICK_DEADLINE_NS;
    this.#files = new FileTable(this.engine);
    this.#epoll.add(this.#link.pidfd, EPOLLIN, TOKEN_ZYGOTE);
    try {
      this.#learnFrame();
      this.#fillPool();
    } catch (error) {
      this.destroy();
      throw error;
    }
  }

  /**
   * Takes the layout of a signal frame from the first stub, while no guest code can have changed
   * it. The stub then is the first of the pool.
   */
  #learnFrame(): void {
    const space = this.#newSpace();
    const slot = space?.prepareThread() ?? null;
    if (space === null || slot === null) throw new Error("systrap: no room for a stub");
    const state = (slot.at + SLOT_AT.state) / 4;
    this.#control.i32[state] = REPLY_SAVE;
    this.#startStub(space);
    const deadline = performance.now() + START_TIMEOUT_MS;
    while (Atomics.load(this.#control.i32, state) >= FIRST_REPLY) {
      this.#lookAtZygote();
      if (this.#isZygoteDead) throw new ZygoteEnded();
      if (performance.now() > deadline) throw new Error("systrap: the first stub does not report");
      poll(this.#epoll.fd, EPOLLIN, 1);
    }
    this.engine.setFrame(new FrameLayout(this.#control, slot.at, slot.address));
    slot.hasFrame = true;
    slot.isFresh = false;
    space.stubIsAlive();
    this.#pool.push(space);
  }

  get fpuSize(): number {
    return this.engine.frame.fpuSize;
  }

  get fpuFeatures(): number {
    return this.engine.frame.features;
  }

  // Spaces

  newAddressSpace(): SystrapSpace | null {
    this.#fillPool();
    let space = this.#pool.shift() ?? null;
    // A stub of the pool may have been killed.
    while (space?.broken === true) {
      space.destroy();
      space = this.#pool.shift() ?? null;
    }
    this.#fillPool();
    return space;
  }

  newTemplate(): SystrapSpace | null {
    if (this.#isZygoteDead) return null;
    const space = this.#newSpace();
    if (space !== null) this.#startStub(space);
    return space;
  }

  #fillPool(): void {
    while (this.#pool.length < Math.max(1, this.#poolSize) && !this.#isZygoteDead) {
      const space = this.#newSpace();
      if (space === null) return;
      space.prepareThread();
      this.#startStub(space);
      this.#pool.push(space);
    }
  }

  #newSpace(): SystrapSpace | null {
    if (this.#isDestroyed) return null;
    const id = this.#control.takeSpace();
    if (id < 0) return null;
    const chunk = this.#control.takeChunk();
    if (chunk < 0) {
      this.#control.giveSpace(id);
      return null;
    }
    const space = new SystrapSpace(this, id, chunk);
    this.#spaces.set(id, space);
    this.#unborn.set(space, performance.now() * 1e6);
    return space;
  }

  #startStub(space: SystrapSpace): void {
    const commands = this.#control.commandsOffset(space.id);
    this.#link.makeStub(commands, space.firstChunk, this.#control.ackOffset(space.id));
  }

  childOf(_parent: SystrapSpace): SystrapSpace | null {
    return this.#newSpace();
  }

  installedBy(file: number): number {
    return this.#files.installedBy(file);
  }

  born(space: SystrapSpace): void {
    this.#unborn.delete(space);
    this.#stillborn.delete(space.pid);
    if (space.pidfd >= 0) this.#epoll.add(space.pidfd, EPOLLIN, space.id);
  }

  ended(space: SystrapSpace): void {
    this.#unborn.delete(space);
    this.#spaces.delete(space.id);
  }

  // Running

  poll(): SystrapContext | null { // HOT
    return this.engine.poll();
  }

  get runningCount(): number {
    return this.engine.running.length;
  }

  get doorbellFd(): number {
    return this.engine.doorbell;
  }

  get guestCpu(): number {
    return this.engine.guestCpu;
  }

  get guestGapNs(): number {
    return this.engine.guestGapTicks / this.#ticksPerNs;
  }

  /** An epoll descriptor that reports the end of every stub. */
  get endsFd(): number {
    return this.#epoll.fd;
  }

  prepareSleep(): boolean {
    return this.engine.prepareSleep();
  }

  finishSleep(): void {
    this.engine.wakeUp();
    for (const space of this.#unborn.keys()) space.stubIsAlive();
  }

  setSpinBudget(ns: number): void {
    this.#spinNs = ns;
    this.engine.setSpinTicks(Math.min(0x7fffffff, Math.round(ns * this.#ticksPerNs)));
  }

  setLoopCpu(cpu: number): void {
    this.engine.setLoopCpu(cpu);
  }

  registerFile(hostFd: number): number {
    return this.#files.register(hostFd);
  }

  unregisterFile(file: number): void {
    this.#files.unregister(file, this.#spaces.values());
  }

  newThunks(): Thunks {
    return new SystrapThunks(this.#control, this.engine.image.fast);
  }

  // Time and death

  /** Also true while stubs are born: the end of a stub whose pid is not known raises no event. */
  get isKicking(): boolean {
    return this.engine.due.length > 0 || this.#unborn.size > 0;
  }

  tick(nowNs: number): void {
    this.engine.tickKicks(nowNs);
    this.reap();
    this.#files.tick();
    for (const space of this.#unborn.keys()) space.stubIsAlive();
    this.#lookForStillborn(performance.now() * 1e6);
    this.#calibrate();
  }

  /** Ends spaces whose stub was killed at its birth: their contexts would wait for ever. */
  #lookForStillborn(nowNs: number): void {
    if (this.#unborn.size === 0 || nowNs < this.#nextLookNs) return;
    this.#nextLookNs = nowNs + LOOK_NS;
    this.#lookAtZygote();
    while (!this.#isZygoteDead) {
      const pid = syscall(SYS_wait4, -this.#link.pid, 0, WNOHANG, 0);
      if (pid <= 0) break;
      const space = [...this.#spaces.values()].find((known) => known.pid === pid);
      if (space === undefined) this.#stillborn.add(pid);
      else {
        this.#epoll.del(space.pidfd);
        space.died();
      }
    }
    for (const [space, sinceNs] of this.#unborn) {
      const [pid] = this.#stillborn;
      if (pid === undefined || nowNs - sinceNs < STILLBORN_NS) break;
      this.#stillborn.delete(pid);
      this.#unborn.delete(space);
      const place = this.#pool.indexOf(space);
      if (place >= 0) this.#pool.splice(place, 1);
      space.stillborn();
    }
  }

  /** Compares the zygote's time stamps with the clock at two messages that are far enough apart. */
  #calibrate(): void {
    if (this.#isCalibrated || !this.#link.isIdle(this.engine.installed)) return;
    const ticks = this.#control.word(this.#control.global + GLOBAL_AT.installedTsc);
    const ns = this.#link.sentAtNs;
    if (this.#firstNs < 0) {
      this.#firstTicks = ticks;
      this.#firstNs = ns;
    } else if (ns - this.#firstNs > CALIBRATION_NS) {
      this.#ticksPerNs = (ticks - this.#firstTicks) / (ns - this.#firstNs);
      this.#isCalibrated = true;
      this.setSpinBudget(this.#spinNs);
    }
  }

  reap(): void {
    const count = this.#epoll.wait(0);
    for (let i = 0; i < count; i++) {
      const token = this.#epoll.token(i);
      if (token === TOKEN_ZYGOTE) this.#lookAtZygote();
      else this.#reap(token);
    }
  }

  #reap(id: number): void {
    const space = this.#spaces.get(id);
    if (space === undefined || space.pid === 0) return;
    if (syscall(SYS_wait4, space.pid, 0, WNOHANG, 0) === 0) return;
    this.#epoll.del(space.pidfd);
    space.died();
  }

  /** The zygote is reaped last: its pid is the number of the group. */
  #lookAtZygote(): void {
    if (this.#isZygoteDead || poll(this.#link.pidfd, EPOLLIN, 0) <= 0) return;
    this.#isZygoteDead = true;
    this.#epoll.del(this.#link.pidfd);
    // No program can be started and no file be mapped any more, so all spaces end.
    for (const space of [...this.#spaces.values()]) {
      space.parentDied();
      space.kill("the zygote is dead");
    }
  }

  /**
   * Kills the zygote's group, in which all stubs are, also those without a known pid. Returns when
   * all are reaped.
   */
  destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    const group = -this.#link.pid;
    syscall(SYS_kill, group, SIGKILL);
    while (syscall(SYS_wait4, group, 0, 0, 0) > 0);
    for (const space of [...this.#spaces.values()]) {
      space.destroy();
      space.died();
    }
    this.#link.close();
    this.#epoll.close();
    this.engine.close();
    this.#control.close();
  }
}

/**
 * The size of a slot: a power of two with room for the part below the signal stack, and for the
 * largest frame.
 */
function slotSize(minSignalStack: number): number {
  let bytes = 8192;
  while (bytes < SIGNAL_STACK + minSignalStack + 1024) bytes *= 2;
  return bytes;
}
