/**
 * The ELF64 header and program header, as far as both writers need them. Source: elf(5).
 *
 * kernel/loader/ reads ELF files.
 */

import { EM_X86_64, EV_CURRENT } from "../abi/elf.ts";

export const EHDR_BYTES = 64;
export const PHDR_BYTES = 56;

const SHDR_BYTES = 64;

export interface ProgramHeader {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly vaddr: number;
  readonly fileSize: number;
  readonly memSize: number;
  readonly align: number;
}

/** The header at offset 0; the program headers follow it, and there are no sections. */
export function writeHeader(
  view: DataView,
  header: { type: number; entry: number; phdrCount: number },
): void {
  const ident = [0x7f, 0x45, 0x4c, 0x46, /* ELFCLASS64 */ 2, /* ELFDATA2LSB */ 1, EV_CURRENT];
  ident.forEach((byte, i) => view.setUint8(i, byte));
  view.setUint16(16, header.type, true);
  view.setUint16(18, EM_X86_64, true);
  view.setUint32(20, EV_CURRENT, true);
  setU64(view, 24, header.entry);
  setU64(view, 32, EHDR_BYTES); // e_phoff
  view.setUint16(52, EHDR_BYTES, true);
  view.setUint16(54, PHDR_BYTES, true);
  view.setUint16(56, header.phdrCount, true);
  view.setUint16(58, SHDR_BYTES, true);
}

/** The `index`th program header behind the ELF header. */
export function writeProgramHeader(view: DataView, index: number, p: ProgramHeader): void {
  const at = EHDR_BYTES + index * PHDR_BYTES;
  view.setUint32(at, p.type, true);
  view.setUint32(at + 4, p.flags, true);
  setU64(view, at + 8, p.offset);
  setU64(view, at + 16, p.vaddr);
  setU64(view, at + 24, p.vaddr); // p_paddr
  setU64(view, at + 32, p.fileSize);
  setU64(view, at + 40, p.memSize);
  setU64(view, at + 48, p.align);
}

/** A 64-bit field from a number of at most 53 bits. */
export function setU64(view: DataView, at: number, value: number): void {
  view.setUint32(at, value >>> 0, true);
  view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
}

/** The least multiple of `to` that is not below `n`. */
export function align(n: number, to: number): number {
  return Math.ceil(n / to) * to;
}
