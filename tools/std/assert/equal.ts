/**
 * Deep equality, the relation behind `assertEquals`. Same value (`NaN` equals itself, `0` equals
 * `-0`), same prototype, same keys; sets and maps without regard to order. Of an object that is
 * neither plain nor an array all properties are compared, those that are not enumerable and those
 * of its prototypes included: so two errors are equal only if their stacks are.
 */

type Pairs = Map<object, Set<object>>;

/** Classes whose text says all of a value. */
const TEXTUAL: ReadonlySet<unknown> = new Set([
  RegExp.prototype,
  URL.prototype,
  URLSearchParams.prototype,
  Intl.Locale.prototype,
]);

/** Whether `a` and `b` are deeply equal. Cycles are equal when they close at the same place. */
export function equal(a: unknown, b: unknown): boolean {
  return compare(a, b, new Map());
}

function compare(a: unknown, b: unknown, open: Pairs): boolean {
  if (a === b || (a !== a && b !== b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime());
  if (!isSamePrototype(a, b)) return false;
  if (a instanceof WeakMap || a instanceof WeakSet) {
    throw new TypeError(`Cannot compare ${a.constructor.name} instances`);
  }
  const seen = open.get(a) ?? new Set();
  if (seen.has(b)) return true;
  seen.add(b);
  open.set(a, seen);
  const isEqual = compareContent(a, b, open);
  seen.delete(b);
  return isEqual;
}

function isSamePrototype(a: object, b: object): boolean {
  const pa = Object.getPrototypeOf(a), pb = Object.getPrototypeOf(b);
  const isPlain = (p: unknown): boolean => p === null || p === Object.prototype;
  return pa === pb || (isPlain(pa) && isPlain(pb));
}

function compareContent(a: object, b: object, open: Pairs): boolean {
  if (a instanceof WeakRef && b instanceof WeakRef) return compare(a.deref(), b.deref(), open);
  const elements = elementsOf(a);
  if (elements !== null) return sameElements(elements, elementsOf(b));
  if (Object.keys(a).length !== Object.keys(b).length) return false;
  if (a instanceof Set && b instanceof Set) return compareSets(a, b, open);
  if (a instanceof Map && b instanceof Map) return compareMaps(a, b, open);
  if (TEXTUAL.has(Object.getPrototypeOf(a))) return String(a) === String(b);
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length !== b.length || !a.every((v, i) => compare(v, b[i], open))) return false;
    if (Object.keys(a).length === a.length) return true;
  }
  const keys = new Set([...keysOf(a), ...keysOf(b)]);
  return [...keys].every((key) =>
    key in a === key in b && compare(Reflect.get(a, key), Reflect.get(b, key), open)
  );
}

/** The elements of a buffer or of a typed array; null for everything else. */
function elementsOf(v: object): ArrayLike<unknown> | null {
  if (v instanceof ArrayBuffer || v instanceof SharedArrayBuffer) return new Uint8Array(v);
  return ArrayBuffer.isView(v) && "length" in v ? v as Uint8Array : null;
}

function sameElements(a: ArrayLike<unknown>, b: ArrayLike<unknown> | null): boolean {
  if (b === null || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) {
    const x = a[i], y = b[i];
    if (x !== y && !(x !== x && y !== y)) return false;
  }
  return true;
}

function compareSets(a: Set<unknown>, b: Set<unknown>, open: Pairs): boolean {
  if (a.size !== b.size) return false;
  const left = [...b].filter((v) => !a.has(v));
  for (const v of a) {
    if (b.has(v)) continue;
    const i = left.findIndex((w) => compare(v, w, open));
    if (i < 0) return false;
    left.splice(i, 1);
  }
  return true;
}

function compareMaps(a: Map<unknown, unknown>, b: Map<unknown, unknown>, open: Pairs): boolean {
  if (a.size !== b.size) return false;
  const left = [...b].filter(([k]) => !a.has(k));
  for (const [k, v] of a) {
    if (b.has(k)) {
      if (!compare(v, b.get(k), open)) return false;
      continue;
    }
    const i = left.findIndex(([l, w]) => compare(k, l, open) && compare(v, w, open));
    if (i < 0) return false;
    left.splice(i, 1);
  }
  return true;
}

/**
 * The keys that count: enumerable ones of plain objects and arrays, else all, of prototypes too.
 */
function keysOf(v: object): PropertyKey[] {
  const prototype = Object.getPrototypeOf(v);
  if (prototype === null || prototype === Object.prototype || prototype === Array.prototype) {
    return Reflect.ownKeys(v).filter((k) => Object.prototype.propertyIsEnumerable.call(v, k));
  }
  const keys: PropertyKey[] = [];
  let at: object | null = v;
  while (at !== null && at !== Object.prototype && at !== Array.prototype) {
    keys.push(...Reflect.ownKeys(at));
    at = Object.getPrototypeOf(at);
  }
  return keys;
}
