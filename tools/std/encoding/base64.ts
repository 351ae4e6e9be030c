/** Base64 text (RFC 4648 section 4, with padding). Neighbour: `hex.ts`. */

import { toBytes } from "./bytes.ts";

const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const VALUES = new Map([...DIGITS].map((c, i) => [c, i]));

/** `data` as padded base64. */
export function encodeBase64(data: string | Uint8Array | ArrayBuffer): string {
  const src = toBytes(data);
  let out = "";
  for (let i = 0; i < src.length; i += 3) {
    const left = src.length - i;
    const group = ((src[i] ?? 0) << 16) | ((src[i + 1] ?? 0) << 8) | (src[i + 2] ?? 0);
    out += DIGITS.charAt(group >> 18) + DIGITS.charAt((group >> 12) & 63);
    out += left > 1 ? DIGITS.charAt((group >> 6) & 63) : "=";
    out += left > 2 ? DIGITS.charAt(group & 63) : "=";
  }
  return out;
}

/**
 * The bytes of `b64`; padding may be left out. Throws RangeError for a length that no text has, and
 * TypeError for another character.
 */
export function decodeBase64(b64: string): Uint8Array<ArrayBuffer> {
  const text = b64.replace(/={1,2}$/, "");
  if (toBytes(text).length % 4 === 1) {
    throw new RangeError(`Cannot decode input as base64: Length (${text.length}) is invalid`);
  }
  const out = new Uint8Array(Math.floor(text.length * 3 / 4));
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const c of text) {
    const value = VALUES.get(c);
    if (value === undefined) {
      throw new TypeError(`Cannot decode input as base64: Invalid character (${c})`);
    }
    bits = ((bits << 6) | value) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      out[at++] = (bits >> held) & 255;
    }
  }
  return out;
}
