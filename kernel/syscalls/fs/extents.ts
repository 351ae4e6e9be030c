/**
 * FS_IOC_FIEMAP: the places where a file has data. The kernel knows no blocks of a device: physical
 * addresses are unknown, and an extent is the range from SEEK_DATA to SEEK_HOLE.
 *
 * DIFFERS: space that was reserved and not written is a hole or data, as lseek(2) reports it, and
 * not UNWRITTEN.
 */

import { EBADR, EFAULT, EFBIG, EINVAL, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import {
  Fiemap,
  FIEMAP_EXTENT_LAST,
  FIEMAP_EXTENT_UNKNOWN,
  FIEMAP_FLAG_SYNC,
  FiemapExtent,
  SEEK_DATA,
  SEEK_HOLE,
} from "../../../ffi/abi/fs.ts";
import type { Task } from "../../task/task.ts";
import type { OpenFile } from "../../vfs/open_file.ts";

const BLOCK_BYTES = 4096;
const MAX_COUNT = Math.floor(0xffffffff / FiemapExtent.size);
/** The end of the largest file (MAX_LFS_FILESIZE). */
const MAX_BYTES = 2n ** 63n - 1n;
/** LIMIT: extents of one turn. */
const TURN_EXTENTS = 4096;

/**
 * Always writes the header, with the unsupported flags after an error. The state between turns is
 * in `progress`.
 */
export function mapExtents(t: Task, file: OpenFile, addr: number): number {
  if (!file.mapsExtents) return -EOPNOTSUPP;
  const { u8, dv } = t.kernel.scratch, { at, size } = Fiemap;
  if (t.mm.copyIn(u8, 0, addr, size) !== 0) return -EFAULT;
  const count = dv.getUint32(at.extentCount, true);
  if (count > MAX_COUNT) return -EINVAL;
  const start = dv.getBigUint64(at.start, true), length = dv.getBigUint64(at.length, true);
  const given = dv.getUint32(at.flags, true), wrong = given & ~FIEMAP_FLAG_SYNC;
  const r = length === 0n
    ? -EINVAL
    : start >= MAX_BYTES
    ? -EFBIG
    : wrong !== 0
    ? -EBADR
    : fillExtents(t, file, addr, Number(start), Number(start + length), given, count);
  if (r > 0) return t.yieldTurn();
  const flags = r === -EBADR ? wrong : given;
  const ends = t.mm.store32(addr + at.flags, flags) < 0 ||
    t.mm.store32(addr + at.mappedExtents, t.progress.done) < 0;
  return ends ? -EFAULT : r;
}

/**
 * Writes extents of the blocks in [start, end), at most `count`; 0 counts them. Returns 1 when some
 * remain.
 */
function fillExtents(
  t: Task,
  file: OpenFile,
  addr: number,
  start: number,
  end: number,
  flags: number,
  count: number,
): number {
  const { progress } = t;
  if (progress.step === 0) {
    progress.step = 1;
    const r = (flags & FIEMAP_FLAG_SYNC) !== 0 ? file.fsync(true) : file.inode.refresh();
    if (r < 0) return r;
    progress.value = start - start % BLOCK_BYTES;
  }
  const to = blocksEnd(Math.min(end, file.inode.size));
  let data = nextData(file, progress.value, to);
  for (let i = 0; data < to && (count === 0 || progress.done < count); i++) {
    if (i === TURN_EXTENTS) return 1;
    const hole = file.seek(data, SEEK_HOLE);
    // The file may have been changed since: there may be no data any more.
    const from = data - data % BLOCK_BYTES,
      stop = Math.min(to, blocksEnd(Math.max(hole, data + 1)));
    progress.value = stop;
    data = nextData(file, stop, to);
    if (count > 0 && !putExtent(t, addr, from, stop - from, data >= to)) return -EFAULT;
    progress.done++;
  }
  return 0;
}

function blocksEnd(offset: number): number {
  return Math.ceil(offset / BLOCK_BYTES) * BLOCK_BYTES;
}

/** Offset of the next data; `to` if there is none before it. */
function nextData(file: OpenFile, from: number, to: number): number {
  if (from >= to) return to;
  const at = file.seek(from, SEEK_DATA);
  return at < 0 ? to : Math.min(to, at);
}

function putExtent(t: Task, addr: number, from: number, len: number, isLast: boolean): boolean {
  const { scratch } = t.kernel, { at, size } = FiemapExtent;
  scratch.clear(size);
  scratch.setU53(at.logical, from);
  scratch.setU53(at.length, len);
  const flags = FIEMAP_EXTENT_UNKNOWN | (isLast ? FIEMAP_EXTENT_LAST : 0);
  scratch.dv.setUint32(at.flags, flags, true);
  return t.mm.copyOut(addr + Fiemap.size + t.progress.done * size, scratch.u8, 0, size) === 0;
}
