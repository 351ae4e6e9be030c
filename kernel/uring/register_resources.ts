/** Registers files and buffers (io_uring_register(2)), with or without tags. */

import { RLIMIT_NOFILE } from "../../ffi/abi/resource.ts";
import {
  EBADF,
  EBUSY,
  EFAULT,
  EINVAL,
  EMFILE,
  ENOMEM,
  ENXIO,
  EOVERFLOW,
} from "../../ffi/abi/errno.ts";
import * as U from "../../ffi/abi/io_uring.ts";
import { RING_ENTRIES } from "../core/quota.ts";
import type { Task } from "../task/task.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import {
  discard,
  FileTable,
  FixedBuffer,
  FixedFile,
  isTag,
  NO_TAG,
  type Tag,
} from "./resources.ts";
import type { Uring } from "./ring.ts";

/** LIMIT: registered buffers (IORING_MAX_REG_BUFFERS), and bytes of one. */
const MAX_BUFFERS = 1 << 14, MAX_BUFFER_BYTES = 1 << 30;
/** LIMIT: registered files (IORING_MAX_FIXED_FILES). */
const MAX_FILES = 1 << 20;
const IOVEC_BYTES = 16, SKIP = U.IORING_REGISTER_FILES_SKIP;

/** The tag at index `i` of an array, if there is an array; null: it cannot be read. */
function readTag(t: Task, tags: number, i: number): Tag | null {
  if (tags === 0) return NO_TAG;
  const lo = t.mm.load32(tags + 8 * i), hi = t.mm.load32(tags + 8 * i + 4);
  return lo < 0 || hi < 0 ? null : { lo, hi };
}

/** The buffer that an iovec describes: null for a hole, or -errno. */
function bufferAt(t: Task, iov: number, tag: Tag): FixedBuffer | null | number {
  const addr = t.mm.load64(iov), len = t.mm.load64(iov + 8);
  if (addr < 0 || len < 0) return -EFAULT;
  if (addr === 0) {
    if (len !== 0) return -EFAULT;
    return isTag(tag) ? -EINVAL : null;
  }
  if (len === 0 || len > MAX_BUFFER_BYTES) return -EFAULT;
  if (addr + len > t.mm.layout.maxAddress) return -EOVERFLOW;
  // Linux pins the pages: they must exist.
  if (t.mm.load8(addr) < 0 || t.mm.load8(addr + len - 1) < 0) return -EFAULT;
  return new FixedBuffer(addr, len, tag);
}

/** @param iovs 0: slots without buffers */
export function registerBuffers(
  t: Task,
  ring: Uring,
  iovs: number,
  count: number,
  tags: number,
): number {
  if (ring.buffers !== null) return -EBUSY;
  if (count === 0 || count > MAX_BUFFERS) return -EINVAL;
  const buffers: (FixedBuffer | null)[] = [];
  for (let i = 0; i < count; i++) {
    const tag = readTag(t, tags, i);
    if (tag === null) return -EFAULT;
    const hole = isTag(tag) ? -EINVAL : null;
    const buffer = iovs !== 0 ? bufferAt(t, iovs + i * IOVEC_BYTES, tag) : hole;
    if (typeof buffer === "number") return buffer;
    buffers.push(buffer);
  }
  if (!RING_ENTRIES.take(count, ring.account)) return -ENOMEM;
  ring.buffers = buffers;
  return 0;
}

/** Shares the buffers of one ring with another, without their tags. */
export function copyBuffers(from: Uring, to: Uring): number {
  const { buffers } = from;
  if (buffers === null) return -ENXIO;
  if (!RING_ENTRIES.take(buffers.length, to.account)) return -ENOMEM;
  to.buffers = buffers.map((b) => b === null ? null : new FixedBuffer(b.addr, b.len, NO_TAG));
  return 0;
}

/** Releases all registered buffers of a ring. */
export function releaseBuffers(ring: Uring): void {
  const { buffers } = ring;
  if (buffers === null) return;
  ring.buffers = null;
  RING_ENTRIES.give(buffers.length, ring.account);
  for (const buffer of buffers) discard(ring, buffer);
}

/** Replaces the buffers in slots from `offset` on; returns the number. */
function updateBuffers(
  t: Task,
  { ring, offset, count }: Places,
  iovs: number,
  tags: number,
): number {
  const { buffers } = ring;
  if (buffers === null) return -ENXIO;
  if (offset + count > buffers.length) return -EINVAL;
  for (let i = 0; i < count; i++) {
    const tag = readTag(t, tags, i);
    const buffer = tag === null ? -EFAULT : bufferAt(t, iovs + i * IOVEC_BYTES, tag);
    if (typeof buffer === "number") return i > 0 ? i : buffer;
    discard(ring, buffers[offset + i] ?? null);
    buffers[offset + i] = buffer;
  }
  return count;
}

/** The file of a descriptor, with a reference, or -EBADF. */
function fileFor(t: Task, fd: number): OpenFile | number {
  const file = t.files.get(fd);
  return file === null || file.isRing ? -EBADF : file.hold();
}

/** The file of entry `i`, with its tag: null for a hole (-1), or -errno. `fds` 0: all are holes. */
function placeAt(t: Task, fds: number, tags: number, i: number): FixedFile | null | number {
  const tag = readTag(t, tags, i);
  if (tag === null) return -EFAULT;
  const word = fds === 0 ? -1 >>> 0 : t.mm.load32(fds + 4 * i);
  if (word < 0) return -EFAULT;
  const fd = word | 0;
  if (fd === -1) return isTag(tag) ? -EINVAL : null;
  const file = fileFor(t, fd);
  return typeof file === "number" ? file : new FixedFile(file, tag);
}

export function registerFiles(
  t: Task,
  ring: Uring,
  fds: number,
  count: number,
  tags: number,
): number {
  if (ring.files !== null) return -EBUSY;
  if (count === 0) return -EINVAL;
  if (count > MAX_FILES || count > t.group.limits.get(RLIMIT_NOFILE)) return -EMFILE;
  if (!RING_ENTRIES.take(count, ring.account)) return -ENOMEM;
  const places: (FixedFile | null)[] = [];
  for (let i = 0; i < count; i++) {
    const place = placeAt(t, fds, tags, i);
    if (typeof place === "number") {
      for (const held of places) held?.file.drop();
      RING_ENTRIES.give(count, ring.account);
      return place;
    }
    places.push(place);
  }
  ring.files = new FileTable(places);
  return 0;
}

/** Releases all registered files of a ring. */
export function releaseFiles(ring: Uring): void {
  const { files } = ring;
  if (files === null) return;
  ring.files = null;
  RING_ENTRIES.give(files.places.length, ring.account);
  for (const place of files.places) discard(ring, place);
}

/** A range of slots to change. */
interface Places {
  readonly ring: Uring;
  readonly offset: number;
  readonly count: number;
}

/**
 * Replaces the files in slots from `offset` on; returns the number. The old file of a slot is
 * released first.
 */
export function updateFiles(
  t: Task,
  { ring, offset, count }: Places,
  fds: number,
  tags: number,
): number {
  const { files } = ring;
  if (offset + count > 0xffffffff) return -EOVERFLOW;
  if (files === null) return -ENXIO;
  if (offset + count > files.places.length) return -EINVAL;
  for (let i = 0; i < count; i++) {
    const r = updateFile(t, ring, files, offset + i, readTag(t, tags, i), t.mm.load32(fds + 4 * i));
    if (r < 0) return i > 0 ? i : r;
  }
  return count;
}

function updateFile(
  t: Task,
  ring: Uring,
  files: FileTable,
  at: number,
  tag: Tag | null,
  word: number,
): number {
  if (tag === null || word < 0) return -EFAULT;
  const fd = word | 0;
  if ((fd === SKIP || fd === -1) && isTag(tag)) return -EINVAL;
  if (fd === SKIP) return 0;
  discard(ring, files.clear(at));
  if (fd === -1) return 0;
  const file = fileFor(t, fd);
  if (typeof file === "number") return file;
  files.fill(at, new FixedFile(file, tag));
  return 0;
}

/** struct io_uring_files_update. */
export function registerFilesUpdate(t: Task, ring: Uring, arg: number, count: number): number {
  if (count === 0) return -EINVAL;
  const offset = t.mm.load32(arg), reserved = t.mm.load32(arg + 4), fds = t.mm.load64(arg + 8);
  if (offset < 0 || reserved < 0 || fds < 0) return -EFAULT;
  return reserved !== 0 ? -EINVAL : updateFiles(t, { ring, offset, count }, fds, 0);
}

function scratch64(t: Task, at: number): number {
  const { dv } = t.kernel.scratch;
  return dv.getUint32(at, true) + dv.getUint32(at + 4, true) * 0x100000000;
}

/** struct io_uring_rsrc_register, of `size` bytes. */
export function registerResources(
  t: Task,
  ring: Uring,
  arg: number,
  size: number,
  isFiles: boolean,
): number {
  const { u8, dv } = t.kernel.scratch, R = U.IoUringRsrcRegister;
  if (size !== R.size) return -EINVAL;
  if (t.mm.copyIn(u8, 0, arg, size) !== 0) return -EFAULT;
  const count = dv.getUint32(R.at.nr, true), flags = dv.getUint32(R.at.flags, true);
  const data = scratch64(t, R.at.data), tags = scratch64(t, R.at.tags);
  if (count === 0 || scratch64(t, R.at.resv2) !== 0) return -EINVAL;
  if ((flags & ~U.IORING_RSRC_REGISTER_SPARSE) !== 0) return -EINVAL;
  if (flags !== 0 && data !== 0) return -EINVAL;
  return (isFiles ? registerFiles : registerBuffers)(t, ring, data, count, tags);
}

/** struct io_uring_rsrc_update2, of `size` bytes. */
export function updateResources(
  t: Task,
  ring: Uring,
  arg: number,
  size: number,
  isFiles: boolean,
): number {
  const { u8, dv } = t.kernel.scratch, { at, size: known } = U.IoUringRsrcUpdate2;
  if (size !== known) return -EINVAL;
  if (t.mm.copyIn(u8, 0, arg, size) !== 0) return -EFAULT;
  const count = dv.getUint32(at.nr, true), offset = dv.getUint32(at.offset, true);
  const data = scratch64(t, at.data), tags = scratch64(t, at.tags);
  if (count === 0 || dv.getUint32(at.resv, true) !== 0) return -EINVAL;
  if (dv.getUint32(at.resv2, true) !== 0) return -EINVAL;
  if (offset + count > 0xffffffff) return -EOVERFLOW;
  return (isFiles ? updateFiles : updateBuffers)(t, { ring, offset, count }, data, tags);
}

/** struct io_uring_file_index_range: the range in which free slots are allocated. */
export function setAllocRange(t: Task, ring: Uring, arg: number, count: number): number {
  if (arg === 0 || count !== 0) return -EINVAL;
  const offset = t.mm.load32(arg), len = t.mm.load32(arg + 4), reserved = t.mm.load64(arg + 8);
  if (offset < 0 || len < 0 || reserved < 0) return -EFAULT;
  if (offset + len > 0xffffffff) return -EOVERFLOW;
  if (reserved !== 0 || offset + len > (ring.files?.places.length ?? 0)) return -EINVAL;
  ring.files?.setRange(offset, offset + len);
  return 0;
}
