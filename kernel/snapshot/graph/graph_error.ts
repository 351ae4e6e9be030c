/** Why a graph cannot be encoded, and where in it: a path of fields from its root. */

import { quoted } from "./quoted.ts";

/** The graph holds what its table of classes does not know: a fault of the program. */
export class GraphError extends Error {
  override readonly name = "GraphError";

  constructor(readonly path: string, readonly problem: string) {
    super(`${path}: ${problem}`);
  }
}

/** The graph holds an object that a rule refuses. */
export class RefusedError extends Error {
  override readonly name = "RefusedError";

  constructor(readonly path: string, readonly reason: string) {
    super(`${path}: ${reason}`);
  }
}

/** Thrown by a rule, with the reason: an object cannot be taken along, or made again. */
export class Refusal extends Error {
  override readonly name = "Refusal";
}

/** Objects in the order of a walk. */
interface Walked {
  readonly objects: readonly object[];
  /** For each object the number of the one in which it was met first; -1 for the root. */
  readonly parents: readonly number[];
}

/** The path to an object, such as `Kernel.vfs.mounts[3].root`, or to a value that it holds. */
export function pathOf(
  { objects, parents }: Walked,
  at: number,
  held: { readonly value: unknown } | null,
): string {
  let path = held === null ? "" : placeIn(objects[at]!, held.value);
  for (let child = at, parent = parents[at]!; parent !== -1; parent = parents[child]!) {
    path = placeIn(objects[parent]!, objects[child]) + path;
    child = parent;
  }
  return nameOf(objects[0]!) + path;
}

/** The name of an object's class. */
export function nameOf(object: object): string {
  const { constructor } = object;
  return typeof constructor === "function" ? constructor.name : "Object without a prototype";
}

function placeIn(holder: object, value: unknown): string {
  if (Array.isArray(holder)) return `[${holder.indexOf(value)}]`;
  if (holder instanceof Set) return `.member(${[...holder].indexOf(value)})`;
  if (holder instanceof Map) return placeInMap(holder, value);
  const field = Reflect.ownKeys(holder).find((key) =>
    Object.getOwnPropertyDescriptor(holder, key)?.value === value
  );
  // What the rule of an anchor has saved is in none of its fields.
  return field === undefined ? ".(saved)" : `.${String(field)}`;
}

function placeInMap(map: ReadonlyMap<unknown, unknown>, value: unknown): string {
  const place = [...map.values()].indexOf(value), key = [...map.keys()][place];
  if (place === -1) return `.key(${[...map.keys()].indexOf(value)})`;
  if (typeof key === "object") return `.value(${place})`;
  return `.get(${typeof key === "string" ? quoted(key) : String(key)})`;
}
