/**
 * Walks everything that a kernel holds. State has to be plain data (DESIGN: it is what a checkpoint would save): objects of
 * classes, arrays, maps and sets, numbers and strings, typed arrays; no functions, no promises.
 *
 * Fields of the language's own privacy (`#x`) cannot be seen: the kernel has none in state.
 */

/** What is not state: where a walk ends. */
export type Boundary = (value: object) => boolean;

/** Places, as "Class.field", that hold what cannot be saved, each with how many were found. */
export function foreignPlaces(root: object, isBoundary: Boundary): Map<string, number> {
  const seen = new Set<object>([root]), left: object[] = [root];
  const found = new Map<string, number>();
  const visit = (value: unknown, owner: string, field: string) => {
    if (typeof value === "function" || value instanceof Promise || value instanceof WeakRef) {
      const place = `${owner}.${field}`;
      found.set(place, (found.get(place) ?? 0) + 1);
      return;
    }
    if (typeof value !== "object" || value === null || seen.has(value) || isBoundary(value)) return;
    seen.add(value);
    left.push(value);
  };
  for (let object = left.pop(); object !== undefined; object = left.pop()) {
    const name = nameOf(object);
    if (ArrayBuffer.isView(object) || object instanceof SharedArrayBuffer) continue;
    if (object instanceof Map) {
      for (const [key, value] of object) {
        visit(key, name, "key");
        visit(value, name, "value");
      }
    } else if (object instanceof Set) { for (const value of object) visit(value, name, "member"); }
    for (const key of Reflect.ownKeys(object)) {
      const { value } = Reflect.getOwnPropertyDescriptor(object, key) ?? {};
      visit(value, name, Array.isArray(object) ? "element" : String(key));
    }
  }
  return found;
}

function nameOf(object: object): string {
  const { constructor } = object;
  return typeof constructor === "function" ? constructor.name : "(none)";
}
