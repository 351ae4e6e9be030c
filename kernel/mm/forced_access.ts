/**
 * Memory access for debuggers (PEEK and POKE of ptrace(2), /proc/PID/mem): protection is ignored,
 * and code shows its original bytes. `readForced` and `writeForced` of the memory manager call
 * this.
 */

import { PAGE_SIZE, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { copyFromBuffer, copyToBuffer } from "../../ffi/mem/native_memory.ts";
import { hostPage } from "./fault.ts";
import type { MemoryManager } from "./memory_manager.ts";

/** Reads memory. Returns the bytes copied: fewer than `len` where nothing is mapped. */
export function forcedCopyIn(
  mm: MemoryManager,
  dst: Uint8Array<ArrayBuffer>,
  dstOffset: number,
  addr: number,
  len: number,
): number {
  let done = 0;
  while (done < len) {
    const host = forcedPage(mm, addr + done, false);
    if (host < 0) break;
    const n = Math.min(len - done, PAGE_SIZE - (addr + done & 4095));
    const got = copyToBuffer(dst, dstOffset + done, host, n);
    done += got;
    if (got < n) break;
  }
  return done;
}

/**
 * Writes memory. Returns the bytes written. A page of a shared mapping that may not be made
 * writable is not written.
 */
export function forcedCopyOut(
  mm: MemoryManager,
  addr: number,
  src: Uint8Array<ArrayBuffer>,
  srcOffset: number,
  len: number,
): number {
  let done = 0;
  while (done < len) {
    const host = forcedPage(mm, addr + done, true);
    if (host < 0) break;
    const n = Math.min(len - done, PAGE_SIZE - (addr + done & 4095));
    const put = copyFromBuffer(host, src, srcOffset + done, n);
    done += put;
    if (put < n) break;
  }
  return done;
}

function forcedPage(mm: MemoryManager, addr: number, isWrite: boolean): number {
  const vma = mm.vmas.find(addr);
  if (vma === null || vma.isSecret) return -1;
  if (isWrite && (vma.maxProt & PROT_WRITE) === 0) return -1;
  const page = Math.floor(addr / PAGE_SIZE);
  const host = hostPage(mm, vma, page, isWrite);
  return host < 0 ? -1 : host + (addr - page * PAGE_SIZE);
}
