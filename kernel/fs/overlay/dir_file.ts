/**
 * An open directory of an overlay. The names of both layers are put together once, when reading begins; positions are
 * places in that list, so they stay valid while entries come and go. A new reading from the start makes a new list.
 */

import { EISDIR } from "../../../ffi/abi/errno.ts";
import { DT_CHR, DT_DIR, DT_UNKNOWN } from "../../../ffi/abi/dirent.ts";
import { MAY_READ } from "../../cred/permission.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { touchFileAtime } from "../../vfs/atime.ts";
import type { DirSink, Inode } from "../../vfs/inode.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import type { OverlayDirectory } from "./directory.ts";
import { isWhiteout, type LayerEntry, listLayer } from "./layers.ts";

export class OverlayDirFile extends OpenFile {
  readonly inode: OverlayDirectory;
  private list: LayerEntry[] | null = null;

  constructor(dir: OverlayDirectory, flags: number) {
    super(flags);
    this.inode = dir;
  }

  override get isSeekable(): boolean {
    return true;
  }
  override read(_io: IoCursor, _offset: number): number {
    return -EISDIR;
  }
  override write(_io: IoCursor, _offset: number): number {
    return -EISDIR;
  }
  override fsync(_dataOnly: boolean): number {
    return 0;
  }

  override readdir(sink: DirSink): number {
    const dir = this.inode;
    if (this.list === null || this.pos === 0) {
      const list = mergedList(dir);
      if (typeof list === "number") return list;
      this.list = list;
      touchFileAtime(this);
    }
    const list = this.list;
    if (this.pos === 0) {
      if (!sink(".", dir.ino, DT_DIR, 1)) return 0;
      this.pos = 1;
    }
    if (this.pos === 1) {
      if (!sink("..", (dir.parent ?? dir).ino, DT_DIR, 2)) return 0;
      this.pos = 2;
    }
    for (let i = this.pos - 2; i < list.length; i++) {
      const e = list[i]!;
      if (!sink(e.name, e.ino, e.type, i + 3)) return 0;
      this.pos = i + 3;
    }
    return 0;
  }
}

function listAsMounter({ fs }: OverlayDirectory, layer: Inode): LayerEntry[] | number {
  const may = fs.mayUse(layer, MAY_READ);
  return may < 0 ? may : listLayer(layer);
}

/** Names of the upper layer, then those of the lower one that it does not cover. */
function mergedList(dir: OverlayDirectory): LayerEntry[] | number {
  const list: LayerEntry[] = [], covered = new Set<string>();
  if (dir.upper !== null) {
    const entries = listAsMounter(dir, dir.upper);
    if (typeof entries === "number") return entries;
    for (const e of entries) {
      covered.add(e.name);
      const upper = dir.upper.lookup(e.name);
      if (typeof upper === "number" || isWhiteout(upper)) continue;
      // Directories may be merged with what is below: their number is the lower one's.
      const known = e.type === DT_DIR ? dir.lookup(e.name) : null;
      const ino = known === null || typeof known === "number" ? dir.fs.upperIno(upper) : known.ino;
      list.push({ name: e.name, ino, type: e.type });
    }
  }
  const lower = dir.lower;
  if (lower === null) return list;
  const entries = listAsMounter(dir, lower);
  if (typeof entries === "number") return entries;
  for (const e of entries) {
    if (covered.has(e.name)) continue;
    if (e.type === DT_CHR || e.type === DT_UNKNOWN) {
      const below = dir.lowerEntry(e.name);
      if (below === null || typeof below === "number") continue;
    }
    list.push({ name: e.name, ino: dir.fs.lowerIno(e.ino, lower.dev), type: e.type });
  }
  return list;
}
