/** Handlers on open files and directories: lopen, lcreate, read, write, readdir, fsync. */

import { EBADF, EEXIST, EINVAL, EISDIR, ENOENT, ENOTDIR, EROFS } from "../../ffi/abi/errno.ts";
import { O_DIRECTORY, O_EXCL, O_PATH, O_RDONLY } from "../../ffi/abi/fcntl.ts";
import { S_IFDIR, S_IFREG } from "../../ffi/abi/stat.ts";
import { fillQid, statMode, typeOf } from "../backend/attributes.ts";
import { createFile } from "../backend/create.ts";
import { DirCursor, readEntries, readEntriesWithAttrs } from "../backend/directory.ts";
import {
  closeFd,
  fsyncFd,
  openPath,
  preadFd,
  pwriteFd,
  statxFd,
  unlinkAt,
} from "../backend/host_calls.ts";
import { openHeld, ownFlags } from "../backend/open.ts";
import { stageName } from "../backend/scratch.ts";
import * as C from "../protocol/constants.ts";
import {
  OpenReply,
  ReadRequest,
  Rwrite,
  Tfsync,
  Tlcreate,
  Tlopen,
  Twrite,
} from "../protocol/file.ts";
import { decode } from "../protocol/message.ts";
import { Fid } from "./fid.ts";
import { readXattr, writeXattr } from "./on_xattr.ts";
import { openKept } from "./opened.ts";
import type { Session } from "./session.ts";

const tlopen = new Tlopen();
const rlopen = new OpenReply(C.TLOPEN + 1);
const tlcreate = new Tlcreate();
const rlcreate = new OpenReply(C.TLCREATE + 1);
const tread = new ReadRequest(C.TREAD);
const twrite = new Twrite();
const rwrite = new Rwrite();
const treaddir = new ReadRequest(C.TREADDIR);
const tfsync = new Tfsync();

/** Size of the header of Rread and Rreaddir: frame and count[4]. */
const DATA_HEADER_BYTES = C.HEADER_BYTES + 4;

/** Tlopen (9P2000.L): opens the file of a fid. */
export function onLopen(s: Session): number {
  const m = tlopen;
  decode(s.in, m);
  const fid = s.fid(m.fid);
  if (fid === null) return -EBADF;
  if (fid.io >= 0 || fid.dir !== null) return -EINVAL;
  const flags = ownFlags(m.flags);
  const io = openKept(s.service, fid.root, fid.fd, fid.type, flags, fid.isEmptied);
  if (io < 0) return io;
  if (fid.isDirectory) fid.dir = new DirCursor(io);
  else fid.setOpen(io, flags);
  const r = fid.readAttributes();
  if (r < 0) return r;
  fillQid(rlopen.qid, s.service.ids);
  rlopen.iounit = s.msize - C.IO_HEADER_BYTES;
  return s.reply(rlopen);
}

/**
 * The fid changes from the directory to the new file, so everything that can fail comes before
 * that.
 */
export function onLcreate(s: Session): number {
  const m = tlcreate;
  decode(s.in, m);
  const dir = s.fid(m.fid);
  if (dir === null) return -EBADF;
  if (!dir.isDirectory) return -ENOTDIR;
  if (dir.isReadOnly) return -EROFS;
  const addr = stageName(m.name);
  if (addr < 0) return addr;
  const flags = ownFlags(m.flags);
  let fd = -1;
  let io = createFile(dir.fd, addr, flags, m.mode, dir.uid, m.gid, s.service);
  // Where clients see a part of the root, they walk to what is there.
  if (io === -EEXIST && (flags & O_EXCL) === 0 && dir.root.visible === null) {
    fd = openPath(dir.fd, addr);
    if (fd < 0) return fd;
    io = openExisting(s, fd, flags);
    if (io < 0) closeFd(fd);
  } else if (io >= 0) {
    fd = s.service.proc.reopen(io, O_PATH);
    if (fd < 0) {
      unlinkAt(dir.fd, addr, 0);
      closeFd(io);
      return fd;
    }
  }
  if (io < 0) return io;
  const created = new Fid(fd, dir.root, S_IFREG, dir.childPath(m.name), dir.uid);
  created.setOpen(io, flags);
  s.fids.bind(m.fid, created);
  const r = statxFd(fd);
  if (r < 0) return r;
  fillQid(rlcreate.qid, s.service.ids);
  rlcreate.iounit = s.msize - C.IO_HEADER_BYTES;
  return s.reply(rlcreate);
}

/** open(2) with O_CREAT of an existing name; only a regular file is accepted. */
function openExisting(s: Session, fd: number, flags: number): number {
  const r = statxFd(fd);
  if (r < 0) return r;
  const type = typeOf(statMode());
  if (type === S_IFDIR) return -EISDIR;
  return openHeld(fd, type, flags, false, s.service.proc);
}

/** How many payload bytes a reply may carry. */
function payload(s: Session, count: number): number {
  return Math.min(count, s.msize - DATA_HEADER_BYTES);
}

/** Tread: bytes of a file, or of an extended attribute. */
export function onRead(s: Session): number {
  const m = tread;
  decode(s.in, m);
  const fid = s.fids.get(m.fid);
  if (fid === null) return -EBADF;
  const count = payload(s, m.count);
  if (fid.xattr !== null) return readXattr(s, fid.xattr, m.offset, count);
  if (fid.isDirectory) return -EISDIR;
  if (fid.io < 0) return -EBADF;
  if (m.offset > Number.MAX_SAFE_INTEGER) return -EINVAL;
  s.beginReply(C.TREAD + 1);
  const at = s.out.reserve(4);
  s.out.reserve(count);
  const n = preadFd(fid.io, s.outBase + at + 4, count, m.offset);
  if (n < 0) return n;
  s.out.pos = at + 4 + n;
  s.out.dv.setUint32(at, n, true);
  return s.endReply();
}

/** Twrite: bytes to a file, or to an extended attribute. */
export function onWrite(s: Session): number {
  const m = twrite;
  decode(s.in, m);
  const fid = s.fids.get(m.fid);
  if (fid === null) return -EBADF;
  let n: number;
  if (fid.xattr !== null) n = writeXattr(fid.xattr, m.offset, m.data);
  else if (fid.io < 0) n = -EBADF;
  else if (m.offset > Number.MAX_SAFE_INTEGER) n = -EINVAL;
  else n = pwriteFd(fid.io, s.inBase + m.data.off, m.data.len, m.offset);
  if (n < 0) return n;
  rwrite.count = n;
  return s.reply(rwrite);
}

/**
 * The open directory of a fid. It is opened for reading if it was not, which saves a round trip.
 */
export function cursorOf(s: Session, fid: Fid): number {
  if (!fid.isDirectory) return -ENOTDIR;
  if (fid.dir !== null) return 0;
  const io = s.service.proc.reopen(fid.fd, O_RDONLY | O_DIRECTORY);
  if (io < 0) return io;
  fid.dir = new DirCursor(io);
  return 0;
}

/** Treaddir (9P2000.L): entries of an open directory. */
export function onReaddir(s: Session): number {
  return readDirectory(s, treaddir, false);
}

/**
 * Both kinds of readdir; `m` is the request's object. DIFFERS: a directory that clients do not see
 * listed (backend/visible_part.ts) has no entries at all here; Tlist has those that lead on.
 */
export function readDirectory(s: Session, m: ReadRequest, withAttrs: boolean): number {
  decode(s.in, m);
  const fid = s.fid(m.fid);
  if (fid === null) return -EBADF;
  const r = cursorOf(s, fid);
  if (r < 0) return r;
  const dir = fid.dir;
  if (dir === null) return -EBADF;
  const count = payload(s, m.count);
  s.beginReply(m.type + 1);
  const at = s.out.reserve(4);
  const { offsetLo: lo, offsetHi: hi } = m;
  const n = !fid.isListed
    ? 0
    : withAttrs
    ? readEntriesWithAttrs(dir, lo, hi, count, s.out, s.service.ids, fid)
    : readEntries(dir, lo, hi, count, fid.path === "", s.out, s.service.ids);
  if (n === -ENOENT) s.out.pos = at + 4; // the directory was removed: it is empty
  else if (n < 0) return n;
  s.out.dv.setUint32(at, Math.max(n, 0), true);
  return s.endReply();
}

/** Syncs an open file or directory; one that is not open is opened for the sync. */
export function onFsync(s: Session): number {
  const m = tfsync;
  decode(s.in, m);
  const fid = s.fid(m.fid);
  if (fid === null) return -EBADF;
  const isDataOnly = m.datasync !== 0;
  let r: number;
  if (fid.io >= 0) {
    r = fsyncFd(fid.io, isDataOnly);
  } else if (fid.type === S_IFREG || fid.type === S_IFDIR) {
    const io = s.service.proc.reopen(fid.fd, O_RDONLY);
    if (io < 0) return io;
    r = fsyncFd(io, isDataOnly);
    closeFd(io);
  } else {
    return -EINVAL;
  }
  return r < 0 ? r : s.replyEmpty(C.TFSYNC + 1);
}
