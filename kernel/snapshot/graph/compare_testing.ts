/**
 * Compares two graphs: each object has one counterpart, and values, prototypes, the order of keys,
 * shared buffers and frozen objects are the same. Not a test.
 */

/** The first difference, with the path to it; null: the graphs are alike. */
export function difference(
  one: unknown,
  other: unknown,
  isEnd: (value: object) => boolean = () => false,
): string | null {
  const counterparts = new Map<unknown, unknown>(), taken = new Map<unknown, unknown>();
  const left: [unknown, unknown, string][] = [[one, other, "root"]];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    const [a, b, path] = next;
    if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) {
      if (!Object.is(a, b)) return `${path}: ${String(a)} and ${String(b)}`;
      continue;
    }
    if (counterparts.has(a) || taken.has(b)) {
      if (counterparts.get(a) !== b || taken.get(b) !== a) return `${path}: other objects`;
      continue;
    }
    counterparts.set(a, b);
    taken.set(b, a);
    if (Object.getPrototypeOf(a) !== Object.getPrototypeOf(b)) return `${path}: classes`;
    if (Object.isFrozen(a) !== Object.isFrozen(b)) return `${path}: frozen`;
    if (isEnd(a)) continue;
    const parts = partsOf(a), others = partsOf(b);
    if (parts.length !== others.length) return `${path}: sizes`;
    for (const [i, [name, value]] of parts.entries()) {
      const [otherName, otherValue] = others[i]!;
      if (name !== otherName) return `${path}: ${name} and ${otherName}`;
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
  if (object instanceof ArrayBuffer) return [["bytes", String(new Uint8Array(object))]];
  if (ArrayBuffer.isView(object)) {
    const { buffer, byteOffset, byteLength } = object;
    return [["buffer", buffer], ["offset", byteOffset], ["length", byteLength]];
  }
  const parts: [string, unknown][] = Object.entries(object);
  return Array.isArray(object) ? [["length", object.length], ...parts] : parts;
}
