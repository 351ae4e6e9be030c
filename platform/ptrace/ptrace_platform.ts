/**
 * The ptrace platform: portable, small, slow. Guest threads are traced threads of stub processes
 * under PTRACE_SYSEMU.
 *
 * All calls must come from the thread that created the platform, as ptrace(2) accepts no other. A
 * process has at most one, as it uses SIGCHLD as its doorbell. Neighbours: `space.ts`,
 * `context.ts`, `tracer.ts`; `zygote.ts` is the host process behind all spaces.
 */

import { ECHILD } from "../../ffi/abi/errno.ts";
import { SIGKILL } from "../../ffi/abi/signal.ts";
import { SYS_kill } from "../../ffi/abi/syscall_numbers.ts";
import type { Arena } from "../../ffi/mem/arena.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { SpawnScript } from "../../ffi/sys/spawn.ts";
import type { Platform } from "../platform.ts";
import { CommandPages } from "./command_pages.ts";
import type { PtraceContext } from "./context.ts";
import { Doorbell } from "./doorbell.ts";
import { MappingIndex } from "../mapping_index.ts";
import { cloneSpace, type PtraceSpace } from "./space.ts";
import { STUB_TEXT } from "./stub_image.ts";
import { Tracer } from "./tracer.ts";
import { type StubOwner, Zygote } from "./zygote.ts";

export interface PtraceOptions {
  /** LIMIT: guest processes at a time. */
  readonly maxSpaces?: number;
  /** LIMIT: host threads of all guest processes, which have one more each than the guest's own. */
  readonly maxThreads?: number;
  /** Adds steps to the start of the first stub; all others inherit their effect. */
  readonly prepare?: (script: SpawnScript) => void;
}

const DEFAULT_MAX_SPACES = 16384;
const DEFAULT_MAX_THREADS = 49152;
/** XTILEDATA, a feature that a thread must request. */
const AMX_DATA = 1 << 18;

/**
 * @param arena memory that spaces can map
 * @throws Error naming the host's call that failed: the host denies ptrace, memfd or seccomp
 */
export function createPtracePlatform(arena: Arena, options: PtraceOptions = {}): Platform {
  return new PtracePlatform(arena, options);
}

export class PtracePlatform implements Platform, StubOwner {
  readonly name = "ptrace";
  readonly isInProcess = false;
  readonly sleepCostNs = 50_000;
  readonly maxUserAddress = STUB_TEXT;
  readonly tracer: Tracer;
  readonly commands: CommandPages;
  readonly spaces = new Set<PtraceSpace>();
  readonly dirty = new Set<PtraceSpace>();
  readonly #doorbell: Doorbell;
  readonly #zygote: Zygote;

  constructor(arena: Arena, options: PtraceOptions) {
    this.tracer = new Tracer(options.maxThreads ?? DEFAULT_MAX_THREADS);
    this.commands = new CommandPages(options.maxSpaces ?? DEFAULT_MAX_SPACES);
    this.#doorbell = new Doorbell(this.tracer);
    try {
      this.#zygote = Zygote.start(this.tracer, this.commands, arena, options.prepare ?? null);
    } catch (error) {
      this.#free();
      throw error;
    }
  }

  get reserved(): readonly (readonly [number, number])[] {
    return this.#zygote.reserved;
  }

  get doorbellFd(): number {
    return this.#doorbell.fd;
  }

  readonly endsFd = -1;
  readonly guestCpu = -1;
  readonly guestGapNs = -1;

  /** Ends of processes arrive as events of the tracer. */
  reap(): void {}

  get fpuSize(): number {
    return this.tracer.fpuSize;
  }

  get fpuFeatures(): number {
    return (this.tracer.featuresLow & ~AMX_DATA) >>> 0;
  }

  get runningCount(): number {
    return this.tracer.runningCount;
  }

  newAddressSpace(): PtraceSpace | null {
    return cloneSpace(this, this.#zygote.helper, new MappingIndex());
  }

  newTemplate(): PtraceSpace | null {
    return this.newAddressSpace();
  }

  /**
   * Queues all that stopped before it returns the first: the host reports the oldest thread first,
   * and a thread that stops again at once would delay the others' turn. HOT
   */
  poll(): PtraceContext | null {
    const context = this.tracer.dequeue();
    if (context !== null) return context;
    while (this.tracer.wait(false) > 0);
    return this.tracer.dequeue();
  }

  prepareSleep(): boolean {
    this.#doorbell.turnOn();
    while (!this.tracer.hasReady() && this.tracer.wait(false) > 0);
    if (!this.tracer.hasReady()) return true;
    this.#doorbell.turnOff();
    return false;
  }

  finishSleep(): void {
    this.#doorbell.turnOff();
  }

  /** A traced thread that has stopped is asleep already. */
  setSpinBudget(_ns: number): void {}
  setLoopCpu(_cpu: number): void {}

  registerFile(hostFd: number): number {
    return this.#zygote.receiveFile(hostFd);
  }

  unregisterFile(file: number): void {
    for (const space of this.dirty) space.flush(); // a queued mapFile may name it
    this.#zygote.closeFile(file);
  }

  /** Every call stops its thread, so call sites are not patched. */
  newThunks(): null {
    return null;
  }

  readonly isKicking = false;

  /** The host delivers a kick in bounded time, and ends of stubs are events of the tracer. */
  tick(_nowNs: number): void {}

  destroy(): void {
    for (const space of this.spaces) space.destroy();
    syscall(SYS_kill, this.#zygote.helper.tid, SIGKILL);
    while (this.tracer.wait(true) !== -ECHILD);
    this.#zygote.close();
    this.#free();
  }

  #free(): void {
    this.#doorbell.close();
    this.commands.region.close();
    this.tracer.memory.close();
  }
}
