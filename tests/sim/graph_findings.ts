/**
 * Finds what no snapshot could save in the graph of a kernel's objects: functions, objects whose
 * class is not in the registry, objects with other fields than the table of state says, and fields
 * that hold what a snapshot leaves out without a rule for them. Not a test.
 *
 * Neighbours: object_graph.ts (the walk), state_registry.ts (what is right).
 */

import type { SandboxKernel } from "../../kernel/kernel.ts";
import { FIELD_RULES } from "../../kernel/snapshot/rules/fields.ts";
import { STATE_TABLE } from "../../kernel/snapshot/state_table.ts";
import { heldGraph, nameOf } from "./object_graph.ts";
import { LANGUAGE, REGISTRY } from "./state_registry.ts";

const ROWS: ReadonlyMap<object, string> = new Map(
  STATE_TABLE.map(({ made, fields }) => [made.prototype, fields.join(" ")]),
);

/** What is wrong with the fields of an object of a class that is state; else null. */
export function wrongFields(object: object): string | null {
  const row = ROWS.get(Object.getPrototypeOf(object));
  if (row === undefined) return "is not of the class that the table of state names so";
  const own = Reflect.ownKeys(object).map(String);
  const unset = own.filter((key) => Reflect.get(object, key) === undefined);
  if (unset.length > 0) return `has no value in the fields ${unset.join(" ")}`;
  if (own.join(" ") === row) return null;
  const fields = row.split(" "), extra = own.filter((key) => !fields.includes(key));
  const missing = fields.filter((field) => !own.includes(field));
  if (extra.length + missing.length === 0) return `has the fields in this order: ${own.join(" ")}`;
  return `has the extra fields (${extra.join(" ")}), and lacks (${missing.join(" ")})`;
}

/** The fields with a rule, as "Class.field". */
const RULED: ReadonlySet<string> = new Set(FIELD_RULES.map(({ field }) => field));

/** The name of a field: by the class that its rule names, else by the class of the object. */
function fieldName(owner: object, field: string): string {
  let made: object | null = owner;
  while ((made = Object.getPrototypeOf(made)) !== null) {
    const name = `${made.constructor.name}.${field}`;
    if (RULED.has(name)) return name;
  }
  return `${nameOf(owner)}.${field}`;
}

export class Findings {
  /** One line a finding: the class or function and the field that holds it. */
  readonly lines: Set<string> = new Set();
  /** The classes of all objects that were met. */
  readonly classes: Set<string> = new Set();

  /**
   * Walks a kernel; a walk does not enter resources of the host.
   * @returns how many objects were met
   */
  walk(kernel: SandboxKernel): number {
    const fateOf = (value: object) => REGISTRY.get(nameOf(value)) ?? "state";
    const isHost = (value: object) => fateOf(value) === "host";
    const isLeftOut = (value: object) => fateOf(value) !== "state";
    const { objects, functions, leftOut } = heldGraph(kernel, isHost, isLeftOut, fieldName);
    for (const [object, place] of objects) {
      const name = nameOf(object);
      this.classes.add(name);
      const fate = REGISTRY.get(name);
      if (fate === undefined) this.lines.add(`${name} at ${place} is not in the registry`);
      const wrong = fate === "state" && !LANGUAGE.includes(name) ? wrongFields(object) : null;
      if (wrong !== null) this.lines.add(`${name} at ${place} ${wrong}`);
    }
    for (const place of functions) this.lines.add(`a function at ${place}`);
    for (const [field, classes] of leftOut) {
      if (!RULED.has(field)) this.lines.add(`${field} has no rule, and holds ${[...classes]}`);
    }
    return objects.size;
  }
}
