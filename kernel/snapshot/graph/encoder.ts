/**
 * Encodes a graph of objects (format.ts says how): a walk numbers the objects in the order in which
 * it meets them, with a list and without recursion.
 */

import { MetBuffers } from "./buffers.ts";
import { ByteWriter } from "./byte_writer.ts";
import type { AnchorRule, ConstantRule, CopyPurpose } from "./class_row.ts";
import { ClassEntry, type ClassTable, type Entry, PlainEntry } from "./class_table.ts";
import * as format from "./format.ts";
import { type FrameRange, FrameRanges } from "./frame_ranges.ts";
import { GraphError, nameOf, pathOf, Refusal, RefusedError } from "./graph_error.ts";
import { MetShapes, NOT_MET } from "./met_shapes.ts";
import { imageOf } from "./sections.ts";
import { MetStrings } from "./string_table.ts";
import { difference, isRefusedKey, oddKey } from "./own_keys.ts";

/**
 * A copy in this process has the same constants, and the same objects of anchors whose rules say
 * so. They are in `EncodedGraph.kept`.
 */
export interface EncodeOptions extends CopyPurpose {
  /**
   * Looks for symbols, accessors and other odd keys in each object, which takes as long as the
   * rest. The keys of objects are compared with their rows in any case.
   */
  readonly isThorough?: boolean;
}

export interface EncodedGraph {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Objects that the decoder needs; none unless the copy will be in this process. */
  readonly kept: readonly object[];
  readonly frames: readonly FrameRange[];
  /** Those of them that their objects write in place (`FrameRule.areWritten`). */
  readonly written: readonly FrameRange[];
}

/**
 * @throws GraphError if the graph holds what the table does not know, with the path to it
 * @throws RefusedError if the graph holds what a rule refuses
 */
export function encodeGraph(
  root: object,
  table: ClassTable,
  options: EncodeOptions = {},
): EncodedGraph {
  return new Encoder(table, options).encode(root);
}

class Encoder {
  private readonly isInProcess: boolean;
  private readonly purpose: CopyPurpose;
  private readonly isThorough: boolean;
  private readonly objects: object[] = [];
  private readonly entries: Entry[] = [];
  private readonly parents: number[] = [];
  /** What stands for an object in a record; of objects that are derived, -1 minus the number. */
  private readonly codes: Map<object, number> = new Map();
  /** The number of the object that is being written. */
  private current: number = -1;
  private readonly strings: MetStrings = new MetStrings();
  private readonly shapes: MetShapes;
  private readonly buffers: MetBuffers = new MetBuffers();
  private readonly heads: ByteWriter = new ByteWriter();
  private readonly records: ByteWriter = new ByteWriter();
  private readonly saved: ByteWriter = new ByteWriter();
  private readonly kept: object[] = [];
  private readonly frames: FrameRanges = new FrameRanges();
  private readonly written: FrameRanges = new FrameRanges();
  private readonly visitFrames: (first: number, count: number) => void;
  private readonly visitWritten: (first: number, count: number) => void;

  constructor(private readonly table: ClassTable, options: EncodeOptions) {
    this.isInProcess = options.isInProcess ?? false;
    this.purpose = options;
    this.isThorough = options.isThorough ?? false;
    this.shapes = new MetShapes(this.strings, table.size);
    this.visitFrames = (first, count) => this.frames.add(first, count);
    this.visitWritten = (first, count) => {
      this.frames.add(first, count);
      this.written.add(first, count);
    };
  }

  encode(root: object): EncodedGraph {
    if (this.meet(root) < 0) this.fail(null, "derived");
    try {
      for (let at = 0; at < this.objects.length; at++) {
        this.current = at;
        this.putObject(this.objects[at]!, this.entries[at]!);
      }
    } catch (error) {
      throw error instanceof Refusal ? new RefusedError(this.pathTo(null), error.message) : error;
    }
    const frames = this.frames.union(), written = this.written.union();
    return { bytes: this.image(), kept: this.kept, frames, written };
  }

  private image(): Uint8Array<ArrayBuffer> {
    const tables = new ByteWriter();
    this.strings.put(tables);
    this.shapes.put(tables);
    this.buffers.put(tables);
    const image = imageOf([tables, this.heads, this.records, this.saved], this.buffers);
    this.current = 0;
    return image ?? this.fail(null, "a graph that is too large");
  }

  /** Numbers an object. */
  private meet(object: object): number {
    const number = this.objects.length, entry = this.table.entryOf(object);
    if (entry === null) this.fail({ value: object }, `no row for the class ${nameOf(object)}`);
    if (number === format.OBJECTS_MAX) this.fail({ value: object }, "too many objects");
    const isLater = entry instanceof ClassEntry && entry.row.rule.fate === "derived";
    const code = isLater ? ~number : number << format.TAG_BITS | format.TAG_OBJECT;
    this.objects.push(object);
    this.entries.push(entry);
    this.parents.push(this.current);
    this.codes.set(object, code);
    return code;
  }

  private putObject(object: object, entry: Entry): void {
    if (entry instanceof ClassEntry) this.putInstance(object, entry);
    else if (entry instanceof PlainEntry) this.putPlain(object, entry.shape);
    else if (entry.kind === format.CONSTANT) this.putNamed(object);
    else this.putLanguage(object, entry.kind);
  }

  private putLanguage(object: object, kind: number): void {
    if (kind >= format.FIRST_VIEW || kind === format.BUFFER) return this.putMemory(object, kind);
    this.putHead(object, kind);
    if (this.isThorough) this.checkKeys(object);
    if (Array.isArray(object)) this.putArray(object);
    else if (object instanceof Map) this.putMap(object);
    else if (object instanceof Set) this.putSet(object);
    else this.fail(null, `a ${nameOf(object)} that is none`);
  }

  private putHead(object: object, kind: number): void {
    let isFrozen = 0;
    if (!Object.isExtensible(object)) {
      if (!Object.isFrozen(object)) this.fail(null, "sealed, but not frozen");
      isFrozen = 1;
    }
    this.heads.u32(2 * kind + isFrozen);
  }

  private putArray(array: readonly unknown[]): void {
    const { length } = array;
    if (length > format.ARRAY_MAX) this.fail(null, "an array that is too long");
    this.records.u32(length);
    for (let i = 0; i < length; i++) {
      const value = array[i];
      if (value === undefined && !Object.hasOwn(array, i)) this.records.u32(format.HOLE);
      else this.putValue(value, this.records);
    }
  }

  private putMap(map: ReadonlyMap<unknown, unknown>): void {
    this.records.u32(map.size);
    for (const [key, value] of map) {
      this.putKey(key);
      this.putValue(value, this.records);
    }
  }

  private putSet(set: ReadonlySet<unknown>): void {
    this.records.u32(set.size);
    for (const value of set) this.putKey(value);
  }

  /** A key of a map or a member of a set, which cannot be replaced later. */
  private putKey(key: unknown): void {
    this.putValue(key, this.records);
    if (typeof key === "object" && key !== null && this.codes.get(key)! < 0) {
      this.fail({ value: key }, `${nameOf(key)} is derived, and a key`);
    }
  }

  private putMemory(object: object, kind: number): void {
    if (!Object.isExtensible(object)) this.fail(null, "memory that is sealed");
    this.heads.u32(2 * kind);
    if (object instanceof ArrayBuffer) {
      this.checkBuffer(object);
      this.buffers.putBuffer(object, this.heads);
    } else if (ArrayBuffer.isView(object)) {
      const { buffer } = object;
      if (!(buffer instanceof ArrayBuffer)) this.fail(null, "a view of shared memory");
      this.checkBuffer(buffer);
      this.buffers.putView(object as ArrayBufferView<ArrayBuffer>, this.heads);
    } else this.fail(null, `a ${nameOf(object)} that is none`);
  }

  private checkBuffer(buffer: ArrayBuffer): void {
    if (buffer.resizable) this.fail(null, "a buffer that can be resized");
    if (buffer.byteLength > format.BUFFER_MAX) this.fail(null, "a buffer as large as an arena");
    if (buffer.detached) this.fail(null, "a buffer that was transferred");
  }

  private putPlain(object: object, shape: number): void {
    const keys = Object.keys(object), list = this.shapes.listOf(shape, keys);
    if (list.kind === NOT_MET) {
      this.checkKeys(object);
      const refused = keys.find(isRefusedKey);
      if (refused !== undefined) this.fail(null, `a plain object with the key "${refused}"`);
      this.shapes.addPlain(shape, keys);
    } else if (this.isThorough) this.checkKeys(object);
    this.putHead(object, list.kind);
    for (const value of Object.values(object)) this.putValue(value, this.records);
  }

  private putInstance(object: object, entry: ClassEntry): void {
    const { row } = entry, { rule } = row;
    if (rule.fate === "refused") {
      throw new RefusedError(this.pathTo(null), rule.reason(object));
    }
    const isShared = rule.fate === "constant" || rule.fate === "anchor" && rule.isShared;
    if (this.isInProcess && isShared) return this.keep(object);
    const kind = this.shapes.kindOfClass(entry);
    if (rule.fate === "state") {
      if (this.isThorough) this.checkKeys(object);
      this.putHead(object, kind);
      this.putFields(object, entry);
      rule.frames?.(object, rule.areWritten === true ? this.visitWritten : this.visitFrames);
      return;
    }
    this.heads.u32(2 * kind);
    if (rule.fate === "derived") this.heads.u32(this.parents[this.current]!);
    else if (rule.fate === "anchor") this.putAnchor(object, rule);
    else this.putConstant(object, rule);
  }

  private putFields(object: object, { row: { name, fields }, rules }: ClassEntry): void {
    const keys = Object.keys(object), { length } = fields;
    if (keys.length !== length) this.fail(null, `${name} ${difference(object, fields)}`);
    let values = Object.values(object);
    for (let i = 0; i < length; i++) {
      if (keys[i] === fields[i]) continue;
      values = this.inOrder(object, name, fields);
      break;
    }
    for (let i = 0; i < length; i++) {
      const rule = rules[i]!;
      if (rule === null) this.putValue(values[i], this.records);
      else if ("save" in rule && rule.save !== undefined) {
        this.putValue(rule.save(object, this.purpose), this.records);
      }
    }
  }

  /** The values of an object that got its fields in another order. */
  private inOrder(object: object, name: string, fields: readonly string[]): unknown[] {
    return fields.map((field) => {
      if (!Object.hasOwn(object, field)) this.fail(null, `${name} ${difference(object, fields)}`);
      return Reflect.get(object, field);
    });
  }

  private putAnchor(object: object, rule: AnchorRule): void {
    const values = rule.save(object, this.purpose);
    this.saved.u32(values.length);
    for (const value of values) {
      this.putValue(value, this.saved);
      if (typeof value === "object" && value !== null) this.checkSaved(value, rule);
    }
    rule.frames?.(object, this.visitFrames);
  }

  /** What an anchor has saved must be there when the anchor is made. */
  private checkSaved(value: object, { stage }: AnchorRule): void {
    const code = this.codes.get(value)!;
    const entry = this.entries[code < 0 ? ~code : code >> format.TAG_BITS];
    const rule = entry instanceof ClassEntry ? entry.row.rule : null;
    if (rule?.fate === "derived" || rule?.fate === "anchor" && rule.stage >= stage) {
      this.fail({ value }, `saved by an anchor of stage ${stage}, but made later`);
    }
  }

  private putConstant(object: object, rule: ConstantRule): void {
    const name = rule.name(object);
    if (rule.find(name) !== object) this.fail(null, `the constant "${name}" is another object`);
    this.heads.u32(this.strings.numberOf(name));
  }

  private putNamed(object: object): void {
    if (this.isInProcess) return this.keep(object);
    this.heads.u32(2 * format.CONSTANT);
    this.heads.u32(this.strings.numberOf(this.table.nameOfConstant(object)!));
  }

  private keep(object: object): void {
    this.heads.u32(2 * format.KEPT);
    this.heads.u32(this.kept.push(object) - 1);
  }

  private putValue(value: unknown, out: ByteWriter): void {
    switch (typeof value) {
      case "number":
        return putNumber(value, out);
      case "string":
        return out.u32(this.strings.numberOf(value) << format.TAG_BITS | format.TAG_STRING);
      case "boolean":
        return out.u32(value ? format.TRUE : format.FALSE);
      case "undefined":
        return out.u32(format.UNDEFINED);
      case "object":
        return value === null ? out.u32(format.NULL) : this.putReference(value, out);
      case "bigint":
        return this.putBigInt(value, out);
      default:
        this.fail({ value }, `a ${typeof value}`);
    }
  }

  private putReference(object: object, out: ByteWriter): void {
    const code = this.codes.get(object) ?? this.meet(object);
    if (code >= 0) return out.u32(code);
    out.u32(format.LATER);
    out.u32(~code);
  }

  private putBigInt(value: bigint, out: ByteWriter): void {
    const text = value.toString(16);
    if (text.length > format.BIGINT_DIGITS_MAX) this.fail({ value }, "a bigint that is too long");
    out.u32(format.BIGINT);
    out.u32(this.strings.numberOf(text));
  }

  private checkKeys(object: object): void {
    const odd = oddKey(object);
    if (odd !== null) this.fail(null, `${nameOf(object)} has ${odd}`);
  }

  /** @param held the value at fault that the current object holds; null: it is that object */
  private fail(held: { value: unknown } | null, problem: string): never {
    if (this.current === -1) throw new GraphError("the root", problem);
    throw new GraphError(this.pathTo(held), problem);
  }

  private pathTo(held: { value: unknown } | null): string {
    const { objects, parents } = this;
    return pathOf({ objects, parents }, this.current, held);
  }
}

function putNumber(value: number, out: ByteWriter): void {
  const small = value | 0;
  if (small === value && small >= -format.SMALL_END && small < format.SMALL_END) {
    if (small !== 0 || !Object.is(value, -0)) {
      out.u32((small << 1 ^ small >> 31) << format.TAG_BITS | format.TAG_INT);
      return;
    }
  }
  if (Number.isSafeInteger(value) && value !== 0) {
    out.u32(value > 0 ? format.POSITIVE : format.NEGATIVE);
    out.u53(Math.abs(value));
  } else {
    out.u32(format.DOUBLE);
    out.double(value);
  }
}
