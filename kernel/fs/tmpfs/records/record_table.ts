/**
 * The records of a tmpfs by inode number: a tree that several kernels and snapshots share. A node
 * counts the tables and nodes that refer to it, and one that has another reference is copied before
 * it changes. So a table is shared by one reference to its root, a change costs a path, and the end
 * of a table costs the nodes that it has alone.
 */

import type { FramePool } from "../../../mm/frame_pool.ts";
import type { FrameAllocator, FrameTable } from "../../../mm/frames.ts";
import { visitRuns } from "../file_pages.ts";
import { InodeRecord } from "./inode_record.ts";

/** The bits of an inode number that one level takes, and the slots of a node. */
const LEVEL_BITS = 5, SLOTS = 1 << LEVEL_BITS;
/** Numbers below it can be shifted. */
const SHIFTED_END = 2 ** 31;

type Slot = TableNode | InodeRecord | null;

class TableNode {
  refs: number = 1;
  /** Slots that are not empty. */
  used: number = 0;
  readonly slots: Slot[];

  constructor(slots: Slot[]) {
    this.slots = slots;
  }

  static empty(): TableNode {
    return new TableNode(new Array<Slot>(SLOTS).fill(null));
  }

  copy(): TableNode {
    const copy = new TableNode(this.slots.slice());
    copy.used = this.used;
    for (const slot of copy.slots) if (slot !== null) slot.refs++;
    return copy;
  }
}

/** The root of a table, for a snapshot and for the copies that are made of it. */
export class SharedRecords {
  readonly node: TableNode;
  readonly levels: number;
  private readonly pool: FramePool;
  private ending: Slot[] | null = null;

  constructor(pool: FramePool, node: TableNode, levels: number) {
    this.pool = pool;
    this.node = node;
    this.levels = levels;
  }

  /** What is shared has to be held before the table that shares it changes or ends. */
  hold(): void {
    this.node.refs++;
  }

  /** Undoes `hold`, which may free about `most` nodes and records. True: call it again. */
  release(most: number = Infinity): boolean {
    this.ending ??= [this.node];
    const isMore = dropSlots(this.ending, most, this.pool);
    if (!isMore) this.ending = null;
    return isMore;
  }
}

export class RecordTable implements FrameTable {
  private readonly frames: FrameAllocator;
  private root: TableNode;
  private levels: number;
  /** All inode numbers of the table are below it. */
  private inoEnd: number;
  private ending: Slot[] | null = null;

  /** @param shared the records that the table has at first */
  constructor(frames: FrameAllocator, shared: SharedRecords | null = null) {
    this.frames = frames;
    shared?.hold();
    this.root = shared?.node ?? TableNode.empty();
    this.levels = shared?.levels ?? 1;
    this.inoEnd = SLOTS ** this.levels;
    frames.tables.add(this);
  }

  /** The records as they are now. */
  share(): SharedRecords {
    return new SharedRecords(this.frames.pool, this.root, this.levels);
  }

  get(ino: number): InodeRecord | null {
    if (ino >= this.inoEnd) return null;
    let node = this.root;
    for (let level = this.levels - 1; level > 0; level--) {
      const next = node.slots[slotOf(ino, level)];
      if (!(next instanceof TableNode)) return null;
      node = next;
    }
    const record = node.slots[slotOf(ino, 0)];
    return record instanceof InodeRecord ? record : null;
  }

  /** Puts a record in the place of the one with its number. @returns that one, if there is one */
  set(record: InodeRecord): InodeRecord | null {
    const { ino } = record;
    while (ino >= this.inoEnd) this.addLevel();
    let node = this.root = this.owned(this.root);
    for (let level = this.levels - 1; level > 0; level--) node = this.ownedChild(node, ino, level);
    const at = slotOf(ino, 0), old = node.slots[at]!;
    record.refs++;
    if (record.pages !== null && record.refs === 1) record.pages.refs++;
    node.slots[at] = record;
    if (!(old instanceof InodeRecord)) {
      node.used++;
      return null;
    }
    if (--old.refs === 0) freeRecord(old, this.frames.pool);
    return old;
  }

  /** Takes a record out; null: there is none. The caller frees it if it has no `refs` then. */
  private take(ino: number): InodeRecord | null {
    if (this.get(ino) === null) return null;
    const path: TableNode[] = [];
    let node = this.root = this.owned(this.root);
    for (let level = this.levels - 1; level > 0; level--) {
      path.push(node);
      node = this.ownedChild(node, ino, level);
    }
    const at = slotOf(ino, 0), record = node.slots[at] as InodeRecord;
    record.refs--;
    node.slots[at] = null;
    node.used--;
    for (let level = 1; node.used === 0 && path.length > 0; level++) {
      node = path.pop()!;
      node.slots[slotOf(ino, level)] = null;
      node.used--;
    }
    return record;
  }

  /** Takes a record out; null: there is none. */
  remove(ino: number): InodeRecord | null {
    const record = this.take(ino);
    if (record !== null && record.refs === 0) freeRecord(record, this.frames.pool);
    return record;
  }

  /** All records, in the order of their numbers. */
  list(): InodeRecord[] {
    const records: InodeRecord[] = [], left: Slot[] = [this.root];
    for (let slot = left.pop(); slot !== undefined; slot = left.pop()) {
      if (slot instanceof InodeRecord) records.push(slot);
      else if (slot !== null) { for (let i = SLOTS - 1; i >= 0; i--) left.push(slot.slots[i]!); }
    }
    return records;
  }

  /** Drops the records: about `most` nodes and records. True: there are more. */
  end(most: number = Infinity): boolean {
    this.ending ??= [this.root];
    if (dropSlots(this.ending, most, this.frames.pool)) return true;
    this.ending = null;
    this.root = TableNode.empty();
    this.levels = 1;
    this.inoEnd = SLOTS;
    this.frames.tables.delete(this);
    return false;
  }

  private addLevel(): void {
    const root = TableNode.empty();
    root.slots[0] = this.root;
    root.used = 1;
    this.root = root;
    this.levels++;
    this.inoEnd *= SLOTS;
  }

  /** The node, or a copy of it if others have it too. */
  private owned(node: TableNode): TableNode {
    if (node.refs === 1) return node;
    node.refs--;
    return node.copy();
  }

  private ownedChild(node: TableNode, ino: number, level: number): TableNode {
    const at = slotOf(ino, level), there = node.slots[at];
    if (!(there instanceof TableNode)) {
      node.used++;
      return node.slots[at] = TableNode.empty();
    }
    return node.slots[at] = this.owned(there);
  }
}

/** Shifts are of 32 bits, and inode numbers may have more. */
function slotOf(ino: number, level: number): number {
  if (ino < SHIFTED_END) return level > 6 ? 0 : (ino >> LEVEL_BITS * level) & (SLOTS - 1);
  return Math.floor(ino / SLOTS ** level) % SLOTS;
}

/** Drops a reference to each of `left`, and to those that go with it. True: there are more. */
function dropSlots(left: Slot[], most: number, pool: FramePool): boolean {
  for (let n = 0; n < most; n++) {
    const slot = left.pop();
    if (slot === undefined) return false;
    if (slot === null || --slot.refs > 0) continue;
    if (slot instanceof InodeRecord) freeRecord(slot, pool);
    else for (const child of slot.slots) if (child !== null) left.push(child);
  }
  return left.length > 0;
}

function freeRecord({ pages }: InodeRecord, pool: FramePool): void {
  if (pages === null || --pages.refs > 0) return;
  visitRuns(pages, (page, count) => pool.drop(page, count));
}
