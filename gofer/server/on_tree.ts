/**
 * Handlers that change the tree: symlink, link, mknod, mkdir, rename, unlink, remove; and readlink.
 */

import { EBADF, EBUSY, EINVAL, ENAMETOOLONG, ENOTDIR, EROFS, EXDEV } from "../../ffi/abi/errno.ts";
import { AT_REMOVEDIR } from "../../ffi/abi/fcntl.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "../../ffi/abi/stat.ts";
import { fillQid } from "../backend/attributes.ts";
import { make } from "../backend/create.ts";
import { closeFd, readlinkFd, renameAt, unlinkAt } from "../backend/host_calls.ts";
import { openDirectoryOf } from "../backend/resolve.ts";
import { base, mem, NAME_ADDRESS, stageName, stageTarget, TARGET_AT } from "../backend/scratch.ts";
import * as C from "../protocol/constants.ts";
import { decode, FidMessage } from "../protocol/message.ts";
import { QidReply } from "../protocol/session.ts";
import {
  Rreadlink,
  Tlink,
  Tmkdir,
  Tmknod,
  Trename,
  Trenameat,
  Tsymlink,
  Tunlinkat,
} from "../protocol/tree.ts";
import type { Str } from "../protocol/wire.ts";
import { type Fid, PATH_BYTES_MAX } from "./fid.ts";
import type { Session } from "./session.ts";

const tsymlink = new Tsymlink();
const rsymlink = new QidReply(C.TSYMLINK + 1);
const tlink = new Tlink();
const tmknod = new Tmknod();
const rmknod = new QidReply(C.TMKNOD + 1);
const tmkdir = new Tmkdir();
const rmkdir = new QidReply(C.TMKDIR + 1);
const treadlink = new FidMessage(C.TREADLINK);
const rreadlink = new Rreadlink();
const trename = new Trename();
const trenameat = new Trenameat();
const tunlinkat = new Tunlinkat();
const tremove = new FidMessage(C.TREMOVE);

/** The error of changes below a directory fid: 0 or -errno. */
export function checkChangeable(dir: Fid | null): number {
  if (dir === null) return -EBADF;
  if (!dir.isDirectory) return -ENOTDIR;
  return dir.isReadOnly ? -EROFS : 0;
}

/** Makes a node in a directory fid, fills in the reply's qid and sends it. */
function makeAndReply(
  s: Session,
  dir: Fid | null,
  name: Str,
  mode: number,
  gid: number,
  major: number,
  minor: number,
  targetAddr: number,
  reply: QidReply,
): number {
  const check = checkChangeable(dir);
  if (dir === null || check < 0) return check;
  const addr = stageName(name);
  if (addr < 0) return addr;
  const fd = make(dir.fd, addr, mode, dir.uid, gid, major, minor, targetAddr, s.service);
  if (fd < 0) return fd;
  closeFd(fd);
  fillQid(reply.qid, s.service.ids);
  return s.reply(reply);
}

/** Tsymlink (9P2000.L). */
export function onSymlink(s: Session): number {
  const m = tsymlink;
  decode(s.in, m);
  const target = stageTarget(m.target);
  if (target < 0) return target;
  return makeAndReply(s, s.fid(m.dirFid), m.name, S_IFLNK, m.gid, 0, 0, target, rsymlink);
}

/** Makes device nodes, FIFOs and sockets; directories and symlinks have messages of their own. */
export function onMknod(s: Session): number {
  const m = tmknod;
  decode(s.in, m);
  const type = m.mode & S_IFMT;
  if (type === S_IFDIR || type === S_IFLNK) return -EINVAL;
  return makeAndReply(s, s.fid(m.dirFid), m.name, m.mode, m.gid, m.major, m.minor, 0, rmknod);
}

/** Tmkdir (9P2000.L). */
export function onMkdir(s: Session): number {
  const m = tmkdir;
  decode(s.in, m);
  const mode = S_IFDIR | (m.mode & 0o7777);
  return makeAndReply(s, s.fid(m.dirFid), m.name, mode, m.gid, 0, 0, 0, rmkdir);
}

/** Tlink (9P2000.L). */
export function onLink(s: Session): number {
  const m = tlink;
  decode(s.in, m);
  const dir = s.fid(m.dirFid);
  const fid = s.fid(m.fid);
  const check = checkChangeable(dir);
  if (dir === null || check < 0) return check;
  if (fid === null) return -EBADF;
  if (fid.root !== dir.root) return -EXDEV;
  const addr = stageName(m.name);
  if (addr < 0) return addr;
  const r = s.service.proc.link(fid.fd, dir.fd, addr);
  return r < 0 ? r : s.replyEmpty(C.TLINK + 1);
}

/** Treadlink (9P2000.L). */
export function onReadlink(s: Session): number {
  decode(s.in, treadlink);
  const fid = s.fid(treadlink.fid);
  if (fid === null) return -EBADF;
  if (fid.type !== S_IFLNK) return -EINVAL;
  const n = readlinkFd(fid.fd, base + TARGET_AT, C.TARGET_MAX + 1);
  if (n < 0) return n;
  rreadlink.target.setBytes(mem, TARGET_AT, n);
  return s.reply(rreadlink);
}

/** Renames between two directory fids of one root, and updates the paths of fids. */
export function renameBetween(
  s: Session,
  oldDir: Fid | null,
  oldName: Str,
  newDir: Fid | null,
  newName: Str,
  flags: number,
  isExchange: boolean,
): number {
  let check = checkChangeable(oldDir);
  if (oldDir === null || check < 0) return check;
  check = checkChangeable(newDir);
  if (newDir === null || check < 0) return check;
  if (oldDir.root !== newDir.root) return -EXDEV;
  if (newDir.path.length + newName.len >= PATH_BYTES_MAX) return -ENAMETOOLONG;
  const oldAddr = stageName(oldName, 0);
  if (oldAddr < 0) return oldAddr;
  const newAddr = stageName(newName, 1);
  if (newAddr < 0) return newAddr;
  const r = renameAt(oldDir.fd, oldAddr, newDir.fd, newAddr, flags);
  if (r < 0) return r;
  const from = oldDir.childPath(oldName);
  const to = newDir.childPath(newName);
  if (isExchange) s.service.exchanged(oldDir.root, from, to);
  else s.service.renamed(oldDir.root, from, to);
  return 0;
}

/** Trenameat (9P2000.L). */
export function onRenameat(s: Session): number {
  const m = trenameat;
  decode(s.in, m);
  const from = s.fid(m.oldDirFid);
  const to = s.fid(m.newDirFid);
  const r = renameBetween(s, from, m.oldName, to, m.newName, 0, false);
  return r < 0 ? r : s.replyEmpty(C.TRENAMEAT + 1);
}

/**
 * The older rename names the file by its fid; its directory is found by the fid's path and checked.
 */
export function onRename(s: Session): number {
  const m = trename;
  decode(s.in, m);
  const fid = s.fid(m.fid);
  const newDir = s.fid(m.dirFid);
  if (fid === null) return -EBADF;
  const check = checkChangeable(newDir);
  if (newDir === null || check < 0) return check;
  if (fid.root !== newDir.root) return -EXDEV;
  if (fid.path === "") return -EBUSY;
  if (newDir.path.length + m.name.len >= PATH_BYTES_MAX) return -ENAMETOOLONG;
  const newAddr = stageName(m.name, 1);
  if (newAddr < 0) return newAddr;
  const oldDir = openDirectoryOf(fid.root, fid.path, fid.fd);
  if (oldDir < 0) return oldDir;
  const r = renameAt(oldDir, NAME_ADDRESS, newDir.fd, newAddr, 0);
  closeFd(oldDir);
  if (r < 0) return r;
  s.service.renamed(fid.root, fid.path, newDir.childPath(m.name));
  return s.replyEmpty(C.TRENAME + 1);
}

/** Tunlinkat (9P2000.L). */
export function onUnlinkat(s: Session): number {
  const m = tunlinkat;
  decode(s.in, m);
  const dir = s.fid(m.dirFid);
  const check = checkChangeable(dir);
  if (dir === null || check < 0) return check;
  if ((m.flags & ~C.UNLINK_REMOVEDIR) !== 0) return -EINVAL;
  const addr = stageName(m.name);
  if (addr < 0) return addr;
  const r = unlinkAt(dir.fd, addr, m.flags === 0 ? 0 : AT_REMOVEDIR);
  return r < 0 ? r : s.replyEmpty(C.TUNLINKAT + 1);
}

/** remove(5): the fid is clunked even if the file cannot be removed. */
export function onRemove(s: Session): number {
  decode(s.in, tremove);
  const fid = s.fids.get(tremove.fid);
  if (fid === null) return -EBADF;
  const r = fid.xattr === null ? removeFile(fid) : -EBADF;
  s.fids.drop(tremove.fid);
  return r < 0 ? r : s.replyEmpty(C.TREMOVE + 1);
}

function removeFile(fid: Fid): number {
  if (fid.isReadOnly) return -EROFS;
  if (fid.path === "") return -EBUSY;
  const dir = openDirectoryOf(fid.root, fid.path, fid.fd);
  if (dir < 0) return dir;
  const r = unlinkAt(dir, NAME_ADDRESS, fid.isDirectory ? AT_REMOVEDIR : 0);
  closeFd(dir);
  return r;
}
