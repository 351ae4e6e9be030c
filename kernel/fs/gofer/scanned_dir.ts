/**
 * A directory as a scan fetched it: its attributes and entries, still bytes of the reply, and the
 * scanned directories below it. Nothing is decoded before it is needed.
 *
 * Neighbours: tree_scan.ts (when to scan), listing.ts (the decoded form).
 */

import type { Attr } from "../../../gofer/client/gofer_client.ts";
import {
  attrAt,
  SCAN_ATTRS,
  SCAN_EXACT,
  SCAN_XATTRS,
  ScanBlocks,
  type ScanReply,
} from "../../../gofer/client/scan.ts";
import { DT_DIR } from "../../../ffi/abi/dirent.ts";
import { Listing } from "./listing.ts";

/** The offset of a directory's attributes in its block. */
const ATTR_AT = 20;
/** S_IF* to DT_*. */
const TYPE_SHIFT = 12;

/** One reply. It is dropped when all of it was used, or when there are too many. */
export class ScanBatch {
  /** Null: it was dropped. */
  reply: ScanReply | null;
  readonly bytes: number;
  /** The number of the traversal that it belongs to. */
  readonly run: number;
  /** The blocks in it, and those that were not read yet. */
  blocks: number = 0;
  unread: number = 0;

  constructor(reply: ScanReply, run: number) {
    this.run = run;
    this.reply = reply;
    this.bytes = reply.bytes.length;
  }
}

/**
 * What all directories of a scanned tree share. When it is not the current tree any more, none of
 * its directories count.
 */
export class ScannedTree {
  /** The file system's `changes` when the scan started. */
  readonly changes: number;
  /** The number of directories in it. */
  size: number = 1;

  constructor(changes: number) {
    this.changes = changes;
  }
}

export class ScannedDir {
  readonly tree: ScannedTree;
  /** The reply with its block; null: only its place in the tree is known. */
  batch: ScanBatch | null = null;
  private at: number = 0;
  private end: number = 0;
  hasAttrs: boolean = false;
  /** The attributes include which files have no extended attributes. */
  hasXattrBits: boolean = false;
  private isExact: boolean = false;
  /** The directories in it that were scanned, or are about to be, by name. */
  children: Map<string, ScannedDir> | null = null;

  constructor(tree: ScannedTree) {
    this.tree = tree;
  }

  /** Takes the block at the present place of `blocks`. */
  fill(batch: ScanBatch, blocks: ScanBlocks): void {
    this.letGo();
    this.batch = batch;
    this.at = blocks.at;
    this.end = blocks.end;
    this.hasAttrs = (blocks.flags & SCAN_ATTRS) !== 0;
    this.hasXattrBits = (blocks.flags & SCAN_XATTRS) !== 0;
    this.isExact = (blocks.flags & SCAN_EXACT) !== 0;
    batch.unread++;
  }

  get isThere(): boolean {
    return this.batch !== null && this.batch.reply !== null;
  }

  child(name: string): ScannedDir | null {
    return this.children?.get(name) ?? null;
  }

  /** The directory `name` in it, which is added if it is missing. */
  addChild(name: string): ScannedDir {
    const children = (this.children ??= new Map());
    let child = children.get(name);
    if (child === undefined) {
      child = new ScannedDir(this.tree);
      this.tree.size++;
      children.set(name, child);
    }
    return child;
  }

  /** Its own attributes, valid until the next record is read; null when they are gone. */
  attr(): Attr | null {
    const reply = this.batch?.reply ?? null;
    return reply === null ? null : attrAt(reply.bytes, reply.view, this.at + ATTR_AT);
  }

  /** Decodes the entries, with "." and "..", and drops the block; null when they are gone. */
  takeListing(ino: number, parentIno: number): Listing | null {
    const { batch } = this, reply = batch?.reply ?? null;
    if (batch === null || reply === null) return null;
    const list = new Listing(this.tree.changes);
    list.isExact = this.isExact;
    list.isFull = this.hasAttrs;
    list.hasXattrBits = this.hasXattrBits;
    list.push(".", ino, DT_DIR);
    list.push("..", parentIno, DT_DIR);
    blocks.open(reply.bytes, reply.view, this.at, this.end);
    blocks.nextBlock();
    while (blocks.nextEntry()) {
      const name = blocks.name.toByteString(), number = inoOf(blocks);
      if (!this.hasAttrs) {
        list.push(name, number, blocks.type);
        continue;
      }
      list.push(name, number, (blocks.mode >> TYPE_SHIFT) & 15);
      list.addAttr(reply.bytes, blocks.attrAt);
      if (blocks.target.len > 0) list.addTarget(blocks.target.toByteString());
    }
    this.letGo();
    return list;
  }

  /** Drops the block, which was used. */
  private letGo(): void {
    const { batch } = this;
    this.batch = null;
    if (batch !== null && --batch.unread === 0) batch.reply = null;
  }
}

const blocks = new ScanBlocks();

/** The inode number, as Qid.path makes it. */
function inoOf(b: ScanBlocks): number {
  return b.pathHi * 0x100000000 + b.pathLo;
}
