/**
 * Fields of trees of files. A tmpfs is encoded as the table of its records (fs/tmpfs/records/) and
 * the inodes that other objects refer to, without entries of directories and pages that records
 * have. An overlay is encoded as such inodes, and dentries are those that other objects refer to.
 */

import { Dentry } from "../../vfs/dentry.ts";
import { DentryCache } from "../../vfs/dentry_cache.ts";
import { Inode } from "../../vfs/inode.ts";
import { OverlayFs } from "../../fs/overlay/overlay_fs.ts";
import { OverlayInode } from "../../fs/overlay/overlay_inode.ts";
import type { MadeFields } from "./field_rules.ts";
import type { Surroundings } from "./surroundings.ts";
import { FileData } from "../../fs/tmpfs/file_data.ts";
import { FilePages, visitRuns } from "../../fs/tmpfs/file_pages.ts";
import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { TmpfsDirectory } from "../../fs/tmpfs/directory.ts";
import { FileRecords } from "../../fs/tmpfs/records/file_records.ts";
import { InodeRecord, RecordedPages } from "../../fs/tmpfs/records/inode_record.ts";
import { RecordTable, SharedRecords } from "../../fs/tmpfs/records/record_table.ts";
import { TmpfsFs } from "../../fs/tmpfs/tmpfs.ts";
import { TmpfsInode } from "../../fs/tmpfs/tmpfs_inode.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import type { ConvertedField } from "../graph/class_row.ts";

/** The table of records is made first; then come the fields that look into it. */
const STAGE_TABLE = 0, STAGE_RECORDS = 1, STAGE_CACHE = 2;

/** The records of the file system as they are now; null: it keeps none. */
function settled(space: object): FileRecords | null {
  return space instanceof TmpfsFs ? space.settleRecords() : null;
}

/** Of a file: records whose frames have a reference each, as those of all objects. */
function tableOf(frames: FrameAllocator, records: unknown): RecordTable {
  const table = new RecordTable(frames);
  if (!Array.isArray(records)) throw new TypeError("no list of records");
  for (const record of records) {
    if (!(record instanceof InodeRecord)) throw new TypeError("not a record of an inode");
    table.set(record);
    if (record.pages === null) continue;
    visitRuns(record.pages, (page, count) => frames.handOver(page * PAGE_SIZE, count));
  }
  return table;
}

const TABLE: Readonly<ConvertedField> = {
  stage: STAGE_TABLE,
  save(object, { isInProcess }) {
    const { table } = object as FileRecords;
    return isInProcess === true ? table.share() : table.list();
  },
  make(object, _host, saved) {
    const { frames } = (object as FileRecords).space;
    return saved instanceof SharedRecords ? new RecordTable(frames, saved) : tableOf(frames, saved);
  },
  release: (made) => (made as RecordTable).end(),
};

/** All pages of records count as used; those of inodes that the copy has are claimed later. */
const UNCLAIMED: Readonly<ConvertedField> = {
  stage: STAGE_TABLE,
  save: (object) => (object as FileRecords).pages,
  make(object, _host, pages) {
    (object as FileRecords).space.frames.countUsed(pages as number);
    return pages;
  },
};

function recordsOf({ space }: FileData): FileRecords | null {
  return space instanceof TmpfsFs ? space.records : null;
}

function recordedPages(data: FileData): RecordedPages {
  const { owner } = data, pages = recordsOf(data)?.table.get(owner.ino)?.pages ?? null;
  if (pages === null) throw new TypeError(`no record has the pages of inode ${owner.ino}`);
  return pages;
}

const LENT: Readonly<ConvertedField> = {
  stage: STAGE_RECORDS,
  save(object) {
    const data = object as FileData;
    settled(data.space);
    return data.lent !== null;
  },
  make: (data, _host, isLent) => isLent === true ? recordedPages(data as FileData) : null,
};

const PAGES: Readonly<ConvertedField> = {
  stage: STAGE_RECORDS,
  save(object) {
    const data = object as FileData;
    settled(data.space);
    return data.lent === null ? data.pages : null;
  },
  make(data, _host, saved) {
    if (saved !== null) return saved;
    const pages = new FilePages(), recorded = recordedPages(data as FileData);
    recordsOf(data as FileData)!.claim(recorded);
    pages.use(recorded);
    return pages;
  },
};

/** Null in a directory that has a record. */
const ENTRIES: Readonly<ConvertedField> = {
  save(object) {
    const { space, ino } = object as TmpfsDirectory, records = settled(space);
    const hasRecord = records !== null && records.table.get(ino) !== null;
    return hasRecord ? null : Reflect.get(object, "known");
  },
};

const IS_CHANGED: Readonly<ConvertedField> = {
  stage: STAGE_RECORDS,
  make(object) {
    const inode = object as TmpfsInode, { records } = inode.space;
    records?.register(inode);
    return records === null;
  },
};

/** Dentries that nothing refers to are a cache: trees are made of the others. */
const IS_HASHED: Readonly<ConvertedField> = {
  stage: STAGE_RECORDS,
  save: (object) => (object as Dentry).isHashed,
  make(object, host, isHashed) {
    const dentry = object as Dentry;
    if (isHashed !== true || dentry.isRoot) return isHashed;
    (dentry.parent.children ??= new Map()).set(dentry.name, dentry);
    (host as Surroundings).dentries.push(dentry);
    return true;
  },
};

/** The users of inodes are counted anew, as those that are a cache are left out. */
const HOLDS_INODE: Readonly<ConvertedField> = {
  save: (object) => Reflect.get(object, "holdsInode"),
  make(object, _host, holds) {
    if (holds === true) (object as Dentry).inode!.refs++;
    return holds;
  },
};

const LRU: Readonly<ConvertedField> = {
  stage: STAGE_CACHE,
  save: (object) => (object as DentryCache).watched(),
  make(object, host) {
    (object as DentryCache).adopt((host as Surroundings).dentries.splice(0));
    return Reflect.get(object, "oldest");
  },
};

/** Saved as a negative number when it holds nothing any more. */
const ARE_LAYERS_HELD: Readonly<ConvertedField> = {
  stage: STAGE_RECORDS,
  save(object) {
    const inode = object as OverlayInode;
    return Reflect.get(inode, "areLayersHeld") === true ? inode.fs.indexOf(inode) : -1;
  },
  make(object, _host, index) {
    const inode = object as OverlayInode;
    if (inode.parent !== null) inode.parent.refs++;
    if (typeof index !== "number" || index < 0) return false;
    if (inode.upper !== null) inode.upper.refs++;
    if (inode.lower !== null) inode.lower.refs++;
    inode.fs.addTo(index, inode);
    return true;
  },
};

export const TREE_FIELDS: readonly MadeFields[] = [
  {
    made: Dentry,
    fields: {
      children: { value: null },
      holdsInode: HOLDS_INODE,
      isHashed: IS_HASHED,
      lruNext: { value: null },
      lruPrev: { value: null },
    },
  },
  {
    made: DentryCache,
    fields: { count: { value: 0 }, newest: { value: null }, oldest: LRU },
  },
  {
    made: FileData,
    fields: {
      base: { make: (data) => (data as FileData).space.frames.arena.base },
      lent: LENT,
      pages: PAGES,
    },
  },
  {
    made: FileRecords,
    fields: { made: { make: () => new Map() }, table: TABLE, unclaimed: UNCLAIMED },
  },
  { made: Inode, fields: { refs: { value: 0 } } },
  { made: InodeRecord, fields: { refs: { value: 0 } } },
  {
    made: OverlayFs,
    fields: { byLower: { make: () => new Map() }, byUpper: { make: () => new Map() } },
  },
  { made: OverlayInode, fields: { areLayersHeld: ARE_LAYERS_HELD } },
  { made: RecordedPages, fields: { refs: { value: 0 } } },
  { made: TmpfsDirectory, fields: { known: ENTRIES } },
  { made: TmpfsFs, fields: { records: { save: settled } } },
  { made: TmpfsInode, fields: { isChanged: IS_CHANGED } },
];
