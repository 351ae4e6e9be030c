/**
 * Deep equality, the relation behind `assertEquals`. Same value (`NaN` equals itself, `0` equals
 * `-0`), same class, same own enumerable keys; sets and maps without regard to order.
 * Buffers and errors, which have no such keys, are compared by content.
 */

type Pairs = Map<object, Set<object>>;

/** Whether `a` and `b` are deeply equal. Cycles are equal when they close at the same place. */
export function equal(a: unknown, b: unknown): boolean {
  return compare(a, b, new Map());
}

function compare(a: unknown, b: unknown, open: Pairs): boolean {
  if (a === b || (a !== a && b !== b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (!isSameClass(a, b)) return false;
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

function isSameClass(a: object, b: object): boolean {
  const ca = a.constructor;
  const cb = b.constructor;
  return ca === cb || (ca === Object && !cb) || (!ca && cb === Object);
}

function compareContent(a: object, b: object, open: Pairs): boolean {
  if (a instanceof Date && b instanceof Date) return Object.is(a.getTime(), b.getTime());
  if (a instanceof RegExp || a instanceof URL) return String(a) === String(b);
  if (a instanceof WeakRef && b instanceof WeakRef) return compare(a.deref(), b.deref(), open);
  const bytes = bytesOf(a);
  if (bytes !== null) return sameBytes(bytes, bytesOf(b));
  if (a instanceof Error && b instanceof Error) {
    if (a.name !== b.name || a.message !== b.message) return false;
    if (!compare(a.cause, b.cause, open)) return false;
  }
  if (a instanceof Set && b instanceof Set) return compareSets(a, b, open);
  if (a instanceof Map && b instanceof Map) return compareMaps(a, b, open);
  if (Array.isArray(a) && Array.isArray(b) && a.length !== b.length) return false;
  return compareKeys(a, b, open);
}

/** The bytes of a buffer or of a view on integers; null for everything else. */
function bytesOf(v: object): Uint8Array | null {
  if (v instanceof Float32Array || v instanceof Float64Array) return null;
  if (ArrayBuffer.isView(v)) return new Uint8Array(v.buffer, v.byteOffset, v.byteLength);
  if (v instanceof ArrayBuffer || v instanceof SharedArrayBuffer) return new Uint8Array(v);
  return null;
}

function sameBytes(a: Uint8Array, b: Uint8Array | null): boolean {
  if (b === null || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
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

function keysOf(v: object): PropertyKey[] {
  return Reflect.ownKeys(v).filter((k) => Object.prototype.propertyIsEnumerable.call(v, k));
}

function compareKeys(a: object, b: object, open: Pairs): boolean {
  const keys = keysOf(a);
  if (keys.length !== keysOf(b).length) return false;
  return keys.every((k) =>
    Object.prototype.propertyIsEnumerable.call(b, k) &&
    compare(Reflect.get(a, k), Reflect.get(b, k), open)
  );
}
