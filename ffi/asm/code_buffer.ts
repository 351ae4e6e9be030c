/**
 * The layer of the assembler below instructions: bytes, labels and data.
 *
 * A label is a name for an offset; a fixup is a field that depends on labels and is filled in by
 * `assemble()`. Neighbour: `encoder.ts`, which adds the instruction format.
 */

import { fitsSigned } from "./operands.ts";

/** The absolute address of a label: origin + its offset. */
export interface LabelAddress {
  readonly label: string;
}

/** The distance in bytes from the label `from` to the label `label`; needs no origin. */
interface LabelDistance {
  readonly label: string;
  readonly from: string;
}

/**
 * A field of `width` bytes that gets label + addend, minus `from` (an offset or a label; null:
 * absolute).
 */
interface Fixup {
  readonly at: number;
  readonly width: 1 | 4 | 8;
  readonly label: string;
  readonly addend: number;
  readonly from: number | string | null;
}

/** The recommended multi-byte nops of 1 to 9 bytes (Intel SDM vol. 2, NOP). */
const NOPS: readonly (readonly number[])[] = [
  [0x90],
  [0x66, 0x90],
  [0x0f, 0x1f, 0x00],
  [0x0f, 0x1f, 0x40, 0x00],
  [0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
  [0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
  [0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
  [0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];

export class CodeBuffer {
  #bytes = new Uint8Array(1024);
  #length = 0;
  #labels = new Map<string, number>();
  #fixups: Fixup[] = [];
  #freshCount = 0;

  /** Bytes written so far: the offset of the next byte. */
  get length(): number {
    return this.#length;
  }

  /** Binds `name` to the current offset. Throws if it is bound already. */
  label(name: string): this {
    if (this.#labels.has(name)) throw new Error(`label "${name}" is bound twice`);
    this.#labels.set(name, this.#length);
    return this;
  }

  /** A label name that is not in use. */
  fresh(prefix = "L"): string {
    for (;;) {
      const name = `${prefix}#${this.#freshCount++}`;
      if (!this.#labels.has(name)) return name;
    }
  }

  /** The offset of a bound label in bytes. Throws if it is not bound. */
  offsetOf(label: string): number {
    const offset = this.#labels.get(label);
    if (offset === undefined) throw new Error(`label "${label}" is not bound`);
    return offset;
  }

  /** Whether `label(name)` was called. */
  isBound(label: string): boolean {
    return this.#labels.has(label);
  }

  /** Bytes: signed or unsigned 8-bit numbers. */
  db(...values: number[]): this {
    for (const v of values) this.field(v, 1);
    return this;
  }

  /** 32-bit words, little endian: signed or unsigned numbers, or distances between labels. */
  dd(...values: (number | LabelDistance)[]): this {
    for (const v of values) {
      if (typeof v === "number") this.field(v, 4);
      else this.fixup(4, v.label, 0, v.from);
    }
    return this;
  }

  /** 64-bit words, little endian: signed or unsigned numbers, or addresses of labels. */
  dq(...values: (number | bigint | LabelAddress)[]): this {
    for (const v of values) {
      if (typeof v === "object") this.fixup(8, v.label, 0, null);
      else this.#quad(v);
    }
    return this;
  }

  /** A run of bytes, copied. */
  bytes(u8: Uint8Array): this {
    this.#reserve(u8.length);
    this.#bytes.set(u8, this.#length);
    this.#length += u8.length;
    return this;
  }

  /** A string in UTF-8 with its terminating zero. */
  asciz(s: string): this {
    return this.bytes(new TextEncoder().encode(s)).db(0);
  }

  /** `n` zero bytes. */
  zero(n: number): this {
    return this.bytes(new Uint8Array(checkCount(n)));
  }

  /** Fills up to a multiple of `n` bytes with `fill`, or with nops that can be executed. */
  align(n: number, fill?: number): this {
    if (!Number.isInteger(n) || n < 1) throw new RangeError(`alignment ${n} is not positive`);
    const gap = (n - this.#length % n) % n;
    if (fill === undefined) return this.nop(gap);
    return this.bytes(new Uint8Array(gap).fill(fill));
  }

  /** `n` bytes of nops, in as few instructions as possible. */
  nop(n = 1): this {
    checkCount(n);
    for (let left = n; left > 0;) {
      const nop = NOPS[Math.min(left, NOPS.length) - 1] ?? [];
      this.db(...nop);
      left -= nop.length;
    }
    return this;
  }

  /**
   * The code with all labels resolved, as if it were loaded at `origin`. May be called again, with
   * another origin.
   *
   * @throws Error if a label is not bound, or RangeError if it is too far away for its field; both
   *   name the label
   */
  assemble(origin = 0): Uint8Array<ArrayBuffer> {
    if (!Number.isSafeInteger(origin) || origin < 0) {
      throw new RangeError(`origin ${origin} is not an address`);
    }
    const out = this.#bytes.slice(0, this.#length);
    const view = new DataView(out.buffer);
    for (const f of this.#fixups) {
      const target = this.offsetOf(f.label) + f.addend;
      if (f.from === null) {
        view.setBigUint64(f.at, BigInt.asUintN(64, BigInt(origin + target)), true);
        continue;
      }
      const from = typeof f.from === "number" ? f.from : this.offsetOf(f.from);
      if (!fitsSigned(target - from, f.width * 8)) {
        throw new RangeError(
          `label "${f.label}" is ${target - from} bytes away: too far for ${f.width * 8} bits`,
        );
      }
      if (f.width === 1) view.setInt8(f.at, target - from);
      else view.setInt32(f.at, target - from, true);
    }
    return out;
  }

  /** Reserves a field that `assemble()` fills in: see `Fixup`. */
  protected fixup(
    width: 1 | 4 | 8,
    label: string,
    addend: number,
    from: number | string | null,
  ): void {
    this.#fixups.push({ at: this.#length, width, label, addend, from });
    this.zero(width);
  }

  /** A number of 1, 2 or 4 bytes, little endian; it must fit, signed or unsigned. */
  protected field(value: number, width: 1 | 2 | 4): void {
    if (!Number.isInteger(value) || value < -(2 ** (width * 8 - 1)) || value >= 2 ** (width * 8)) {
      throw new RangeError(`${value} does not fit ${width} bytes`);
    }
    this.#reserve(width);
    for (let i = 0; i < width; i++) this.#bytes[this.#length++] = value >> (8 * i);
  }

  #quad(value: number | bigint): void {
    if (typeof value === "number" && !Number.isSafeInteger(value)) {
      throw new RangeError(`${value} is not a safe integer: pass a bigint`);
    }
    const big = BigInt(value);
    if (big < -(2n ** 63n) || big >= 2n ** 64n) throw new RangeError(`${big} does not fit 8 bytes`);
    const word = new Uint8Array(8);
    new DataView(word.buffer).setBigUint64(0, BigInt.asUintN(64, big), true);
    this.bytes(word);
  }

  #reserve(n: number): void {
    if (this.#length + n <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(2 * this.#bytes.length, this.#length + n));
    grown.set(this.#bytes);
    this.#bytes = grown;
  }
}

function checkCount(n: number): number {
  if (!Number.isInteger(n) || n < 0) throw new RangeError(`count ${n} is not a natural number`);
  return n;
}
