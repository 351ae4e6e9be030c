// Which fid numbers of a session are free. The client chooses them; freed ones are used again first.

export class FidAllocator {
  readonly #free: number[] = [];
  #next = 1;

  /** A number that names nothing on the server. */
  take(): number {
    return this.#free.pop() ?? this.#next++;
  }

  /** Gives a number back; the caller has sent or queued its Tclunk, or it was never bound. */
  release(fid: number): void {
    this.#free.push(fid);
  }

  /** How many are taken. */
  get used(): number {
    return this.#next - 1 - this.#free.length;
  }
}
