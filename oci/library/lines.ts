/** Lines of a stream of bytes, one after the other. */

import { LimitError } from "./errors.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const NEWLINE = 10, RETURN = 13;

/** Splits a stream. It can be left and gone on with: what was read and not given stays here. */
export class LineReader {
  readonly #stream: ReadableStream<Bytes>;
  readonly #decoder: TextDecoder = new TextDecoder();
  /** The beginning of a line whose end has not come. */
  #parts: Bytes[] = [];
  #bytes = 0;
  /** What was read last, of which everything from `at` on is not split. */
  #chunk: Bytes = new Uint8Array();
  #at = 0;

  constructor(stream: ReadableStream<Bytes>) {
    this.#stream = stream;
  }

  /**
   * The lines that are left, without their ends.
   * @throws LimitError for a line of more than `maxBytes`
   */
  async *lines(maxBytes: number): AsyncGenerator<string, undefined> {
    const reader = this.#stream.getReader();
    try {
      for (;;) {
        const line = this.#next(maxBytes);
        if (line !== null) {
          yield line;
          continue;
        }
        const { done, value } = await reader.read();
        if (done) break;
        this.#chunk = value;
        this.#at = 0;
      }
      if (this.#bytes > 0) yield this.#take(new Uint8Array());
    } finally {
      reader.releaseLock();
    }
  }

  /** The next whole line; null: more has to be read. */
  #next(maxBytes: number): string | null {
    const end = this.#chunk.indexOf(NEWLINE, this.#at);
    const part = this.#chunk.subarray(this.#at, end < 0 ? this.#chunk.length : end);
    if (this.#bytes + part.length > maxBytes) {
      throw new LimitError(`a line has more than ${maxBytes} bytes; maxLineBytes is the limit`);
    }
    this.#at += part.length + (end < 0 ? 0 : 1);
    if (end >= 0) return this.#take(part);
    if (part.length > 0) this.#parts.push(part);
    this.#bytes += part.length;
    return null;
  }

  #take(last: Bytes): string {
    const all = new Uint8Array(this.#bytes + last.length);
    let at = 0;
    for (const part of [...this.#parts, last]) {
      all.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#bytes = 0;
    return this.#decoder.decode(all.at(-1) === RETURN ? all.subarray(0, -1) : all);
  }
}
