/**
 * Finds what no snapshot could save in the graph of a kernel's objects: functions, objects whose
 * class is not in the registry, and objects with other fields than the table of state says. Not a
 * test.
 *
 * Neighbours: object_graph.ts (the walk), state_registry.ts (what is right).
 */

import type { SandboxKernel } from "../../kernel/kernel.ts";
import { STATE_TABLE } from "../../kernel/snapshot/state_table.ts";
import { heldFunctions, heldObjects, nameOf } from "./object_graph.ts";
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
    const isHost = (value: object) => REGISTRY.get(nameOf(value)) === "host";
    const objects = heldObjects(kernel, isHost);
    for (const [object, place] of objects) {
      const name = nameOf(object);
      this.classes.add(name);
      const fate = REGISTRY.get(name);
      if (fate === undefined) this.lines.add(`${name} at ${place} is not in the registry`);
      const wrong = fate === "state" && !LANGUAGE.includes(name) ? wrongFields(object) : null;
      if (wrong !== null) this.lines.add(`${name} at ${place} ${wrong}`);
    }
    for (const place of heldFunctions(kernel, isHost)) {
      this.lines.add(`a function at ${place}`);
    }
    return objects.size;
  }
}
