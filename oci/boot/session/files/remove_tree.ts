/**
 * `remove` with `recursive`: the entries of each directory, then the directory, in turns of the
 * loop. What is mounted in the tree is not touched: its place is busy, as for rmdir(2). The first
 * error ends the request; what was removed before it stays removed.
 */

import { EACCES, EISDIR, ELOOP, ENOENT, ENOTDIR, ENOTEMPTY } from "../../../../ffi/abi/errno.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_PATH } from "../../../../ffi/abi/fcntl.ts";
import { BLOCK } from "../../../../kernel/core/result.ts";
import { openAt } from "../../../../kernel/vfs/open.ts";
import { rmdirAt, unlinkAt } from "../../../../kernel/vfs/remove.ts";
import { callError, pathError } from "../call_errors.ts";
import { removeOne } from "./call_channel.ts";
import {
  entryPath,
  FileChannel,
  type FileRequest,
  type GuestPath,
  install,
} from "./file_channel.ts";
import { DEPTH_MAX, OpenTree, TOO_DEEP } from "./open_tree.ts";

const WHAT = "cannot remove";
const ENTRY_UNITS = 16;
/** LIMIT: how often a directory is read again when a guest adds entries meanwhile. */
const PASSES_MAX = 8;

/** What was done in a directory. */
interface Progress {
  passes: number;
  /** Entries that this pass has removed. */
  removed: number;
}

export class RemoveTreeChannel extends FileChannel {
  readonly #path: GuestPath;
  readonly #tree: OpenTree<Progress>;
  /** The path without slashes at its end: the directory above, and the name in it. */
  readonly #above: string;
  readonly #name: string;
  /** The open directory above; -1: not open yet. */
  #top = -1;

  constructor(request: FileRequest, path: GuestPath) {
    super(request);
    this.#path = path;
    this.#tree = new OpenTree(request.caller);
    const bytes = path.bytes.replace(/\/+$/, ""), slash = bytes.lastIndexOf("/");
    this.#above = bytes.slice(0, slash + 1);
    this.#name = bytes.slice(slash + 1);
  }

  protected override work(units: number): number {
    if (this.#tree.level === null) {
      const r = this.#begin();
      if (r === BLOCK) return 0;
      if (r < 0) this.#failAt("", r);
    }
    for (let left = units; left > 0; left -= ENTRY_UNITS) {
      if (this.isOver) return left;
      if (this.#step() === BLOCK) return 0;
      this.caller.progress.reset();
    }
    return 0;
  }

  /** Removes what is no directory, or enters the directory: as `#remove`. */
  #begin(): number {
    const { caller } = this, name = this.#name;
    // What is no name gets the error that rmdir(2) has for it.
    if (["", ".", ".."].includes(name)) return rmdirAt(caller, AT_FDCWD, this.#path.bytes);
    if (this.#top < 0) this.#top = this.#openAbove();
    if (this.#top < 0) return this.#top;
    const text = this.#path.bytes.endsWith("/") ? `${name}/` : name;
    const r = this.#remove(this.#top, name, text);
    if (r === 0) this.finish({});
    return r;
  }

  #openAbove(): number {
    const { caller } = this, flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    const file = openAt(caller, AT_FDCWD, this.#above, flags, 0);
    if (file === BLOCK) return file;
    caller.progress.reset();
    return typeof file === "number" ? file : install(caller, file);
  }

  /** Removes the next entry of the present directory, or the directory itself at its end. */
  #step(): number {
    const { level } = this.#tree;
    if (level === null) return 0;
    const name = level.reader.next();
    if (name === BLOCK) return BLOCK;
    if (name === null || name === -ENOENT) return this.#endDirectory();
    if (typeof name === "number") return this.#failAt("", name);
    const r = this.#remove(level.fd, name);
    if (r === BLOCK) level.reader.putBack(name);
    else if (r === 0) level.data.removed++;
    else if (r < 0 && r !== -ENOENT) return this.#failAt(name, r);
    return r;
  }

  /**
   * Removes an entry: 0, -errno, BLOCK, TOO_DEEP. 1: it is a directory, which is entered now, or it
   * is to be looked at again.
   *
   * @param text the name, and a slash if it must be a directory
   */
  #remove(fd: number, name: string, text: string = name): number {
    const r = unlinkAt(this.caller, fd, text);
    if (r !== -EISDIR) return r;
    const entered = this.#tree.enter(this.#top, name, { passes: 0, removed: 0 });
    if (entered === -EACCES) {
      // It may be empty.
      const removed = removeOne(this.caller, fd, name);
      return removed === -ENOTEMPTY ? entered : removed;
    }
    return entered === 0 || entered === -ENOTDIR || entered === -ELOOP ? 1 : entered;
  }

  #endDirectory(): number {
    const tree = this.#tree, { level } = tree;
    if (level === null) return 0;
    const { data, name } = level;
    const r = rmdirAt(this.caller, tree.parentFd(this.#top), name);
    if (r === BLOCK) return r;
    if (r === -ENOTEMPTY && data.removed > 0 && ++data.passes < PASSES_MAX) {
      data.removed = 0;
      level.reader.rewind();
      return 0;
    }
    if (r < 0 && r !== -ENOENT) return this.#failAt("", r);
    tree.leave();
    if (tree.level === null) this.finish({});
    else tree.level.data.removed++;
    return 0;
  }

  /** @param name of an entry of the present directory; "": the directory itself */
  #failAt(name: string, r: number): number {
    const path = entryPath(this.#path, this.#tree.pathOf(name));
    if (r === TOO_DEEP) {
      const why = `its directories are more than ${DEPTH_MAX} deep`;
      this.fail(pathError("Limit", WHAT, path, why));
    } else this.fail(callError(WHAT, path, r));
    return r;
  }
}
