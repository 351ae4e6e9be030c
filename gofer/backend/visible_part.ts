/**
 * The part of a root that clients see, where that is not all of it.
 *
 * Behind `:public` the rule is what the mode permits to others: a regular file that they may not
 * read is there and empty; a directory that they may not list has no entries, and one that they may
 * not search has no files. Below a shown path everything is as on the host. A hidden file or
 * directory is there and empty. The directories above shown and hidden paths are there too, so that
 * a way leads to those. What seems empty cannot be executed either: an empty program would succeed
 * in a shell.
 *
 * Paths are found once, at the start, and then known by device and inode number: a file is the same
 * one whatever name, hard link or bind mount leads to it. What a shown path and a hidden one both
 * name is hidden. Their descriptors stay open, so that no
 * other file gets these numbers. A hidden path also hides what the host puts there later: an editor
 * saves a file as another one with the same name.
 */

import { ENOENT, ENOTDIR } from "../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFREG, Statx } from "../../ffi/abi/stat.ts";
import { errnoName } from "../../ffi/sys/errors.ts";
import { type ByteString, Str } from "../protocol/wire.ts";
import { coverContent, statDevice, statMode, typeOf } from "./attributes.ts";
import { closeFd, dupFd, openPath, statxFd } from "./host_calls.ts";
import { stageName, STATX_AT, view } from "./scratch.ts";

/** What holds for a file: the rule of modes, everything shown, or everything hidden. */
export const BY_RULE = 0, SHOWN = 1, HIDDEN = 2;
export type Visibility = typeof BY_RULE | typeof SHOWN | typeof HIDDEN;

const OTHERS_READ = 0o004, OTHERS_SEARCH = 0o001;
const TWO_32 = 2 ** 32;

interface VisibleOptions {
  /** Files are served as their modes permit to others. */
  readonly isPublic: boolean;
  /** Paths from the root, without symbolic links. The longer one of two counts. */
  readonly shown: readonly ByteString[];
  readonly hidden: readonly ByteString[];
}

/** A file that a path names, or that is on the way to one. */
interface Mark {
  readonly device: number;
  /** null: it is only on the way. */
  visibility: Visibility | null;
  /** Names in it that lead on. */
  readonly ways: Set<ByteString>;
}

const component = new Str();

/** The path of a name in a directory; "" is the root. */
export function joinPath(directory: ByteString, name: ByteString): ByteString {
  return directory === "" ? name : `${directory}/${name}`;
}

/** The inode number that statx saw last; numbers above 2^53 may be rounded to the same. */
function statIno(): number {
  const at = STATX_AT + Statx.at.ino;
  return view.getUint32(at, true) + view.getUint32(at + 4, true) * TWO_32;
}

export class VisiblePart {
  readonly isPublic: boolean;
  /** Descriptors that hold the marked files. */
  readonly fds: number[] = [];
  /** By inode number. */
  readonly #marks = new Map<number, Mark[]>();
  /** Hidden paths, as those of fids are. */
  readonly #hidden = new Set<ByteString>();
  /** The visibility of the file that `walk` returned last. */
  found: Visibility = HIDDEN;

  /** @throws Error naming a shown path that is not there */
  constructor(rootFd: number, { isPublic, shown, hidden }: VisibleOptions) {
    this.isPublic = isPublic;
    for (const path of shown) {
      const r = this.#mark(rootFd, path, SHOWN);
      if (r < 0) throw new Error(`${path} cannot be found: ${errnoName(r)}`);
    }
    for (const path of hidden) {
      const r = this.#mark(rootFd, path, HIDDEN);
      // What the host has removed meanwhile, a mount for instance, is hidden when it comes back.
      if (r < 0 && r !== -ENOENT) throw new Error(`${path} cannot be hidden: ${errnoName(r)}`);
      this.#hidden.add(path.split("/").filter((name) => name !== "").join("/"));
    }
  }

  close(): void {
    for (const fd of this.fds.splice(0)) closeFd(fd);
  }

  /** 0 or -errno. */
  #mark(rootFd: number, path: ByteString, visibility: Visibility): number {
    let fd = this.#keep(dupFd(rootFd)), at = fd < 0 ? fd : this.#markOf(fd);
    for (const name of path.split("/")) {
      if (typeof at === "number") return at;
      if (name === "") continue;
      at.ways.add(name);
      component.set(name);
      const addr = stageName(component);
      fd = addr < 0 ? addr : this.#keep(openPath(fd, addr));
      at = fd < 0 ? fd : this.#markOf(fd);
    }
    if (typeof at === "number") return at;
    at.visibility = visibility;
    return 0;
  }

  #keep(fd: number): number {
    if (fd >= 0) this.fds.push(fd);
    return fd;
  }

  #markOf(fd: number): Mark | number {
    const r = statxFd(fd);
    if (r < 0) return r;
    const known = this.#find();
    if (known !== null) return known;
    const mark: Mark = { device: statDevice(), visibility: null, ways: new Set() };
    const ino = statIno(), same = this.#marks.get(ino);
    if (same === undefined) this.#marks.set(ino, [mark]);
    else same.push(mark);
    return mark;
  }

  /** The mark of the file that statx saw last. */
  #find(): Mark | null { // HOT
    const same = this.#marks.get(statIno());
    if (same === undefined) return null;
    const device = statDevice();
    for (const mark of same) if (mark.device === device) return mark;
    return null;
  }

  /** Whether every name can be looked up in the directory that statx saw last. */
  isSearchable(visibility: Visibility): boolean { // HOT
    if (visibility !== BY_RULE) return visibility === SHOWN;
    return !this.isPublic || (statMode() & OTHERS_SEARCH) !== 0;
  }

  /** Whether the directory that statx saw last is listed; if not, `waysIn` are all its entries. */
  isListed(visibility: Visibility): boolean {
    if (visibility !== BY_RULE) return visibility === SHOWN;
    const both = OTHERS_READ | OTHERS_SEARCH;
    return !this.isPublic || (statMode() & both) === both;
  }

  /**
   * The visibility of the file that statx saw last, found in a directory; -1: there is no such file
   * for clients.
   *
   * @param isSearchable whether every name can be looked up in that directory
   * @param path from the root; null: not known
   */
  below(
    directory: Visibility,
    isSearchable: boolean,
    path: ByteString | null,
  ): Visibility | -1 { // HOT
    const mark = this.#find();
    if (isSearchable) {
      const isHidden = path !== null && this.#hidden.has(path);
      return mark?.visibility ?? (isHidden ? HIDDEN : directory);
    }
    if (mark === null) return -1;
    return mark.visibility ?? HIDDEN;
  }

  /** The visibility of the root itself. */
  ofRoot(rootFd: number): Visibility {
    return statxFd(rootFd) < 0 ? HIDDEN : this.#find()?.visibility ?? BY_RULE;
  }

  /**
   * Whether the file that statx saw last is to seem empty.
   * @param visibility the file's own
   */
  isEmptied(visibility: Visibility): boolean { // HOT
    const mode = statMode();
    if (visibility === SHOWN || typeOf(mode) !== S_IFREG) return false;
    return visibility === HIDDEN ||
      (this.isPublic && (mode & OTHERS_READ) === 0);
  }

  /** Makes the attributes that statx saw last those of an empty file, if that file seems so. */
  cover(visibility: Visibility): void { // HOT
    if (this.isEmptied(visibility)) coverContent();
  }

  /** As `cover`, for a file in a listed directory. */
  coverEntry(directory: Visibility): void { // HOT
    const visibility = this.below(directory, true, null);
    if (visibility !== -1) this.cover(visibility);
  }

  /** Names in the directory that statx saw last that lead to shown and hidden paths. */
  waysIn(): readonly ByteString[] {
    const mark = this.#find();
    return mark === null ? [] : [...mark.ways].sort();
  }

  /**
   * Opens a path of several names below a directory, as clients may walk it: an O_PATH descriptor,
   * with its visibility in `found`; or -errno.
   *
   * @param from the directory's path
   */
  walk(dirFd: number, directory: Visibility, from: ByteString, path: ByteString): number {
    let fd = dupFd(dirFd), at: Visibility = directory, place = from;
    for (const name of path.split("/")) {
      if (fd < 0) return fd;
      place = joinPath(place, name);
      const next = this.#step(fd, at, name, place);
      closeFd(fd);
      fd = next;
      at = this.found;
    }
    return fd;
  }

  #step(dirFd: number, directory: Visibility, name: ByteString, path: ByteString): number {
    let r = statxFd(dirFd);
    if (r < 0) return r;
    if (typeOf(statMode()) !== S_IFDIR) return -ENOTDIR;
    const isSearchable = this.isSearchable(directory);
    component.set(name);
    const addr = stageName(component), fd = addr < 0 ? addr : openPath(dirFd, addr);
    if (fd < 0) return fd;
    r = statxFd(fd);
    const visibility = r < 0 ? -1 : this.below(directory, isSearchable, path);
    if (visibility !== -1) {
      this.found = visibility;
      return fd;
    }
    closeFd(fd);
    return r < 0 ? r : -ENOTDIR;
  }
}
