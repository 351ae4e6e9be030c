/** What an object has besides fields with values: the encoder would lose it. */

/** The first key of an object that is no plain field, in words; null: all are. */
export function oddKey(object: object): string | null {
  const isFrozen = Object.isFrozen(object), isArray = Array.isArray(object);
  const hasFields = !(object instanceof Map || object instanceof Set);
  for (const key of Reflect.ownKeys(object)) {
    if (typeof key === "symbol") return `the key ${String(key)}`;
    if (isArray && key === "length") continue;
    if (isArray ? !isIndex(key) : !hasFields) return `the property "${key}"`;
    const property = Object.getOwnPropertyDescriptor(object, key);
    if (property?.get !== undefined || property?.set !== undefined) {
      return `the accessor property "${key}"`;
    }
    if (property?.enumerable !== true) return `the hidden property "${key}"`;
    if (!property.writable && !isFrozen) return `the read-only property "${key}"`;
  }
  return null;
}

/** Keys that plain objects cannot have: V8 orders some, and assigns the prototype by another. */
export function isRefusedKey(key: string): boolean {
  return key === "__proto__" || isIndex(key);
}

/** Whether a key begins with a digit. */
function isIndex(key: string): boolean {
  const unit = key.charCodeAt(0);
  return unit >= 0x30 && unit <= 0x39;
}

/** How the fields of an object differ from those of its row, in words. */
export function difference(object: object, fields: readonly string[]): string {
  const lacking = fields.find((field) => !Object.hasOwn(object, field));
  if (lacking !== undefined) return `lacks the field "${lacking}" of its row`;
  const extra = Object.keys(object).find((key) => !fields.includes(key));
  return `has the field "${extra}", which its row lacks`;
}
