/**
 * The bytes of a file that is open and has no name: a snapshot takes them along, as nothing leads
 * to the file in another process.
 */

import { EIO, ENODATA } from "../../../ffi/abi/errno.ts";
import { O_RDONLY } from "../../../ffi/abi/fcntl.ts";
import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { copyFromBuffer, copyToBuffer, store64 } from "../../../ffi/mem/native_memory.ts";
import type { GoferRegular } from "./regular.ts";

/** Pages of one transfer. */
const PAGES = 256;

/** All bytes of a file that is open; null: they are more than `max`, or cannot be read. */
export function readUnnamed(inode: GoferRegular, max: number): Uint8Array<ArrayBuffer> | null {
  const { ctx: { host }, client } = inode.fs;
  const fd = inode.fid < 0 ? -1 : client.openFd(inode.fid, O_RDONLY);
  if (fd < 0) return null;
  const size = host.fileSize(fd);
  const bytes = size < 0 || size > max ? null : new Uint8Array(size);
  const isRead = bytes !== null && transfer(inode, fd, bytes, false) === 0;
  host.close(fd);
  return isRead ? bytes : null;
}

/** Writes the bytes of `inode` to the empty file `fd`: 0 or -errno (-ENODATA: it has none). */
export function writeUnnamed(inode: GoferRegular, fd: number): number {
  const { unnamedBytes } = inode;
  return unnamedBytes === null ? -ENODATA : transfer(inode, fd, unnamedBytes, true);
}

function transfer(
  { fs: { ctx: { frames, host }, iov } }: GoferRegular,
  fd: number,
  bytes: Uint8Array<ArrayBuffer>,
  isWrite: boolean,
): number {
  const frame = frames.alloc(PAGES), buffer = frames.arena.base + frame;
  if (frame < 0) return -EIO;
  let at = 0, n = 1;
  while (at < bytes.length && n > 0) {
    const length = Math.min(bytes.length - at, PAGES * PAGE_SIZE);
    store64(iov, buffer);
    store64(iov + 8, length);
    if (isWrite) copyFromBuffer(buffer, bytes, at, length);
    n = isWrite ? host.pwritev(fd, iov, 1, at) : host.preadv(fd, iov, 1, at);
    if (n > 0 && !isWrite) copyToBuffer(bytes, at, buffer, n);
    at += Math.max(0, n);
  }
  frames.release(frame, PAGES);
  return at === bytes.length ? 0 : Math.min(n, -EIO);
}
