/**
 * The guest's vDSO: puts its image and data page into guest memory, and updates the clock in the
 * data page while the sandbox is awake. An idle sandbox is never woken for it, because the time
 * stamp counter goes on alone.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { copyFromBuffer, store32 } from "../../ffi/mem/native_memory.ts";
import { monotonicNs, realtimeNsec, realtimeSec, timeStampCounter } from "../../ffi/sys/clock.ts";
import { ClockPage, type ClockReading } from "../../platform/vdso/clock_page.ts";
import { buildVdso, CLOCK, DATA_PAGE_BYTES } from "../../platform/vdso/vdso.ts";
import type { Arena } from "../../ffi/mem/arena.ts";
import type { FrameAllocator } from "../../kernel/mm/frames.ts";
import type { VdsoPages } from "../../kernel/mm/memory_context.ts";

const UPDATE_NS = 1_000_000_000;
/** Guests ask the kernel for the time until the rate is known, so the first update comes soon. */
const FIRST_UPDATE_NS = 60_000_000;

/**
 * Puts the vDSO into new frames, whose clock functions ask the kernel until a clock updates the
 * data page. Null: there is no memory.
 *
 * @param cpus processors of the machine
 */
export function makeVdso(arena: Arena, frames: FrameAllocator, cpus: number): VdsoPages | null {
  const image = buildVdso();
  const frame = frames.alloc((DATA_PAGE_BYTES + image.length) / PAGE_SIZE);
  if (frame < 0) return null;
  const data = arena.base + frame;
  copyFromBuffer(data + DATA_PAGE_BYTES, image, 0, image.length);
  store32(data + CLOCK.cpus, cpus);
  return {
    vvarFrame: frame,
    vvarBytes: DATA_PAGE_BYTES,
    imageFrame: frame + DATA_PAGE_BYTES,
    imageBytes: image.length,
    cpusAt: frame + CLOCK.cpus,
  };
}

export class GuestClock {
  readonly #page: ClockPage;
  readonly #reading: ClockReading;
  #nextNs: number;

  /** @param first an early reading: the rate is measured from there */
  constructor(arena: Arena, { vvarFrame }: VdsoPages, first: ClockReading) {
    this.#reading = first;
    this.#page = new ClockPage(arena.base + vvarFrame, { ...first });
    this.#nextNs = first.monotonicNs + FIRST_UPDATE_NS;
  }

  /** Called often while the sandbox is awake, with the host's CLOCK_MONOTONIC. HOT */
  tick(nowNs: number): void {
    if (nowNs < this.#nextNs) return;
    this.#nextNs = nowNs + UPDATE_NS;
    this.#update();
  }

  /** Guests read the host's CLOCK_MONOTONIC plus `ns` from now on. */
  setOffset(ns: number): void {
    if (ns === this.#page.offsetNs) return;
    this.#page.offsetNs = ns;
    this.#update();
  }

  #update(): void {
    this.#page.update(readClocks(this.#reading));
  }
}

/** Reads all clocks as closely together as possible. */
function readClocks(into: ClockReading): ClockReading {
  into.realtimeSec = realtimeSec();
  into.realtimeNsec = realtimeNsec();
  into.tsc = timeStampCounter();
  into.monotonicNs = monotonicNs();
  return into;
}

export function newReading(): ClockReading {
  return readClocks({ tsc: 0, monotonicNs: 0, realtimeSec: 0, realtimeNsec: 0 });
}

/**
 * Whether the time stamp counter runs at one rate on all processors and in all power states, by
 * /proc/cpuinfo.
 */
export function hasSteadyCounter(): boolean {
  try {
    const text = Deno.readTextFileSync("/proc/cpuinfo");
    const flags = /^flags\s*:(.*)$/m.exec(text)?.[1]?.split(" ") ?? [];
    return flags.includes("constant_tsc") && flags.includes("nonstop_tsc");
  } catch {
    return false;
  }
}
