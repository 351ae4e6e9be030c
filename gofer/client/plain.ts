/**
 * The requests of the extension, made of messages of the base protocol: more round trips, no
 * donated descriptors.
 *
 * For servers like diod. Used by gofer_client.ts only. Temporary fids are clunked without waiting.
 */

import { EISDIR, ENOENT, ENOTDIR, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "../../ffi/abi/stat.ts";
import { Tsetattr } from "../protocol/attributes.ts";
import * as C from "../protocol/constants.ts";
import type { Tmake } from "../protocol/extension.ts";
import { OpenReply, Tlcreate } from "../protocol/file.ts";
import { EmptyMessage, FidMessage } from "../protocol/message.ts";
import { QidReply } from "../protocol/session.ts";
import { Tmkdir, Tmknod, Trename, Tsymlink } from "../protocol/tree.ts";
import { Rwalk, Twalk } from "../protocol/walk.ts";
import type { ByteString } from "../protocol/wire.ts";
import type { GoferClient } from "./gofer_client.ts";

const twalk = new Twalk();
const rwalk = new Rwalk();
const tlcreate = new Tlcreate();
const rlcreate = new OpenReply(C.TLCREATE + 1);
const tmkdir = new Tmkdir();
const rmkdir = new QidReply(C.TMKDIR + 1);
const tsymlink = new Tsymlink();
const rsymlink = new QidReply(C.TSYMLINK + 1);
const tmknod = new Tmknod();
const rmknod = new QidReply(C.TMKNOD + 1);
const trename = new Trename();
const rrename = new EmptyMessage(C.TRENAME + 1);
const tremove = new FidMessage(C.TREMOVE);
const rremove = new EmptyMessage(C.TREMOVE + 1);
const tsetattr = new Tsetattr();
const one: ByteString[] = [""];

/** Walks one name, or none (a second fid for the same file). 0 or -errno. */
function walkOne(c: GoferClient, fid: number, newFid: number, name: ByteString | null): number {
  twalk.fid = fid;
  twalk.newFid = newFid;
  one[0] = name ?? "";
  twalk.names.set(name === null ? [] : one);
  const r = c.connection.call(twalk, rwalk);
  if (r < 0) return r;
  if (rwalk.count === twalk.names.count) return 0;
  return rwalk.count < twalk.names.count
    ? -ENOENT
    : c.connection.die("an Rwalk with too many qids");
}

/** Adds the attributes of `fid` to the result of a walk. 0 or -errno. */
function addAttributes(c: GoferClient, fid: number): number {
  const r = c.getattr(fid);
  if (r < 0) return r;
  c.walk.at(c.walk.count).copyFrom(c.attr);
  c.walk.count++;
  return 0;
}

/** GoferClient.walkGetattr by Twalk and Tgetattr, one name at a time. Opens nothing. */
export function walkGetattr(
  c: GoferClient,
  fid: number,
  newFid: number,
  names: readonly ByteString[],
  from: number,
): number {
  const w = c.walk;
  w.count = 0;
  w.stop = C.STOP_COMPLETE;
  w.ecode = 0;
  w.openEcode = EOPNOTSUPP;
  w.hasFd = false;
  w.target.set("");
  const end = Math.min(names.length, from + C.WALKGETATTR_NAMES_MAX);
  let at = fid;
  let r = 0;
  if (from >= end) r = addAttributes(c, fid);
  for (let i = from; i < end && r === 0; i++) {
    const next = c.fids.take();
    r = walkOne(c, at, next, names[i] ?? "");
    if (r < 0) {
      c.fids.release(next);
      break;
    }
    if (at !== fid) c.clunk(at);
    at = next;
    r = addAttributes(c, at);
    if (r === 0 && !goesOn(c, at, i === end - 1)) break;
  }
  return endWalk(c, fid, newFid, at, r);
}

/** Whether a walk can continue behind the file it reached; sets the reason if not. */
function goesOn(c: GoferClient, fid: number, isLast: boolean): boolean {
  const w = c.walk;
  const type = w.at(w.count - 1).mode & S_IFMT;
  if (type === S_IFLNK) {
    const target = c.readlink(fid);
    if (typeof target === "string") w.target.set(target);
    if (!isLast) w.stop = C.STOP_SYMLINK;
    return false;
  }
  if (type === S_IFDIR || isLast) return true;
  w.stop = C.STOP_ERROR;
  w.ecode = ENOTDIR;
  return false;
}

function endWalk(c: GoferClient, fid: number, newFid: number, at: number, r: number): number {
  const w = c.walk;
  if (r < 0 && c.dead) return r;
  if (r < 0) {
    w.stop = C.STOP_ERROR;
    w.ecode = -r;
  }
  let bound = 0;
  if (newFid !== C.NOFID && w.count > 0) bound = walkOne(c, at, newFid, null);
  if (at !== fid) c.clunk(at);
  return bound < 0 ? bound : w.count;
}

/**
 * Sets the uid of a new file, which the base protocol cannot name, and its mode again; then reads
 * its attributes.
 */
function settle(c: GoferClient, fid: number, uid: number, mode: number): number {
  let r = c.getattr(fid);
  if (r < 0 || c.attr.uid === uid) return r;
  tsetattr.fid = fid;
  tsetattr.valid = (c.attr.mode & S_IFMT) === S_IFLNK
    ? C.SETATTR_UID
    : C.SETATTR_UID | C.SETATTR_MODE;
  tsetattr.uid = uid;
  tsetattr.mode = mode & 0o7777;
  r = c.setattr(tsetattr);
  return r < 0 ? r : c.getattr(fid);
}

function makeNode(c: GoferClient, m: Tmake): number {
  const type = m.mode & S_IFMT;
  if (type === S_IFDIR) {
    tmkdir.dirFid = m.dirFid;
    tmkdir.name.set(m.name.toByteString());
    tmkdir.mode = m.mode & 0o7777;
    tmkdir.gid = m.gid;
    return c.connection.call(tmkdir, rmkdir);
  }
  if (type === S_IFLNK) {
    tsymlink.dirFid = m.dirFid;
    tsymlink.name.set(m.name.toByteString());
    tsymlink.target.set(m.target.toByteString());
    tsymlink.gid = m.gid;
    return c.connection.call(tsymlink, rsymlink);
  }
  tmknod.dirFid = m.dirFid;
  tmknod.name.set(m.name.toByteString());
  tmknod.mode = m.mode;
  tmknod.major = m.major;
  tmknod.minor = m.minor;
  tmknod.gid = m.gid;
  return c.connection.call(tmknod, rmknod);
}

/** GoferClient.make by Tmkdir, Tsymlink or Tmknod, a walk to the new file, and its attributes. */
export function make(c: GoferClient, m: Tmake): number {
  let r = makeNode(c, m);
  if (r < 0) return r;
  const isKept = m.newFid !== C.NOFID;
  const fid = isKept ? m.newFid : c.fids.take();
  r = walkOne(c, m.dirFid, fid, m.name.toByteString());
  if (r < 0) {
    if (!isKept) c.fids.release(fid);
    return r;
  }
  r = settle(c, fid, m.uid, m.mode);
  if (!isKept) c.clunk(fid);
  else if (r < 0) c.connection.clunk(fid); // the caller keeps the number
  return r;
}

/** GoferClient.rename for servers without Trenameat: the file's own fid is renamed. */
export function rename(
  c: GoferClient,
  oldDirFid: number,
  oldName: ByteString,
  newDirFid: number,
  newName: ByteString,
): number {
  const fid = c.fids.take();
  let r = walkOne(c, oldDirFid, fid, oldName);
  if (r < 0) {
    c.fids.release(fid);
    return r;
  }
  trename.fid = fid;
  trename.dirFid = newDirFid;
  trename.name.set(newName);
  r = c.connection.call(trename, rrename);
  c.clunk(fid);
  return r;
}

/**
 * GoferClient.unlink for servers without Tunlinkat: the file's own fid is removed, if it is of the
 * right kind.
 */
export function unlink(c: GoferClient, dirFid: number, name: ByteString, flags: number): number {
  const fid = c.fids.take();
  let r = walkOne(c, dirFid, fid, name);
  if (r < 0) {
    c.fids.release(fid);
    return r;
  }
  const wantsDirectory = flags === C.UNLINK_REMOVEDIR;
  const isDirectory = rwalk.at(0).isDirectory;
  if (wantsDirectory !== isDirectory) {
    c.clunk(fid);
    return wantsDirectory ? -ENOTDIR : -EISDIR;
  }
  tremove.fid = fid;
  r = c.connection.call(tremove, rremove); // the fid is clunked whatever the reply says
  c.fids.release(fid);
  return r;
}

/** GoferClient.create: a second fid of the directory becomes the new file. */
export function create(
  c: GoferClient,
  dirFid: number,
  newFid: number,
  name: ByteString,
  flags: number,
  mode: number,
  uid: number,
  gid: number,
): number {
  let r = walkOne(c, dirFid, newFid, null);
  if (r < 0) return r;
  tlcreate.fid = newFid;
  tlcreate.name.set(name);
  tlcreate.flags = flags;
  tlcreate.mode = mode;
  tlcreate.gid = gid;
  r = c.connection.call(tlcreate, rlcreate);
  if (r === 0) r = settle(c, newFid, uid, mode);
  if (r < 0) c.connection.clunk(newFid);
  return r;
}
