/**
 * Detects changes of memory that guest code must not change, by comparison with a copy: the frames
 * of page tables and of ring 0, and pages of the arena.
 */

import {
  MAP_ANONYMOUS,
  MAP_PRIVATE,
  PAGE_SIZE,
  PROT_READ,
  PROT_WRITE,
} from "../../../ffi/abi/mman.ts";
import { compare, copy } from "../../../ffi/mem/native_memory.ts";
import { check } from "../../../ffi/sys/errors.ts";
import { mmap, munmap } from "../../../ffi/sys/files.ts";
import { cpuPages } from "../ring0.ts";

/** Bytes of an exception frame, which the processor pushes. */
const PUSHED_BYTES = 48;
/** Frame of the words that the Sentry writes for all stubs. */
const BELL_FRAME = 6;

interface Stretch {
  readonly from: number;
  readonly bytes: number;
}

export class Watch {
  readonly #name: string;
  readonly #base: number;
  readonly #bytes: number;
  readonly #stretches: readonly Stretch[];
  readonly #copy: number;

  /**
   * @param base host address of the watched memory
   * @param stretches parts of it, all by default
   */
  constructor(name: string, base: number, bytes: number, stretches?: readonly Stretch[]) {
    this.#name = name;
    this.#base = base;
    this.#bytes = bytes;
    this.#stretches = stretches ?? [{ from: 0, bytes }];
    const flags = MAP_PRIVATE | MAP_ANONYMOUS;
    this.#copy = check(mmap(0, bytes, PROT_READ | PROT_WRITE, flags, -1, 0), "mmap of a copy");
    this.renew();
  }

  /** Takes the present contents as right. */
  renew(): void {
    copy(this.#copy, this.#base, this.#bytes);
  }

  /** @throws Error naming the page that changed */
  assertSame(what: string): void {
    for (const { from, bytes } of this.#stretches) {
      if (compare(this.#base + from, this.#copy + from, bytes) === 0) continue;
      let at = from;
      while (compare(this.#base + at, this.#copy + at, 8) === 0) at += 8;
      throw new Error(`${what}: ${this.#name} changed at 0x${at.toString(16)}`);
    }
  }

  close(): void {
    munmap(this.#copy, this.#bytes);
  }
}

/**
 * Watches the first `frames` frames, without the slots of the first `cpus` vCPUs and the stacks
 * that exceptions push to.
 */
export function watchTables(frames: number, cpus: number): Watch {
  const free: Stretch[] = [{ from: BELL_FRAME * PAGE_SIZE, bytes: PAGE_SIZE }];
  for (let cpu = 0; cpu < cpus; cpu++) {
    const { stackFrame, slotFrame } = cpuPages(cpu);
    free.push({ from: (stackFrame + 1) * PAGE_SIZE - PUSHED_BYTES, bytes: PUSHED_BYTES });
    free.push({ from: slotFrame * PAGE_SIZE, bytes: PAGE_SIZE });
  }
  const stretches: Stretch[] = [];
  let from = 0;
  for (const gap of [...free, { from: frames * PAGE_SIZE, bytes: 0 }]) {
    if (gap.from > from) stretches.push({ from, bytes: gap.from - from });
    from = gap.from + gap.bytes;
  }
  return new Watch("memory of tables", tablesBase(), frames * PAGE_SIZE, stretches);
}

/** Host address of the tables of the only machine in this process. */
function tablesBase(): number {
  const lines = Deno.readTextFileSync("/proc/self/maps").split("\n");
  const found = lines.filter((line) => line.includes("/memfd:dvisor-tables"));
  if (found.length !== 1) throw new Error(`${found.length} machines have tables`);
  return parseInt(found[0]!, 16);
}
