/**
 * The address layout of a process: the stack at the top, mappings below it growing down,
 * position-independent programs at two thirds, the heap behind the program. layouts.ts decides
 * which programs share a layout.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { Host } from "../core/host.ts";

/** vm.mmap_min_addr. */
export const MIN_ADDRESS = 0x10000;

const MIN_GAP = 128 << 20;
const RANDOM_STACK_PAGES = 1 << 22;
const RANDOM_MMAP_PAGES = 2 ** 28;
const RANDOM_BRK_PAGES = 1 << 13;

export class AddressLayout {
  readonly maxAddress: number;
  /** The end of the stack. */
  readonly stackTop: number;
  /** The load address of position-independent executables. */
  readonly pieBase: number;
  /** The distance of the heap from the end of the program. */
  readonly brkGap: number;
  private readonly mmapShift: number;

  /** `host` null: no randomization (personality ADDR_NO_RANDOMIZE). */
  constructor(maxAddress: number, host: Host | null) {
    const random = new Uint32Array(4);
    if (host !== null) host.random(new Uint8Array(random.buffer));
    this.maxAddress = maxAddress;
    this.stackTop = maxAddress - PAGE_SIZE * (1 + random[0]! % RANDOM_STACK_PAGES);
    this.mmapShift = random[1]! % RANDOM_MMAP_PAGES * PAGE_SIZE;
    const base = Math.floor(maxAddress / 3 / PAGE_SIZE) * 2 * PAGE_SIZE;
    this.pieBase = base + random[2]! % RANDOM_MMAP_PAGES * PAGE_SIZE;
    this.brkGap = host === null ? 0 : random[3]! % RANDOM_BRK_PAGES * PAGE_SIZE;
  }

  /**
   * The address below which mappings are placed; it leaves room for a stack of `stackLimit` bytes.
   */
  mmapBase(stackLimit: number): number {
    const most = Math.floor(this.maxAddress / 6 / PAGE_SIZE) * PAGE_SIZE;
    const wanted = Math.ceil(stackLimit / PAGE_SIZE) * PAGE_SIZE + MIN_GAP / 64;
    const gap = Math.max(MIN_GAP, Math.min(wanted, most));
    const guard = RANDOM_STACK_PAGES * PAGE_SIZE;
    return this.maxAddress - gap - guard - this.mmapShift;
  }
}
