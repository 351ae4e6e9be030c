/**
 * Fids: a client's handles. Each holds an O_PATH descriptor, so it names the same file across
 * renames.
 */

import { O_ACCMODE } from "../../ffi/abi/fcntl.ts";
import { S_IFDIR } from "../../ffi/abi/stat.ts";
import { DirCursor } from "../backend/directory.ts";
import type { ExportRoot } from "../backend/export_root.ts";
import { closeFd, statxFd } from "../backend/host_calls.ts";
import { BY_RULE, HIDDEN, type Visibility } from "../backend/visible_part.ts";
import type { ByteString, Str } from "../protocol/wire.ts";

/**
 * The stream of a fid that Txattrwalk or Txattrcreate made: a value to read, or one being written.
 */
export interface XattrStream {
  readonly name: ByteString;
  readonly value: Uint8Array<ArrayBuffer>;
  /** Bytes written so far; -1 for a stream to read. */
  filled: number;
  readonly flags: number;
}

export class Fid {
  /** O_PATH descriptor; owned. */
  readonly fd: number;
  readonly root: ExportRoot;
  /** S_IF*. */
  readonly type: number;
  /**
   * Path from the root, "" for the root itself: used for ".." and to find the file in its
   * directory.
   */
  path: ByteString;
  /**
   * Owner of files that the base protocol creates through this fid: the attacher's uid, KEEP_ID for
   * none.
   */
  readonly uid: number;
  /** Its own, where clients see a part of the root. */
  readonly visibility: Visibility;
  /** The open file, -1 before Tlopen; owned. */
  io = -1;
  /** O_ACCMODE of `io`. */
  access = 0;
  /** The descriptor that holds this fid's record locks, if that is not `io`; owned. */
  lock = -1;
  /** The open directory; its descriptor is owned. */
  dir: DirCursor | null = null;
  xattr: XattrStream | null = null;

  constructor(
    fd: number,
    root: ExportRoot,
    type: number,
    path: ByteString,
    uid: number,
    visibility: Visibility = BY_RULE,
  ) {
    this.fd = fd;
    this.root = root;
    this.type = type;
    this.path = path;
    this.uid = uid;
    this.visibility = visibility;
  }

  /** Whether changes of it fail with EROFS: nothing is made in what is hidden. */
  get isReadOnly(): boolean {
    return this.root.isReadOnly || this.visibility === HIDDEN;
  }

  /** Whether it is a file that clients see without its content. */
  get isEmptied(): boolean {
    const { visible } = this.root;
    if (visible === null) return false;
    return statxFd(this.fd) < 0 || visible.isEmptied(this.visibility);
  }

  /** Whether clients see all names of a directory. */
  get isListed(): boolean {
    const { visible } = this.root;
    return visible === null || (statxFd(this.fd) >= 0 && visible.isListed(this.visibility));
  }

  /**
   * Makes the attributes of a name in this directory, in the scratch statx buffer, those that
   * clients see.
   */
  coverEntry(): void {
    this.root.visible?.coverEntry(this.visibility);
  }

  /** Attributes as clients see them, to the scratch statx buffer: 0 or -errno. */
  readAttributes(): number {
    const r = statxFd(this.fd);
    if (r >= 0) this.root.visible?.cover(this.visibility);
    return r;
  }

  get isDirectory(): boolean {
    return this.type === S_IFDIR;
  }

  /** The path of a name in this directory. */
  childPath(name: Str): ByteString {
    return this.path === "" ? name.toByteString() : `${this.path}/${name.toByteString()}`;
  }

  /** Takes over the open file. */
  setOpen(io: number, flags: number): void {
    this.io = io;
    this.access = flags & O_ACCMODE;
  }

  close(): void {
    if (this.io >= 0) closeFd(this.io);
    if (this.lock >= 0) closeFd(this.lock);
    if (this.dir !== null) closeFd(this.dir.fd);
    closeFd(this.fd);
  }
}

/** LIMIT: streams of attribute values a session; each may hold 64 KiB. */
const STREAMS_MAX = 64;

/**
 * LIMIT: bytes in a file's path from its root. Linux has no such limit, but the server keeps the
 * paths of all fids.
 */
export const PATH_BYTES_MAX = 65536;
/** LIMIT: bytes in the paths of all fids of a session. */
const PATHS_BYTES_MAX = 1 << 26;

/** The fids of one session, at most `max`. */
export class FidTable {
  readonly #fids = new Map<number, Fid>();
  #pathBytes = 0;
  #streams = 0;
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#fids.size;
  }

  get isFull(): boolean {
    return this.#fids.size >= this.#max || this.#pathBytes >= PATHS_BYTES_MAX;
  }

  get(number: number): Fid | null {
    return this.#fids.get(number) ?? null;
  }

  /** Whether no further fid may become a stream of an attribute's value. */
  get hasNoStreamLeft(): boolean {
    return this.#streams >= STREAMS_MAX;
  }

  /** Binds a fid; an earlier one with the number is closed. */
  bind(number: number, fid: Fid): void {
    this.drop(number);
    this.#fids.set(number, fid);
    this.#pathBytes += fid.path.length;
    if (fid.xattr !== null) this.#streams++;
  }

  /** Turns a bound fid into a stream. */
  makeStream(fid: Fid, stream: XattrStream): void {
    fid.xattr = stream;
    this.#streams++;
  }

  /** Closes a fid and frees its number. */
  drop(number: number): void {
    const fid = this.#fids.get(number);
    if (fid === undefined) return;
    this.#fids.delete(number);
    this.#pathBytes -= fid.path.length;
    if (fid.xattr !== null) this.#streams--;
    fid.close();
  }

  clear(): void {
    for (const fid of this.#fids.values()) fid.close();
    this.#fids.clear();
    this.#pathBytes = 0;
    this.#streams = 0;
  }

  /** Renames a path: fids at it or below it get new paths. */
  rename(root: ExportRoot, from: ByteString, to: ByteString): void {
    const below = from + "/";
    for (const fid of this.#fids.values()) {
      if (fid.root !== root) continue;
      if (fid.path !== from && !fid.path.startsWith(below)) continue;
      fid.path = to + fid.path.slice(from.length);
      this.#pathBytes += to.length - from.length;
    }
  }
}
