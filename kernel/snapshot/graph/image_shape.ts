/**
 * A class, or a list of keys of plain objects, that an image has: how its objects are made and get
 * their fields.
 *
 * A field is assigned by its name, which is fast, and gives all objects of a shape one hidden class
 * of V8, another one than the constructor's. But V8 makes a slow dictionary of an object that gets
 * more than some 16 fields in this way, unless it knows a hidden class with the next field: so the
 * further fields of the first object are defined, which is slow.
 */

import type { ByteReader } from "./byte_reader.ts";
import type { FieldRule } from "./class_row.ts";
import type { ClassEntry, ClassTable } from "./class_table.ts";
import { SHAPE_BARE, SHAPE_CLASS, SHAPE_PLAIN } from "./format.ts";
import { isRefusedKey } from "./own_keys.ts";
import { quoted } from "./quoted.ts";

/** How many fields are assigned in any case. */
const ASSIGNED = 16;
/** Objects of more fields are dictionaries in any case. */
const FAST_MAX = 128;

export class ImageShape {
  /** Whether its objects have their fields in the image. */
  readonly isState: boolean;
  private isFirst: boolean = true;

  /** @param entry of the class; null: plain objects */
  constructor(
    readonly entry: ClassEntry | null,
    private readonly prototype: object | null,
    readonly fields: readonly string[],
    readonly rules: readonly (FieldRule | null)[],
  ) {
    this.isState = entry === null || entry.row.rule.fate === "state";
  }

  make(): object {
    return this.prototype === Object.prototype ? {} : Object.create(this.prototype);
  }

  /** From which field on those of the next object have to be defined. */
  firstDefined(): number {
    const { isFirst, entry, fields: { length } } = this;
    this.isFirst = false;
    if (entry?.hasSetters === true) return 0;
    return isFirst && length <= FAST_MAX ? ASSIGNED : length;
  }
}

/** Reads the table of shapes. */
export function readShapes(
  tables: ByteReader,
  strings: readonly string[],
  classes: ClassTable,
): ImageShape[] {
  const shapes: ImageShape[] = [];
  for (let left = tables.count(2); left > 0; left--) {
    const shape = tables.u32();
    if (shape > SHAPE_BARE) tables.fail("a kind of shape");
    if (shape === SHAPE_CLASS) {
      const name = strings[tables.u32()] ?? tables.fail("the number of a string");
      const entry = classes.classNamed(name) ?? tables.fail(`a class, and not ${quoted(name)}`);
      const { row, rules } = entry;
      shapes.push(new ImageShape(entry, row.prototype, row.fields, rules));
    } else {
      const keys = readKeys(tables, strings);
      const prototype = shape === SHAPE_PLAIN ? Object.prototype : null;
      shapes.push(new ImageShape(null, prototype, keys, keys.map(() => null)));
    }
  }
  return shapes;
}

function readKeys(tables: ByteReader, strings: readonly string[]): string[] {
  const keys: string[] = [];
  for (let left = tables.count(); left > 0; left--) {
    const key = strings[tables.u32()] ?? tables.fail("the number of a string");
    if (isRefusedKey(key)) tables.fail(`the key of a plain object, and not ${quoted(key)}`);
    keys.push(key);
  }
  if (new Set(keys).size < keys.length) tables.fail("keys that differ");
  return keys;
}
