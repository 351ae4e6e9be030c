/**
 * Writes segments as a static ELF64 program: stubs, zygote, launcher, proxy, and small guest
 * programs for tests.
 *
 * No sections, no symbols, no dynamic linking. Neighbour: `elf_shared.ts`. Source: elf(5),
 * execve(2).
 */

import { ET_DYN, ET_EXEC, PF_R, PF_W, PF_X, PT_GNU_STACK, PT_INTERP, PT_LOAD } from "../abi/elf.ts";
import { PAGE_SIZE } from "../abi/mman.ts";
import {
  align,
  EHDR_BYTES,
  PHDR_BYTES,
  type ProgramHeader,
  writeHeader,
  writeProgramHeader,
} from "./elf_format.ts";

/** A range of memory at `vaddr`: `bytes`, then zeros up to `memSize` bytes. */
export interface Segment {
  readonly vaddr: number;
  readonly bytes: Uint8Array;
  /** Default: the length of `bytes`. */
  readonly memSize?: number;
  readonly read: boolean;
  readonly write: boolean;
  readonly exec: boolean;
}

export interface ExecutableOptions {
  /** Requests an executable stack. Default: false. */
  readonly stackExec?: boolean;
  /** ET_DYN: the kernel picks the address that all `vaddr` and `entry` are relative to. */
  readonly pie?: boolean;
  /** Path of the program that the kernel starts in place of this one (PT_INTERP). */
  readonly interp?: string;
}

/** User addresses end here (4-level page tables). */
const ADDRESS_LIMIT = 2 ** 47;

/**
 * @param entry address of the first instruction
 * @throws RangeError if two segments share a page, or a segment is empty or beyond the address
 *   space
 */
export function writeExecutable(
  entry: number,
  segments: Segment[],
  { stackExec = false, pie = false, interp }: ExecutableOptions = {},
): Uint8Array<ArrayBuffer> {
  const loads = segments.toSorted((a, b) => a.vaddr - b.vaddr); // execve(2) expects them in order
  checkLayout(loads);
  const path = interp === undefined ? null : new TextEncoder().encode(`${interp}\0`);
  const phdrCount = loads.length + 1 + (path === null ? 0 : 1);
  const headers: ProgramHeader[] = [];
  const contents: { offset: number; bytes: Uint8Array }[] = [];
  let end = EHDR_BYTES + phdrCount * PHDR_BYTES;

  if (path !== null) {
    headers.push({ ...NOTHING, type: PT_INTERP, flags: PF_R, offset: end, fileSize: path.length });
    contents.push({ offset: end, bytes: path });
    end += path.length;
  }
  for (const s of loads) {
    // mmap can place it only where offset and address are equal modulo the page size
    const offset = align(end, PAGE_SIZE) + s.vaddr % PAGE_SIZE;
    headers.push({
      type: PT_LOAD,
      flags: (s.read ? PF_R : 0) | (s.write ? PF_W : 0) | (s.exec ? PF_X : 0),
      offset,
      vaddr: s.vaddr,
      fileSize: s.bytes.length,
      memSize: memSizeOf(s),
      align: PAGE_SIZE,
    });
    contents.push({ offset, bytes: s.bytes });
    if (s.bytes.length > 0) end = offset + s.bytes.length;
  }
  const stackFlags = PF_R | PF_W | (stackExec ? PF_X : 0);
  headers.push({ ...NOTHING, type: PT_GNU_STACK, flags: stackFlags });

  const out = new Uint8Array(end);
  const view = new DataView(out.buffer);
  writeHeader(view, { type: pie ? ET_DYN : ET_EXEC, entry, phdrCount });
  headers.forEach((header, i) => writeProgramHeader(view, i, header));
  for (const c of contents) if (c.bytes.length > 0) out.set(c.bytes, c.offset);
  return out;
}

const NOTHING = { offset: 0, vaddr: 0, fileSize: 0, memSize: 0, align: 1 };

function memSizeOf(s: Segment): number {
  return s.memSize ?? s.bytes.length;
}

function checkLayout(loads: Segment[]): void {
  let freeFrom = 0;
  for (const s of loads) {
    const name = `segment at 0x${s.vaddr.toString(16)}`;
    const size = memSizeOf(s);
    if (!Number.isInteger(s.vaddr) || s.vaddr < 0 || s.vaddr + size > ADDRESS_LIMIT) {
      throw new RangeError(`${name} of ${size} bytes is outside of the address space`);
    }
    if (!Number.isInteger(size) || size < 1 || size < s.bytes.length) {
      throw new RangeError(`${name} has ${s.bytes.length} bytes but a memory size of ${size}`);
    }
    if (s.vaddr < freeFrom) throw new RangeError(`${name} shares a page with the one before it`);
    freeFrom = align(s.vaddr + size, PAGE_SIZE);
  }
}
