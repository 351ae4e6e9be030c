/**
 * Bytes of a client that a program or a socket does not take yet, in the order in which they came.
 * The window of the protocol bounds them.
 */

/**
 * Bytes of a part that small pieces share: a client that sends single bytes would otherwise have a
 * part for each.
 */
const PART_BYTES = 16 << 10;

/** Bytes from `start` to `end` wait. */
interface Part {
  readonly bytes: Uint8Array<ArrayBuffer>;
  start: number;
  end: number;
}

export class Backlog {
  readonly #parts: Part[] = [];
  #isDraining = false;

  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  add(bytes: Uint8Array<ArrayBuffer>): void {
    const { length } = bytes;
    if (length === 0) return;
    let last = this.#parts.at(-1);
    if (last === undefined || last.bytes.length - last.end < length) {
      // The first one is alone as a rule, and is taken soon.
      const room = last === undefined ? length : Math.max(length, PART_BYTES);
      last = { bytes: new Uint8Array(room), start: 0, end: 0 };
      this.#parts.push(last);
    }
    last.bytes.set(bytes, last.end);
    last.end += length;
  }

  /**
   * Offers the parts until `take` takes less than all of one: bytes taken. What takes bytes may
   * wake the owner, which drains again: nothing is taken then, as the first part is on offer.
   */
  drain(take: (bytes: Uint8Array<ArrayBuffer>) => number): number {
    if (this.#isDraining) return 0;
    this.#isDraining = true;
    const total = this.#drain(take);
    this.#isDraining = false;
    return total;
  }

  #drain(take: (bytes: Uint8Array<ArrayBuffer>) => number): number {
    let total = 0;
    for (let first = this.#parts[0]; first !== undefined; first = this.#parts[0]) {
      const { start, end } = first, taken = take(first.bytes.subarray(start, end));
      total += taken;
      first.start += taken;
      if (taken < end - start) break;
      // Bytes may have been added to it meanwhile.
      if (first.start === first.end) this.#parts.shift();
    }
    return total;
  }

  /** Drops all: bytes. */
  clear(): number {
    return this.#parts.splice(0).reduce((sum, { start, end }) => sum + end - start, 0);
  }
}
