/** Free fid numbers of a session. The client chooses them; freed ones are used again first. */

export class FidAllocator {
  readonly #free: number[] = [];
  #next = 1;

  /** A number that names nothing on the server. */
  take(): number {
    return this.#free.pop() ?? this.#next++;
  }

  /** Frees a number; the caller has sent or queued its Tclunk, or it was never bound. */
  release(fid: number): void {
    this.#free.push(fid);
  }

  /** Numbers in use. */
  get used(): number {
    return this.#next - 1 - this.#free.length;
  }
}
