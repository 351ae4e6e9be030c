/**
 * Byte strings. Names and paths are arbitrary bytes in Linux; the kernel keeps them as JS strings
 * in which each UTF-16 unit is one byte (0..255). That is lossless, and such strings are cheap keys
 * of a Map. Texts for people are ordinary strings, which `fromText` and `toText` convert.
 */

const CHARS: readonly string[] = Array.from({ length: 256 }, (_, i) => String.fromCharCode(i));

/** The characters of a long string that are made at once. */
const PIECE = 4096;
/** Shorter strings are kept as they are. */
const FLAT_LENGTH = 32;

/**
 * Bytes [from, to) of `u8` as a byte string. Eight characters a call are the fastest for paths. HOT
 */
export function bytesToString(u8: Uint8Array, from: number, to: number): string {
  let s = "", i = from;
  // Long strings are made of flat pieces: V8 would have to copy a tree with eight characters a leaf
  // when it is read.
  for (; i + PIECE <= to; i += PIECE) {
    s += Reflect.apply(String.fromCharCode, null, u8.subarray(i, i + PIECE));
  }
  for (; i + 8 <= to; i += 8) {
    s += String.fromCharCode(
      u8[i]!,
      u8[i + 1]!,
      u8[i + 2]!,
      u8[i + 3]!,
      u8[i + 4]!,
      u8[i + 5]!,
      u8[i + 6]!,
      u8[i + 7]!,
    );
  }
  for (; i < to; i++) s += CHARS[u8[i]!]!;
  return s;
}

/**
 * The same byte string as one flat string, for an object that keeps it. `bytesToString` makes a
 * tree of small pieces, which takes eight times the memory.
 */
export function flatString(s: string): string {
  if (s.length < FLAT_LENGTH) return s;
  const u8 = stringToBytes(s);
  let flat = "";
  for (let i = 0; i < u8.length; i += PIECE) {
    flat += Reflect.apply(String.fromCharCode, null, u8.subarray(i, i + PIECE));
  }
  return flat;
}

/** The bytes of a byte string. */
export function stringToBytes(s: string): Uint8Array<ArrayBuffer> {
  const u8 = new Uint8Array(s.length);
  for (let i = 0; i < s.length; i++) u8[i] = s.charCodeAt(i);
  return u8;
}

const utf8 = new TextEncoder();
const utf8Decoder = new TextDecoder();

/** A byte string with the UTF-8 bytes of `text` (command-line arguments, config.json). */
export function fromText(text: string): string {
  for (let i = 0; i < text.length; i++) {
    if (text.charCodeAt(i) > 127) {
      const u8 = utf8.encode(text);
      return bytesToString(u8, 0, u8.length);
    }
  }
  return text;
}

/** The byte string read as UTF-8, for messages to people, with U+FFFD for invalid bytes. */
export function toText(bytes: string): string {
  return utf8Decoder.decode(stringToBytes(bytes));
}
