/**
 * `watch`: the events of a file, or of a directory and with `recursive` of those in it, by the
 * kernel's inotify(7). The first watch is there when the request was opened. Subdirectories are
 * found in turns of the loop: those that the user may read, on the mount of the first one. What is
 * in a directory that was made meanwhile has `create` events when it is found.
 */

import { DT_DIR, DT_UNKNOWN } from "../../../../ffi/abi/dirent.ts";
import { ENAMETOOLONG, ENFILE, ENOENT, ENOSPC } from "../../../../ffi/abi/errno.ts";
import { AT_FDCWD } from "../../../../ffi/abi/fcntl.ts";
import { PATH_MAX } from "../../../../ffi/abi/fs.ts";
import {
  IN_ATTRIB,
  IN_CREATE,
  IN_DELETE,
  IN_DELETE_SELF,
  IN_ISDIR,
  IN_MODIFY,
  IN_MOVE_SELF,
  IN_MOVED_FROM,
  IN_MOVED_TO,
} from "../../../../ffi/abi/inotify.ts";
import { BLOCK } from "../../../../kernel/core/result.ts";
import { MAY_READ } from "../../../../kernel/cred/permission.ts";
import { inodePermission, isDirectory } from "../../../../kernel/vfs/access.ts";
import type { Mount, Path } from "../../../../kernel/vfs/dentry.ts";
import { openAt } from "../../../../kernel/vfs/open.ts";
import type { OpenFile } from "../../../../kernel/vfs/open_file.ts";
import { findAt } from "../../../../kernel/vfs/status.ts";
import type { ReadyEvent, WatchEvent } from "../../../protocol/session/messages.ts";
import { callError, pathError } from "../call_errors.ts";
import { entryPath, FileChannel, type FileRequest, type GuestPath } from "./file_channel.ts";
import { OPEN_FLAGS, OpenTree, TOO_DEEP } from "./open_tree.ts";
import { WatchEvents } from "./watch_events.ts";
import { type Appeared, type WatchedFile, type WatchListener, WatchTree } from "./watch_tree.ts";

const WHAT = "cannot watch";
const ENTRY_UNITS = 8, EVENT_UNITS = 4;
/** No further directory can be watched. */
const TOO_MANY = -ENOSPC;

const KINDS: readonly (readonly [mask: number, kind: WatchEvent["kind"]])[] = [
  [IN_CREATE, "create"],
  [IN_MODIFY, "modify"],
  [IN_DELETE | IN_DELETE_SELF, "remove"],
  [IN_MOVED_FROM | IN_MOVED_TO | IN_MOVE_SELF, "rename"],
  [IN_ATTRIB, "attributes"],
];

/** An open directory whose subdirectories are looked for. */
interface Searched {
  readonly watch: WatchedFile;
  /** Its entries have `create` events. */
  readonly isNew: boolean;
}

export class WatchChannel extends FileChannel implements WatchListener {
  readonly #path: GuestPath;
  readonly #isRecursive: boolean;
  readonly #events: WatchEvents;
  readonly #watches: WatchTree;
  readonly #search: OpenTree<Searched>;
  #root: WatchedFile | null = null;
  #mount: Mount | null = null;
  #isRootGone = false;
  #isReady = false;
  /** BLOCK: the first watch is to be made; -errno, TOO_DEEP: why the request fails. */
  #state = BLOCK;

  constructor(request: FileRequest, path: GuestPath, recursive: boolean) {
    super(request);
    this.#path = path;
    this.#isRecursive = recursive;
    this.#events = new WatchEvents(path.text);
    this.#watches = new WatchTree(request.caller.account, this);
    this.#search = new OpenTree(request.caller);
    this.#begin();
  }

  override get isPassive(): boolean {
    return true;
  }

  /** Watches the file that the request names. */
  #begin(): void {
    const { caller } = this, path = findAt(caller, AT_FDCWD, this.#path.bytes, 0);
    this.#state = typeof path === "number" ? path : this.#watchRoot(path);
    if (this.#state !== BLOCK) caller.progress.reset();
  }

  #watchRoot(path: Path): number {
    const { inode } = path.dentry, { caller } = this;
    if (inode === null) return -ENOENT;
    const may = inodePermission(inode, MAY_READ, caller.cred);
    if (may < 0) return may;
    let file: OpenFile | number = -ENOENT;
    if (this.#isRecursive && isDirectory(inode)) {
      // A link to a directory is followed to it.
      file = openAt(caller, AT_FDCWD, `${this.#path.bytes}/.`, OPEN_FLAGS, 0);
      if (typeof file === "number") return file;
    }
    const root = this.#watches.watch(inode);
    if (root === null) {
      if (typeof file !== "number") file.drop();
      return TOO_MANY;
    }
    this.#root = root;
    this.#mount = path.mount;
    return typeof file === "number"
      ? 0
      : this.#search.begin(file, "", { watch: root, isNew: false });
  }

  /** In the middle of a call, of a guest or of another request. */
  onFileEvent(watch: WatchedFile, mask: number, cookie: number, name: string | null): void {
    if (this.isOver || (name === null && watch !== this.#root) || !this.#isHere(watch)) return;
    const kind = KINDS.find(([bits]) => (mask & bits) !== 0)?.[1];
    if (kind === undefined) return;
    this.#report(kind, watch, name ?? "");
    if (name === null) this.#isRootGone ||= (mask & IN_DELETE_SELF) !== 0;
    else if (this.#isRecursive && (mask & IN_ISDIR) !== 0) {
      if (!this.#watches.follow(watch, mask, cookie, name)) this.#state = TOO_MANY;
    }
    this.goOn();
  }

  /** Whether the directory has not left the tree. */
  #isHere(watch: WatchedFile): boolean {
    return this.#root !== null && (watch === this.#root || watch.isBelow(this.#root));
  }

  #report(kind: WatchEvent["kind"], watch: WatchedFile, name: string): void {
    this.#events.add(kind, watch, name, () => entryPath(this.#path, watch.pathOf(name)));
  }

  protected override work(units: number): number {
    if (this.#state === BLOCK) this.#begin();
    if (this.#state === BLOCK) return 0;
    this.#watches.endMoves();
    let left = this.#send(this.#watches.endLeft(units));
    while (left > 0 && this.#state === 0) {
      const r = this.#look();
      if (r === BLOCK) return 0;
      this.caller.progress.reset();
      if (r > 0) {
        this.#announce();
        break;
      }
      this.#state = r;
      left -= ENTRY_UNITS;
    }
    if (this.#state < 0) this.#failNow();
    else if (this.#isRootGone && this.#events.isEmpty) this.finish({});
    // The next step sends what this one has found.
    return this.isOver || this.#events.isEmpty || this.mustPause() ? left : 0;
  }

  /** All directories that there are have been found. */
  #announce(): void {
    if (this.#isReady) return;
    this.#isReady = true;
    this.port.event({ ready: true } satisfies ReadyEvent);
  }

  #failNow(): void {
    const { text } = this.#path, state = this.#state;
    if (state === TOO_MANY || state === TOO_DEEP) {
      const why = state === TOO_MANY ? "too many directories are watched" : "it is too deep";
      this.fail(pathError("Limit", WHAT, text, why));
    } else this.fail(callError(WHAT, text, state));
  }

  #send(units: number): number {
    let left = units;
    for (; left > 0 && !this.mustPause(); left -= EVENT_UNITS) {
      const event = this.#events.next();
      if (event === null) break;
      this.port.event(event);
    }
    return left;
  }

  /**
   * Looks at the next entry: 0; 1: there is none; BLOCK; or an error that ends the request. New
   * directories come first: the search finds them too, but does not know that they are new.
   */
  #look(): number {
    const appeared = this.#watches.nextAppeared();
    if (appeared !== null) return this.#lookAt(appeared);
    const { level } = this.#search;
    if (level === null) return 1;
    const { reader, data: { watch, isNew } } = level, name = reader.next();
    if (name === BLOCK) return name;
    if (typeof name !== "string") {
      this.#search.leave();
      return 0;
    }
    const mayBeDirectory = reader.type === DT_DIR || reader.type === DT_UNKNOWN;
    const file = mayBeDirectory ? this.#search.open(level.fd, name) : 0;
    if (file === BLOCK) reader.putBack(name);
    else if (isNew) this.#report("create", watch, name);
    return this.#enter(file, { above: watch, name, isNew });
  }

  #lookAt(appeared: Appeared): number {
    const { above, name } = appeared;
    const path = `${this.#path.bytes}/${above.pathOf(name)}`;
    const file = openAt(this.caller, AT_FDCWD, path, OPEN_FLAGS, 0);
    if (file === BLOCK) this.#watches.addAppeared(appeared);
    if (typeof file === "number" || this.#isIn(file, above)) return this.#enter(file, appeared);
    file.drop();
    return 0;
  }

  /** The path may lead elsewhere by now: whether the file is in that directory, on its mount. */
  #isIn({ path }: OpenFile, above: WatchedFile): boolean {
    return path !== null && path.mount === this.#mount &&
      path.dentry.parent.inode === above.inode;
  }

  /** Watches a directory and looks for those in it. What cannot be opened is left out. */
  #enter(file: OpenFile | number, { above, name, isNew }: Appeared): number {
    if (typeof file === "number") {
      return file === BLOCK || file === TOO_DEEP || file === -ENFILE ? file : 0;
    }
    const old = above.child(name);
    const isLong = this.#path.bytes.length + above.pathOf(name).length >= PATH_MAX;
    if (isLong || old?.inode === file.inode || !this.#isHere(above)) {
      file.drop();
      return isLong ? -ENAMETOOLONG : 0;
    }
    this.#watches.discard(above.take(name));
    const watch = this.#watches.watch(file.inode);
    if (watch === null) {
      file.drop();
      return TOO_MANY;
    }
    above.add(watch, name);
    return this.#search.begin(file, name, { watch, isNew });
  }

  /** The end of a watch is no error. */
  protected override cancel(): void {
    this.finish({});
  }

  protected override release(): void {
    this.#watches.end(this.deferred);
  }
}
