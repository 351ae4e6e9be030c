/** Classes, and lists of keys of plain objects, in the order in which an encoder met them. */

import { ByteWriter } from "./byte_writer.ts";
import type { ClassEntry } from "./class_table.ts";
import { FIRST_SHAPE, SHAPE_CLASS } from "./format.ts";
import type { MetStrings } from "./string_table.ts";

/** What a list of keys leads to: keys that go on, and the kind of objects that end here. */
class KeyList {
  kind: number = NOT_MET;
  private readonly longer: Map<string, KeyList> = new Map();

  /** This list and one more key. */
  with(key: string): KeyList {
    let next = this.longer.get(key);
    if (next === undefined) {
      next = new KeyList();
      this.longer.set(key, next);
    }
    return next;
  }
}

export const NOT_MET = -1;

export class MetShapes {
  private count: number = 0;
  private readonly out: ByteWriter = new ByteWriter();
  /** By the index of a class. */
  private readonly classes: Int32Array;
  /** Empty lists of keys by the number of the shape. */
  private readonly plain: Map<number, KeyList> = new Map();

  /** @param classes how many the table has */
  constructor(private readonly strings: MetStrings, classes: number) {
    this.classes = new Int32Array(classes).fill(NOT_MET);
  }

  /** The kind of the objects of a class. */
  kindOfClass({ index, row }: ClassEntry): number {
    const known = this.classes[index]!;
    if (known !== NOT_MET) return known;
    this.out.u32(SHAPE_CLASS);
    this.out.u32(this.strings.numberOf(row.name));
    return this.classes[index] = FIRST_SHAPE + this.count++;
  }

  /** The list of the keys of plain objects, whose kind may be NOT_MET. */
  listOf(shape: number, keys: readonly string[]): KeyList {
    let list = this.plain.get(shape);
    if (list === undefined) {
      list = new KeyList();
      this.plain.set(shape, list);
    }
    for (const key of keys) list = list.with(key);
    return list;
  }

  addPlain(shape: number, keys: readonly string[]): number {
    this.out.u32(shape);
    this.out.u32(keys.length);
    for (const key of keys) this.out.u32(this.strings.numberOf(key));
    return this.listOf(shape, keys).kind = FIRST_SHAPE + this.count++;
  }

  /** Writes the table. */
  put(out: ByteWriter): void {
    out.u32(this.count);
    out.append(this.out.written());
  }
}
