/**
 * Path resolution (path_resolution(7), openat2(2)): from a starting point and a text to a mount and
 * a dentry, or to the directory and the last component. Follows symbolic and magic links, crosses
 * mounts, and checks search permission. All calls with a path come through here; it is the hottest
 * code of the VFS.
 *
 * A Walk is a reusable scratch object: its fields are the results, and nothing is pinned. It
 * changes nothing in the tree; open.ts, create.ts and the others work with the result. A path with
 * long links takes several turns of the loop (long_walk.ts).
 */

import {
  EAGAIN,
  EBADF,
  ELOOP,
  ENAMETOOLONG,
  ENOENT,
  ENOMEM,
  ENOTDIR,
  EXDEV,
} from "../../ffi/abi/errno.ts";
import {
  AT_FDCWD,
  RESOLVE_BENEATH,
  RESOLVE_CACHED,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_SYMLINKS,
  RESOLVE_NO_XDEV,
} from "../../ffi/abi/fcntl.ts";
import { MAXSYMLINKS, NAME_MAX, PATH_MAX } from "../../ffi/abi/fs.ts";
import { MS_NOSYMFOLLOW } from "../../ffi/abi/mount.ts";
import { isDirectory, isSymlink, mayFollow, maySearch } from "./access.ts";
import { touchAtime } from "./atime.ts";
import type { Credentials } from "../cred/credentials.ts";
import { KernelBug } from "../core/kernel_bug.ts";
import { type Caller, canYield } from "./caller.ts";
import { Dentry, type Mount, Path } from "./dentry.ts";
import type { Inode } from "./inode.ts";
import { bytesOf, LongWalk, type WalkPlace } from "./long_walk.ts";
import type { MountNamespace } from "./mounts.ts";

/** Follow a symbolic link in the last component. */
export const LOOKUP_FOLLOW = 1;
/** The result must be a directory. */
export const LOOKUP_DIRECTORY = 2;
/** An empty path means the starting point itself (AT_EMPTY_PATH). */
export const LOOKUP_EMPTY = 4;
/**
 * Stop at the directory of the last component: `last`, `lastType`, `hasTrailingSlash` have what
 * remains.
 */
export const LOOKUP_PARENT = 8;
/** A hint: the result is going to be opened for reading. */
export const LOOKUP_OPEN = 16;

/** The kinds of a last component: a name, "/" alone, ".", "..". */
export const LAST_NORM = 0, LAST_ROOT = 1, LAST_DOT = 2, LAST_DOTDOT = 3;

/**
 * LIMIT: components that one turn of the loop walks; a path without links never has so many. A link
 * counts as several, and so does each TEXT_STEP bytes of the text that its target makes.
 */
export const STEPS_A_TURN = 4096;
const LINK_STEPS = 16, TEXT_STEP = 512;
/** Entries of an access control list that count as a step: a list may have 8,191 of them. */
const ACL_STEP = 8;

const SLASH = 47, DOT = 46;
const SCOPED = RESOLVE_BENEATH | RESOLVE_IN_ROOT;

export class Walk {
  /** The place of the walk, and at its end the result. */
  mount: Mount;
  dentry: Dentry;
  /** The results with LOOKUP_PARENT. */
  last: string = "";
  lastType: number = LAST_ROOT;
  hasTrailingSlash: boolean = false;

  private readonly number: number;
  private caller: Caller;
  /** The credentials that search permission is checked with: not always the caller's own. */
  private cred: Credentials;
  private namespace: MountNamespace;
  private root: Path;
  private flags: number = 0;
  private resolve: number = 0;
  private links: number = 0;
  /** The text that is being resolved, and the offset of what is left of it. */
  private text: string = "";
  private at: number = 0;
  private mustBeDirectory: boolean = false;
  /** The arguments that the walk began with. */
  private dirfd: number = AT_FDCWD;
  private given: string = "";
  /** Components that this turn has walked. */
  private steps: number = 0;
  /**
   * The saved state of the walk, which is also in the caller's progress; null while one turn was
   * enough.
   */
  private long: LongWalk | null = null;

  /** Use `firstWalk` or `secondWalk` instead, which are number 1 and 2. */
  constructor(caller: Caller, number: number) {
    this.number = number;
    this.caller = caller;
    this.cred = caller.cred;
    this.namespace = caller.fs.namespace;
    this.root = caller.fs.root;
    this.mount = this.root.mount;
    this.dentry = this.root.dentry;
  }

  /** The result as a Path. */
  get path(): Path {
    return new Path(this.mount, this.dentry);
  }

  /** The result's inode. A successful walk without LOOKUP_PARENT always has one. */
  get inode(): Inode {
    return this.dentry.inode!;
  }

  /**
   * Resolves `text` relative to `dirfd` (AT_FDCWD: the working directory): 0, -errno, or BLOCK. HOT
   *
   * `resolve` is RESOLVE_* of openat2(2), already checked. A task's walk that needs several turns
   * of the loop returns BLOCK, or the result of `yieldTurn` when the task must end.
   */
  run(
    caller: Caller,
    dirfd: number,
    text: string,
    flags: number,
    resolve: number = 0,
    cred: Credentials = caller.cred,
  ): number {
    if (text.length === 0 && (flags & LOOKUP_EMPTY) === 0) return -ENOENT;
    if (text.length >= PATH_MAX) return -ENAMETOOLONG;
    this.caller = caller;
    this.namespace = caller.fs.namespace;
    this.root = caller.fs.root;
    this.cred = cred;
    this.flags = flags;
    this.resolve = resolve;
    this.dirfd = dirfd;
    this.given = text;
    this.steps = 0;
    this.long = null;
    const { progress } = caller;
    if (progress !== undefined && progress.walks !== null && this.findSaved(progress.walks)) {
      return this.continueWalk();
    }
    const isAbsolute = text.charCodeAt(0) === SLASH;
    const r = isAbsolute && (resolve & RESOLVE_IN_ROOT) === 0
      ? this.startAtRoot()
      : this.startAt(dirfd, text.length === 0);
    if (r < 0) return r;
    this.links = 0;
    this.text = text;
    this.at = 0;
    this.mustBeDirectory = false;
    return this.walkComponents();
  }

  private startAtRoot(): number {
    if ((this.resolve & RESOLVE_BENEATH) !== 0) return -EXDEV;
    this.mount = this.root.mount;
    this.dentry = this.root.dentry;
    return 0;
  }

  private startAt(dirfd: number, isEmpty: boolean): number {
    if (dirfd === AT_FDCWD) {
      this.mount = this.caller.fs.cwd.mount;
      this.dentry = this.caller.fs.cwd.dentry;
    } else {
      const file = this.caller.files.getAny(dirfd);
      if (file === null) return -EBADF;
      if (file.path === null) {
        if (!isEmpty) return -ENOTDIR;
        // A file without a name (a pipe, a socket) gets a dentry for the time of this walk.
        this.mount = this.root.mount;
        this.dentry = new Dentry(file.inode.fs, null, file.describe(), file.inode);
        this.dentry.isUnlinked = true;
        this.dentry.releaseInode();
        return 0;
      }
      this.mount = file.path.mount;
      this.dentry = file.path.dentry;
      if (!isEmpty && !isDirectory(this.inode)) return -ENOTDIR;
    }
    if ((this.resolve & SCOPED) !== 0) this.root = this.path;
    return 0;
  }

  /** Whether RESOLVE_* keeps the walk below its starting point. */
  private get isScoped(): boolean {
    return (this.resolve & SCOPED) !== 0;
  }

  /** Walks the components, those of links too. */
  private walkComponents(): number {
    for (;;) {
      const text = this.text, length = text.length;
      let at = this.at;
      // Makes the text flat: what a long walk keeps is as large as it is long.
      while (at < length && text.charCodeAt(at) === SLASH) at++;
      if (++this.steps > STEPS_A_TURN && canYield(this.caller)) return this.saveForNextTurn();
      if (at >= length) return this.finishWithoutName();
      const { inode } = this, searchable = maySearch(inode, this.cred);
      if (searchable < 0) return searchable;
      if (inode.accessAcl !== null) this.steps += inode.accessAcl.length / ACL_STEP;
      let end = text.indexOf("/", at);
      if (end < 0) end = length;
      let next = end;
      while (next < length && text.charCodeAt(next) === SLASH) next++;
      const isLast = next >= length;
      if (isLast && (this.flags & LOOKUP_PARENT) !== 0) {
        return this.finishAtParent(text.substring(at, end), end < length);
      }
      if (isLast && end < length) this.mustBeDirectory = true;
      this.at = next;
      const r = this.step(text, at, end, isLast);
      if (r < 0) return r;
      if (this.at >= this.text.length) return this.finish();
      if (!isDirectory(this.inode)) return -ENOTDIR;
    }
  }

  /** The rest of the text is slashes or empty. */
  private finishWithoutName(): number {
    if ((this.flags & LOOKUP_PARENT) === 0) return this.finish();
    this.last = "";
    this.lastType = LAST_ROOT;
    this.hasTrailingSlash = false;
    return 0;
  }

  private finishAtParent(name: string, hasTrailingSlash: boolean): number {
    this.last = name;
    this.lastType = name === "." ? LAST_DOT : name === ".." ? LAST_DOTDOT : LAST_NORM;
    this.hasTrailingSlash = hasTrailingSlash;
    return 0;
  }

  private finish(): number {
    if (!this.mustBeDirectory && (this.flags & LOOKUP_DIRECTORY) === 0) return 0;
    return isDirectory(this.inode) ? 0 : -ENOTDIR;
  }

  /** One component: text[at, end). */
  private step(text: string, at: number, end: number, isLast: boolean): number {
    if (text.charCodeAt(at) === DOT) {
      if (end === at + 1) return 0;
      if (end === at + 2 && text.charCodeAt(at + 1) === DOT) return this.stepUp();
    }
    const name = text.substring(at, end);
    const child = this.lookUpChild(name, text, at);
    if (typeof child === "number") return child;
    const inode = child.inode;
    if (inode === null) return -ENOENT;
    if (isSymlink(inode)) {
      const follows = !isLast || this.mustBeDirectory || (this.flags & LOOKUP_FOLLOW) !== 0;
      if (follows) return this.followLink(inode, isLast);
    }
    this.dentry = child;
    return child.mountCount === 0 ? 0 : this.crossDown();
  }

  /** The dentry of a name in the current directory (negative too); -errno or BLOCK. HOT */
  private lookUpChild(name: string, text: string, at: number): Dentry | number {
    const dir = this.dentry;
    const cached = dir.children === null ? undefined : dir.children.get(name);
    if (cached !== undefined && dir.inode!.dentriesAreStable) {
      cached.wasUsed = true;
      return cached;
    }
    if (cached === undefined) {
      if ((this.resolve & RESOLVE_CACHED) !== 0) return -EAGAIN;
      if (name.length > NAME_MAX) return -ENAMETOOLONG;
    }
    // Names below a mount point belong to another file system.
    if (cached === undefined || cached.mountCount === 0) {
      const opens = (this.flags & LOOKUP_OPEN) !== 0;
      const r = dir.fs.walkAhead(dir.inode!, text, at, opens, cached ?? null, this.caller.account);
      if (r < 0) return r;
    }
    return this.namespace.vfs.dentries.lookup(dir, name);
  }

  private crossDown(): number {
    while (this.dentry.mountCount > 0) {
      const above = this.namespace.mountedOn(this.mount, this.dentry);
      if (above === null) return 0;
      if ((this.resolve & RESOLVE_NO_XDEV) !== 0) return -EXDEV;
      above.isExpiring = false;
      this.mount = above;
      this.dentry = above.root;
    }
    return 0;
  }

  /** `..`: stays at the root, and leaves a mount through its mountpoint. */
  private stepUp(): number {
    let mount = this.mount, dentry = this.dentry;
    if (mount === this.root.mount && dentry === this.root.dentry) {
      return (this.resolve & RESOLVE_BENEATH) !== 0 ? -EXDEV : 0;
    }
    while (dentry === mount.root && mount.parent !== null && mount.mountpoint !== null) {
      if ((this.resolve & RESOLVE_NO_XDEV) !== 0) return -EXDEV;
      dentry = mount.mountpoint;
      mount = mount.parent;
      if (mount === this.root.mount && dentry === this.root.dentry) break;
    }
    const atRoot = mount === this.root.mount && dentry === this.root.dentry;
    if (!atRoot && dentry !== mount.root) {
      dentry = dentry.parent;
      // A directory that was moved out of the tree that a bind mount shows has no parent in the
      // mount.
      if (!mount.root.isRoot && !mount.root.isAncestorOf(dentry)) return -ENOENT;
    }
    this.mount = mount;
    this.dentry = dentry;
    return dentry.mountCount === 0 ? 0 : this.crossDown();
  }

  private followLink(inode: Inode, isLast: boolean): number {
    if (++this.links > MAXSYMLINKS) return -ELOOP;
    if ((this.resolve & RESOLVE_NO_SYMLINKS) !== 0) return -ELOOP;
    if ((this.mount.flags & MS_NOSYMFOLLOW) !== 0) return -ELOOP;
    if (isLast && this.namespace.vfs.protectedSymlinks) {
      const may = mayFollow(this.inode, inode, this.cred);
      if (may < 0) return may;
    }
    touchAtime(this.mount, inode, false);
    const magic = inode.followMagic();
    if (magic !== null) {
      if (typeof magic === "number") return magic;
      return this.jumpTo(magic);
    }
    const target = inode.readlink();
    if (typeof target === "number") return target;
    if (target.length === 0) return -ENOENT;
    return this.continueWith(target, isLast);
  }

  private jumpTo(to: Path): number {
    if ((this.resolve & RESOLVE_NO_MAGICLINKS) !== 0) return -ELOOP;
    if ((this.resolve & RESOLVE_NO_XDEV) !== 0 && to.mount !== this.mount) return -EXDEV;
    if (this.isScoped) return -EXDEV;
    this.mount = to.mount;
    this.dentry = to.dentry;
    return 0;
  }

  /** Goes on with the link's target and the text behind the link. */
  private continueWith(target: string, isLast: boolean): number {
    if (target.charCodeAt(0) === SLASH) {
      if ((this.resolve & RESOLVE_BENEATH) !== 0) return -EXDEV;
      if ((this.resolve & RESOLVE_NO_XDEV) !== 0 && this.root.mount !== this.mount) return -EXDEV;
      this.mount = this.root.mount;
      this.dentry = this.root.dentry;
    }
    this.text = isLast ? target : target + "/" + this.text.substring(this.at);
    this.at = 0;
    this.steps += LINK_STEPS + this.text.length / TEXT_STEP;
    return 0;
  }

  private get place(): WalkPlace {
    const { path: here, root, text, at, links, mustBeDirectory } = this;
    return { here, root, text, at, links, mustBeDirectory };
  }

  /** Saves the state: another turn of the loop continues the walk. */
  private saveForNextTurn(): number {
    const { caller, dirfd, given: path, flags, resolve } = this;
    if ((resolve & RESOLVE_CACHED) !== 0) return -EAGAIN;
    if (!canYield(caller)) throw new KernelBug("a caller with one turn");
    const { place } = this, { progress } = caller;
    if (this.long === null) {
      const key = { dirfd, path, flags, resolve };
      if (!progress.keepBytes(bytesOf(key, place), caller.account)) return -ENOMEM;
      this.long = new LongWalk(this.number, key, place);
      (progress.walks ??= []).push(this.long);
    } else if (!this.long.moveTo(place, progress, caller.account)) return -ENOMEM;
    caller.uninterruptible = true;
    return caller.yieldTurn();
  }

  /** Whether an earlier turn of the call began this walk. */
  private findSaved(walks: readonly LongWalk[]): boolean {
    const { dirfd, given, flags, resolve } = this;
    this.long = walks.find((w) => w.isWalkOf(this.number, dirfd, given, flags, resolve)) ?? null;
    return this.long !== null;
  }

  /**
   * Continues where an earlier turn stopped. The end is saved too, because the call may run once
   * more.
   */
  private continueWalk(): number {
    const { long, caller: { progress, account } } = this;
    if (long === null) throw new KernelBug("a walk that was found");
    const { here, root, text, at, links, mustBeDirectory } = long.place;
    // The place was moved out of its scope meanwhile: ".." would lead further up (openat2(2)).
    if (this.isScoped && !here.isBelow(root)) return -EAGAIN;
    this.mount = here.mount;
    this.dentry = here.dentry;
    this.root = root;
    this.text = text;
    this.at = at;
    this.links = links;
    this.mustBeDirectory = mustBeDirectory;
    const r = this.walkComponents();
    if (r >= 0 && progress !== undefined && !long.moveTo(this.place, progress, account)) {
      return -ENOMEM;
    }
    return r;
  }

  /**
   * After LOOKUP_PARENT: the dentry of the last component, negative when the name is missing;
   * -errno or BLOCK.
   */
  lookupLast(): Dentry | number {
    return this.lookUpChild(this.last, this.last, 0);
  }

  /** After LOOKUP_PARENT: take "." and ".." as the last component. */
  stepDots(): number {
    return this.lastType === LAST_DOTDOT ? this.stepUp() : 0;
  }

  /**
   * After LOOKUP_PARENT: goes to `child`, the last component, and to the mount on top of it. With
   * `follow` a symbolic link is followed, and the walk continues in LOOKUP_PARENT mode. Returns 1
   * at the end, 0 when there is a new last component, or -errno.
   */
  stepLast(child: Dentry, follow: boolean): number {
    const inode = child.inode!;
    if (follow && isSymlink(inode)) {
      this.mustBeDirectory = false;
      this.text = this.last;
      this.at = this.text.length;
      const r = this.followLink(inode, true);
      if (r < 0) return r;
      // A magic link has led to its target; the text of another link is still to be walked.
      return this.at > 0 ? 1 : this.walkComponents();
    }
    this.dentry = child;
    const r = child.mountCount === 0 ? 0 : this.crossDown();
    return r < 0 ? r : 1;
  }
}

/**
 * The scratch walks of a kernel. Their results must be used before another walk. A call with two
 * paths takes both before it runs either. HOT
 */
export function firstWalk(caller: Caller): Walk {
  const vfs = caller.fs.namespace.vfs, cache = vfs.dentries;
  if (cache.count > cache.maxUnused) cache.prune();
  return vfs.walk1 ??= new Walk(caller, 1);
}

export function secondWalk(caller: Caller): Walk {
  const vfs = caller.fs.namespace.vfs;
  return vfs.walk2 ??= new Walk(caller, 2);
}
