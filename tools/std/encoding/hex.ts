/** Hexadecimal text (RFC 4648, lower case out, both cases in). Neighbour: `base64.ts`. */

import { toBytes } from "./bytes.ts";

/** `src` as lower-case hexadecimal digits, two a byte. */
export function encodeHex(src: string | Uint8Array | ArrayBuffer): string {
  let out = "";
  for (const byte of toBytes(src)) out += byte.toString(16).padStart(2, "0");
  return out;
}

function digit(text: string, at: number): number {
  const c = text.charCodeAt(at);
  if (c >= 0x30 && c <= 0x39) return c - 0x30;
  const lower = c | 0x20;
  if (lower >= 0x61 && lower <= 0x66) return lower - 0x61 + 10;
  throw new TypeError(`Cannot decode input as hex: Invalid character (${text.charAt(at)})`);
}

/** The bytes of `src`. Throws RangeError for an odd length, TypeError for another character. */
export function decodeHex(src: string): Uint8Array<ArrayBuffer> {
  const { length } = toBytes(src);
  if (length % 2 !== 0) {
    throw new RangeError(`Cannot decode input as hex: Length (${length}) must be even`);
  }
  const out = new Uint8Array(length / 2);
  for (let i = 0; i < out.length; i++) out[i] = digit(src, 2 * i) * 16 + digit(src, 2 * i + 1);
  return out;
}
