/**
 * Makes a graph of objects from an image (format.ts says what is in one). Everything in the image
 * is checked: the worst that it can do is a graph that means nothing, of at most some 120 bytes of
 * memory for each byte of the image, aside from what rules make.
 *
 * All objects are made before any has its fields, so that circles need nothing special:
 *
 *     make     state objects, memory, constants
 *     load     anchors, by stage
 *     fill     fields, elements
 *     hold     frames
 *     derive   what is derived, and then the fields that rules make, by stage
 *     attach   anchors, by stage
 */

import { ByteReader, ImageError } from "./byte_reader.ts";
import { ImageBuffers } from "./buffers.ts";
import type {
  AnchorRule,
  ConstantRule,
  ConvertedField,
  DerivedRule,
  FieldRule,
  FrameVisitor,
} from "./class_row.ts";
import type { ClassTable } from "./class_table.ts";
import * as format from "./format.ts";
import { type CopiedFrames, FrameNumbers, numberOf } from "./frame_numbers.ts";
import { FrameRanges } from "./frame_ranges.ts";
import { type ImageShape, readShapes } from "./image_shape.ts";
import { quoted } from "./quoted.ts";
import { sectionsOf } from "./sections.ts";
import { readStrings } from "./string_table.ts";

interface DecodeOptions {
  /** What anchors are made on. */
  readonly host: object;
  /** `EncodedGraph.kept` of an image that was made in this process. */
  readonly kept?: readonly object[];
  readonly frames?: CopiedFrames;
}

/**
 * @returns the root
 * @throws ImageError if no encoder with this table has made the image; rules throw their own errors
 */
export function decodeGraph(
  bytes: Uint8Array<ArrayBuffer>,
  table: ClassTable,
  options: DecodeOptions,
): object {
  return new Decoder(bytes, table, options).decode();
}

interface SavedAnchor {
  readonly number: number;
  readonly className: string;
  readonly rule: AnchorRule;
}

interface LoadedAnchor extends SavedAnchor {
  /** Where in the image `values` are. */
  readonly at: number;
  readonly values: unknown[];
  /** Other anchors among the values: place and number. */
  readonly later: (readonly [number, number])[];
}

interface DerivedObject {
  /** Where in the image it stands. */
  readonly at: number;
  readonly number: number;
  readonly owner: number;
  readonly className: string;
  readonly rule: DerivedRule;
}

/** A place that holds a derived object. */
interface Place {
  readonly holder: object;
  /** A field, an index or the key of a map. */
  readonly key: unknown;
  readonly number: number;
}

/** A field that gets what its rule makes. */
interface MadeField {
  readonly object: object;
  readonly field: string;
  readonly rule: ConvertedField;
}

/** What a field is defined as, besides its value. */
const PLAIN_FIELD = { writable: true, enumerable: true, configurable: true } as const;

class Decoder {
  private readonly kept: readonly object[];
  private readonly host: object;
  private readonly frames: CopiedFrames | null;
  private readonly strings: readonly string[];
  private readonly shapes: readonly ImageShape[];
  private readonly buffers: ImageBuffers;
  private readonly heads: ByteReader;
  private readonly records: ByteReader;
  private readonly saved: ByteReader;
  /** Objects by their numbers; null: not made yet. */
  private readonly objects: (object | null)[] = [];
  private readonly kinds: number[] = [];
  private readonly frozen: object[] = [];
  private readonly anchors: SavedAnchor[] = [];
  /** Anchors that are made, by stage. */
  private readonly loaded: LoadedAnchor[] = [];
  /** Undoes what rules have done on the host, the last one first. */
  private readonly undo: (() => void)[] = [];
  private readonly derived: DerivedObject[] = [];
  private readonly places: Place[] = [];
  private readonly madeFields: MadeField[] = [];

  constructor(
    bytes: Uint8Array<ArrayBuffer>,
    private readonly table: ClassTable,
    options: DecodeOptions,
  ) {
    this.kept = options.kept ?? [];
    this.host = options.host;
    this.frames = options.frames ?? null;
    const { tables, heads, records, saved, content } = sectionsOf(bytes);
    this.heads = heads;
    this.records = records;
    this.saved = saved;
    this.strings = readStrings(tables);
    this.shapes = readShapes(tables, this.strings, table);
    this.buffers = new ImageBuffers(tables, bytes, content);
    tables.expectEnd();
  }

  decode(): object {
    while (this.heads.left > 0) this.make();
    try {
      this.load();
      for (let number = 0; number < this.objects.length; number++) this.fill(number);
      this.records.expectEnd();
      if (this.frames !== null) this.hold(this.frames);
      this.derive();
      for (const object of this.frozen) Object.freeze(object);
      const root = this.objects[0] ?? this.heads.fail("an object");
      for (const { number, rule } of this.loaded) rule.attach?.(this.objects[number]!, this.host);
      return root;
    } catch (error) {
      for (const undo of this.undo.toReversed()) undo();
      throw error;
    }
  }

  private make(): void {
    const { heads } = this, head = heads.u32(), kind = head >>> 1;
    if (this.objects.length === format.OBJECTS_MAX) heads.fail("no more objects");
    const object = kind < format.FIRST_SHAPE ? this.makeLanguage(kind) : this.makeOf(kind);
    this.kinds.push(kind);
    this.objects.push(object);
    if ((head & 1) === 0) return;
    if (object === null || !this.isFilled(kind)) return heads.fail("what can be frozen");
    this.frozen.push(object);
  }

  /** Whether objects of a kind have a record. */
  private isFilled(kind: number): boolean {
    return kind <= format.SET || this.shapes[kind - format.FIRST_SHAPE]?.isState === true;
  }

  private makeLanguage(kind: number): object {
    const { heads } = this;
    switch (kind) {
      case format.ARRAY:
        return [];
      case format.MAP:
        return new Map();
      case format.SET:
        return new Set();
      case format.BUFFER:
        return this.buffers.readBuffer(heads);
      case format.KEPT:
        return this.kept[heads.u32()] ?? heads.fail("the number of an object that is kept");
      case format.CONSTANT: {
        const name = this.string(heads);
        return this.table.constantNamed(name) ?? heads.fail(`a constant, and not ${quoted(name)}`);
      }
      default:
        return this.buffers.readView(kind - format.FIRST_VIEW, heads);
    }
  }

  /** Makes an object of a shape, or notes what makes it later. */
  private makeOf(kind: number): object | null {
    const { heads } = this, { at } = heads, number = this.objects.length;
    const shape = this.shapes[kind - format.FIRST_SHAPE] ?? heads.fail("the number of a shape");
    if (shape.entry === null) return shape.make();
    const { name: className, rule } = shape.entry.row;
    switch (rule.fate) {
      case "state":
        return shape.make();
      case "derived": {
        const owner = heads.u32();
        if (owner >= number) heads.fail("the owner of an object");
        this.derived.push({ at, number, owner, className, rule });
        return null;
      }
      case "anchor":
        this.anchors.push({ number, className, rule });
        return null;
      case "constant":
        return this.find(className, rule);
      case "refused":
        return heads.fail(`no object of the class ${className}`);
    }
  }

  private find(className: string, rule: ConstantRule): object {
    const name = this.string(this.heads);
    return rule.find(name) ?? this.heads.fail(`a ${className}, and not ${quoted(name)}`);
  }

  private load(): void {
    const anchors = this.anchors.map((anchor) => this.readSaved(anchor));
    this.saved.expectEnd();
    const stages = new Map(anchors.map(({ number, rule }) => [number, rule.stage]));
    for (const anchor of anchors.sort((a, b) => a.rule.stage - b.rule.stage)) {
      const { at, className, number, rule, values, later } = anchor;
      for (const [place, other] of later) {
        const isLower = (stages.get(other) ?? rule.stage) < rule.stage;
        values[place] = isLower ? this.objects[other] : failAt(at, "anchors of lower stages");
      }
      const made = rule.load(values, this.host) ?? failAt(at, `what a ${className} has saved`);
      if (rule.release !== undefined) this.undo.push(() => rule.release?.(made, this.host));
      this.objects[number] = made;
      this.loaded.push(anchor);
    }
  }

  private readSaved(anchor: SavedAnchor): LoadedAnchor {
    const { saved, objects } = this, { at } = saved, values: unknown[] = [];
    const later: (readonly [number, number])[] = [];
    for (let left = saved.count(); left > 0; left--) {
      const code = saved.u32(), number = code >>> format.TAG_BITS;
      if ((code & format.TAG_MASK) === format.TAG_OBJECT && objects[number] === null) {
        later.push([values.length, number]);
        values.push(null);
      } else values.push(this.value(code, saved));
    }
    return { ...anchor, at, values, later };
  }

  private fill(number: number): void {
    const object = this.objects[number]!, kind = this.kinds[number]!;
    if (kind >= format.FIRST_SHAPE) {
      const shape = this.shapes[kind - format.FIRST_SHAPE]!;
      if (shape.isState) this.fillFields(object, shape);
    } else if (kind === format.ARRAY) this.fillArray(object as unknown[]);
    else if (kind === format.MAP) this.fillMap(object as Map<unknown, unknown>);
    else if (kind === format.SET) this.fillSet(object as Set<unknown>);
  }

  private fillFields(object: object, shape: ImageShape): void {
    const { fields, rules } = shape, firstDefined = shape.firstDefined();
    const target = object as Record<string, unknown>;
    for (let i = 0; i < fields.length; i++) {
      const field = fields[i]!, rule = rules[i]!;
      const value = rule === null
        ? this.valueAt(object, field)
        : this.ruledValue(object, field, rule);
      if (i < firstDefined) target[field] = value;
      else Object.defineProperty(object, field, { ...PLAIN_FIELD, value });
    }
  }

  private fillArray(array: unknown[]): void {
    const { records } = this;
    for (let left = records.count(); left > 0; left--) {
      const code = records.u32();
      if (code === format.HOLE) array.length++;
      else array.push(this.valueOf(code, array, array.length));
    }
  }

  private fillMap(map: Map<unknown, unknown>): void {
    const { records } = this, size = records.count(2);
    for (let left = size; left > 0; left--) {
      const key = this.value(records.u32(), records);
      map.set(key, this.valueAt(map, key));
    }
    if (map.size !== size) records.fail("keys that differ");
  }

  private fillSet(set: Set<unknown>): void {
    const { records } = this, size = records.count();
    for (let left = size; left > 0; left--) set.add(this.value(records.u32(), records));
    if (set.size !== size) records.fail("members that differ");
  }

  /** Reads a value for a place that may hold a derived object. */
  private valueAt(holder: object, key: unknown): unknown {
    return this.valueOf(this.records.u32(), holder, key);
  }

  private valueOf(code: number, holder: object, key: unknown): unknown {
    const { records } = this;
    if (code !== format.LATER) return this.value(code, records);
    const number = records.u32();
    if (this.objects[number] !== null) records.fail("the number of a derived object");
    this.places.push({ holder, key, number });
    return null;
  }

  /** What a field with a rule has until its rule makes it. */
  private ruledValue(object: object, field: string, rule: FieldRule): unknown {
    if ("value" in rule) return rule.value;
    if (rule.make !== undefined) this.madeFields.push({ object, field, rule });
    return rule.save === undefined ? null : this.valueAt(object, field);
  }

  private value(code: number, from: ByteReader): unknown {
    const rest = code >>> format.TAG_BITS;
    switch (code & format.TAG_MASK) {
      case format.TAG_INT:
        return rest >>> 1 ^ -(rest & 1);
      case format.TAG_STRING:
        return this.strings[rest] ?? from.fail("the number of a string");
      case format.TAG_OBJECT:
        return this.objects[rest] ?? from.fail("the number of an object");
      default:
        return this.special(code, from);
    }
  }

  private special(code: number, from: ByteReader): unknown {
    switch (code) {
      case format.NULL:
        return null;
      case format.UNDEFINED:
        return undefined;
      case format.TRUE:
        return true;
      case format.FALSE:
        return false;
      case format.DOUBLE:
        return from.double();
      case format.POSITIVE:
        return from.u53();
      case format.NEGATIVE:
        return -from.u53();
      case format.BIGINT:
        return bigintOf(this.string(from)) ?? from.fail("the digits of a bigint");
      default:
        return from.fail("a value");
    }
  }

  private derive(): void {
    const { host } = this;
    for (const { at, number, owner, className, rule } of this.derived) {
      const holder = this.objects[owner] ?? failAt(at, `the owner of a ${className}`);
      this.objects[number] = attempt(at, () => rule.make(holder, host));
    }
    for (const { holder, key, number } of this.places) put(holder, key, this.objects[number]);
    this.madeFields.sort((a, b) => (a.rule.stage ?? 0) - (b.rule.stage ?? 0));
    for (const { object, field, rule } of this.madeFields) {
      const saved: unknown = Reflect.get(object, field);
      const made = attempt(this.records.at, () => rule.make?.(object, host, saved));
      if (rule.release !== undefined) this.undo.push(() => rule.release?.(made, host, object));
      put(object, field, made);
    }
  }

  private hold(frames: CopiedFrames): void {
    const held = new FrameRanges(), followers: (() => void)[] = [];
    const note: FrameVisitor = (first, count) => held.add(first, count);
    const hold: FrameVisitor = (first, count) => frames.hold(first, count);
    const numbers = new FrameNumbers(frames, this.records.at);
    const find = (frame: number) => numberOf(frames, frame);
    for (const [number, object] of this.objects.entries()) {
      const rule = this.shapes[this.kinds[number]! - format.FIRST_SHAPE]?.entry?.row.rule;
      if (rule === undefined || object === null) continue;
      if ("follow" in rule) followers.push(() => rule.follow?.(object, held.union(), find));
      if (!("frames" in rule)) continue;
      rule.frames?.(object, note);
      if (frames.numberOf !== undefined) rule.renumber?.(object, numbers);
      rule.frames?.(object, hold);
    }
    for (const follow of followers) follow();
  }

  private string(from: ByteReader): string {
    return this.strings[from.u32()] ?? from.fail("the number of a string");
  }
}

function bigintOf(digits: string): bigint | null {
  if (digits.length > format.BIGINT_DIGITS_MAX || !/^-?[0-9a-f]+$/.test(digits)) return null;
  return digits.startsWith("-") ? -BigInt(`0x${digits.slice(1)}`) : BigInt(`0x${digits}`);
}

/** Puts a value in a place that has one. */
function put(holder: object, key: unknown, value: unknown): void {
  if (holder instanceof Map) holder.set(key, value);
  else (holder as Record<string, unknown>)[key as string] = value;
}

/** Runs a rule, which trusts the objects of the image: what the language throws is their fault. */
function attempt<T>(at: number, make: () => T): T {
  try {
    return make();
  } catch (cause) {
    if (!(cause instanceof TypeError || cause instanceof RangeError)) throw cause;
    throw new ImageError(at, "expected objects that a rule can use", { cause });
  }
}

function failAt(offset: number, expected: string): never {
  throw new ImageError(offset, `expected ${expected}`);
}
