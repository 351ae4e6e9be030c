/** The classes and constants that a graph may hold. Neighbour: class_row.ts (one class). */

import { VIEWS } from "./buffers.ts";
import type { ClassRow, FieldRule } from "./class_row.ts";
import { ARRAY, BUFFER, CONSTANT, FIRST_VIEW, MAP, SET, SHAPE_BARE } from "./format.ts";
import { SHAPE_CLASS, SHAPE_PLAIN } from "./format.ts";

/** What the language makes, by its prototype. */
class LanguageEntry {
  constructor(readonly kind: number) {}
}

/** Plain objects, of one of the SHAPE numbers. */
export class PlainEntry {
  constructor(readonly shape: number) {}
}

export class ClassEntry {
  readonly shape: number = SHAPE_CLASS;
  /** The rule of each field; null: it is encoded as it is. */
  readonly rules: readonly (FieldRule | null)[];
  /** Fields that an assignment would not make, as the prototype has a setter. */
  readonly hasSetters: boolean;

  /** @param index of the row in the table */
  constructor(readonly row: ClassRow, readonly index: number) {
    const { fields, prototype, rule } = row;
    const rules = rule.fate === "state" ? rule.fields ?? {} : {};
    this.rules = fields.map((field) => Object.hasOwn(rules, field) ? rules[field]! : null);
    this.hasSetters = fields.some((field) => field in prototype);
    const unknown = Object.keys(rules).find((field) => !fields.includes(field));
    if (unknown !== undefined) throw new Error(`${row.name} has no field "${unknown}"`);
  }
}

export type Entry = LanguageEntry | PlainEntry | ClassEntry;

const LANGUAGE: readonly (readonly [object, Entry])[] = [
  [Array.prototype, new LanguageEntry(ARRAY)],
  [Map.prototype, new LanguageEntry(MAP)],
  [Set.prototype, new LanguageEntry(SET)],
  [ArrayBuffer.prototype, new LanguageEntry(BUFFER)],
  ...VIEWS.map((view, i): [object, Entry] => [view, new LanguageEntry(FIRST_VIEW + i)]),
  [Object.prototype, new PlainEntry(SHAPE_PLAIN)],
];
const BARE = Object.freeze(new PlainEntry(SHAPE_BARE));
const NAMED_CONSTANT = Object.freeze(new LanguageEntry(CONSTANT));

export class ClassTable {
  readonly size: number;
  private readonly entries: ReadonlyMap<object, Entry>;
  private readonly byName: ReadonlyMap<string, ClassEntry>;
  private readonly names: ReadonlyMap<object, string>;
  private readonly constants: ReadonlyMap<string, object>;

  /** @param constants objects of the program by their names, whatever their classes are */
  constructor(rows: readonly ClassRow[], constants: ReadonlyMap<string, object> = new Map()) {
    const classes = rows.map((row, i) => new ClassEntry(row, i));
    this.size = rows.length;
    this.byName = new Map(classes.map((entry) => [entry.row.name, entry]));
    this.entries = new Map([
      ...LANGUAGE,
      ...classes.map((entry): [object, Entry] => [entry.row.prototype, entry]),
    ]);
    this.constants = constants;
    this.names = new Map([...constants].map(([name, object]) => [object, name]));
    if (this.byName.size < rows.length) throw new Error("two classes of one name");
    if (this.entries.size < LANGUAGE.length + rows.length) throw new Error("two rows of one class");
    for (const { row } of classes) if (row.rule.fate === "state") checkChain(row);
  }

  /** What an object is; null: the table has no class for it. */
  entryOf(object: object): Entry | null {
    if (this.names.size > 0 && this.names.has(object)) return NAMED_CONSTANT;
    const prototype: object | null = Object.getPrototypeOf(object);
    return prototype === null ? BARE : this.entries.get(prototype) ?? null;
  }

  classNamed(name: string): ClassEntry | undefined {
    return this.byName.get(name);
  }

  nameOfConstant(object: object): string | undefined {
    return this.names.get(object);
  }

  constantNamed(name: string): object | undefined {
    return this.constants.get(name);
  }
}

/** State of a class that extends one of the language is in no field. */
function checkChain({ name, prototype }: ClassRow): void {
  let at: object | null = prototype;
  while (at !== null && at !== Object.prototype) {
    const made = Object.hasOwn(at, "constructor") ? at.constructor : null;
    if (made !== null && /\[native code\]/.test(Function.prototype.toString.call(made))) {
      throw new Error(`${name} extends ${made.name}`);
    }
    at = Object.getPrototypeOf(at);
  }
}
