/**
 * Finds what no snapshot could save in the graph of a kernel's objects: functions, and objects
 * whose class is not in the registry. Not a test.
 *
 * Neighbours: object_graph.ts (the walk), state_registry.ts (what is right).
 */

import type { SandboxKernel } from "../../kernel/kernel.ts";
import { heldFunctions, heldObjects, nameOf } from "./object_graph.ts";
import { REGISTRY } from "./state_registry.ts";

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
      if (!REGISTRY.has(name)) this.lines.add(`${name} at ${place} is not in the registry`);
    }
    for (const place of heldFunctions(kernel, isHost)) {
      this.lines.add(`a function at ${place}`);
    }
    return objects.size;
  }
}
