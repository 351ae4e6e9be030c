/** The fingerprint of a table of state: what an image says of the dvisor that wrote it. */

import type { StateRow } from "./state_row.ts";

/** FNV-1a of 64 bits: it tells versions apart, and protects from nothing. */
const FNV_BASIS = 0xcbf29ce484222325n, FNV_PRIME = 0x100000001b3n;

/**
 * A hash of the names of the classes and of their fields, in order: 16 hexadecimal digits. It does
 * not depend on where the classes stand in the table.
 */
export function fingerprintOf(table: readonly StateRow[]): string {
  const lines = table.map(({ name, fields }) => `${name} ${fields.join(" ")}\n`).sort();
  let hash = FNV_BASIS;
  for (const byte of new TextEncoder().encode(lines.join(""))) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * FNV_PRIME);
  }
  return hash.toString(16).padStart(16, "0");
}
