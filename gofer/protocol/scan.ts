/**
 * Tscan and its reply: whole directories and their subdirectories in one message.
 *
 * The payload is a list of blocks, one for each directory. A block names its directory by a path of
 * the request or by an entry of an earlier block, so no name is sent twice. Meanings:
 * gofer/README.md.
 */

import { DT_DIR } from "../../ffi/abi/dirent.ts";
import { S_IFDIR, S_IFMT } from "../../ffi/abi/stat.ts";
import { Attr } from "./attr.ts";
import { ATTR_BYTES, SCAN_ATTRS, SCAN_PATHS_MAX, SCAN_ROOT, TSCAN } from "./constants.ts";
import type { Message } from "./message.ts";
import { Names } from "./walk.ts";
import { ProtocolError, Reader, Str, type Writer } from "./wire.ts";

/**
 * size[4] parent[4] index[4] flags[4] count[4] attr[153]: the part of a block in front of its
 * entries.
 */
export const SCAN_BLOCK_BYTES = 20 + ATTR_BYTES;
/** type[1] path[8] name[s]: an entry without its name. */
export const SCAN_ENTRY_BYTES = 11;
/** attr[153] name[s] target[s]: an entry without its strings. */
export const SCAN_ATTR_ENTRY_BYTES = ATTR_BYTES + 4;
/** Offsets of the qid's path and of the mode in an attribute record. */
const ATTR_PATH_AT = 13, ATTR_MODE_AT = 21;

/** fid[4] flags[4] entries[4] count[4] npath[2] npath*(path[s]). */
export class Tscan implements Message {
  readonly type = TSCAN;
  fid = 0;
  /** SCAN_*. */
  flags = 0;
  /** After so many entries no further directory is begun. */
  entries = 0;
  /** Bytes of payload that the reply may have. */
  count = 0;
  /**
   * Directories, each as names with "/" between them, relative to the fid's; "" is the fid's own.
   */
  readonly paths = new Names(SCAN_PATHS_MAX);

  read(r: Reader): void {
    this.fid = r.getU32();
    this.flags = r.getU32();
    this.entries = r.getU32();
    this.count = r.getU32();
    this.paths.read(r);
  }

  write(w: Writer): void {
    w.putU32(this.fid);
    w.putU32(this.flags);
    w.putU32(this.entries);
    w.putU32(this.count);
    this.paths.write(w);
  }
}

/**
 * A cursor over a payload: blocks, and the entries of the block read last. Throws ProtocolError for
 * broken ones.
 */
export class ScanBlocks {
  /** Offset of the block. */
  at = 0;
  /** Number of the block in the payload. */
  number = -1;
  /** The block whose entry this directory is; SCAN_ROOT: one of the requested paths. */
  parent = 0;
  /** Number of that entry or path. */
  index = 0;
  /**
   * SCAN_ATTRS: entries have attributes; SCAN_EXACT: a name that is not here is not in the
   * directory.
   */
  flags = 0;
  /** Entries. */
  count = 0;
  /** The entry: number in its block, d_type (0 with attributes), S_IF* and more (0 without). */
  entry = -1;
  type = 0;
  mode = 0;
  pathLo = 0;
  pathHi = 0;
  readonly name = new Str();
  /** Offset of the entry's attributes; -1 without. */
  attrAt = -1;
  /** Text of a symbolic link, with attributes. */
  readonly target = new Str();
  /** Offset of the end of the block. */
  end = 0;
  readonly #reader = new Reader();

  /** Whether the entry is a directory. */
  get isDirectory(): boolean {
    return this.attrAt < 0 ? this.type === DT_DIR : (this.mode & S_IFMT) === S_IFDIR;
  }

  /** Starts over with `[start, end)` of a payload. */
  open(u8: Uint8Array, view: DataView, start: number, end: number): this {
    this.#reader.open(u8, view, start, end);
    this.end = start;
    this.number = -1;
    return this;
  }

  /** Goes to the next block; false at the end. */
  nextBlock(): boolean {
    const r = this.#reader, last = r.end;
    r.pos = this.end;
    if (r.left === 0) return false;
    this.at = r.pos;
    const size = r.getU32();
    this.parent = r.getU32();
    this.index = r.getU32();
    this.flags = r.getU32();
    this.count = r.getU32();
    if (size < SCAN_BLOCK_BYTES || size > last - this.at) {
      throw new ProtocolError(`a scanned directory of ${size} bytes`);
    }
    r.pos = this.at + SCAN_BLOCK_BYTES;
    this.end = this.at + size;
    this.number++;
    this.entry = -1;
    return true;
  }

  /** Goes to the next entry of the block; false at its end. */
  nextEntry(): boolean {
    const r = this.#reader, { dv } = r;
    if (this.entry + 1 >= this.count) {
      if (r.pos !== this.end) throw new ProtocolError("a scanned directory with bytes left");
      return false;
    }
    this.entry++;
    if ((this.flags & SCAN_ATTRS) === 0) {
      this.attrAt = -1;
      this.mode = 0;
      this.type = r.getU8();
      this.pathLo = r.getU32();
      this.pathHi = r.getU32();
      r.getStr(this.name);
    } else {
      const at = r.skip(ATTR_BYTES);
      this.attrAt = at;
      this.type = 0;
      this.pathLo = dv.getUint32(at + ATTR_PATH_AT, true);
      this.pathHi = dv.getUint32(at + ATTR_PATH_AT + 4, true);
      this.mode = dv.getUint32(at + ATTR_MODE_AT, true);
      r.getStr(this.name);
      r.getStr(this.target);
    }
    if (r.pos > this.end) throw new ProtocolError("a scanned directory that is too short");
    return true;
  }
}

const cursor = new ScanBlocks();
const counts: number[] = [];

/**
 * Checks a whole payload, so that later readers can rely on it. Throws a ProtocolError if anything
 * in it does not fit, including the references to paths (`paths` of them) and to entries.
 */
export function checkScan(u8: Uint8Array, view: DataView, paths: number): void {
  counts.length = 0;
  cursor.open(u8, view, 0, u8.length);
  while (cursor.nextBlock()) {
    const { parent, index } = cursor;
    const known = parent === SCAN_ROOT ? paths : counts[parent] ?? 0;
    if (index >= known) throw new ProtocolError(`a scanned directory of ${parent}, ${index}`);
    counts.push(cursor.count);
    while (cursor.nextEntry());
  }
}

const attrReader = new Reader();
const attr = new Attr();

/** The attribute record at `at`, good until the next call. */
export function attrAt(u8: Uint8Array, view: DataView, at: number): Attr {
  attr.read(attrReader.open(u8, view, at, at + ATTR_BYTES));
  return attr;
}
