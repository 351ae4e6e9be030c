/**
 * The one place that waits for tracees: all stubs of a platform are one process group, and the
 * tracer takes its events.
 *
 * It holds the register blocks that ptrace(2) reads and writes, and the queue of contexts that
 * stopped. The Tracee decides what a stop means. Neighbours: `tracee.ts`, `ptrace_platform.ts`.
 * Source: ptrace(2), wait4(2).
 */

import { ECHILD, EINTR } from "../../ffi/abi/errno.ts";
import { SYS_wait4 } from "../../ffi/abi/syscall_numbers.ts";
import { __WALL, __WNOTHREAD, wifStopped, WNOHANG } from "../../ffi/abi/wait.ts";
import { SharedRegion } from "../../ffi/mem/shared_region.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { PtraceContext } from "./context.ts";
import type { Tracee } from "./tracee.ts";

/** Bytes of a register block: struct user_regs_struct (216), padded. */
const BLOCK_BYTES = 256;
/**
 * The first bytes of the memory: status word, a word of memory, iovec, siginfo, two sigactions, and
 * the XSAVE area at its own page.
 */
const STATUS = 0;
const WORD = 8;
const IOVEC = 16;
const SIGINFO = 64;
const ACTIONS = 256;
const XSTATE = 4096;
const BLOCKS = 65536;
/** LIMIT: bytes for the XSAVE area, with room for the 11 KiB of AMX. */
export const MAX_XSTATE_BYTES = BLOCKS - XSTATE;

export class Tracer {
  readonly memory: SharedRegion;
  /** View of `memory`; the offsets below and Tracee.block index it. */
  readonly dv: DataView;
  readonly siginfo = SIGINFO;
  readonly word = WORD;
  readonly iovec = IOVEC;
  readonly actions = ACTIONS;
  readonly xstate = XSTATE;
  /** Process group of all stubs, from the start of the zygote on. */
  group = 0;
  /** Number of guest threads that run. */
  runningCount = 0;
  /**
   * The FPU state of this host, as `probeFpu` found it: bytes, XCR0, and the MXCSR bits that exist.
   */
  fpuSize = 0;
  featuresLow = 0;
  featuresHigh = 0;
  mxcsrMask = 0;

  #tracees = new Map<number, Tracee>();
  /** First stops of tracees that are not adopted yet. */
  #early = new Map<number, number>();
  #freeBlocks: number[] = [];
  #blocks = 0;
  readonly #maxBlocks: number;
  #ready: PtraceContext[] = [];
  #head = 0;

  constructor(maxThreads: number) {
    this.#maxBlocks = maxThreads;
    this.memory = SharedRegion.create("dvisor-ptrace", BLOCKS + maxThreads * BLOCK_BYTES);
    this.dv = this.memory.dv;
  }

  /** Host address of an offset in `memory`. */
  address(offset: number): number {
    return this.memory.base + offset;
  }

  /** Whether another thread is allowed. */
  hasRoom(): boolean {
    return this.#freeBlocks.length > 0 || this.#blocks < this.#maxBlocks;
  }

  get traceeCount(): number {
    return this.#tracees.size;
  }

  takeBlock(): number {
    const free = this.#freeBlocks.pop();
    if (free !== undefined) return free;
    if (this.#blocks === this.#maxBlocks) throw new RangeError("too many traced threads");
    return BLOCKS + BLOCK_BYTES * this.#blocks++;
  }

  /** Passes events of this thread to `tracee` from now on, and a stop that came before at once. */
  adopt(tracee: Tracee): void {
    this.#tracees.set(tracee.tid, tracee);
    const status = this.#early.get(tracee.tid);
    if (status === undefined) return;
    this.#early.delete(tracee.tid);
    this.#deliver(tracee, status);
  }

  /**
   * Takes one event and passes it to its tracee.
   *
   * @returns its tid, 0 if there is none (never when `block`), or -errno; -ECHILD if nothing is
   * traced. HOT
   */
  wait(block: boolean): number {
    const options = __WALL | __WNOTHREAD | (block ? 0 : WNOHANG);
    let tid: number;
    do {
      tid = syscall(SYS_wait4, -this.group, this.memory.base + STATUS, options, 0);
    } while (tid === -EINTR);
    if (tid <= 0) return tid;
    const status = this.dv.getInt32(STATUS, true);
    const tracee = this.#tracees.get(tid);
    if (tracee !== undefined) this.#deliver(tracee, status);
    else if (wifStopped(status)) this.#early.set(tid, status);
    else this.#early.delete(tid);
    return tid;
  }

  /** Waits until `tracee` has stopped or ended. Events of other tracees are kept. */
  waitFor(tracee: Tracee): void {
    while (!tracee.isStopped && !tracee.isDead) {
      if (this.wait(true) === -ECHILD) this.#end(tracee, 0);
    }
  }

  #deliver(tracee: Tracee, status: number): void {
    if (wifStopped(status)) {
      tracee.isStopped = true;
      tracee.onStop(status);
    } else {
      this.#end(tracee, status);
    }
  }

  #end(tracee: Tracee, status: number): void {
    this.#tracees.delete(tracee.tid);
    this.#freeBlocks.push(tracee.block);
    tracee.isStopped = false;
    tracee.isDead = true;
    tracee.onEnd(status);
  }

  /** Queues a context for `poll`. It is queued once, whatever its trap becomes until then. */
  enqueue(context: PtraceContext): void {
    if (context.isQueued) return;
    context.isQueued = true;
    this.#ready.push(context);
  }

  /** HOT */
  dequeue(): PtraceContext | null {
    while (this.#head < this.#ready.length) {
      const context = this.#ready[this.#head++]!;
      if (this.#head === this.#ready.length) {
        this.#ready.length = 0;
        this.#head = 0;
      }
      context.isQueued = false;
      if (!context.isReleased) return context;
    }
    return null;
  }

  hasReady(): boolean {
    return this.#head < this.#ready.length;
  }
}
