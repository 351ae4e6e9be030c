/**
 * Attributes of host files: from statx's buffer into messages, and from requests to the host by
 * chown, chmod, truncate and utimensat.
 */

import { EBADF, EINVAL } from "../../ffi/abi/errno.ts";
import { O_WRONLY } from "../../ffi/abi/fcntl.ts";
import {
  makedev,
  S_IFDIR,
  S_IFLNK,
  S_IFMT,
  S_IFREG,
  Statx,
  StatxTimestamp,
  UTIME_NOW,
  UTIME_OMIT,
} from "../../ffi/abi/stat.ts";
import { Statfs } from "../../ffi/abi/statfs.ts";
import { Timespec } from "../../ffi/abi/time.ts";
import type { Rstatfs, Tsetattr } from "../protocol/attributes.ts";
import * as C from "../protocol/constants.ts";
import type { Qid } from "../protocol/qid.ts";
import type { Writer } from "../protocol/wire.ts";
import { chownFd, closeFd, type ProcFd, statfsFd, truncateFd } from "./host_calls.ts";
import type { InodeNumbers } from "./inode_numbers.ts";
import { base, STATFS_AT, STATX_AT, TIMES_AT, view } from "./scratch.ts";

const TWO_32 = 2 ** 32;
const EXECUTE = 0o111;
const NSEC_MAX = 1e9;

function u32(field: keyof typeof Statx.at): number {
  return view.getUint32(STATX_AT + Statx.at[field], true);
}

function u64(at: number): number {
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * TWO_32;
}

// The result of the last statxFd or statxName.

/** Mode of the file, with its type. */
export function statMode(): number {
  return view.getUint16(STATX_AT + Statx.at.mode, true);
}

/** Owner of the file on the host. */
export function statUid(): number {
  return u32("uid");
}

/** Group of the file on the host. */
export function statGid(): number {
  return u32("gid");
}

/** Device of the file that statx saw last, as one number. */
export function statDevice(): number {
  return u32("devMajor") * TWO_32 + u32("devMinor");
}

/** Makes the file that statx saw last seem empty, and no program. */
export function coverContent(): void {
  view.setUint16(STATX_AT + Statx.at.mode, statMode() & ~EXECUTE, true);
  view.setBigUint64(STATX_AT + Statx.at.size, 0n, true);
  view.setBigUint64(STATX_AT + Statx.at.blocks, 0n, true);
}

/** S_IF* of a mode. */
export function typeOf(mode: number): number {
  return mode & S_IFMT;
}

/** A string that identifies the file which statx saw last: equal strings mean the same file. */
export function statIdentity(): string {
  const lo = view.getUint32(STATX_AT + Statx.at.ino, true);
  const hi = view.getUint32(STATX_AT + Statx.at.ino + 4, true);
  return `${u32("devMajor")}:${u32("devMinor")}:${hi}:${lo}`;
}

function qidType(mode: number): number {
  const type = mode & S_IFMT;
  return type === S_IFDIR ? C.QTDIR : type === S_IFLNK ? C.QTSYMLINK : C.QTFILE;
}

/** A version that differs when the content does, as far as times and size tell. */
function statVersion(): number {
  const m = STATX_AT + Statx.at.mtime;
  const c = STATX_AT + Statx.at.ctime;
  const size = view.getUint32(STATX_AT + Statx.at.size, true);
  return (view.getUint32(m, true) ^ view.getUint32(m + StatxTimestamp.at.nsec, true) ^
    (view.getUint32(c + StatxTimestamp.at.nsec, true) << 2) ^ (size << 8)) >>> 0;
}

/** The qid of the file that statx saw last. */
export function fillQid(qid: Qid, ids: InodeNumbers): void {
  const ino = STATX_AT + Statx.at.ino;
  qid.type = qidType(statMode());
  qid.version = statVersion();
  qid.pathLo = view.getUint32(ino, true);
  qid.pathHi = ids.pathHi(u32("devMajor"), u32("devMinor"), view.getUint32(ino + 4, true));
}

/**
 * The upper half of the qid paths of the file system that statx saw last, for inode numbers found
 * in directories.
 */
export function statPathHi(ids: InodeNumbers, inoHi: number): number {
  return ids.pathHi(u32("devMajor"), u32("devMinor"), inoHi);
}

function putTime(w: Writer, field: "atime" | "mtime" | "ctime" | "btime"): void {
  const at = STATX_AT + Statx.at[field];
  w.putPair(view.getUint32(at, true), view.getUint32(at + 4, true));
  w.putPair(view.getUint32(at + StatxTimestamp.at.nsec, true), 0);
}

/**
 * Writes the attribute record (protocol/attr.ts) of the file that statx saw last. `extra`: further
 * valid bits.
 */
export function putAttr(w: Writer, ids: InodeNumbers, extra = 0): void { // HOT
  const hasBtime = (u32("mask") & C.GETATTR_BTIME) !== 0;
  const ino = STATX_AT + Statx.at.ino;
  const mode = statMode();
  w.putPair(C.GETATTR_BASIC | (hasBtime ? C.GETATTR_BTIME : 0) | extra, 0);
  w.putU8(qidType(mode));
  w.putU32(statVersion());
  w.putPair(
    view.getUint32(ino, true),
    ids.pathHi(u32("devMajor"), u32("devMinor"), view.getUint32(ino + 4, true)),
  );
  w.putU32(mode);
  w.putU32(u32("uid"));
  w.putU32(u32("gid"));
  w.putPair(u32("nlink"), 0);
  w.putPair(makedev(u32("rdevMajor"), u32("rdevMinor")), 0);
  putField(w, STATX_AT + Statx.at.size);
  w.putPair(u32("blksize"), 0);
  putField(w, STATX_AT + Statx.at.blocks);
  putTime(w, "atime");
  putTime(w, "mtime");
  putTime(w, "ctime");
  putTime(w, "btime");
  w.putPair(0, 0);
  w.putPair(0, 0);
}

function putField(w: Writer, at: number): void {
  w.putPair(view.getUint32(at, true), view.getUint32(at + 4, true));
}

/** statfs(2) of the file system an O_PATH descriptor is on. */
export function readStatfs(fd: number, out: Rstatfs): number {
  const r = statfsFd(fd, base + STATFS_AT);
  if (r < 0) return r;
  const at = Statfs.at;
  out.fsType = view.getUint32(STATFS_AT + at.type, true);
  out.bsize = view.getUint32(STATFS_AT + at.bsize, true);
  out.blocks = u64(STATFS_AT + at.blocks);
  out.bfree = u64(STATFS_AT + at.bfree);
  out.bavail = u64(STATFS_AT + at.bavail);
  out.files = u64(STATFS_AT + at.files);
  out.ffree = u64(STATFS_AT + at.ffree);
  out.fsidLo = view.getUint32(STATFS_AT + at.fsid, true);
  out.fsidHi = view.getUint32(STATFS_AT + at.fsid + 4, true);
  out.namelen = view.getUint32(STATFS_AT + at.namelen, true);
  return 0;
}

function putTimespec(at: number, isSet: boolean, isGiven: boolean, sec: number, nsec: number) {
  const hi = Math.floor(sec / TWO_32);
  view.setUint32(at, isGiven ? sec - hi * TWO_32 : 0, true);
  view.setUint32(at + 4, isGiven ? hi : 0, true);
  const special = isSet ? UTIME_NOW : UTIME_OMIT;
  view.setUint32(at + Timespec.at.nsec, isGiven ? nsec : special, true);
  view.setUint32(at + Timespec.at.nsec + 4, 0, true);
}

function setTimes(fd: number, m: Tsetattr, proc: ProcFd): number {
  const isAtime = (m.valid & C.SETATTR_ATIME) !== 0;
  const isMtime = (m.valid & C.SETATTR_MTIME) !== 0;
  const hasAtime = isAtime && (m.valid & C.SETATTR_ATIME_SET) !== 0;
  const hasMtime = isMtime && (m.valid & C.SETATTR_MTIME_SET) !== 0;
  if (hasAtime && m.atimeNsec >= NSEC_MAX) return -EINVAL;
  if (hasMtime && m.mtimeNsec >= NSEC_MAX) return -EINVAL;
  putTimespec(TIMES_AT, isAtime, hasAtime, m.atimeSec, m.atimeNsec);
  putTimespec(TIMES_AT + Timespec.size, isMtime, hasMtime, m.mtimeSec, m.mtimeNsec);
  return proc.setTimes(fd, base + TIMES_AT);
}

/**
 * truncate(2) through `open`, the open file (-1 without), if that may write: an open file stays
 * writable whatever its mode is by now.
 */
function setSize(fd: number, open: number, type: number, size: number, proc: ProcFd): number {
  if (type !== S_IFREG) return -EINVAL;
  if (size > Number.MAX_SAFE_INTEGER) return -EINVAL;
  let r = open >= 0 ? truncateFd(open, size) : -EINVAL;
  if (r !== -EINVAL && r !== -EBADF) return r;
  const io = proc.reopen(fd, O_WRONLY);
  if (io < 0) return io;
  r = truncateFd(io, size);
  closeFd(io);
  return r;
}

/**
 * Applies a Tsetattr to the file that an O_PATH descriptor holds; `open` is the same file, opened,
 * or -1. The order follows the side effects: a new size or owner clears set-id bits, so the mode
 * comes after them, and times come last.
 */
export function applySetattr(
  fd: number,
  open: number,
  type: number,
  m: Tsetattr,
  proc: ProcFd,
): number {
  let r = 0;
  if ((m.valid & C.SETATTR_SIZE) !== 0) r = setSize(fd, open, type, m.size, proc);
  const owner = C.SETATTR_UID | C.SETATTR_GID;
  if (r >= 0 && (m.valid & owner) !== 0) {
    const uid = (m.valid & C.SETATTR_UID) !== 0 ? m.uid : -1;
    const gid = (m.valid & C.SETATTR_GID) !== 0 ? m.gid : -1;
    r = chownFd(fd, uid, gid);
  }
  if (r >= 0 && (m.valid & C.SETATTR_MODE) !== 0) r = proc.chmod(fd, m.mode & 0o7777);
  if (r >= 0 && (m.valid & (C.SETATTR_ATIME | C.SETATTR_MTIME)) !== 0) r = setTimes(fd, m, proc);
  if (r >= 0 && m.valid === C.SETATTR_CTIME) r = chownFd(fd, -1, -1); // changes ctime only
  return r;
}
