/**
 * Reads and writes 9P's scalars and strings in a byte buffer, with a check of every step.
 *
 * Integers are little-endian; a string is len[2] and that many bytes. Single messages are in
 * message.ts and the family files, sockets in fd_socket.ts. Names are *byte strings*: JS strings
 * whose every unit is one byte (0..255), because Linux file names are bytes, not text.
 */

/** A JS string whose every UTF-16 unit is one byte of a Linux name, 0..255. */
export type ByteString = string;

/** A message that breaks the protocol: too short, too long, or with a length beyond its end. */
export class ProtocolError extends Error {
  override name = "ProtocolError";
}

const EMPTY = new Uint8Array(0);
const EMPTY_VIEW = new DataView(EMPTY.buffer);
const TWO_32 = 2 ** 32;

/** The byte string of a text's UTF-8 form. */
export function byteStringOf(text: string): ByteString {
  return latin1(new TextEncoder().encode(text), 0, -1);
}

/** The text of a byte string that holds UTF-8; broken sequences become U+FFFD. */
export function textOf(name: ByteString): string {
  const bytes = new Uint8Array(name.length);
  for (let i = 0; i < name.length; i++) bytes[i] = name.charCodeAt(i);
  return new TextDecoder().decode(bytes);
}

/** `len` bytes from `off` (to the end for -1) as a byte string. */
export function latin1(bytes: Uint8Array, off: number, len: number): ByteString {
  const end = len < 0 ? bytes.length : off + len;
  let out = "";
  for (let i = off; i < end; i++) out += String.fromCharCode(bytes[i] ?? 0);
  return out;
}

/** A string or payload of a message: a range of the receive buffer, or a byte string to be sent. */
export class Str {
  bytes: Uint8Array = EMPTY;
  off = 0;
  len = 0;
  #text: ByteString = "";
  #isText = true;

  /** Sets a byte string to be written. */
  set(text: ByteString): void {
    this.#text = text;
    this.#isText = true;
    this.bytes = EMPTY;
    this.off = 0;
    this.len = text.length;
  }

  /**
   * Sets a range of a buffer. Nothing is copied, so it is valid as long as the buffer's content.
   */
  setBytes(bytes: Uint8Array, off: number, len: number): void {
    this.#text = "";
    this.#isText = false;
    this.bytes = bytes;
    this.off = off;
    this.len = len;
  }

  /** The content as a byte string (allocates one when it came from a buffer). */
  toByteString(): ByteString {
    return this.#isText ? this.#text : latin1(this.bytes, this.off, this.len);
  }

  /** Byte `i`, or -1 outside. */
  at(i: number): number {
    if (i < 0 || i >= this.len) return -1;
    return this.#isText ? this.#text.charCodeAt(i) : this.bytes[this.off + i] ?? -1;
  }

  /** Whether the content equals a byte string. */
  equals(text: ByteString): boolean {
    if (this.len !== text.length) return false;
    for (let i = 0; i < text.length; i++) if (this.at(i) !== text.charCodeAt(i)) return false;
    return true;
  }

  /** Copies the content to `dst` at `pos`; the caller has checked that it fits. */
  copyTo(dst: Uint8Array, pos: number): void {
    const len = this.len;
    if (this.#isText) {
      const text = this.#text;
      for (let i = 0; i < len; i++) {
        const c = text.charCodeAt(i);
        if (c > 0xff) throw new ProtocolError(`"${text}" is text, not a byte string`);
        dst[pos + i] = c;
      }
    } else if (len > 64) {
      dst.set(this.bytes.subarray(this.off, this.off + len), pos);
    } else {
      for (let i = 0; i < len; i++) dst[pos + i] = this.bytes[this.off + i] ?? 0;
    }
  }
}

/** Reads fields from one message; any step beyond its end throws a ProtocolError. */
export class Reader {
  u8: Uint8Array = EMPTY;
  dv: DataView = EMPTY_VIEW;
  pos = 0;
  end = 0;

  /** Points the reader at `[start, end)` of a buffer; `dv` is the same memory as `u8`. */
  open(u8: Uint8Array, dv: DataView, start: number, end: number): this {
    if (start < 0 || end < start || end > u8.length) {
      throw new ProtocolError(`message bounds ${start}..${end} lie outside the buffer`);
    }
    this.u8 = u8;
    this.dv = dv;
    this.pos = start;
    this.end = end;
    return this;
  }

  /** Bytes not read yet. */
  get left(): number {
    return this.end - this.pos;
  }

  #take(n: number): number {
    const at = this.pos;
    if (n > this.end - at) {
      throw new ProtocolError(`${n} bytes wanted, ${this.end - at} are left in the message`);
    }
    this.pos = at + n;
    return at;
  }

  /** Skips `n` bytes and returns their offset. */
  skip(n: number): number {
    return this.#take(n);
  }

  getU8(): number {
    return this.dv.getUint8(this.#take(1));
  }

  getU16(): number {
    return this.dv.getUint16(this.#take(2), true);
  }

  getU32(): number {
    return this.dv.getUint32(this.#take(4), true);
  }

  /** A 64-bit count as a number; beyond 2^53 the nearest double, which no limit check lets pass. */
  getU64(): number {
    const at = this.#take(8);
    return this.dv.getUint32(at, true) + this.dv.getUint32(at + 4, true) * TWO_32;
  }

  /** A signed 64-bit value, as the seconds of a time before 1970. */
  getI64(): number {
    const at = this.#take(8);
    return this.dv.getUint32(at, true) + this.dv.getInt32(at + 4, true) * TWO_32;
  }

  /** A string: len[2] and its bytes, left in place. */
  getStr(into: Str): void {
    const len = this.getU16();
    const at = this.#take(len);
    into.setBytes(this.u8, at, len);
  }

  /** A payload: count[4] and its bytes, left in place. */
  getData(into: Str): void {
    const len = this.getU32();
    const at = this.#take(len);
    into.setBytes(this.u8, at, len);
  }

  /** Throws unless the message ends here. */
  done(): void {
    if (this.pos !== this.end) {
      throw new ProtocolError(`${this.end - this.pos} bytes too many at the end of a message`);
    }
  }
}

/** Writes messages one behind the other into a buffer that never grows. */
export class Writer {
  readonly u8: Uint8Array;
  readonly dv: DataView;
  /** Offset of the next byte. */
  pos = 0;
  /** Nothing is written at or beyond this offset. */
  limit: number;
  #start = 0;

  constructor(u8: Uint8Array) {
    this.u8 = u8;
    this.dv = new DataView(u8.buffer, u8.byteOffset, u8.byteLength);
    this.limit = u8.length;
  }

  /** Forgets everything written. */
  reset(): void {
    this.pos = 0;
    this.#start = 0;
  }

  /** Reserves `n` bytes and returns their offset. */
  reserve(n: number): number {
    const at = this.pos;
    if (n < 0 || n > this.limit - at) {
      throw new ProtocolError(`a message is longer than the ${this.limit} bytes of its buffer`);
    }
    this.pos = at + n;
    return at;
  }

  /** Starts a message; `end()` fills in its size. */
  begin(type: number, tag: number): void {
    this.#start = this.pos;
    const at = this.reserve(7);
    this.dv.setUint8(at + 4, type);
    this.dv.setUint16(at + 5, tag, true);
  }

  /** Ends the message begun last and returns its size in bytes. */
  end(): number {
    const size = this.pos - this.#start;
    this.dv.setUint32(this.#start, size, true);
    return size;
  }

  /** Removes the message begun last. */
  abandon(): void {
    this.pos = this.#start;
  }

  putU8(v: number): void {
    this.dv.setUint8(this.reserve(1), v);
  }

  putU16(v: number): void {
    this.dv.setUint16(this.reserve(2), v, true);
  }

  putU32(v: number): void {
    this.dv.setUint32(this.reserve(4), v, true);
  }

  /** A 64-bit value, signed or not, from an integral number. */
  putU64(v: number): void {
    const at = this.reserve(8);
    const hi = Math.floor(v / TWO_32);
    this.dv.setUint32(at, v - hi * TWO_32, true);
    this.dv.setUint32(at + 4, hi, true);
  }

  /** A 64-bit value from its two halves. */
  putPair(lo: number, hi: number): void {
    const at = this.reserve(8);
    this.dv.setUint32(at, lo, true);
    this.dv.setUint32(at + 4, hi, true);
  }

  /** A string with its two-byte length. */
  putStr(s: Str): void {
    if (s.len > 0xffff) throw new ProtocolError(`a string of ${s.len} bytes does not fit 9P`);
    this.putU16(s.len);
    s.copyTo(this.u8, this.reserve(s.len));
  }

  /** A payload with its four-byte length. */
  putData(s: Str): void {
    this.putU32(s.len);
    s.copyTo(this.u8, this.reserve(s.len));
  }
}
