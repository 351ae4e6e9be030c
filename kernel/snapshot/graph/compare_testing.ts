/**
 * Compares two graphs: each object has one counterpart, and values, prototypes, the order of keys,
 * shared buffers and frozen objects are the same. Not a test.
 */

/** What else a comparison of two graphs looks at, and what it does not. */
interface Comparison {
  /** Whether what an object holds is not compared. */
  isEnd?(value: object): boolean;
  /** Whether a field is not compared. */
  isSkipped?(owner: object, field: string): boolean;
  /** Whether an object may stand for several of the other graph that are alike. */
  isValue?(value: object): boolean;
  /** What else differs in two objects of one class; null: nothing. */
  differs?(one: object, other: object): string | null;
}

/** The first difference, with the path to it; null: the graphs are alike. */
export function difference(one: unknown, other: unknown, how: Comparison = {}): string | null {
  const counterparts = new Map<unknown, unknown>(), taken = new Map<unknown, unknown>();
  const left: [unknown, unknown, string][] = [[one, other, "root"]];
  for (const [a, b, path] of left) {
    if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
      if (!Object.is(a, b)) return `${path}: ${String(a)} and ${String(b)}`;
      continue;
    }
    const isValue = how.isValue?.(a) ?? false;
    if (!isValue && (counterparts.has(a) || taken.has(b))) {
      if (counterparts.get(a) !== b || taken.get(b) !== a) return `${path}: other objects`;
      continue;
    }
    counterparts.set(a, b);
    taken.set(b, a);
    if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return `${path}: classes`;
    if (Object.isFrozen(a) !== Object.isFrozen(b)) return `${path}: frozen`;
    const more = how.differs?.(a, b) ?? null;
    if (more !== null) return `${path}: ${more}`;
    if (how.isEnd?.(a)) continue;
    if (a instanceof ArrayBuffer && b instanceof ArrayBuffer) {
      const bytes = new Uint8Array(a), others = new Uint8Array(b);
      const i = bytes.findIndex((byte, i) => byte !== others[i]);
      if (a.byteLength !== b.byteLength || i >= 0) return `${path}: from byte ${i} on`;
      continue;
    }
    const parts = partsOf(a), others = partsOf(b);
    if (parts.length !== others.length) return `${path}: sizes`;
    for (const [i, [name, value]] of parts.entries()) {
      const [otherName, otherValue] = others[i]!;
      if (name !== otherName) return `${path}: ${name} and ${otherName}`;
      if (how.isSkipped?.(a, name)) continue;
      left.push([value, otherValue, `${path}.${name}`]);
    }
  }
  return null;
}

/** What an object holds, with names. */
function partsOf(object: object): [string, unknown][] {
  if (object instanceof Map) {
    return [...object].flatMap(([key, value], i): [string, unknown][] => [
      [`key ${i}`, key],
      [`value ${i}`, value],
    ]);
  }
  if (object instanceof Set) return [...object].map((value, i) => [`member ${i}`, value]);
  if (ArrayBuffer.isView(object)) {
    const { buffer, byteOffset, byteLength } = object;
    return [["buffer", buffer], ["offset", byteOffset], ["length", byteLength]];
  }
  const parts: [string, unknown][] = Object.entries(object);
  return Array.isArray(object) ? [["length", object.length], ...parts] : parts;
}
