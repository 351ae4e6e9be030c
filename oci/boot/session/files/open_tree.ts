/**
 * The way of a request down a tree of directories, which the guest may change meanwhile: each
 * directory from the top to the present one is open, and every call is relative to one of them. A
 * name is never followed as a link, nor to what is mounted there.
 */

import { EBUSY, EXDEV } from "../../../../ffi/abi/errno.ts";
import {
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  RESOLVE_NO_XDEV,
} from "../../../../ffi/abi/fcntl.ts";
import { PATH_MAX } from "../../../../ffi/abi/fs.ts";
import { openAt2 } from "../../../../kernel/vfs/open.ts";
import type { OpenFile } from "../../../../kernel/vfs/open_file.ts";
import { DirReader } from "./dir_reader.ts";
import { install } from "./file_channel.ts";
import type { RequestCaller } from "./request_caller.ts";

/** LIMIT: directories inside each other: more than a path of PATH_MAX bytes can name. */
export const DEPTH_MAX = PATH_MAX / 2;
/** The tree is deeper than DEPTH_MAX. */
export const TOO_DEEP = -5001;

/** How directories are opened. */
export const OPEN_FLAGS = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;

/** An open directory of the way. */
interface Level<T> {
  readonly fd: number;
  /** The name in the directory above; a byte string. */
  readonly name: string;
  readonly file: OpenFile;
  readonly reader: DirReader;
  /** What the request knows of the directory. */
  readonly data: T;
}

export class OpenTree<T> {
  readonly #caller: RequestCaller;
  readonly #levels: Level<T>[] = [];

  constructor(caller: RequestCaller) {
    this.#caller = caller;
  }

  /** The present directory; null before the first one is entered, and after it is left. */
  get level(): Level<T> | null {
    return this.#levels.at(-1) ?? null;
  }

  /** The descriptor of the directory above the present one; `top` above the first one. */
  parentFd(top: number): number {
    return this.#levels.at(-2)?.fd ?? top;
  }

  /**
   * Goes down to the directory `name` of the present one, or of `top`: 0, -errno, BLOCK, TOO_DEEP;
   * -EBUSY if a file system is mounted there.
   */
  enter(top: number, name: string, data: T): number {
    const file = this.open(this.level?.fd ?? top, name);
    return typeof file === "number" ? file : this.begin(file, name, data);
  }

  /** Opens the directory `name` of another one, for `begin`; the errors of `enter`. */
  open(dirfd: number, name: string): OpenFile | number {
    if (this.#levels.length >= DEPTH_MAX) return TOO_DEEP;
    const file = openAt2(this.#caller, dirfd, name, OPEN_FLAGS, 0, RESOLVE_NO_XDEV);
    return file === -EXDEV ? -EBUSY : file;
  }

  /** Goes to an open directory, which the tree closes: 0 or -errno. */
  begin(file: OpenFile, name: string, data: T): number {
    const fd = install(this.#caller, file);
    if (fd < 0) return fd;
    this.#levels.push({ fd, name, file, reader: new DirReader(file), data });
    return 0;
  }

  /** Goes up to the directory that the present one was entered from. */
  leave(): void {
    const level = this.#levels.pop();
    if (level !== undefined) this.#caller.files.close(level.fd);
  }

  /**
   * The path of an entry of the present directory below the first one; a byte string. "": of the
   * directory itself.
   */
  pathOf(name: string): string {
    const above = this.#levels.slice(1).map((level) => level.name);
    return (name === "" ? above : [...above, name]).join("/");
  }
}
