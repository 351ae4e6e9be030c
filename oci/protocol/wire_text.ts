/**
 * Byte strings of the kernel as text of the session protocol: UTF-8, in which each byte that is no
 * part of a valid character is a character of U+DC80 to U+DCFF (surrogateescape of Python's PEP
 * 383). Every byte string comes back as it was.
 */

import { fromText, stringToBytes } from "../../kernel/core/bytes.ts";

const ESCAPE = 0xdc00;
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The byte string for text of a client. */
export function bytesOfWire(text: string): string {
  // Lone surrogates outside of the range become U+FFFD in UTF-8.
  return text.replace(
    /[\ud800-\udbff][\udc00-\udfff]|[^\ud800-\udfff]+|[\ud800-\udfff]/g,
    (part) => {
      const code = part.charCodeAt(0);
      const isEscape = part.length === 1 && code >= ESCAPE + 0x80 && code <= ESCAPE + 0xff;
      return isEscape ? String.fromCharCode(code - ESCAPE) : fromText(part);
    },
  );
}

/** Text of a byte string for a client. */
export function wireOf(bytes: string): string {
  const u8 = stringToBytes(bytes);
  try {
    return decoder.decode(u8);
  } catch {
    return escaped(u8);
  }
}

/** As `wireOf`, for bytes that are not valid UTF-8. */
function escaped(u8: Uint8Array<ArrayBuffer>): string {
  let text = "";
  for (let at = 0; at < u8.length;) {
    const length = validLength(u8, at);
    text += length === 0
      ? String.fromCharCode(ESCAPE + (u8[at] ?? 0))
      : decoder.decode(u8.subarray(at, at + length));
    at += Math.max(1, length);
  }
  return text;
}

/** Bytes of the character at `at`; 0: it is not valid. */
function validLength(u8: Uint8Array<ArrayBuffer>, at: number): number {
  const first = u8[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  try {
    decoder.decode(u8.subarray(at, at + length));
    return at + length <= u8.length ? length : 0;
  } catch {
    return 0;
  }
}
