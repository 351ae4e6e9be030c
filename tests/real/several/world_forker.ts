/**
 * Forks the kernel of this process once a guest asks for it: a task that is named "stop LABEL"
 * waits until its name is "stopped" (../quiesce/world.c). The forks run beside the original, which
 * waits for their ends; every other one is deleted while it runs. What became of them goes to the
 * debug log, as a line of JSON. Nothing of this is in the product.
 */

import { assert } from "@std/assert";
import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { dup } from "../../../ffi/sys/files.ts";
import { SandboxKernel } from "../../../kernel/kernel.ts";
import { endKernel } from "../../../kernel/kernel_end.ts";
import { freezePages } from "../../../kernel/mm/freeze.ts";
import type { StandstillListener } from "../../../kernel/snapshot/quiesce.ts";
import { decodeWorld, encodeWorld } from "../../../kernel/snapshot/world_image.ts";
import { HostFdInode } from "../../../kernel/fs/hostfd/host_inode.ts";
import { GuestClock, newReading } from "../../../oci/boot/guest_clock.ts";
import { RealHost } from "../../../oci/boot/real_host.ts";
import { realTable } from "../../../oci/boot/snapshot/real_table.ts";
import type { ClockReading } from "../../../platform/vdso/clock_page.ts";
import { objectsOf, streamsOf, surroundingsOf } from "../copy/world_copier.ts";
import { copyFrames, writtenFrames } from "../../sim/forked_frames.ts";

/** In front of the JSON of what became of forks. */
export const MARK = "forks of the world: ";
export const FORKS = 8;
/** How long the original runs between two forks, and a fork before it may end, ms. */
const BETWEEN_MS = 30, RUN_MS = 200;
const REQUEST = "stop ";

export interface ForkReport {
  /** Wait statuses of forks that came to their ends. */
  readonly statuses: readonly number[];
  readonly deleted: number;
  readonly failures: readonly string[];
  /** KiB of frames that are held, at the end: by all, and by the original. */
  readonly heldKiB: number;
  readonly usedKiB: number;
}

/** Makes kernels that start from now on serve requests for forks. */
export function forkOnRequest(): void {
  const { run } = SandboxKernel.prototype;
  SandboxKernel.prototype.run = function (this: SandboxKernel): number {
    const { host } = this;
    if (!(host instanceof RealHost)) throw new Error("this kernel has no real host");
    const { events } = host, poll = events.poll.bind(events), forker = new WorldForker(this);
    events.poll = (timeoutNs) => {
      forker.look();
      poll(Math.min(timeoutNs, 1e6));
    };
    return run.call(this);
  };
}

const TABLE = realTable();

/** A fork, and the time at which it is deleted or may end. */
interface Fork {
  readonly kernel: SandboxKernel;
  readonly atMs: number;
  readonly isDoomed: boolean;
}

class WorldForker implements StandstillListener {
  readonly #kernel: SandboxKernel;
  readonly #firstReading: ClockReading = newReading();
  readonly #forks: Set<Fork> = new Set();
  readonly #statuses: number[] = [];
  readonly #failures: string[] = [];
  #made: number = 0;
  #deleted: number = 0;
  #nextMs: number = 0;

  constructor(kernel: SandboxKernel) {
    this.#kernel = kernel;
  }

  /** Called in each poll of the host. */
  look(): void {
    const { loop: { quiescence }, memory: { frames } } = this.#kernel, now = performance.now();
    for (const fork of this.#forks) if (now >= fork.atMs) this.#endFork(fork);
    if (quiescence.isAsked || now < this.#nextMs || askerOf(this.#kernel) === null) return;
    if (this.#made < FORKS) quiescence.request(this);
    else if (this.#forks.size === 0 && frames.pool.heldBytes === frames.usedBytes) this.#report();
  }

  onStandstill(): void {
    const kernel = this.#kernel, { memory } = kernel;
    for (const mm of memory.memories) {
      freezePages(mm);
      mm.space.flush();
    }
    const streams = streamsOf(kernel), surroundings = surroundingsOf(kernel);
    const { host, arena, frames, vdso, driver } = surroundings;
    const image = encodeWorld({ kernel, guests: [{ streams }] }, TABLE, {});
    const numbers = copyFrames(arena, writtenFrames(objectsOf(kernel)), frames);
    const { kernel: copy, guests } = decodeWorld(image, TABLE, surroundings, {
      numberOf: (frame) => numbers.get(frame) ?? frame,
      hold: (first, count) => frames.share(first * PAGE_SIZE, count),
    });
    for (const first of numbers.values()) frames.release(first * PAGE_SIZE, 1);
    const copies: readonly HostFdInode[] = Reflect.get(guests[0] ?? {}, "streams");
    for (const [i, { fd }] of streams.entries()) copies[i]!.connect(dup(fd));
    if (vdso !== null && host instanceof RealHost) {
      host.guestClock = new GuestClock(arena, vdso, this.#firstReading);
    }
    const isDoomed = this.#made++ % 2 === 1;
    const fork = { kernel: copy, atMs: performance.now() + RUN_MS, isDoomed };
    this.#forks.add(fork);
    driver.add(copy.loop, (failure) => this.#onEnd(fork, failure));
    this.#nextMs = performance.now() + BETWEEN_MS;
    kernel.loop.quiescence.resume();
  }

  onSandboxEnd(): void {}

  /** Deletes a fork, or lets its guest come to its end. */
  #endFork(fork: Fork): void {
    const asker = askerOf(fork.kernel);
    if (!fork.isDoomed) {
      if (asker !== null) asker.comm = "stopped";
      return;
    }
    this.#forks.delete(fork);
    this.#deleted++;
    endKernel(fork.kernel);
  }

  #onEnd(fork: Fork, failure: unknown): void {
    if (!this.#forks.delete(fork)) return;
    this.#statuses.push(fork.kernel.initStatus);
    if (failure !== null) this.#failures.push(Deno.inspect(failure));
    endKernel(fork.kernel);
  }

  #report(): void {
    const { frames } = this.#kernel.memory, asker = askerOf(this.#kernel);
    assert(asker !== null);
    const report: ForkReport = {
      statuses: this.#statuses,
      deleted: this.#deleted,
      failures: this.#failures,
      heldKiB: frames.pool.heldBytes / 1024,
      usedKiB: frames.usedBytes / 1024,
    };
    this.#kernel.log(MARK + JSON.stringify(report));
    asker.comm = "stopped";
  }
}

/** The task that asks for forks. */
function askerOf(kernel: SandboxKernel): { comm: string } | null {
  for (const task of kernel.pids.tasks.values()) if (task.comm.startsWith(REQUEST)) return task;
  return null;
}
