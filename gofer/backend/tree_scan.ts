/**
 * Reads whole directories, and their subdirectories, into the payload of Rscan (protocol/scan.ts).
 *
 * Below a named directory the scan stays on the same file system, follows no symlink, and triggers
 * no automount. Directories come in depth-first order: each one, then the contents of its first
 * subdirectory. A directory that does not fit whole is left out, with all that follow.
 */

import { DT_DIR, LinuxDirent64 } from "../../ffi/abi/dirent.ts";
import { EACCES, EINVAL, ENAMETOOLONG, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import { O_DIRECTORY, O_RDONLY } from "../../ffi/abi/fcntl.ts";
import { S_IFDIR, S_IFLNK, S_IFMT } from "../../ffi/abi/stat.ts";
import * as C from "../protocol/constants.ts";
import { SCAN_ATTR_ENTRY_BYTES, SCAN_BLOCK_BYTES, SCAN_ENTRY_BYTES } from "../protocol/scan.ts";
import type { Names } from "../protocol/walk.ts";
import { type ByteString, latin1, Str, type Writer } from "../protocol/wire.ts";
import { putAttr, statDevice, statMode, statPathHi } from "./attributes.ts";
import { dots, nameLength, putName } from "./directory.ts";
import { hasExactNames } from "./exact_names.ts";
import {
  closeFd,
  dupFd,
  getdents,
  openTreeDir,
  type ProcFd,
  readlinkName,
  statxFd,
  statxName,
} from "./host_calls.ts";
import type { InodeNumbers } from "./inode_numbers.ts";
import { base, DIRENTS_AT, DIRENTS_BYTES, mem, stagePath, view } from "./scratch.ts";
import { BY_RULE, joinPath, type Visibility, type VisiblePart } from "./visible_part.ts";

const at = LinuxDirent64.at;

/** The parts of the server that a scan uses. */
interface ScanService {
  readonly ids: InodeNumbers;
  readonly proc: ProcFd;
}

/** The directory from which a scan starts. */
interface ScanStart {
  readonly fd: number;
  readonly path: ByteString;
  readonly visibility: Visibility;
  readonly root: { readonly visible: VisiblePart | null };
}

// Directories that were found and not read yet, the next one last: path from the named root, the
// visibility of the directory above it, and the entry it belongs to.
const paths: ByteString[] = [];
const visibilities: Visibility[] = [];
const parents: number[] = [];
const indexes: number[] = [];
/** Subdirectories of the directory read last. */
const names: ByteString[] = [];
const places: number[] = [];
const path = new Str();

let writer: Writer;
let limit = 0;
let entriesLeft = 0;
let flags = 0;
let blocks = 0;
let ids: InodeNumbers;
let proc: ProcFd;
let outBase = 0;
/** null: clients see the whole tree. */
let visible: VisiblePart | null = null;
/** The path of the named root, where clients see a part of the tree. */
let rootPath: ByteString = "";
/** The visibility of the directory that was opened last. */
let visibility: Visibility = BY_RULE;

/**
 * Appends blocks for `roots`, paths from the directory `start`, at most `room` bytes. 0, or -errno
 * when the host cannot walk paths safely.
 */
export function scanTrees(
  start: ScanStart,
  roots: Names,
  scanFlags: number,
  entries: number,
  room: number,
  w: Writer,
  base: number,
  service: ScanService,
): number {
  writer = w;
  limit = w.pos + room;
  entriesLeft = entries;
  flags = scanFlags;
  blocks = 0;
  ids = service.ids;
  proc = service.proc;
  outBase = base;
  visible = start.root.visible;
  for (let i = 0; i < roots.count; i++) {
    const root = openRootDir(start, roots.at(i));
    if (root === -EINVAL || root === -EOPNOTSUPP) return root;
    if (root < 0) continue;
    const goesOn = scanRoot(root, i);
    closeFd(root);
    if (!goesOn) break;
  }
  return 0;
}

/** Opens a directory that the request names: mounts are crossed. */
function openRootDir(start: ScanStart, name: Str): number {
  const { fd } = start;
  visibility = start.visibility;
  if (visible !== null) return openVisible(visible, start, name.toByteString());
  if (name.len === 0) return proc.reopen(fd, O_RDONLY | O_DIRECTORY);
  const addr = stagePath(name);
  return addr < 0 ? addr : openTreeDir(fd, addr, true);
}

/** As clients may walk it; one that is not listed to them cannot be opened. */
function openVisible(part: VisiblePart, { fd, path }: ScanStart, name: ByteString): number {
  const held = name === "" ? dupFd(fd) : part.walk(fd, visibility, path, name);
  if (held < 0) return held;
  rootPath = name === "" ? path : joinPath(path, name);
  if (name !== "") visibility = part.found;
  const isListed = statxFd(held) >= 0 && part.isListed(visibility);
  const dir = isListed ? proc.reopen(held, O_RDONLY | O_DIRECTORY) : -EACCES;
  closeFd(held);
  return dir;
}

/** Reads a named directory, and with SCAN_DEEP its subdirectories. False: the room is used up. */
function scanRoot(root: number, index: number): boolean {
  paths.length =
    visibilities.length =
    parents.length =
    indexes.length =
      0;
  if (statxFd(root) < 0) return true;
  const device = statDevice();
  if (!putBlock(root, C.SCAN_ROOT, index)) return false;
  const isDeep = (flags & C.SCAN_DEEP) !== 0;
  if (isDeep) pushFound("");
  while (paths.length > 0) {
    if (entriesLeft <= 0) return false;
    const below = paths.pop() ?? "", parent = parents.pop() ?? 0, entry = indexes.pop() ?? 0;
    const fd = openBelow(root, below, device, visibilities.pop() ?? BY_RULE);
    if (fd < 0) continue;
    const hasFitted = putBlock(fd, parent, entry);
    closeFd(fd);
    if (!hasFitted) return false;
    pushFound(below);
  }
  return entriesLeft > 0;
}

/**
 * Checks a directory before it opens it: a scan must not trigger a mount, and leaves out what
 * clients do not see listed.
 */
function openBelow(
  root: number,
  below: ByteString,
  device: number,
  above: Visibility,
): number {
  path.set(below);
  const addr = stagePath(path);
  if (addr < 0) return addr;
  const r = statxName(root, addr);
  if (r < 0) return r;
  if ((statMode() & S_IFMT) !== S_IFDIR || statDevice() !== device) return -EINVAL;
  const fd = openTreeDir(root, addr, false);
  if (fd < 0) return fd;
  let s = statxFd(fd);
  if (s >= 0 && visible !== null) {
    const found = visible.below(above, true, joinPath(rootPath, below));
    if (found === -1 || !visible.isListed(found)) s = -EACCES;
    else visibility = found;
  }
  if (s >= 0) return fd;
  closeFd(fd);
  return s;
}

function pushFound(above: ByteString): void {
  if ((flags & C.SCAN_SORTED) !== 0) return pushSorted(above);
  for (let i = names.length - 1; i >= 0; i--) {
    const name = names[i] ?? "";
    paths.push(joinPath(above, name));
    visibilities.push(visibility);
    parents.push(blocks - 1);
    indexes.push(places[i] ?? 0);
  }
}

function pushSorted(above: ByteString): void {
  const order = names.map((_, i) => i).sort((a, b) => names[a]! < names[b]! ? 1 : -1);
  for (const i of order) {
    const name = names[i] ?? "";
    paths.push(joinPath(above, name));
    visibilities.push(visibility);
    parents.push(blocks - 1);
    indexes.push(places[i] ?? 0);
  }
}

/** Appends the block of a directory, which statx saw last. False when it does not fit. */
function putBlock(fd: number, parent: number, index: number): boolean {
  const w = writer, start = w.pos;
  names.length = places.length = 0;
  if (limit - start < SCAN_BLOCK_BYTES) return false;
  w.reserve(20);
  const hasAttrs = (flags & C.SCAN_ATTRS) !== 0;
  const asksXattrs = (flags & C.SCAN_XATTRS) !== 0;
  putAttr(w, ids, asksXattrs && proc.listxattr(fd, 0, 0) === 0 ? C.ATTR_NO_XATTRS : 0);
  const blockFlags = (hasAttrs ? C.SCAN_ATTRS : 0) | (asksXattrs ? C.SCAN_XATTRS : 0) |
    (hasExactNames(fd) ? C.SCAN_EXACT : 0);
  const count = hasAttrs ? putEntriesWithAttrs(fd, asksXattrs) : putEntries(fd);
  if (count < 0) {
    w.pos = start;
    names.length = places.length = 0;
    // A directory that cannot be read is left out; one that does not fit ends the scan.
    return count !== -ENAMETOOLONG;
  }
  w.dv.setUint32(start, w.pos - start, true);
  w.dv.setUint32(start + 4, parent, true);
  w.dv.setUint32(start + 8, index, true);
  w.dv.setUint32(start + 12, blockFlags, true);
  w.dv.setUint32(start + 16, count, true);
  blocks++;
  entriesLeft -= count + 1;
  return true;
}

/** Entries with type and number: how many, -ENAMETOOLONG when they do not fit, -errno. */
function putEntries(fd: number): number {
  const w = writer;
  let count = 0;
  for (;;) {
    const got = getdents(fd, base + DIRENTS_AT, DIRENTS_BYTES);
    if (got <= 0) return got < 0 ? got : count;
    for (let e = DIRENTS_AT; e < DIRENTS_AT + got;) {
      const reclen = view.getUint16(e + at.reclen, true), len = nameLength(e, reclen);
      if (dots(e, len) === 0) {
        if (limit - w.pos < SCAN_ENTRY_BYTES + len) return -ENAMETOOLONG;
        const type = view.getUint8(e + at.type);
        w.putU8(type);
        const hi = view.getUint32(e + at.ino + 4, true);
        w.putPair(view.getUint32(e + at.ino, true), statPathHi(ids, hi));
        putName(w, e, len);
        if (type === DT_DIR) noteFound(e, len, count);
        count++;
      }
      e += reclen;
    }
  }
}

function noteFound(e: number, len: number, index: number): void {
  if ((flags & C.SCAN_DEEP) === 0) return;
  names.push(latin1(mem, e + at.name, len));
  places.push(index);
}

/** Writes the entries with their attributes; a name that vanished meanwhile is left out. */
function putEntriesWithAttrs(fd: number, asksXattrs: boolean): number {
  const w = writer;
  let count = 0;
  for (;;) {
    const got = getdents(fd, base + DIRENTS_AT, DIRENTS_BYTES);
    if (got <= 0) return got < 0 ? got : count;
    for (let e = DIRENTS_AT; e < DIRENTS_AT + got;) {
      const reclen = view.getUint16(e + at.reclen, true), len = nameLength(e, reclen);
      const addr = base + e + at.name;
      if (dots(e, len) === 0 && statxName(fd, addr) >= 0) {
        const type = statMode() & S_IFMT;
        const targetMax = type === S_IFLNK ? C.TARGET_MAX + 1 : 0;
        if (limit - w.pos < SCAN_ATTR_ENTRY_BYTES + len + targetMax) return -ENAMETOOLONG;
        visible?.coverEntry(visibility);
        const isBare = asksXattrs && proc.llistxattr(fd, e + at.name, len) === 0;
        putAttr(w, ids, isBare ? C.ATTR_NO_XATTRS : 0);
        putName(w, e, len);
        putTarget(fd, addr, type === S_IFLNK);
        if (type === S_IFDIR) noteFound(e, len, count);
        count++;
      }
      e += reclen;
    }
  }
}

function putTarget(fd: number, nameAddr: number, isLink: boolean): void {
  const w = writer, to = w.reserve(2);
  let len = 0;
  if (isLink) {
    const n = readlinkName(fd, nameAddr, outBase + w.pos, C.TARGET_MAX + 1);
    // Linux has no longer target; for an empty one the client sends a request of its own.
    len = n < 0 || n > C.TARGET_MAX ? 0 : n;
    w.reserve(len);
  }
  w.dv.setUint16(to, len, true);
}
