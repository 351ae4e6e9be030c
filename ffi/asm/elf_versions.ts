/**
 * The version tables of a shared object in which every symbol has the same version: definitions
 * (base and version), then the version of each symbol. Source: the LSB's chapter on symbol
 * versioning. Neighbour: elf_shared.ts.
 */

import { VER_FLG_BASE } from "../abi/elf.ts";

const VERDEF_BYTES = 20, VERDAUX_BYTES = 8, VERSYM_BYTES = 2;
const VER_DEF_CURRENT = 1;
/** Index of the base, and of the version. */
const BASE = 1, VERSION = 2;

/** A name, and its offset in the string table. */
interface NamedString {
  readonly text: string;
  readonly offset: number;
}

/** Sizes of the tables for `symbols` symbols (the null symbol counts). */
export function versionBytes(symbols: number): {
  readonly definitions: number;
  readonly symbolsAt: number;
  readonly total: number;
} {
  const symbolsAt = 2 * (VERDEF_BYTES + VERDAUX_BYTES);
  return { definitions: 2, symbolsAt, total: symbolsAt + symbols * VERSYM_BYTES };
}

/** Writes the tables at `at`. */
export function writeVersions(
  view: DataView,
  at: number,
  symbols: number,
  base: NamedString,
  version: NamedString,
): void {
  const size = VERDEF_BYTES + VERDAUX_BYTES;
  writeDefinition(view, at, BASE, VER_FLG_BASE, base, size);
  writeDefinition(view, at + size, VERSION, 0, version, 0);
  for (let i = 1; i < symbols; i++) {
    view.setUint16(at + 2 * size + i * VERSYM_BYTES, VERSION, true);
  }
}

function writeDefinition(
  view: DataView,
  at: number,
  index: number,
  flags: number,
  name: NamedString,
  next: number,
): void {
  view.setUint16(at, VER_DEF_CURRENT, true);
  view.setUint16(at + 2, flags, true);
  view.setUint16(at + 4, index, true);
  view.setUint16(at + 6, 1, true);
  view.setUint32(at + 8, elfHash(name.text), true);
  view.setUint32(at + 12, VERDEF_BYTES, true);
  view.setUint32(at + 16, next, true);
  view.setUint32(at + VERDEF_BYTES, name.offset, true);
}

/** The hash function of the System V gABI. */
function elfHash(name: string): number {
  let h = 0;
  for (const byte of new TextEncoder().encode(name)) {
    h = ((h << 4) + byte) >>> 0;
    h = (h ^ ((h & 0xf0000000) >>> 24)) & 0x0fffffff;
  }
  return h;
}
