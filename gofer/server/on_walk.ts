/**
 * Handlers: walk, and the walk of a whole path with attributes, which replaces three messages for
 * each component.
 */

import {
  EACCES,
  EBADF,
  EINVAL,
  EMFILE,
  ENAMETOOLONG,
  ENOENT,
  ENOTDIR,
} from "../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFLNK, S_IFREG } from "../../ffi/abi/stat.ts";
import { coverContent, fillQid, putAttr, statMode, typeOf } from "../backend/attributes.ts";
import {
  closeFd,
  dupFd,
  openPath,
  readlinkFd,
  readlinkName,
  statxFd,
  statxName,
} from "../backend/host_calls.ts";
import { openFromRoot, parentPath } from "../backend/resolve.ts";
import { NAME_AT, stageName } from "../backend/scratch.ts";
import { BY_RULE, joinPath, type Visibility, type VisiblePart } from "../backend/visible_part.ts";
import * as C from "../protocol/constants.ts";
import { putWalkHead, Twalkgetattr, WALK_HEAD_BYTES } from "../protocol/extension.ts";
import { decode } from "../protocol/message.ts";
import { Rwalk, Twalk } from "../protocol/walk.ts";
import type { ByteString, Str } from "../protocol/wire.ts";
import { Fid, PATH_BYTES_MAX } from "./fid.ts";
import { openDonated } from "./opened.ts";
import type { Session } from "./session.ts";

const twalk = new Twalk();
const rwalk = new Rwalk();
const twalkgetattr = new Twalkgetattr();

/** The position of a walk: a descriptor (owned unless it is the fid's own), its type and path. */
class Place {
  fd = -1;
  isOwned = false;
  type = 0;
  path: ByteString = "";
  /** null: clients see the whole root. */
  visible: VisiblePart | null = null;
  visibility: Visibility = BY_RULE;
  /** Whether every name can be looked up here. */
  isSearchable = true;
  /** The visibility of the file that `judge` saw last; whether clients see it without content. */
  found: Visibility = BY_RULE;
  isEmptied = false;

  start(fid: Fid): void {
    this.fd = fid.fd;
    this.isOwned = false;
    this.type = fid.type;
    this.path = fid.path;
    this.visible = fid.root.visible;
    this.visibility = fid.visibility;
    this.isSearchable = this.visible === null;
    this.isEmptied = false;
    if (this.visible === null) return;
    const isThere = statxFd(fid.fd) >= 0;
    this.isSearchable = isThere && this.visible.isSearchable(fid.visibility);
    this.isEmptied = !isThere || this.visible.isEmptied(fid.visibility);
  }

  /**
   * Decides about the file that statx saw last, which has been found here: 0, or -ENOENT if clients
   * do not see it. Its attributes become those that clients see.
   */
  judge(name: Str): number {
    if (this.visible === null) return 0;
    const path = joinPath(this.path, name.toByteString());
    const found = this.visible.below(this.visibility, this.isSearchable, path);
    if (found === -1) return -ENOENT;
    this.found = found;
    this.isEmptied = this.visible.isEmptied(found);
    if (this.isEmptied) coverContent();
    return 0;
  }

  /** Goes to the file that `judge` saw last. */
  move(fd: number, type: number): void {
    if (this.isOwned) closeFd(this.fd);
    this.fd = fd;
    this.isOwned = true;
    this.type = type;
    if (this.visible === null) return;
    this.visibility = this.found;
    this.isSearchable = this.visible.isSearchable(this.found);
  }

  leave(): void {
    if (this.isOwned) closeFd(this.fd);
    this.fd = -1;
    this.isOwned = false;
  }

  enterPath(name: Str): void {
    this.path = joinPath(this.path, name.toByteString());
  }
}

const place = new Place();

/**
 * Opens the parent directory by the position's path; the root is its own parent. Where clients see
 * a part of the root, they must walk down to it.
 */
function openParent(fid: Fid): number {
  if (fid.root.visible !== null) return -EACCES;
  return openFromRoot(fid.root, parentPath(place.path));
}

/**
 * One step of Twalk. Leaves the attributes of the new position in the statx buffer. 0 or -errno.
 */
function stepTo(fid: Fid, name: Str): number {
  if (place.type !== S_IFDIR) return -ENOTDIR;
  if (name.equals(".")) return statxFd(place.fd); // clients need not send it; diod's does
  const isUp = name.equals("..");
  if (place.path.length + name.len >= PATH_BYTES_MAX) return -ENAMETOOLONG;
  let fd: number;
  if (isUp) {
    fd = openParent(fid);
  } else {
    const addr = stageName(name);
    fd = addr < 0 ? addr : openPath(place.fd, addr);
  }
  if (fd < 0) return fd;
  const r = enter(fd, name);
  if (r < 0) return r;
  if (isUp) place.path = parentPath(place.path);
  else place.enterPath(name);
  return 0;
}

/**
 * Moves the position to a file in it, attributes in the statx buffer. 0, or -errno when the file is
 * closed.
 */
function enter(fd: number, name: Str): number {
  let r = statxFd(fd);
  if (r >= 0) r = place.judge(name);
  if (r < 0) closeFd(fd);
  else place.move(fd, typeOf(statMode()));
  return r;
}

/** Binds the position to a fid number; the descriptor becomes the fid's. */
function bindPlace(s: Session, number: number, from: Fid): number {
  const fd = place.isOwned ? place.fd : dupFd(place.fd);
  if (fd < 0) return fd;
  s.fids.bind(number, new Fid(fd, from.root, place.type, place.path, from.uid, place.visibility));
  place.isOwned = false;
  return 0;
}

/**
 * walk(5): an error at the first name fails; one at a later name ends the walk, and newfid stays
 * free.
 */
export function onWalk(s: Session): number {
  const m = twalk;
  decode(s.in, m);
  const fid = s.fid(m.fid);
  if (fid === null) return -EBADF;
  if (m.newFid !== m.fid && !s.isFree(m.newFid)) return s.fids.isFull ? -EMFILE : -EINVAL;
  place.start(fid);
  rwalk.count = 0;
  let r = 0;
  for (let i = 0; i < m.names.count; i++) {
    r = stepTo(fid, m.names.at(i));
    if (r < 0) break;
    fillQid(rwalk.at(i), s.service.ids);
    rwalk.count = i + 1;
  }
  if (r < 0) {
    place.leave();
    return rwalk.count === 0 ? r : s.reply(rwalk);
  }
  r = bindPlace(s, m.newFid, fid);
  place.leave();
  return r < 0 ? r : s.reply(rwalk);
}

/** Appends the symlink target of the position or of the named file as a string. */
function putTarget(s: Session, dirFd: number, nameAddr: number): void {
  const out = s.out;
  const at = out.reserve(2);
  const room = Math.min(C.TARGET_MAX + 1, out.limit - out.pos);
  const n = nameAddr === 0
    ? readlinkFd(dirFd, s.outBase + out.pos, room)
    : readlinkName(dirFd, nameAddr, s.outBase + out.pos, room);
  const len = n < 0 ? 0 : n;
  out.dv.setUint16(at, len, true);
  out.reserve(len);
}

/**
 * Walks as far as the names exist. A name of which only attributes are needed (the last one, when
 * nothing is bound or opened) is not opened. The reply is written during the walk; its head is
 * filled in at the end.
 */
export function onWalkgetattr(s: Session): number { // HOT
  const m = twalkgetattr;
  decode(s.in, m);
  const fid = s.fid(m.fid);
  if (fid === null) return -EBADF;
  const isBinding = m.newFid !== C.NOFID;
  if (isBinding && !s.isFree(m.newFid)) return s.fids.isFull ? -EMFILE : -EINVAL;
  const r = walkAndReply(s, fid, isBinding);
  place.leave();
  return r;
}

/** Writes the reply of Twalkgetattr while it walks; `place` is where the walk ended. */
function walkAndReply(s: Session, fid: Fid, isBinding: boolean): number {
  const m = twalkgetattr;
  const last = m.names.count - 1;
  place.start(fid);
  s.beginReply(C.TWALKGETATTR + 1);
  const head = s.out.reserve(WALK_HEAD_BYTES);
  let stop = C.STOP_COMPLETE;
  let ecode = 0;
  let count = 0;
  let nameOfLink = 0; // address of the last name if it was not opened; it may be a symlink's
  let type = place.type;
  if (last < 0) {
    const r = fid.readAttributes();
    if (r < 0) return r;
    putAttr(s.out, s.service.ids);
    count = 1;
  }
  for (let i = 0; i <= last; i++) {
    const name = m.names.at(i);
    const isStatOnly = i === last && !isBinding && m.open === C.OPEN_NONE;
    const r = isStatOnly ? statName(name) : enterName(name, isBinding);
    if (r < 0) {
      stop = C.STOP_ERROR;
      ecode = -r;
      break;
    }
    type = typeOf(statMode());
    putAttr(s.out, s.service.ids, i === last ? noXattrsBit(s, isStatOnly, name) : 0);
    count++;
    if (isStatOnly) nameOfLink = r;
    if (i < last && type !== S_IFDIR) {
      stop = type === S_IFLNK ? C.STOP_SYMLINK : C.STOP_ERROR;
      ecode = type === S_IFLNK ? 0 : ENOTDIR;
      break;
    }
  }
  return finishReply(s, fid, isBinding, head, stop, ecode, count, type, nameOfLink);
}

/**
 * Gets the attributes of a name at the position without opening it. Returns the address of the
 * staged name, or -errno.
 */
function statName(name: Str): number {
  if (place.type !== S_IFDIR) return -ENOTDIR;
  const addr = stageName(name);
  if (addr < 0) return addr;
  let r = statxName(place.fd, addr);
  if (r >= 0) r = place.judge(name);
  return r < 0 ? r : addr;
}

/**
 * The bit that says that the file walked to last has no extended attributes. The client needs the
 * capabilities of a program before it runs it, so executables are checked; for other files the call
 * would not pay.
 */
function noXattrsBit(s: Session, isStatOnly: boolean, name: Str): number {
  const mode = statMode(), { proc } = s.service;
  if (typeOf(mode) !== S_IFREG || (mode & 0o111) === 0) return 0;
  const len = isStatOnly
    ? proc.llistxattr(place.fd, NAME_AT, name.len)
    : proc.listxattr(place.fd, 0, 0);
  return len === 0 ? C.ATTR_NO_XATTRS : 0;
}

/** Moves the position to a name in it, attributes in the statx buffer. 0 or -errno. */
function enterName(name: Str, keepsPath: boolean): number {
  if (place.type !== S_IFDIR) return -ENOTDIR;
  if (place.path.length + name.len >= PATH_BYTES_MAX) return -ENAMETOOLONG;
  const addr = stageName(name);
  if (addr < 0) return addr;
  const fd = openPath(place.fd, addr);
  if (fd < 0) return fd;
  const r = enter(fd, name);
  if (r >= 0 && (keepsPath || place.visible !== null)) place.enterPath(name);
  return r;
}

/** Ends the reply of a walk: a symlink's target, the descriptor of the open, the fid, the head. */
function finishReply(
  s: Session,
  fid: Fid,
  isBinding: boolean,
  head: number,
  stop: number,
  ecode: number,
  count: number,
  type: number,
  nameOfLink: number,
): number {
  const m = twalkgetattr;
  if (count > 0 && type === S_IFLNK) putTarget(s, place.fd, nameOfLink);
  else s.out.putU16(0);
  let openEcode = 0;
  let hasFd = false;
  if (stop === C.STOP_COMPLETE && m.open !== C.OPEN_NONE) {
    const io = openDonated(s.service, fid.root, place.fd, type, m.open, place.isEmptied);
    if (io < 0) openEcode = -io;
    else {
      hasFd = true;
      s.donated.push(io);
    }
  }
  if (isBinding && count > 0) {
    const r = bindPlace(s, m.newFid, fid);
    if (r < 0) return r;
  }
  putWalkHead(s.out, head, stop, hasFd, count, ecode, openEcode);
  return s.endReply();
}
