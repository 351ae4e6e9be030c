/**
 * How an overlay differs from the tree that it was made over, found directory by directory: what
 * its upper layer has, and which names it hides. A directory that was renamed, or made anew in the
 * place of another, is compared with what was at its path before.
 */

import { DT_DIR, DT_UNKNOWN } from "../../../../ffi/abi/dirent.ts";
import { ENOENT } from "../../../../ffi/abi/errno.ts";
import { O_DIRECTORY, O_RDONLY } from "../../../../ffi/abi/fcntl.ts";
import { PATH_MAX } from "../../../../ffi/abi/fs.ts";
import type { Account } from "../../../../kernel/core/account.ts";
import { BLOCK } from "../../../../kernel/core/result.ts";
import { OverlayDirectory } from "../../../../kernel/fs/overlay/directory.ts";
import { isWhiteout, openLayer } from "../../../../kernel/fs/overlay/layers.ts";
import { OverlayFs } from "../../../../kernel/fs/overlay/overlay_fs.ts";
import { isDirectory } from "../../../../kernel/vfs/access.ts";
import type { FileSystem, Inode } from "../../../../kernel/vfs/inode.ts";
import type { OpenFile } from "../../../../kernel/vfs/open_file.ts";
import type { Change } from "../../../protocol/session/messages.ts";
import { DirReader } from "./dir_reader.ts";
import { DEPTH_MAX, TOO_DEEP } from "./open_tree.ts";

/**
 * Paths of the changes so far, as byte strings; without an overlay none. It takes one turn: for the
 * start of a sandbox, when only places for mounts were made.
 */
export function changedPaths(fs: FileSystem, account: Account): Set<string> {
  const paths = new Set<string>();
  if (!(fs instanceof OverlayFs)) return paths;
  const changes = new OverlayChanges(fs, account, (path) => paths.add(path));
  try {
    for (let r = 0; r === 0 || r === BLOCK;) r = changes.step();
  } finally {
    changes.close();
  }
  return paths;
}

/** Takes what has changed; `path` is a byte string. */
type ChangeSink = (path: string, kind: Change["kind"]) => void;

/** Names of a directory that a level reads. */
interface Reading {
  readonly file: OpenFile;
  readonly reader: DirReader;
}

/** A directory that is being compared. */
class Level {
  readonly dir: OverlayDirectory;
  /** The directory that was at its path before; null: none was, so all that is in it is new. */
  readonly base: Inode | null;
  readonly path: string;
  /** Null: opened in the next step. */
  reading: Reading | null = null;
  /** The names of `base` are read, for those that are gone. */
  isAtBase = false;

  constructor(dir: OverlayDirectory, base: Inode | null, path: string) {
    this.dir = dir;
    this.base = base;
    this.path = path;
    dir.hold();
    base?.hold();
  }

  /** It shows the directory that was there, with the changes of its upper layer. */
  get isMerged(): boolean {
    return this.base !== null && this.dir.lower === this.base;
  }

  stopReading(): void {
    this.reading?.file.drop();
    this.reading = null;
  }

  close(): void {
    this.stopReading();
    this.base?.drop();
    this.dir.drop();
  }
}

export class OverlayChanges {
  readonly #account: Account;
  readonly #sink: ChangeSink;
  readonly #levels: Level[] = [];

  constructor(fs: OverlayFs, account: Account, sink: ChangeSink) {
    this.#account = account;
    this.#sink = sink;
    const { root } = fs;
    if (root.lower !== null && root.upper !== null && differ(root.upper, root.lower)) {
      sink("/", "modified");
    }
    this.#levels.push(new Level(root, root.lower, ""));
  }

  /** Compares one more name: 0; 1 at the end; BLOCK: again in the next turn; -errno, TOO_DEEP. */
  step(): number {
    const level = this.#levels.at(-1);
    if (level === undefined) return 1;
    const r = level.reading === null ? this.#read(level) : this.#next(level, level.reading.reader);
    // Removed meanwhile.
    return r === -ENOENT ? this.#leave() : r;
  }

  /** The directory that is being compared; a byte string. */
  get path(): string {
    return this.#levels.at(-1)?.path || "/";
  }

  close(): void {
    while (this.#levels.length > 0) this.#leave();
  }

  #leave(): number {
    this.#levels.pop()?.close();
    return 0;
  }

  #read(level: Level): number {
    const { dir, base } = level;
    const names = level.isAtBase ? base : level.isMerged ? dir.upper : dir;
    if (names === null) return this.#leave();
    const file = openLayer(names, O_RDONLY | O_DIRECTORY, this.#account);
    if (typeof file === "number") return file;
    level.reading = { file, reader: new DirReader(file) };
    return 0;
  }

  #next(level: Level, reader: DirReader): number {
    const name = reader.next();
    if (typeof name === "number") return name;
    if (name === null) return this.#endOfNames(level);
    if (level.path.length + name.length >= PATH_MAX) return TOO_DEEP;
    const r = level.isAtBase
      ? this.#lookForGone(level, name)
      : level.isMerged
      ? this.#compareUpper(level, name)
      : this.#compareShown(level, name, reader.type);
    return r === -ENOENT ? 0 : r;
  }

  #endOfNames(level: Level): number {
    if (level.isAtBase || level.isMerged || level.base === null) return this.#leave();
    level.stopReading();
    level.isAtBase = true;
    return 0;
  }

  /** A name of the upper layer of a directory that was there before. */
  #compareUpper(level: Level, name: string): number {
    const { dir } = level, upper = dir.upperEntry(name), before = dir.lowerEntry(name);
    if (typeof upper === "number") return upper;
    if (typeof before === "number") return before;
    if (upper === null) return 0;
    return held([upper, before], () => {
      if (!isWhiteout(upper)) return this.#compare(level, name, upper, before);
      if (before !== null) this.#sink(`${level.path}/${name}`, "removed");
      return 0;
    });
  }

  /** A name that a directory shows which was not there before. */
  #compareShown(level: Level, name: string, type: number): number {
    const { dir, base } = level;
    if (base === null && type !== DT_DIR && type !== DT_UNKNOWN) {
      this.#sink(`${level.path}/${name}`, "added");
      return 0;
    }
    const shown = dir.lookup(name), before = entryOf(base, name);
    if (typeof shown === "number") return shown;
    if (typeof before === "number") return before;
    return held([shown, before], () => this.#compare(level, name, shown, before));
  }

  /** A name that was there before. */
  #lookForGone(level: Level, name: string): number {
    const before = entryOf(level.base, name);
    if (before === null || typeof before === "number") return before ?? 0;
    const shown = level.dir.lookup(name);
    if (shown === -ENOENT) this.#sink(`${level.path}/${name}`, "removed");
    return typeof shown === "number" ? held([before], () => shown) : held([shown, before], () => 0);
  }

  #compare(level: Level, name: string, now: Inode, before: Inode | null): number {
    const path = `${level.path}/${name}`, isTree = isDirectory(now);
    const wasTree = before !== null && isDirectory(before);
    if (before === null) this.#sink(path, "added");
    else if (!isTree || !wasTree || differ(now, before)) this.#sink(path, "modified");
    if (!isTree) return 0;
    const dir = level.dir.lookup(name);
    if (!(dir instanceof OverlayDirectory)) return typeof dir === "number" ? dir : 0;
    if (this.#levels.length >= DEPTH_MAX) return TOO_DEEP;
    this.#levels.push(new Level(dir, wasTree ? before : null, path));
    return 0;
  }
}

/** Whether owner or permission bits of a directory were changed. */
function differ(now: Inode, before: Inode): boolean {
  return now.mode !== before.mode || now.uid !== before.uid || now.gid !== before.gid;
}

/** The entry of a lower directory; null: there is none, or a whiteout; -errno. */
function entryOf(dir: Inode | null, name: string): Inode | null | number {
  const found = dir?.lookup(name) ?? -ENOENT;
  if (found === -ENOENT) return null;
  return typeof found !== "number" && isWhiteout(found) ? null : found;
}

/** Holds the inodes meanwhile: what no dentry holds is forgotten afterwards. */
function held(inodes: readonly (Inode | null)[], run: () => number): number {
  for (const inode of inodes) inode?.hold();
  const r = run();
  for (const inode of inodes) inode?.drop();
  return r;
}
