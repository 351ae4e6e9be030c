/**
 * Walks everything that a kernel holds. State has to be plain data, as it is what a snapshot would
 * save: objects of classes, arrays, maps and sets, numbers and strings, typed arrays; no functions,
 * no promises, no iterators, no weak collections.
 *
 * Fields of the language's own privacy (`#x`) cannot be seen: state_graph_test.ts keeps them out.
 */

/** Values that are no state, at which a walk ends. */
type Boundary = (value: object) => boolean;

/**
 * Calls `visit` with each value that is held, by its owner's class and field; true: go on inside.
 */
function walk(
  root: object,
  visit: (value: unknown, owner: string, field: string) => boolean,
): void {
  const left: object[] = [root];
  const look = (value: unknown, owner: string, field: string) => {
    if (visit(value, owner, field) && typeof value === "object" && value !== null) left.push(value);
  };
  for (let object = left.pop(); object !== undefined; object = left.pop()) {
    const name = nameOf(object);
    if (ArrayBuffer.isView(object) || object instanceof SharedArrayBuffer) continue;
    if (object instanceof Map) {
      for (const [key, value] of object) {
        look(key, name, "key");
        look(value, name, "value");
      }
    } else if (object instanceof Set) { for (const value of object) look(value, name, "member"); }
    for (const key of Reflect.ownKeys(object)) {
      const { value } = Reflect.getOwnPropertyDescriptor(object, key) ?? {};
      look(value, name, Array.isArray(object) ? "element" : String(key));
    }
  }
}

/** Functions that are held, by their places as "Class.field". */
export function heldFunctions(root: object, isBoundary: Boundary): Set<string> {
  const seen = new Set<object>([root]), found = new Set<string>();
  walk(root, (value, owner, field) => {
    if (typeof value === "function") found.add(`${owner}.${field}`);
    if (typeof value !== "object" || value === null) return false;
    if (seen.has(value) || isBoundary(value)) return false;
    seen.add(value);
    return true;
  });
  return found;
}

/** All objects that are held, each with the place, as "Class.field", that it was found at first. */
export function heldObjects(root: object, isBoundary: Boundary): Map<object, string> {
  const held = new Map<object, string>([[root, "root"]]);
  walk(root, (value, owner, field) => {
    if (typeof value !== "object" || value === null) return false;
    if (held.has(value) || isBoundary(value)) return false;
    held.set(value, `${owner}.${field}`);
    return true;
  });
  return held;
}

/** The name of an object's class; of what the language makes, such as iterators, the kind. */
export function nameOf(object: object): string {
  const kind = Object.prototype.toString.call(object).slice(8, -1), { constructor } = object;
  if (kind.includes("Iterator") || kind.includes("Generator")) return kind;
  return typeof constructor === "function" ? constructor.name : "(none)";
}
