/**
 * The watches of a `watch` request as a tree, so that a path is the names on the way to the root
 * and a renamed directory keeps its watches. A watch does not hold its file.
 */

import type { Account } from "../../../../kernel/core/account.ts";
import {
  IN_ATTRIB,
  IN_CREATE,
  IN_DELETE,
  IN_DELETE_SELF,
  IN_EXCL_UNLINK,
  IN_MODIFY,
  IN_MOVE_SELF,
  IN_MOVED_FROM,
  IN_MOVED_TO,
} from "../../../../ffi/abi/inotify.ts";
import { PATH_MAX } from "../../../../ffi/abi/fs.ts";
import { type DeferredWork, WorkList } from "../../../../kernel/core/deferred_work.ts";
import { INODE_WATCHES } from "../../../../kernel/core/quota.ts";
import type { Inode } from "../../../../kernel/vfs/inode.ts";
import { Watch } from "../../../../kernel/vfs/watch_list.ts";

/** LIMIT: files that one request watches, and directories that it has yet to look at. */
const WATCHES_MAX = 1 << 15;
const EVENTS = IN_CREATE | IN_DELETE | IN_MODIFY | IN_ATTRIB | IN_MOVED_FROM | IN_MOVED_TO |
  IN_DELETE_SELF | IN_MOVE_SELF | IN_EXCL_UNLINK;
const END_UNITS = 2;
/** LIMIT: bytes of a path; its text has at least a third as many characters. */
const PATH_BYTES = 4 * PATH_MAX;

export interface WatchListener {
  /** The arguments of `Watch.onEvent`. */
  onFileEvent(watch: WatchedFile, mask: number, cookie: number, name: string | null): void;
}

/** A watched directory, or the file that the request names. */
export class WatchedFile extends Watch {
  readonly #listener: WatchListener;
  /** Null: the root, or taken out of the tree. */
  parent: WatchedFile | null = null;
  /** In the directory above; a byte string. */
  name: string = "";
  /** Subdirectories; null until the first. */
  #children: Map<string, WatchedFile> | null = null;

  constructor(account: Account, inode: Inode, listener: WatchListener) {
    super(account, inode, EVENTS);
    this.#listener = listener;
  }

  override onEvent(mask: number, cookie: number, name: string | null): void {
    this.#listener.onFileEvent(this, mask, cookie, name);
  }

  /** The file is gone. */
  override end(): void {
    this.detach();
  }

  child(name: string): WatchedFile | null {
    return this.#children?.get(name) ?? null;
  }

  add(child: WatchedFile, name: string): void {
    child.parent = this;
    child.name = name;
    (this.#children ??= new Map()).set(name, child);
  }

  /** Takes the subdirectory `name` out of the tree; null: there is none. */
  take(name: string): WatchedFile | null {
    const child = this.child(name);
    this.#children?.delete(name);
    if (child !== null) child.parent = null;
    return child;
  }

  /** Takes some subdirectory; null: there is none. */
  takeAny(): WatchedFile | null {
    for (const name of this.#children?.keys() ?? []) return this.take(name);
    return null;
  }

  /**
   * The names from the root to the entry `name` of this directory; "": to the directory itself. If
   * the path is too long for any use, its end: a guest moves directories as deep as it likes.
   */
  pathOf(name: string): string {
    const names = name === "" ? [] : [name];
    if (this.parent !== null) names.push(this.name);
    let length = name.length + this.name.length;
    for (let at = this.parent; at !== null && at.parent !== null; at = at.parent) {
      if (length > PATH_BYTES) break;
      names.push(at.name);
      length += at.name.length;
    }
    return names.reverse().join("/");
  }

  /** Whether it is in the tree of `root`. */
  isBelow(root: WatchedFile): boolean {
    for (let at = this.parent; at !== null; at = at.parent) if (at === root) return true;
    return false;
  }
}

/** A directory that has appeared in a watched one. */
export interface Appeared {
  readonly above: WatchedFile;
  readonly name: string;
  /** It was made after the watch of the directory above, so its entries are new too. */
  readonly isNew: boolean;
}

export class WatchTree {
  readonly #account: Account;
  readonly #listener: WatchListener;
  readonly #watches: Set<WatchedFile> = new Set();
  readonly #appeared: Appeared[] = [];
  /** Directories that left the tree: their watches are to end. */
  readonly #left: WatchedFile[] = [];
  /** The directory of the last IN_MOVED_FROM, which IN_MOVED_TO with the same cookie puts back. */
  #moved: WatchedFile | null = null;
  #cookie = 0;
  /** The place of the last IN_MOVED_TO: with RENAME_EXCHANGE, what was there moves next. */
  #movedTo: WatchedFile | null = null;
  #movedName = "";

  constructor(account: Account, listener: WatchListener) {
    this.#account = account;
    this.#listener = listener;
  }

  /** Null: there are too many watches. */
  watch(inode: Inode): WatchedFile | null {
    if (this.#watches.size >= WATCHES_MAX) return null;
    if (!INODE_WATCHES.hasRoom(1, this.#account)) return null;
    const watch = new WatchedFile(this.#account, inode, this.#listener);
    this.#watches.add(watch);
    watch.attach();
    return watch;
  }

  /** A subdirectory came or went, as `mask` of its event says. False: there are too many. */
  follow(watch: WatchedFile, mask: number, cookie: number, name: string): boolean {
    if ((mask & IN_CREATE) !== 0) this.addAppeared({ above: watch, name, isNew: true });
    else if ((mask & IN_DELETE) !== 0) this.discard(watch.take(name));
    else if ((mask & IN_MOVED_FROM) !== 0) this.#moveFrom(watch, cookie, name);
    else if ((mask & IN_MOVED_TO) !== 0) this.#moveTo(watch, cookie, name);
    return this.#appeared.length + this.#left.length <= WATCHES_MAX;
  }

  #moveFrom(watch: WatchedFile, cookie: number, name: string): void {
    this.discard(this.#moved);
    this.#moved = watch.take(name);
    this.#cookie = cookie;
    if (watch !== this.#movedTo || name !== this.#movedName) return;
    // It moves again, or was exchanged with the one that moves now: both are looked for again.
    if (this.#moved !== null) this.addAppeared({ above: watch, name, isNew: false });
    this.discard(this.#moved);
    this.#moved = null;
  }

  #moveTo(watch: WatchedFile, cookie: number, name: string): void {
    const moved = cookie === this.#cookie ? this.#moved : null;
    this.discard(watch.take(name));
    this.#movedTo = watch;
    this.#movedName = name;
    if (moved === null) this.addAppeared({ above: watch, name, isNew: false });
    else {
      watch.add(moved, name);
      this.#moved = null;
    }
  }

  /** The calls that moved directories are over: what has not come back has left the tree. */
  endMoves(): void {
    this.discard(this.#moved);
    this.#moved = this.#movedTo = null;
  }

  addAppeared(directory: Appeared): void {
    this.#appeared.push(directory);
  }

  /** The next directory to look at; null: there is none. */
  nextAppeared(): Appeared | null {
    return this.#appeared.pop() ?? null;
  }

  /** The watches of a directory that left the tree, and of those in it, end later. */
  discard(watch: WatchedFile | null): void {
    if (watch !== null) this.#left.push(watch);
  }

  /** Ends watches of directories that left the tree. Returns the units that are left. */
  endLeft(units: number): number {
    let left = units;
    for (; left > 0; left -= END_UNITS) {
      const watch = this.#left.at(-1);
      if (watch === undefined) break;
      const child = watch.takeAny();
      if (child !== null) {
        this.#left.push(child);
        continue;
      }
      this.#left.pop();
      watch.detach();
      this.#watches.delete(watch);
    }
    return left;
  }

  /** Ends all watches, in turns of the loop. */
  end(deferred: DeferredWork): void {
    deferred.begin(new WatchesEnd([...this.#watches], END_UNITS));
    this.#watches.clear();
  }
}

class WatchesEnd extends WorkList<WatchedFile> {
  protected override each(watch: WatchedFile): void {
    watch.detach();
  }
}
