/**
 * The memory through which stubs get their commands: one page for each stub, which no other stub
 * maps, mapped read-only.
 *
 * Page 0 is the zygote's, which can write to it: received file descriptors arrive there.
 * Neighbours: `helper_thread.ts` makes the calls, `space.ts` fills pages.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { SharedRegion } from "../../ffi/mem/shared_region.ts";
import { COMMAND_BYTES } from "./stub_image.ts";

export const ZYGOTE_PAGE = 0;

export class CommandPages {
  readonly region: SharedRegion;
  readonly #max: number;
  #free: number[] = [];
  #used = 1;

  constructor(maxSpaces: number) {
    this.#max = maxSpaces + 1;
    this.region = SharedRegion.create("dvisor-commands", this.#max * PAGE_SIZE);
  }

  /** A page number, or -1 when all are in use. */
  take(): number {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    return this.#used < this.#max ? this.#used++ : -1;
  }

  give(page: number): void {
    this.#free.push(page);
  }

  /** Writes command `index` of a page. Arguments are integers below 2^53. HOT */
  write(
    page: number,
    index: number,
    nr: number,
    a0: number,
    a1: number,
    a2: number,
    a3: number,
    a4: number,
    a5: number,
  ): void {
    const at = page * PAGE_SIZE + index * COMMAND_BYTES;
    this.#word(at, nr);
    this.#word(at + 8, a0);
    this.#word(at + 16, a1);
    this.#word(at + 24, a2);
    this.#word(at + 32, a3);
    this.#word(at + 40, a4);
    this.#word(at + 48, a5);
  }

  #word(at: number, value: number): void {
    const dv = this.region.dv;
    dv.setUint32(at, value >>> 0, true);
    dv.setUint32(at + 4, Math.floor(value / 0x100000000), true);
  }
}
