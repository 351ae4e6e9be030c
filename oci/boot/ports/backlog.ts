/**
 * Bytes of a client that a program or a socket does not take yet, in the order in which they came.
 * The window of the protocol bounds them.
 */

export class Backlog {
  readonly #parts: Uint8Array<ArrayBuffer>[] = [];
  #isDraining = false;

  get isEmpty(): boolean {
    return this.#parts.length === 0;
  }

  add(bytes: Uint8Array<ArrayBuffer>): void {
    if (bytes.length > 0) this.#parts.push(bytes.slice());
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
      const taken = take(first);
      total += taken;
      if (taken < first.length) {
        this.#parts[0] = first.subarray(taken);
        break;
      }
      this.#parts.shift();
    }
    return total;
  }

  /** Drops all: bytes. */
  clear(): number {
    return this.#parts.splice(0).reduce((sum, part) => sum + part.length, 0);
  }
}
