/**
 * The debug log: lines with the seconds since the start of the sandbox, written to a host
 * descriptor or dropped.
 *
 * Lines are collected while the sandbox is busy and written before it sleeps. Lines that the host
 * file does not take are lost, so that a full disk does not stop the guest. A guest can cause any
 * number of lines, so a file has a largest size: before it would be exceeded, the file is emptied
 * and begins again with the last lines, which this process keeps because it cannot read the file.
 * Several sandboxes may share a file; each asks the host for its length.
 */

import { S_IFMT, S_IFREG, Stat } from "../../ffi/abi/stat.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { fstat, ftruncate, write } from "../../ffi/sys/files.ts";
import { monotonicNs } from "../../ffi/sys/clock.ts";
import { NAMED_LOG_BYTES } from "../protocol/boot_spec.ts";

/** LIMIT: bytes that wait to be written. */
const BUFFER_BYTES = 65536;
/** Bytes of each of the two buffers for the last lines. */
const KEPT_BYTES = 2 * BUFFER_BYTES;
/** The smallest largest size of a file. */
const SMALLEST_BYTES = 4 * KEPT_BYTES;
const CUT = "[earlier lines are gone: the log was full]\n";
export class DebugLog {
  readonly #fd: number;
  readonly #startNs = monotonicNs();
  readonly #encoder = new TextEncoder();
  readonly #maxBytes: number;
  readonly #buffer: Uint8Array<ArrayBuffer> | null;
  #used = 0;
  readonly #stat: Uint8Array<ArrayBuffer> = allocBuffer(Stat.size);
  /**
   * The last lines: first those of `#older`, then those of `#newer`. Both grow when there are
   * lines.
   */
  #older: Tail = new Tail();
  #newer: Tail = new Tail();

  /**
   * @param fd open for appending; -1: lines are dropped
   * @param maxBytes of a regular file, at least 512 KiB; other files have no bound, because they
   * store nothing
   */
  constructor(fd: number, maxBytes: number = NAMED_LOG_BYTES) {
    this.#fd = fd;
    this.#maxBytes = Math.max(maxBytes, SMALLEST_BYTES);
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
    if (this.#buffer === null || this.#used === 0) return;
    if (this.#length() + this.#used > this.#maxBytes) this.#restart();
    this.#write(addressOf(this.#buffer), this.#used);
    this.#keep(this.#buffer.subarray(0, this.#used));
    this.#used = 0;
  }

  /** Bytes of the file; 0 if it is no regular file. */
  #length(): number {
    if (fstat(this.#fd, addressOf(this.#stat)) < 0) return 0;
    const stat = new DataView(this.#stat.buffer, this.#stat.byteOffset);
    const isRegular = (stat.getUint32(Stat.at.mode, true) & S_IFMT) === S_IFREG;
    return isRegular ? Number(stat.getBigInt64(Stat.at.size, true)) : 0;
  }

  #keep(lines: Uint8Array<ArrayBuffer>): void {
    if (!this.#newer.hasRoom(lines.length)) {
      [this.#older, this.#newer] = [this.#newer, this.#older];
      this.#newer.lengthBytes = 0;
    }
    this.#newer.append(lines);
  }

  #restart(): void {
    if (ftruncate(this.#fd, 0) < 0) return;
    const notice = allocBuffer(CUT.length);
    this.#encoder.encodeInto(CUT, notice);
    this.#write(addressOf(notice), notice.length);
    for (const { address, lengthBytes } of [this.#older, this.#newer]) {
      if (lengthBytes > 0) this.#write(address, lengthBytes);
    }
  }

  /** Writes bytes that are no text in the place of all lines. */
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

/** Whole lines, as they were written. */
class Tail {
  #buffer: Uint8Array<ArrayBuffer> | null = null;
  lengthBytes = 0;

  get address(): number {
    return this.#buffer === null ? 0 : addressOf(this.#buffer);
  }

  hasRoom(lengthBytes: number): boolean {
    return this.lengthBytes + lengthBytes <= KEPT_BYTES;
  }

  append(lines: Uint8Array<ArrayBuffer>): void {
    this.#buffer ??= allocBuffer(KEPT_BYTES);
    this.#buffer.set(lines, this.lengthBytes);
    this.lengthBytes += lines.length;
  }
}
