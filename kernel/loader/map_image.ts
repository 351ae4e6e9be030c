/**
 * Maps the segments of an ELF file: file pages, the zeroed rest of the last one, and the bss behind
 * it. load.ts calls it for the program and its loader.
 */

import { EACCES, EFAULT, EINVAL, ENODEV, ENOEXEC, ENOMEM } from "../../ffi/abi/errno.ts";
import { PF_R, PF_W, PF_X } from "../../ffi/abi/elf.ts";
import { PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import * as M from "../../ffi/abi/mman.ts";
import type { Backing } from "../mm/backing.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { pageUp } from "../mm/region.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import { type ElfImage, imageBytes, pageDown, type Segment } from "./elf_image.ts";

export interface MappedImage {
  /** The difference between run-time addresses and those of the file. */
  readonly bias: number;
  /** Run-time addresses. */
  readonly entry: number;
  readonly phdr: number;
  readonly codeStart: number;
  readonly codeEnd: number;
  readonly dataStart: number;
  readonly dataEnd: number;
  /** The first address behind the image. */
  readonly end: number;
}

/**
 * Maps an image. `base` is the page-aligned address of the first page of a position-independent
 * image. -errno when a part cannot be mapped; the parts before it stay mapped.
 */
export function mapImage(
  mm: MemoryManager,
  file: OpenFile,
  image: ElfImage,
  base: number,
): MappedImage | number {
  const total = imageBytes(image);
  if (image.isDyn && total === 0) return -EINVAL;
  const backing = file.mmap(false, false);
  if (typeof backing === "number") {
    return backing === -ENODEV || backing === -EACCES ? -ENOEXEC : backing;
  }
  const bias = image.isDyn ? base - pageDown(image.segments[0]!.vaddr) : 0;
  const at = { phdr: 0, codeStart: Infinity, codeEnd: 0, dataStart: 0, dataEnd: 0, end: 0 };
  for (let i = 0; i < image.segments.length; i++) {
    const s = image.segments[i]!, start = s.vaddr + bias;
    if (start + s.memBytes > mm.layout.maxAddress) return -EINVAL;
    const error = mapSegment(mm, backing, s, start, i === 0);
    if (error < 0) return error;
    if (s.offset <= image.phoff && image.phoff < s.offset + s.fileBytes) {
      at.phdr = image.phoff - s.offset + start;
    }
    const fileEnd = start + s.fileBytes;
    if ((s.flags & PF_X) !== 0) {
      at.codeStart = Math.min(at.codeStart, start);
      at.codeEnd = Math.max(at.codeEnd, fileEnd);
    }
    at.dataStart = Math.max(at.dataStart, start);
    at.dataEnd = Math.max(at.dataEnd, fileEnd);
    at.end = Math.max(at.end, start + s.memBytes);
  }
  const entry = image.entry + bias;
  // The bias is negative when the file's addresses are above the image's place.
  if (entry < 0 || !(entry < mm.layout.maxAddress)) return -EINVAL;
  if (at.codeStart === Infinity) at.codeStart = at.codeEnd = 0;
  return { bias, entry, ...at };
}

function mapSegment(
  mm: MemoryManager,
  backing: Backing,
  s: Segment,
  start: number,
  isFirst: boolean,
): number {
  const prot = (s.flags & PF_R ? PROT_READ : 0) | (s.flags & PF_W ? PROT_WRITE : 0) |
    (s.flags & PF_X ? PROT_EXEC : 0);
  const page = pageDown(start), skew = start - page, end = start + s.memBytes;
  const fixed = M.MAP_PRIVATE | (isFirst ? M.MAP_FIXED_NOREPLACE : M.MAP_FIXED);
  if (s.fileBytes === 0) return mapZeros(mm, page, pageUp(end), prot, fixed);
  const r = mm.mmap(page, s.fileBytes + skew, prot, fixed, backing, s.offset - skew);
  if (r < 0) return r;
  const fileEnd = start + s.fileBytes;
  if (s.memBytes === s.fileBytes) return 0;
  const zeroEnd = Math.min(pageUp(fileEnd), end);
  if ((prot & PROT_WRITE) !== 0 && mm.clear(fileEnd, pageUp(fileEnd) - fileEnd) < 0) return -EFAULT;
  return zeroEnd < end ? mapZeros(mm, zeroEnd, pageUp(end), prot, fixed) : 0;
}

/** Maps anonymous memory, readable and writable as by vm_brk_flags of Linux. */
function mapZeros(
  mm: MemoryManager,
  start: number,
  end: number,
  prot: number,
  fixed: number,
): number {
  if (end <= start) return 0;
  const rights = PROT_READ | PROT_WRITE | (prot & PROT_EXEC);
  const r = mm.mmap(start, end - start, rights, fixed | M.MAP_ANONYMOUS, null, 0);
  return r < 0 ? r : 0;
}

/**
 * Finds a place for the whole image: `wanted` when it is free, else where mmap(2) puts it. -ENOMEM.
 */
export function placeImage(mm: MemoryManager, image: ElfImage, wanted: number): number {
  const bytes = imageBytes(image) + image.alignment - PAGE_SIZE;
  if (bytes <= 0) return -EINVAL;
  const flags = M.MAP_PRIVATE | M.MAP_ANONYMOUS | M.MAP_NORESERVE;
  const at = mm.mmap(wanted, bytes, 0, flags, null, 0);
  if (at < 0) return -ENOMEM;
  mm.munmap(at, bytes);
  return Math.ceil(at / image.alignment) * image.alignment;
}
