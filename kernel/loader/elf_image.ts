/**
 * Parses and checks the headers of an ELF file (elf(5)). The file is not trusted: sizes and
 * addresses are bounded here, so map_image.ts needs no further checks of them. load.ts calls it.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { EINVAL, EIO, ENOEXEC } from "../../ffi/abi/errno.ts";
import * as E from "../../ffi/abi/elf.ts";
import { PATH_MAX } from "../../ffi/abi/fs.ts";
import { bytesToString } from "../core/bytes.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import type { FileReader } from "./file_reader.ts";

const MAX_HEADERS_BYTES = 65536;
/** Addresses and sizes from here on are refused. */
const HUGE = 2 ** 47;
const TWO32 = 0x100000000;

export interface Segment {
  readonly vaddr: number;
  readonly offset: number;
  readonly fileBytes: number;
  readonly memBytes: number;
  /** PF_R, PF_W, PF_X bits. */
  readonly flags: number;
}

export interface ElfImage {
  readonly isDyn: boolean;
  readonly entry: number;
  readonly phoff: number;
  readonly phnum: number;
  /** PT_LOAD segments in file order. */
  readonly segments: readonly Segment[];
  /** The largest alignment of a segment: a power of two, at least a page. */
  readonly alignment: number;
  /** PT_INTERP, or null. */
  readonly interpreter: string | null;
  /** PT_GNU_STACK requires an executable stack. */
  readonly hasExecStack: boolean;
}

function u64(dv: DataView, at: number): number {
  return dv.getUint32(at, true) + dv.getUint32(at + 4, true) * TWO32;
}

/** Whether `head` starts with the ELF magic. */
export function isElf(head: Uint8Array): boolean {
  return head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46;
}

/**
 * Parses an ELF64 x86-64 file. -ENOEXEC for other files, -EIO when the interpreter's name is cut
 * off, -EINVAL for invalid segments, or what the read returned. `head`: the first bytes of the
 * file, at least 64, zero filled.
 */
export function parseElf(
  reader: FileReader,
  file: OpenFile,
  head: Uint8Array<ArrayBuffer>,
): ElfImage | number {
  const dv = new DataView(head.buffer, head.byteOffset);
  const type = dv.getUint16(E.Ehdr.at.type, true);
  if (!isElf(head) || head[E.EI_CLASS] !== E.ELFCLASS64) return -ENOEXEC;
  if (type !== E.ET_EXEC && type !== E.ET_DYN) return -ENOEXEC;
  if (dv.getUint16(E.Ehdr.at.machine, true) !== E.EM_X86_64) return -ENOEXEC;
  if (dv.getUint16(E.Ehdr.at.phentsize, true) !== E.Phdr.size) return -ENOEXEC;
  const phnum = dv.getUint16(E.Ehdr.at.phnum, true), bytes = phnum * E.Phdr.size;
  const phoff = u64(dv, E.Ehdr.at.phoff), entry = u64(dv, E.Ehdr.at.entry);
  if (bytes === 0 || bytes > MAX_HEADERS_BYTES || phoff >= HUGE) return -ENOEXEC;
  const table = new Uint8Array(bytes);
  const got = reader.read(file, phoff, table, bytes);
  if (got < 0) return got;
  if (got < bytes) return -ENOEXEC;
  const headers = new DataView(table.buffer);
  const segments: Segment[] = [];
  let interpreter: string | null = null, hasExecStack = false, alignment = PAGE_SIZE;
  for (let at = 0; at < bytes; at += E.Phdr.size) {
    const kind = headers.getUint32(at + E.Phdr.at.type, true);
    const flags = headers.getUint32(at + E.Phdr.at.flags, true);
    if (kind === E.PT_GNU_STACK) hasExecStack = (flags & E.PF_X) !== 0;
    if (kind === E.PT_INTERP && interpreter === null) {
      const name = readInterpreter(reader, file, headers, at);
      if (typeof name === "number") return name;
      interpreter = name;
    }
    if (kind !== E.PT_LOAD) continue;
    const segment = readSegment(headers, at, flags);
    if (typeof segment === "number") return segment;
    segments.push(segment);
    const align = u64(headers, at + E.Phdr.at.align);
    if (align > alignment && align <= 2 ** 30 && Number.isInteger(Math.log2(align))) {
      alignment = align;
    }
  }
  if (segments.length === 0) return -EINVAL;
  return {
    isDyn: type === E.ET_DYN,
    entry,
    phoff,
    phnum,
    segments,
    alignment,
    interpreter,
    hasExecStack,
  };
}

function readSegment(headers: DataView, at: number, flags: number): Segment | number {
  const vaddr = u64(headers, at + E.Phdr.at.vaddr), offset = u64(headers, at + E.Phdr.at.offset);
  const fileBytes = u64(headers, at + E.Phdr.at.filesz);
  const memBytes = u64(headers, at + E.Phdr.at.memsz);
  if (vaddr >= HUGE || memBytes >= HUGE || vaddr + memBytes >= HUGE) return -EINVAL;
  if (fileBytes > memBytes || offset >= HUGE) return -EINVAL;
  if (fileBytes > 0 && (vaddr - offset) % PAGE_SIZE !== 0) return -EINVAL;
  return { vaddr, offset, fileBytes, memBytes, flags };
}

/** Reads the interpreter's path, which ends in a NUL. */
function readInterpreter(
  reader: FileReader,
  file: OpenFile,
  headers: DataView,
  at: number,
): string | number {
  const len = u64(headers, at + E.Phdr.at.filesz), offset = u64(headers, at + E.Phdr.at.offset);
  if (len > PATH_MAX || len < 2) return -ENOEXEC;
  if (offset >= HUGE) return -EIO;
  const name = new Uint8Array(len);
  const got = reader.read(file, offset, name, len);
  if (got < 0) return got;
  if (got < len) return -EIO;
  if (name[len - 1] !== 0) return -ENOEXEC;
  return bytesToString(name, 0, name.indexOf(0));
}

/**
 * The bytes from the first page of the first segment to the end of the highest one; 0 when a
 * segment lies below the first.
 */
export function imageBytes(image: ElfImage): number {
  let end = 0;
  for (const s of image.segments) end = Math.max(end, s.vaddr + s.memBytes);
  const start = pageDown(image.segments[0]!.vaddr);
  for (const s of image.segments) if (s.vaddr < start) return 0;
  return Math.ceil((end - start) / PAGE_SIZE) * PAGE_SIZE;
}

export function pageDown(addr: number): number {
  return Math.floor(addr / PAGE_SIZE) * PAGE_SIZE;
}
