/**
 * Walks everything that a kernel holds. State has to be plain data, as it is what a snapshot would
 * save: objects of classes, arrays, maps and sets, numbers and strings, typed arrays; no functions,
 * no promises, no iterators, no weak collections.
 *
 * Fields of the language's own privacy (`#x`) cannot be seen: state_graph_test.ts keeps them out.
 */

/** The prototypes of what has elements, or members without a class. */
const COLLECTIONS: ReadonlySet<object | null> = new Set([
  ...[Array, Map, Set, Object].map((made) => made.prototype),
  null,
]);

/** Values that are no state, at which a walk ends. */
type Boundary = (value: object) => boolean;

/** Calls `visit` with each value that is held, by its owner and field; true: go on inside. */
function walk(
  root: object,
  visit: (value: unknown, owner: object, field: string) => boolean,
): void {
  const left: object[] = [root];
  const look = (value: unknown, owner: object, field: string) => {
    if (visit(value, owner, field) && typeof value === "object" && value !== null) left.push(value);
  };
  for (let object = left.pop(); object !== undefined; object = left.pop()) {
    if (ArrayBuffer.isView(object) || object instanceof SharedArrayBuffer) continue;
    if (object instanceof Map) {
      for (const [key, value] of object) {
        look(key, object, "key");
        look(value, object, "value");
      }
    } else if (object instanceof Set) { for (const value of object) look(value, object, "member"); }
    for (const key of Reflect.ownKeys(object)) {
      const { value } = Reflect.getOwnPropertyDescriptor(object, key) ?? {};
      look(value, object, Array.isArray(object) ? "element" : String(key));
    }
  }
}

/** All objects that are held, each with the place, as "Class.field", that it was found at first. */
export function heldObjects(root: object, isBoundary: Boundary): Map<object, string> {
  const held = new Map<object, string>([[root, "root"]]);
  walk(root, (value, owner, field) => {
    if (typeof value !== "object" || value === null) return false;
    if (held.has(value) || isBoundary(value)) return false;
    held.set(value, `${nameOf(owner)}.${field}`);
    return true;
  });
  return held;
}

/** What `heldGraph` finds, with places as "Class.field". */
interface Held {
  /** Each object with its place. */
  readonly objects: ReadonlyMap<object, string>;
  /** The places of functions. */
  readonly functions: ReadonlySet<string>;
  /** The places of objects that are left out, with the names of their classes. */
  readonly leftOut: ReadonlyMap<string, ReadonlySet<string>>;
}

/**
 * Walks everything. What an array, a map, a set or a record has is at the place of that.
 *
 * @param isLeftOut whether an object that is no boundary is none of the state; a walk enters it
 * @param placeOf the name of a field
 */
export function heldGraph(
  root: object,
  isBoundary: Boundary,
  isLeftOut: (value: object) => boolean,
  placeOf: (owner: object, field: string) => string,
): Held {
  const objects = new Map<object, string>([[root, "root"]]), functions = new Set<string>();
  const leftOut = new Map<string, Set<string>>();
  /** Objects that are left out, and the collections that those alone have. */
  const outside = new Set<object>(), theirs = new Set<object>();
  walk(root, (value, owner, field) => {
    const isObject = typeof value === "object" && value !== null;
    if (!isObject && typeof value !== "function") return false;
    const isKnown = isObject && objects.has(value);
    if (isKnown && !outside.has(value)) return false;
    const inside = COLLECTIONS.has(Object.getPrototypeOf(owner)) ? objects.get(owner) : undefined;
    const place = inside ?? placeOf(owner, field),
      isTheirs = outside.has(owner) || theirs.has(owner);
    if (!isObject) {
      functions.add(place);
      return false;
    }
    const ends = isBoundary(value);
    if (ends || isLeftOut(value)) {
      if (!isTheirs) leftOut.set(place, (leftOut.get(place) ?? new Set()).add(nameOf(value)));
      outside.add(value);
    } else if (isTheirs && COLLECTIONS.has(Object.getPrototypeOf(value))) theirs.add(value);
    if (ends || isKnown) return false;
    objects.set(value, place);
    return true;
  });
  return { objects, functions, leftOut };
}

/** The name of an object's class; of what the language makes, such as iterators, the kind. */
export function nameOf(object: object): string {
  const kind = Object.prototype.toString.call(object).slice(8, -1), { constructor } = object;
  if (kind.includes("Iterator") || kind.includes("Generator")) return kind;
  return typeof constructor === "function" ? constructor.name : "(none)";
}
