/** Handlers of dvisor's extension, except the walk (on_walk.ts). */

import { XATTR_SIZE_MAX } from "../../ffi/abi/fs.ts";
import {
  EAGAIN,
  EBADF,
  EINVAL,
  EMFILE,
  ENODATA,
  ENOENT,
  ENXIO,
  EOPNOTSUPP,
  ERANGE,
  EROFS,
} from "../../ffi/abi/errno.ts";
import {
  O_ACCMODE,
  O_APPEND,
  O_DIRECTORY,
  O_NONBLOCK,
  O_PATH,
  O_TMPFILE,
  RENAME_EXCHANGE,
  RENAME_NOREPLACE,
  RENAME_WHITEOUT,
} from "../../ffi/abi/fcntl.ts";
import { S_IFIFO, S_IFLNK, S_IFMT, S_IFREG, S_IFSOCK } from "../../ffi/abi/stat.ts";
import { XATTR_CREATE, XATTR_REPLACE } from "../../ffi/abi/xattr.ts";
import { putAttr, statMode, typeOf } from "../backend/attributes.ts";
import { bindListener } from "../backend/bind_socket.ts";
import { connectHeld } from "../backend/connect.ts";
import { createFile, createUnnamed, make } from "../backend/create.ts";
import { isListEnd, listEntries, putWays } from "../backend/directory.ts";
import { closeFd, statxFd, unlinkAt } from "../backend/host_calls.ts";
import { hostFlags } from "../backend/open.ts";
import { DIRENTS_AT, mem, stageName, stageTarget } from "../backend/scratch.ts";
import { getXattr, listXattrs, removeXattr, setXattr } from "../backend/xattr.ts";
import * as C from "../protocol/constants.ts";
import {
  FidNameMessage,
  LIST_HEAD_BYTES,
  Tbindfd,
  Tcreatefd,
  Tgetxattr,
  Tlist,
  Tmake,
  Topenfd,
  Trenameat2,
  Tsetxattr,
} from "../protocol/extension.ts";
import { DataReply, ReadRequest } from "../protocol/file.ts";
import { decode, FidMessage } from "../protocol/message.ts";
import { Fid } from "./fid.ts";
import { openDonated } from "./opened.ts";
import { cursorOf, readDirectory } from "./on_file.ts";
import { checkChangeable, renameBetween } from "./on_tree.ts";
import type { Session } from "./session.ts";

const topenfd = new Topenfd();
const tcreatefd = new Tcreatefd();
const tbindfd = new Tbindfd();
const tmake = new Tmake();
const treaddirattr = new ReadRequest(208);
const tlist = new Tlist();
const trenameat2 = new Trenameat2();
const tgetxattr = new Tgetxattr();
const tsetxattr = new Tsetxattr();
const tlistxattr = new FidMessage(C.TLISTXATTR);
const rlistxattr = new DataReply(C.TLISTXATTR + 1);
const tremovexattr = new FidNameMessage(C.TREMOVEXATTR);

/** O_TMPFILE without the O_DIRECTORY bit that it includes. */
const TMPFILE_BIT = O_TMPFILE & ~O_DIRECTORY;
const RENAME_FLAGS = RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT;
/** Rgetxattr: bytes in front of the value. */
const DATA_HEADER_BYTES = C.HEADER_BYTES + 4;

/** The attributes in the reply are read after the open, which may have truncated the file. */
export function onOpenfd(s: Session): number {
  const m = topenfd;
  decode(s.in, m);
  const fid = s.fid(m.fid);
  if (fid === null) return -EBADF;
  const { connects } = fid.root;
  if (fid.type === S_IFSOCK && connects) return connectTo(s, fid);
  if (fid.type === S_IFIFO && connects) return openFifo(s, fid, m.flags);
  const io = openDonated(s.service, fid.root, fid.fd, fid.type, m.flags, fid.isEmptied);
  if (io < 0) return io;
  s.donated.push(io);
  const r = fid.readAttributes();
  if (r < 0) return r;
  s.beginReply(C.TOPENFD + 1);
  putAttr(s.out, s.service.ids);
  return s.endReply();
}

/**
 * An open of a socket, where that is allowed, connects to it; the attributes are those of its file.
 */
function connectTo(s: Session, fid: Fid): number {
  const socket = connectHeld(fid.fd, s.service.proc);
  if (socket < 0) return socket;
  s.donated.push(socket);
  const r = statxFd(fid.fd);
  if (r < 0) return r;
  s.beginReply(C.TOPENFD + 1);
  putAttr(s.out, s.service.ids);
  return s.endReply();
}

/**
 * An open of a FIFO, where that is allowed, never waits: for writing it is EAGAIN without a reader.
 */
function openFifo(s: Session, fid: Fid, flags: number): number {
  const mode = hostFlags(flags);
  const io = mode < 0 ? mode : s.service.proc.reopen(fid.fd, (mode & O_ACCMODE) | O_NONBLOCK);
  if (io < 0) return io === -ENXIO ? -EAGAIN : io;
  s.donated.push(io);
  const r = statxFd(io);
  if (r < 0) return r;
  s.beginReply(C.TOPENFD + 1);
  putAttr(s.out, s.service.ids);
  return s.endReply();
}

/** Whether the fid that a request binds is free: 0 or -errno. */
function checkNewFid(s: Session, number: number): number {
  if (number === C.NOFID || s.isFree(number)) return 0;
  return s.fids.isFull ? -EMFILE : -EINVAL;
}

export function onCreatefd(s: Session): number {
  const m = tcreatefd;
  decode(s.in, m);
  const dir = s.fid(m.dirFid);
  let r = checkChangeable(dir);
  if (dir === null || r < 0) return r;
  r = checkNewFid(s, m.newFid);
  if (r < 0) return r;
  const isUnnamed = (m.flags & TMPFILE_BIT) !== 0;
  const addr = isUnnamed ? 0 : stageName(m.name);
  if (addr < 0) return addr;
  const flags = m.flags & ~(O_APPEND | TMPFILE_BIT);
  const io = isUnnamed
    ? createUnnamed(dir.fd, flags, m.mode, m.uid, m.gid, s.service)
    : createFile(dir.fd, addr, flags, m.mode, m.uid, m.gid, s.service);
  if (io < 0) return io;
  s.donated.push(io);
  s.beginReply(C.TCREATEFD + 1);
  putAttr(s.out, s.service.ids);
  if (m.newFid !== C.NOFID) {
    const fd = s.service.proc.reopen(io, O_PATH);
    if (fd < 0) {
      if (!isUnnamed) unlinkAt(dir.fd, addr, 0);
      return fd;
    }
    // "\0" is in no path: requests that search a directory for an unnamed file find nothing
    const path = isUnnamed ? "\0" : dir.childPath(m.name);
    s.fids.bind(m.newFid, new Fid(fd, dir.root, S_IFREG, path, dir.uid));
  }
  return s.endReply();
}

export function onMake(s: Session): number {
  const m = tmake;
  decode(s.in, m);
  const dir = s.fid(m.dirFid);
  let r = checkChangeable(dir);
  if (dir === null || r < 0) return r;
  r = checkNewFid(s, m.newFid);
  if (r < 0) return r;
  const addr = stageName(m.name);
  if (addr < 0) return addr;
  const isLink = (m.mode & S_IFMT) === S_IFLNK;
  const target = isLink ? stageTarget(m.target) : 0;
  if (target < 0) return target;
  const fd = make(dir.fd, addr, m.mode, m.uid, m.gid, m.major, m.minor, target, s.service);
  if (fd < 0) return fd;
  s.beginReply(C.TMAKE + 1);
  putAttr(s.out, s.service.ids);
  if (m.newFid === C.NOFID) closeFd(fd);
  else {
    const path = dir.childPath(m.name);
    s.fids.bind(m.newFid, new Fid(fd, dir.root, typeOf(statMode()), path, dir.uid));
  }
  return s.endReply();
}

export function onBindfd(s: Session): number {
  const m = tbindfd;
  decode(s.in, m);
  const dir = s.fid(m.dirFid);
  const r = checkChangeable(dir);
  if (dir === null || r < 0) return r;
  if (!dir.root.binds) return -EOPNOTSUPP;
  const addr = stageName(m.name);
  if (addr < 0) return addr;
  const socket = bindListener(dir.fd, m.mode, m.uid, m.gid, s.service);
  if (socket < 0) return socket;
  s.donated.push(socket);
  s.beginReply(C.TBINDFD + 1);
  putAttr(s.out, s.service.ids);
  return s.endReply();
}

export function onReaddirattr(s: Session): number {
  return readDirectory(s, treaddirattr, true);
}

/** A directory that was removed is empty. */
export function onList(s: Session): number {
  const m = tlist;
  decode(s.in, m);
  const fid = s.fid(m.fid);
  if (fid === null) return -EBADF;
  if (m.attrs !== C.LIST_DIRS && m.attrs !== C.LIST_ALL) return -EINVAL;
  const count = Math.min(m.count, s.msize - C.HEADER_BYTES - LIST_HEAD_BYTES);
  if (!fid.isListed) return listWays(s, fid, count);
  const r = cursorOf(s, fid);
  if (r < 0) return r;
  const dir = fid.dir;
  if (dir === null) return -EBADF;
  s.beginReply(C.TLIST + 1);
  const at = s.out.reserve(LIST_HEAD_BYTES);
  const { offsetLo: lo, offsetHi: hi } = m, { ids } = s.service;
  const n = listEntries(dir, lo, hi, count, m.attrs, fid.path === "", s.out, ids, fid);
  const isGone = n === -ENOENT;
  if (isGone) s.out.pos = at + LIST_HEAD_BYTES;
  else if (n < 0) return n;
  s.out.dv.setUint8(at, isGone || isListEnd ? 1 : 0);
  s.out.dv.setUint32(at + 1, Math.max(n, 0), true);
  return s.endReply();
}

/** The names that clients see in a directory that is not listed to them. */
function listWays(s: Session, fid: Fid, count: number): number {
  const names = statxFd(fid.fd) < 0 ? [] : fid.root.visible?.waysIn() ?? [];
  s.beginReply(C.TLIST + 1);
  const at = s.out.reserve(LIST_HEAD_BYTES);
  const first = tlist.offsetLo, n = putWays(fid.fd, names, first, count, s.out, s.service.ids, fid);
  if (n < 0) return n;
  s.out.dv.setUint8(at, isListEnd ? 1 : 0);
  s.out.dv.setUint32(at + 1, n, true);
  return s.endReply();
}

export function onRenameat2(s: Session): number {
  const m = trenameat2;
  decode(s.in, m);
  if ((m.flags & ~RENAME_FLAGS) !== 0) return -EINVAL;
  const isExchange = (m.flags & RENAME_EXCHANGE) !== 0;
  const from = s.fid(m.oldDirFid);
  const to = s.fid(m.newDirFid);
  const r = renameBetween(s, from, m.oldName, to, m.newName, m.flags, isExchange);
  return r < 0 ? r : s.replyEmpty(C.TRENAMEAT2 + 1);
}

/** The value is read straight into the reply. */
export function onGetxattr(s: Session): number {
  const m = tgetxattr;
  decode(s.in, m);
  const fid = s.fid(m.fid);
  if (fid === null) return -EBADF;
  if (fid.isEmptied) return -ENODATA;
  const room = Math.min(m.size, XATTR_SIZE_MAX, s.msize - DATA_HEADER_BYTES);
  if (room === 0) return -ERANGE;
  s.beginReply(C.TGETXATTR + 1);
  const at = s.out.reserve(4);
  s.out.reserve(room);
  const n = getXattr(fid.fd, m.name, s.outBase + at + 4, room, s.service.proc);
  if (n < 0) return n;
  s.out.pos = at + 4 + n;
  s.out.dv.setUint32(at, n, true);
  return s.endReply();
}

export function onSetxattr(s: Session): number {
  const m = tsetxattr;
  decode(s.in, m);
  const fid = s.fid(m.fid);
  if (fid === null) return -EBADF;
  if (fid.isReadOnly) return -EROFS;
  if ((m.flags & ~(XATTR_CREATE | XATTR_REPLACE)) !== 0) return -EINVAL;
  const addr = s.inBase + m.value.off;
  const r = setXattr(fid.fd, m.name, addr, m.value.len, m.flags, s.service.proc);
  return r < 0 ? r : s.replyEmpty(C.TSETXATTR + 1);
}

export function onListxattr(s: Session): number {
  decode(s.in, tlistxattr);
  const fid = s.fid(tlistxattr.fid);
  if (fid === null) return -EBADF;
  const n = fid.isEmptied ? 0 : listXattrs(fid.fd, s.service.proc);
  if (n < 0) return n;
  if (n > s.msize - DATA_HEADER_BYTES) return -ERANGE;
  rlistxattr.data.setBytes(mem, DIRENTS_AT, n);
  return s.reply(rlistxattr);
}

export function onRemovexattr(s: Session): number {
  const m = tremovexattr;
  decode(s.in, m);
  const fid = s.fid(m.fid);
  if (fid === null) return -EBADF;
  if (fid.isReadOnly) return -EROFS;
  const r = removeXattr(fid.fd, m.name, s.service.proc);
  return r < 0 ? r : s.replyEmpty(C.TREMOVEXATTR + 1);
}
