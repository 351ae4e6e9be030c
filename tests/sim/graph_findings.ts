/**
 * What is wrong in the graphs of objects of kernels, by the registry of their classes. Not a test.
 *
 * Neighbours: object_graph.ts (the walk), state_registry.ts (what is right).
 */

import type { SandboxKernel } from "../../kernel/kernel.ts";
import { heldFunctions, heldObjects, nameOf } from "./object_graph.ts";
import { REGISTRY } from "./state_registry.ts";

export class Findings {
  /** What no snapshot could save. */
  readonly lines: Set<string> = new Set();
  /** All classes of the objects that were met. */
  readonly classes: Set<string> = new Set();

  /**
   * A host resource is where a walk ends.
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
