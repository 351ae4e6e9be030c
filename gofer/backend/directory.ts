/**
 * Reads host directories into the payloads of Rreaddir, Rreaddirattr and Rlist.
 *
 * Cookies are the host's own (d_off), passed on as two halves. The directory's descriptor is
 * positioned behind the last entry that was returned, so continued reading costs no seek.
 */

import { EINVAL } from "../../ffi/abi/errno.ts";
import { DT_DIR, DT_LNK, LinuxDirent64 } from "../../ffi/abi/dirent.ts";
import { LIST_ALL, QTDIR, QTFILE, QTSYMLINK } from "../protocol/constants.ts";
import {
  DIRENT_ATTR_FIXED_BYTES,
  DIRENT_FIXED_BYTES,
  LIST_ENTRY_ATTR_FIXED_BYTES,
  LIST_ENTRY_FIXED_BYTES,
} from "../protocol/dirent.ts";
import { type ByteString, Str, type Writer } from "../protocol/wire.ts";
import { putAttr, statMode, statPathHi } from "./attributes.ts";
import { getdents, seekDir, statxFd, statxName } from "./host_calls.ts";
import type { InodeNumbers } from "./inode_numbers.ts";
import { base, DIRENTS_AT, DIRENTS_BYTES, mem, stageName, STATX_AT, view } from "./scratch.ts";
import { Statx } from "../../ffi/abi/stat.ts";

const at = LinuxDirent64.at;
const DOT = 0x2e;
const way = new Str();
/** The longest linux_dirent64: a name of 255 bytes. */
const DIRENT_MAX = 280;

/** An open directory and its position. */
export class DirCursor {
  readonly fd: number;
  /** Cookie behind the last entry that was returned. */
  posLo = 0;
  posHi = 0;
  /** Whether the descriptor's position differs from the cookie. */
  isAstray = false;

  constructor(fd: number) {
    this.fd = fd;
  }
}

/** Bytes of an entry's name. */
export function nameLength(entry: number, reclen: number): number {
  let n = 0;
  while (at.name + n < reclen && mem[entry + at.name + n] !== 0) n++;
  return n;
}

/** 1 for ".", 2 for "..", else 0. */
export function dots(entry: number, len: number): number {
  if (len > 2 || mem[entry + at.name] !== DOT) return 0;
  return len === 1 ? 1 : mem[entry + at.name + 1] === DOT ? 2 : 0;
}

function goTo(dir: DirCursor, lo: number, hi: number): number {
  if (!dir.isAstray && dir.posLo === lo && dir.posHi === hi) return 0;
  const r = seekDir(dir.fd, lo, hi);
  if (r < 0) return r;
  dir.isAstray = false;
  dir.posLo = lo;
  dir.posHi = hi;
  return 0;
}

/** Appends an entry's name as a string. */
export function putName(w: Writer, entry: number, len: number): void {
  w.putU16(len);
  const to = w.reserve(len);
  for (let i = 0; i < len; i++) w.u8[to + i] = mem[entry + at.name + i] ?? 0;
}

/** The inode number of the root's "..": the root's own, not that of a directory outside. */
let rootInoLo = 0;
let rootInoHi = 0;

function learnRoot(fd: number): number {
  const r = statxFd(fd);
  rootInoLo = view.getUint32(STATX_AT + Statx.at.ino, true);
  rootInoHi = view.getUint32(STATX_AT + Statx.at.ino + 4, true);
  return r;
}

function putPlain(
  w: Writer,
  entry: number,
  len: number,
  isRoot: boolean,
  ids: InodeNumbers,
): void {
  putQid(w, entry, len, isRoot, ids);
  w.putPair(view.getUint32(entry + at.off, true), view.getUint32(entry + at.off + 4, true));
  w.putU8(view.getUint8(entry + at.type));
  putName(w, entry, len);
}

function putQid(
  w: Writer,
  entry: number,
  len: number,
  isRoot: boolean,
  ids: InodeNumbers,
): void {
  const type = view.getUint8(entry + at.type);
  const hide = isRoot && dots(entry, len) === 2;
  const lo = hide ? rootInoLo : view.getUint32(entry + at.ino, true);
  const hi = hide ? rootInoHi : view.getUint32(entry + at.ino + 4, true);
  w.putU8(type === DT_DIR ? QTDIR : type === DT_LNK ? QTSYMLINK : QTFILE);
  w.putU32(0);
  w.putPair(lo, statPathHi(ids, hi));
}

/**
 * Appends entries from cookie (lo, hi) on to `w`, at most `count` bytes. Entries carry qid and
 * type. Returns the bytes written (0: the end of the directory) or -errno; EINVAL when not one
 * entry fits.
 */
export function readEntries(
  dir: DirCursor,
  lo: number,
  hi: number,
  count: number,
  isRoot: boolean,
  w: Writer,
  ids: InodeNumbers,
): number {
  let r = goTo(dir, lo, hi);
  if (r === 0 && isRoot) r = learnRoot(dir.fd);
  if (r < 0) return r;
  // An entry of 9P has at most 7/6 of the length of the host's, so entries that fill 6/7 of the
  // room fit.
  const room = Math.min(DIRENTS_BYTES, Math.max(Math.floor(count / 7) * 6, DIRENT_MAX));
  const got = getdents(dir.fd, base + DIRENTS_AT, room);
  if (got <= 0) return got;
  const start = w.pos;
  for (let entry = DIRENTS_AT; entry < DIRENTS_AT + got;) {
    const reclen = view.getUint16(entry + at.reclen, true);
    const len = nameLength(entry, reclen);
    if (w.pos - start + DIRENT_FIXED_BYTES + len > count) {
      dir.isAstray = true;
      return w.pos === start ? -EINVAL : w.pos - start;
    }
    putPlain(w, entry, len, isRoot, ids);
    advanceTo(dir, entry);
    entry += reclen;
  }
  return w.pos - start;
}

/** Makes the attributes of a name that statx saw last those that clients see. */
interface EntryCover {
  coverEntry(): void;
}

/** Whether the last `listEntries` read the directory to its end. */
export let isListEnd = false;

/**
 * Appends entries from a cookie on until the directory ends or `count` bytes are full, with
 * attributes of directories or of everything (`attrs`: LIST_*), but never of "." and "..". Names
 * that vanish meanwhile are left out. Returns the bytes written or -errno; EINVAL when not one
 * entry fits.
 */
export function listEntries(
  dir: DirCursor,
  lo: number,
  hi: number,
  count: number,
  attrs: number,
  isRoot: boolean,
  w: Writer,
  ids: InodeNumbers,
  cover: EntryCover,
): number {
  isListEnd = false;
  let r = goTo(dir, lo, hi);
  if (r === 0 && isRoot) r = learnRoot(dir.fd);
  if (r < 0) return r;
  const start = w.pos;
  for (;;) {
    // Entries that are read and do not fit are read again, so not much more is read than can fit.
    const left = count - (w.pos - start);
    const got = getdents(
      dir.fd,
      base + DIRENTS_AT,
      Math.min(DIRENTS_BYTES, Math.max(left, DIRENT_MAX)),
    );
    if (got < 0) return got;
    if (got === 0) {
      isListEnd = true;
      return w.pos - start;
    }
    for (let entry = DIRENTS_AT; entry < DIRENTS_AT + got;) {
      const reclen = view.getUint16(entry + at.reclen, true);
      const len = nameLength(entry, reclen);
      const withAttr = dots(entry, len) === 0 &&
        (attrs === LIST_ALL || view.getUint8(entry + at.type) === DT_DIR);
      const fixed = withAttr ? LIST_ENTRY_ATTR_FIXED_BYTES : LIST_ENTRY_FIXED_BYTES;
      if (w.pos - start + fixed + len > count) {
        dir.isAstray = true;
        return w.pos === start ? -EINVAL : w.pos - start;
      }
      if (!withAttr || statxName(dir.fd, base + entry + at.name) >= 0) {
        if (withAttr) cover.coverEntry();
        putListed(w, entry, len, withAttr, isRoot, ids);
      }
      advanceTo(dir, entry);
      entry += reclen;
    }
  }
}

function putListed(
  w: Writer,
  entry: number,
  len: number,
  withAttr: boolean,
  isRoot: boolean,
  ids: InodeNumbers,
): void {
  const type = view.getUint8(entry + at.type);
  w.putU8(type);
  w.putU8(withAttr ? 1 : 0);
  w.putPair(view.getUint32(entry + at.off, true), view.getUint32(entry + at.off + 4, true));
  if (withAttr) putAttr(w, ids);
  else putQid(w, entry, len, isRoot, ids);
  putName(w, entry, len);
}

function advanceTo(dir: DirCursor, entry: number): void {
  dir.posLo = view.getUint32(entry + at.off, true);
  dir.posHi = view.getUint32(entry + at.off + 4, true);
}

/**
 * The same with an attribute record in each entry, without "." and "..", and without names that
 * vanished before their attributes were read.
 */
export function readEntriesWithAttrs(
  dir: DirCursor,
  lo: number,
  hi: number,
  count: number,
  w: Writer,
  ids: InodeNumbers,
  cover: EntryCover,
): number {
  const r = goTo(dir, lo, hi);
  if (r < 0) return r;
  const room = Math.min(DIRENTS_BYTES, Math.max(Math.floor(count / 7), DIRENT_MAX));
  const start = w.pos;
  while (w.pos === start) { // a round may have held nothing but dots and vanished names
    const got = getdents(dir.fd, base + DIRENTS_AT, room);
    if (got <= 0) return got;
    for (let entry = DIRENTS_AT; entry < DIRENTS_AT + got;) {
      const reclen = view.getUint16(entry + at.reclen, true);
      const len = nameLength(entry, reclen);
      if (w.pos - start + DIRENT_ATTR_FIXED_BYTES + len > count) {
        dir.isAstray = true;
        return w.pos === start ? -EINVAL : w.pos - start;
      }
      if (dots(entry, len) === 0 && statxName(dir.fd, base + entry + at.name) >= 0) {
        cover.coverEntry();
        putAttr(w, ids);
        w.putPair(view.getUint32(entry + at.off, true), view.getUint32(entry + at.off + 4, true));
        putName(w, entry, len);
      }
      advanceTo(dir, entry);
      entry += reclen;
    }
  }
  return w.pos - start;
}

/**
 * Appends these names of a directory as `listEntries` does, all with attributes; cookies are their
 * indexes. Names that vanished are left out.
 */
export function putWays(
  dirFd: number,
  names: readonly ByteString[],
  first: number,
  count: number,
  w: Writer,
  ids: InodeNumbers,
  cover: EntryCover,
): number {
  const start = w.pos;
  isListEnd = false;
  for (let i = first; i < names.length; i++) {
    const name = names[i] ?? "";
    if (w.pos - start + LIST_ENTRY_ATTR_FIXED_BYTES + name.length > count) {
      return w.pos === start ? -EINVAL : w.pos - start;
    }
    way.set(name);
    const addr = stageName(way);
    if (addr < 0 || statxName(dirFd, addr) < 0) continue;
    w.putU8(statMode() >>> 12);
    w.putU8(1);
    w.putPair(i + 1, 0);
    cover.coverEntry();
    putAttr(w, ids);
    w.putStr(way);
  }
  isListEnd = true;
  return w.pos - start;
}
