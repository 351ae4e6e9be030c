/**
 * The debug log: lines with the seconds since the start of the sandbox, to a host descriptor or to nowhere.
 *
 * Lines are collected while the sandbox is busy and written before it sleeps. What a broken host file does not take is
 * lost: the guest must not suffer from it.
 */

import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { ftruncate, write } from "../../ffi/sys/files.ts";
import { monotonicNs } from "../../ffi/sys/clock.ts";

/** LIMIT: bytes that wait for being written. */
const BUFFER_BYTES = 65536;

export class DebugLog {
  readonly #fd: number;
  readonly #startNs = monotonicNs();
  readonly #encoder = new TextEncoder();
  readonly #buffer: Uint8Array<ArrayBuffer> | null;
  #used = 0;

  /** @param fd -1: lines are dropped */
  constructor(fd: number) {
    this.#fd = fd;
    this.#buffer = fd < 0 ? null : allocBuffer(BUFFER_BYTES);
  }

  get isOn(): boolean {
    return this.#buffer !== null;
  }

  line(text: string): void {
    if (this.#buffer === null) return;
    const seconds = ((monotonicNs() - this.#startNs) / 1e9).toFixed(6).padStart(12);
    const line = `${seconds} ${text}\n`;
    // A character is at most three bytes of UTF-8.
    if (this.#used + 3 * line.length > BUFFER_BYTES) this.flush();
    this.#used += this.#encoder.encodeInto(line, this.#buffer.subarray(this.#used)).written;
  }

  flush(): void {
    if (this.#buffer === null) return;
    this.#write(addressOf(this.#buffer), this.#used);
    this.#used = 0;
  }

  /** What is no text, in place of all lines. */
  replaceAll(bytes: Uint8Array): void {
    this.#used = 0;
    ftruncate(this.#fd, 0);
    const copy = allocBuffer(bytes.length);
    copy.set(bytes);
    this.#write(addressOf(copy), bytes.length);
  }

  #write(address: number, length: number): void {
    for (let done = 0; done < length;) {
      const n = write(this.#fd, address + done, length - done);
      if (n <= 0) break;
      done += n;
    }
  }
}
