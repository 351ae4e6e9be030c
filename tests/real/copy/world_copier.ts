/**
 * Replaces the kernel of this process by a copy of itself, made by a snapshot, again and again,
 * once a guest asks for it: a task that is named "stop LABEL" waits until its name is "stopped"
 * (../quiesce/world.c). This is what a rollback does. What the copies took goes to the debug log,
 * as a line of JSON. Nothing of this is in the product.
 */

import { threadCpuNs } from "../../../ffi/sys/clock.ts";
import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { endKernel } from "../../../kernel/kernel_end.ts";
import { SandboxKernel } from "../../../kernel/kernel.ts";
import { FrameAllocator } from "../../../kernel/mm/frames.ts";
import { EndsOfSpaces } from "../../../kernel/mm/memory_context.ts";
import type { Surroundings } from "../../../kernel/snapshot/anchors/surroundings.ts";
import type { StandstillListener } from "../../../kernel/snapshot/quiesce.ts";
import { decodeWorld, encodeWorld } from "../../../kernel/snapshot/world_image.ts";
import { HostFdInode } from "../../../kernel/fs/hostfd/host_inode.ts";
import { GoferFs } from "../../../kernel/fs/gofer/gofer_fs.ts";
import { GuestClock, makeVdso, newReading } from "../../../oci/boot/guest_clock.ts";
import type { ClockReading } from "../../../platform/vdso/clock_page.ts";
import { RealHost } from "../../../oci/boot/real_host.ts";
import { realTable } from "../../../oci/boot/snapshot/real_table.ts";
import { FATES } from "../../../kernel/snapshot/fates.ts";
import { AddressSpace } from "../../../platform/platform.ts";
import { heldObjects } from "../../sim/object_graph.ts";

/** In front of the JSON of a guest's copies. */
export const MARK = "copies of the world: ";
/** How often the world is copied for one request, and how long it runs in between at most, ms. */
export const COPIES = 100;
const RUN_MS = 10;
/** How long a copy waits for the end of the kernels before. */
const PATIENCE_MS = 200;
const REQUEST = "stop ";

export interface CopyReport {
  readonly label: string;
  readonly tasks: number;
  /** Bytes of the last image. */
  readonly bytes: number;
  /** KiB of frames that all kernels have, before each copy. */
  readonly heldKiB: readonly number[];
  readonly encodeMs: readonly number[];
  readonly decodeMs: readonly number[];
}

/** Makes kernels that start from now on serve requests for copies. */
export function copyOnRequest(): void {
  const { run } = SandboxKernel.prototype;
  SandboxKernel.prototype.run = function (this: SandboxKernel): number {
    const { host } = this;
    if (!(host instanceof RealHost)) throw new Error("this kernel has no real host");
    const { events } = host, poll = events.poll.bind(events), copier = new WorldCopier(this);
    events.poll = (timeoutNs) => {
      copier.look();
      // An idle kernel wakes up for the next copy.
      poll(Math.min(timeoutNs, copier.isBusy ? 1e5 : 1e6));
    };
    run.call(this);
    return copier.kernel.initStatus;
  };
}

const TABLE = realTable();

class WorldCopier implements StandstillListener {
  kernel: SandboxKernel;
  readonly #firstReading: ClockReading = newReading();
  #isBusy: boolean = false;
  #nextMs: number = 0;
  #encodeMs: number[] = [];
  #decodeMs: number[] = [];
  readonly #heldKiB: number[] = [];

  constructor(kernel: SandboxKernel) {
    this.kernel = kernel;
  }

  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Called in each poll of the host. */
  look(): void {
    const { loop: { quiescence }, pids } = this.kernel, now = performance.now();
    if (quiescence.isAsked || now < this.#nextMs) return;
    // Threads of the kernels before may end late: their frames are no growth.
    const { memory: { frames } } = this.kernel, isLate = now > this.#nextMs + PATIENCE_MS;
    if (!isLate && frames.pool.heldBytes !== frames.usedBytes) return;
    for (const task of pids.tasks.values()) {
      if (!task.comm.startsWith(REQUEST)) continue;
      this.#isBusy = true;
      quiescence.request(this);
      return;
    }
  }

  onStandstill(): void {
    const { kernel } = this;
    this.#heldKiB.push(kernel.memory.frames.pool.heldBytes / 1024);
    const root = { kernel, guests: [{ streams: streamsOf(kernel) }] };
    const surroundings = surroundingsOf(kernel), { host, frames, vdso, driver } = surroundings;
    const found = cpuMs(), image = encodeWorld(root, TABLE, { isInProcess: false });
    const encoded = cpuMs();
    const { kernel: copy, guests } = decodeWorld(image, TABLE, surroundings, {
      numberOf: (frame) => frame,
      hold: (first, count) => frames.share(first * PAGE_SIZE, count),
    });
    const decoded = cpuMs();
    connect(root.guests, guests);
    adopt(kernel, copy);
    if (vdso !== null && host instanceof RealHost) {
      host.guestClock = new GuestClock(kernel.memory.arena, vdso, this.#firstReading);
    }
    kernel.loop.quiescence.resume();
    driver.add(copy.loop);
    endKernel(kernel);
    this.kernel = copy;
    this.#encodeMs.push(encoded - found);
    this.#decodeMs.push(decoded - encoded);
    if (this.#encodeMs.length === COPIES) this.#report(copy, image.bytes.length);
    this.#nextMs = performance.now() + Math.random() * RUN_MS;
  }

  #report(kernel: SandboxKernel, bytes: number): void {
    const asker = [...kernel.pids.tasks.values()].find(({ comm }) => comm.startsWith(REQUEST));
    const report: CopyReport = {
      label: asker?.comm.slice(REQUEST.length) ?? "",
      tasks: kernel.pids.tasks.size,
      bytes,
      heldKiB: this.#heldKiB,
      encodeMs: sorted(this.#encodeMs),
      decodeMs: sorted(this.#decodeMs),
    };
    kernel.log(MARK + JSON.stringify(report));
    this.#isBusy = false;
    if (asker !== undefined) asker.comm = "stopped";
  }

  onSandboxEnd(): void {}
}

/** The processor time of this thread: other programs of the machine do not count. */
function cpuMs(): number {
  return threadCpuNs() / 1e6;
}

function sorted(ms: number[]): number[] {
  return ms.sort((a, b) => a - b).map((one) => Math.round(1000 * one) / 1000);
}

/** Those of the kernel that is replaced, but with a clock, frames and a vDSO of their own. */
export function surroundingsOf(kernel: SandboxKernel): Surroundings {
  const { platform, memory, calls, containment, loop, proc, namespaces: { net } } = kernel;
  if (!(kernel.host instanceof RealHost)) throw new Error("this kernel has no real host");
  const { arena, windows, frames: { pool } } = memory, host = kernel.host.another();
  const frames = new FrameAllocator(arena, new EndsOfSpaces(platform, host), pool);
  const files = objectsOf(kernel).find((object) => object instanceof GoferFs);
  return {
    ...{ host, platform, arena, frames, windows, driver: loop.driver, cpuInfo: proc.cpuInfo },
    vdso: memory.vdso === null ? null : makeVdso(arena, frames, host.cpuCount),
    debugLog: Reflect.get(kernel, "debugLog"),
    observer: calls.observer,
    sink: Reflect.get(containment, "sink"),
    turns: loop.server.turns,
    // All file systems of `do` have one Gofer.
    goferClient: () => files?.client ?? null,
    reconnect: { isCopy: false },
    changes: [],
    dentries: [],
    network: net.network,
    tcp: "reset",
  };
}

/** All objects of state. */
export function objectsOf(kernel: SandboxKernel): object[] {
  const isOutside = (value: object) =>
    value instanceof AddressSpace || FATES.get(value.constructor?.name ?? "") === "host";
  return [...heldObjects(kernel, isOutside).keys()];
}

/** The descriptors of the host that guests have. */
export function streamsOf(kernel: SandboxKernel): HostFdInode[] {
  const streams = objectsOf(kernel).filter((object) => object instanceof HostFdInode);
  return streams.filter(({ fd }) => fd >= 0);
}

interface Streams {
  readonly streams: readonly HostFdInode[];
}

/** What the boot process would do around a kernel that was rolled back. */
function adopt(old: SandboxKernel, kernel: SandboxKernel): void {
  const { host } = kernel, sandbox = old.oom.listener;
  if (!(host instanceof RealHost) || sandbox === null) throw new Error("no sandbox");
  Reflect.set(sandbox, "kernel", kernel);
  kernel.oom.listener = sandbox;
  host.events.onRest = () => kernel.memory.releaseCaches();
}

/** The streams of the copy get the descriptors. */
function connect([old]: readonly Streams[], [copy]: readonly object[]): void {
  const streams: readonly HostFdInode[] = Reflect.get(copy ?? {}, "streams");
  for (const [i, inode] of old?.streams.entries() ?? []) {
    const { fd, fs: { host } } = inode;
    host.unwatch(fd);
    inode.fd = -1;
    streams[i]!.connect(fd);
  }
}
