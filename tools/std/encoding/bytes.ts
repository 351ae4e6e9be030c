/** What both encoders accept, as bytes. Neighbours: `hex.ts`, `base64.ts`. */

/** Bytes of a string (UTF-8), a buffer or a view. */
export function toBytes(data: string | Uint8Array | ArrayBuffer): Uint8Array {
  if (typeof data === "string") return new TextEncoder().encode(data);
  return data instanceof Uint8Array ? data : new Uint8Array(data);
}
