/**
 * For tests: seeded requests of every type, plausible enough to get deep into their handlers, and
 * ways to break them.
 */

import { CATALOGUE } from "../protocol/catalogue.ts";
import type { Message } from "../protocol/message.ts";
import { Str } from "../protocol/wire.ts";

/** Uniform numbers from 0 to `below` - 1. */
export type Random = (below: number) => number;

/** xorshift32: the same sequence for the same seed everywhere. */
export function randomFrom(seed: number): Random {
  let x = seed | 1;
  return (below) => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
}

const NAMES = "d d e f f g h i up up .. . x/y user.a".split(" ").concat("", "n".repeat(300));

/** An object for each request type, to be filled again and again. */
export function allRequests(): Message[] {
  return CATALOGUE.filter((e) => e.name.startsWith("T")).map((e) => e.make());
}

/**
 * Fills a message with small fids, names that exist or not, and numbers; one number in eight is
 * large.
 */
export function fillPlausibly(value: object, random: Random): void {
  for (const [key, v] of Object.entries(value)) {
    if (key === "type" || key === "max") continue;
    if (key === "count" && "slots" in value) {
      Object.assign(value, { count: random(4) });
      continue;
    }
    if (v instanceof Str) v.set(NAMES[random(NAMES.length)] ?? "");
    else if (typeof v === "number") {
      Object.assign(value, { [key]: random(8) === 0 ? random(2 ** 31) : random(3) });
    } else if (Array.isArray(v)) {
      for (const e of v) if (typeof e === "object") fillPlausibly(e, random);
    } else if (typeof v === "object" && v !== null) fillPlausibly(v, random);
  }
  if ("slots" in value && Array.isArray(value.slots)) {
    for (const s of value.slots) if (s instanceof Str) s.set(NAMES[random(NAMES.length)] ?? "");
  }
}

/**
 * Breaks an encoded message in place, in one of several ways; returns the number of bytes to send.
 * Without `mayLie` its frame stays right, so that the connection lives.
 */
export function breakMessage(
  bytes: Uint8Array,
  size: number,
  random: Random,
  mayLie: boolean,
): number {
  const dv = new DataView(bytes.buffer, bytes.byteOffset);
  switch (random(8)) {
    case 0: // a byte of the body
      if (size > 7) bytes[7 + random(size - 7)] = random(256);
      return size;
    case 1: // several bits anywhere but in the size
      for (let i = random(6); i >= 0; i--) {
        const at = 4 + random(size - 4);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << random(8));
      }
      return size;
    case 2: { // shorter, with a right frame
      const cut = 7 + random(size - 6);
      dv.setUint32(0, cut, true);
      return cut;
    }
    case 3: { // longer, with bytes behind it
      const more = random(40);
      for (let i = 0; i < more; i++) bytes[size + i] = random(256);
      dv.setUint32(0, size + more, true);
      return size + more;
    }
    case 4: // a wrong size in the frame
      if (!mayLie) return size;
      dv.setUint32(0, random(4) === 0 ? random(2 ** 31) : random(size + 20), true);
      return size;
    case 5: // another type
      bytes[4] = random(256);
      return size;
    case 6: // the greatest number somewhere
      if (size >= 11) dv.setUint32(7 + random(size - 10), 0xffffffff, true);
      return size;
    default: { // random bytes in a right frame
      for (let i = 4; i < size; i++) bytes[i] = random(256);
      return size;
    }
  }
}
