/**
 * Values of D-Bus in bytes, little-endian: the D-Bus specification, "Type System" and "Marshaling".
 * Only the types that calls to systemd need. Neighbour: dbus_message.ts.
 */

/** A value with its type. */
export type Variant =
  | { readonly type: "s" | "o" | "g"; readonly value: string }
  | { readonly type: "b"; readonly value: boolean }
  | { readonly type: "y" | "i" | "u"; readonly value: number }
  /** 64 bits; Infinity is the largest, systemd's "no limit". */
  | { readonly type: "t" | "x"; readonly value: number }
  | { readonly type: "au" | "ay"; readonly value: readonly number[] }
  | { readonly type: "as"; readonly value: readonly string[] };

/** A member of `a(sv)`. */
export interface NamedVariant {
  readonly name: string;
  readonly variant: Variant;
}

const UINT64_MAX = (1n << 64n) - 1n;

/** Writes values one after the other, each with the alignment of its type. */
export class DbusWriter {
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  bytes(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  align(to: number): this {
    this.#reserve(to);
    while (this.#length % to !== 0) this.#length++;
    return this;
  }
  u8(value: number): this {
    this.#reserve(1);
    this.#view.setUint8(this.#length++, value);
    return this;
  }
  u32(value: number): this {
    this.align(4).#reserve(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
    return this;
  }
  u64(value: number): this {
    this.align(8).#reserve(8);
    const wide = value >= 2 ** 64 ? UINT64_MAX : BigInt(value);
    this.#view.setBigUint64(this.#length, BigInt.asUintN(64, wide), true);
    this.#length += 8;
    return this;
  }
  /** `s` and `o`. */
  string(text: string): this {
    const bytes = new TextEncoder().encode(text);
    if (bytes.includes(0)) throw new RangeError("a string of D-Bus has a NUL inside");
    this.u32(bytes.length).#raw(bytes);
    return this.u8(0);
  }
  /** `g`. */
  signature(text: string): this {
    const bytes = new TextEncoder().encode(text);
    if (bytes.length > 255) throw new RangeError("a signature of D-Bus is too long");
    this.u8(bytes.length).#raw(bytes);
    return this.u8(0);
  }
  /** An array: `items` writes what is in it, which begins where `alignment` says. */
  array(alignment: number, items: () => void): this {
    this.u32(0);
    const at = this.#length - 4;
    this.align(alignment);
    const start = this.#length;
    items();
    this.#view.setUint32(at, this.#length - start, true);
    return this;
  }
  variant(variant: Variant): this {
    this.signature(variant.type);
    return this.value(variant);
  }
  /** `a(sv)`. */
  properties(list: readonly NamedVariant[]): this {
    return this.array(8, () => {
      for (const { name, variant } of list) this.align(8).string(name).variant(variant);
    });
  }
  /** Bytes as they are. */
  append(bytes: Uint8Array): this {
    this.#raw(bytes);
    return this;
  }

  value(variant: Variant): this {
    switch (variant.type) {
      case "s":
      case "o":
        return this.string(variant.value);
      case "g":
        return this.signature(variant.value);
      case "b":
        return this.u32(variant.value ? 1 : 0);
      case "y":
        return this.u8(variant.value);
      case "i":
      case "u":
        return this.u32(variant.value >>> 0);
      case "t":
      case "x":
        return this.u64(variant.value);
      case "au":
        return this.array(4, () => variant.value.forEach((n) => this.u32(n)));
      case "ay":
        return this.array(1, () => variant.value.forEach((n) => this.u8(n)));
      case "as":
        return this.array(4, () => variant.value.forEach((s) => this.string(s)));
    }
  }

  #raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const bytes = new Uint8Array(2 * (this.#length + count));
    bytes.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

/** A message that violates the specification. */
export class DbusFormatError extends Error {
  override readonly name = "DbusFormatError";
}

/** A value that `read` returns: arrays and structs are lists. */
export type DbusValue = string | number | boolean | readonly DbusValue[];

/** LIMIT: how deep containers stand in each other, as the specification has it. */
const DEPTH_MAX = 32;

/** Reads values by their signature. Every length is checked. */
export class DbusReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at: number;

  constructor(bytes: Uint8Array, at = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#at = at;
  }

  get position(): number {
    return this.#at;
  }

  /** All values of a signature. @throws DbusFormatError */
  readAll(signature: string): DbusValue[] {
    const values: DbusValue[] = [];
    for (let at = 0; at < signature.length;) {
      const end = typeEnd(signature, at);
      values.push(this.read(signature.slice(at, end)));
      at = end;
    }
    return values;
  }

  /** One value of one complete type. @throws DbusFormatError */
  read(type: string, depth = 0): DbusValue {
    if (depth > DEPTH_MAX) throw new DbusFormatError("values stand too deep in each other");
    switch (type[0]) {
      case "y":
        return this.#bytes[this.#take(1, 1)] ?? 0;
      case "b":
        return this.#view.getUint32(this.#take(4, 4), true) !== 0;
      case "n":
        return this.#view.getInt16(this.#take(2, 2), true);
      case "q":
        return this.#view.getUint16(this.#take(2, 2), true);
      case "i":
        return this.#view.getInt32(this.#take(4, 4), true);
      case "u":
      case "h":
        return this.#view.getUint32(this.#take(4, 4), true);
      case "x":
        return Number(this.#view.getBigInt64(this.#take(8, 8), true));
      case "t":
        return Number(this.#view.getBigUint64(this.#take(8, 8), true));
      case "d":
        return this.#view.getFloat64(this.#take(8, 8), true);
      case "s":
      case "o":
        return this.#text(this.#view.getUint32(this.#take(4, 4), true));
      case "g":
        return this.#text(this.#bytes[this.#take(1, 1)] ?? 0);
      case "v": {
        const inner = this.#text(this.#bytes[this.#take(1, 1)] ?? 0);
        if (inner === "" || typeEnd(inner, 0) !== inner.length) {
          throw new DbusFormatError(`a variant of type ${JSON.stringify(inner)}`);
        }
        return this.read(inner, depth + 1);
      }
      case "a":
        return this.#array(type.slice(1), depth);
      case "(":
      case "{":
        return this.#struct(type, depth);
    }
    throw new DbusFormatError(`there is no type ${JSON.stringify(type)}`);
  }

  align(to: number): void {
    this.#at = Math.ceil(this.#at / to) * to;
  }

  #array(item: string, depth: number): DbusValue[] {
    const lenBytes = this.#view.getUint32(this.#take(4, 4), true);
    this.align(alignmentOf(item));
    const end = this.#at + lenBytes;
    if (end > this.#bytes.length) throw new DbusFormatError("an array reaches beyond its message");
    const values: DbusValue[] = [];
    while (this.#at < end) values.push(this.read(item, depth + 1));
    if (this.#at !== end) throw new DbusFormatError("an array ends within a value");
    return values;
  }

  #struct(type: string, depth: number): DbusValue[] {
    this.align(8);
    const values: DbusValue[] = [];
    for (let at = 1; at < type.length - 1;) {
      const end = typeEnd(type, at);
      values.push(this.read(type.slice(at, end), depth + 1));
      at = end;
    }
    return values;
  }

  #text(lenBytes: number): string {
    const at = this.#take(lenBytes + 1, 1);
    return new TextDecoder().decode(this.#bytes.subarray(at, at + lenBytes));
  }

  /** Returns the offset of the next `count` bytes, and moves behind them. */
  #take(count: number, alignment: number): number {
    this.align(alignment);
    const at = this.#at;
    if (at + count > this.#bytes.length) throw new DbusFormatError("a message ends within a value");
    this.#at += count;
    return at;
  }
}

function alignmentOf(type: string): number {
  const first = type[0] ?? "";
  if ("ygv".includes(first)) return 1;
  if ("nq".includes(first)) return 2;
  return "xtd({".includes(first) ? 8 : 4;
}

/** Returns the end of the complete type that begins at `at`. @throws DbusFormatError */
function typeEnd(signature: string, at: number): number {
  const first = signature[at] ?? "";
  if (first === "a") return typeEnd(signature, at + 1);
  const close = first === "(" ? ")" : first === "{" ? "}" : "";
  if (close === "") {
    if (!"ybnqiuhxtdsogv".includes(first) || first === "") {
      throw new DbusFormatError(`there is no type ${JSON.stringify(signature)}`);
    }
    return at + 1;
  }
  let end = at + 1;
  while (signature[end] !== close) end = typeEnd(signature, end);
  return end + 1;
}
