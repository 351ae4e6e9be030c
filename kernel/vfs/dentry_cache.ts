/**
 * The dentry cache: looks names up in the tree of known dentries, keeps the answers of file systems
 * (missing names too), follows renames and removals, and forgets the least recently used leaves
 * beyond a bound.
 *
 * The walk (walk.ts) calls `lookup`; create.ts, remove.ts and rename.ts report their changes.
 * Permission, symbolic links and mounts are the walk's. Only this file and those operations call
 * the methods of an inode that look up or change names.
 */

import { ENAMETOOLONG, ENOENT } from "../../ffi/abi/errno.ts";
import { NAME_MAX } from "../../ffi/abi/fs.ts";
import type { DeferredWork, WorkItem } from "../core/deferred_work.ts";
import { Dentry } from "./dentry.ts";
import type { FileSystem, Inode } from "./inode.ts";

/** LIMIT: dentries kept for names that are not in use. */
const MAX_UNUSED = 65536;
/**
 * Dentries that one call of `prune` looks at. It runs with every operation, so it need not reach
 * the bound at once.
 */
const PRUNE_STEP = 128;
/** Children of a directory that are listed in a unit of work (core/deferred_work.ts). */
const LISTED_PER_UNIT = 128;

/** The dentry of a file system's root. */
export function rootDentryOf(fs: FileSystem): Dentry {
  if (fs.rootDentry === null) {
    fs.rootDentry = new Dentry(fs, null, "", fs.root);
    fs.rootDentry.isHashed = true;
  }
  return fs.rootDentry;
}

/**
 * Whether something is mounted on `dentry` or on a cached name below it. Mount points are pinned,
 * so they and all dentries above them are in the cache.
 */
function holdsMounts(dentry: Dentry): boolean {
  for (const below of treeOf(dentry)) if (below.mountCount > 0) return true;
  return false;
}

/**
 * A dentry and all cached dentries below it, each after its parent. A loop, as a guest makes trees
 * as deep as it likes.
 */
function treeOf(dentry: Dentry): readonly Dentry[] {
  const tree = [dentry];
  for (let i = 0; i < tree.length; i++) {
    const { children } = tree[i]!;
    if (children !== null) { for (const child of children.values()) tree.push(child); }
  }
  return tree;
}

function hasChildren({ children }: Dentry): boolean {
  return children !== null && children.size > 0;
}

/** Whether watches or rules are on the inode, which file systems may find by the dentry alone. */
function isWatched({ inode }: Dentry): boolean {
  return inode !== null && (inode.watches !== null || inode.ruleCount > 0);
}

/** Whether a dentry has to stay in the tree, whatever is below it. */
function isBusy(dentry: Dentry): boolean {
  return dentry.pins > 0 || dentry.mountCount > 0 || isWatched(dentry);
}

/** A directory that a work item is inside of; its children from `next` on are not visited yet. */
interface Level {
  readonly dentry: Dentry;
  /** Those that it had when the item came to it; more cannot come, and some may be forgotten. */
  readonly children: readonly Dentry[];
  next: number;
}

/** The work item that removes all dentries below one from the tree, leaves first. */
export class ForgetTree implements WorkItem {
  private readonly cache: DentryCache;
  private readonly root: Dentry;
  /** The root dentry of a file system is removed too: no walk reaches it any more. */
  private readonly isWhole: boolean;
  private readonly levels: Level[] = [];

  constructor(cache: DentryCache, root: Dentry, isWhole: boolean) {
    this.cache = cache;
    this.root = root;
    this.isWhole = isWhole;
    this.enterDirectory(root);
  }

  private enterDirectory(dentry: Dentry): void {
    const { children } = dentry;
    if (children !== null) this.levels.push({ dentry, children: [...children.values()], next: 0 });
  }

  step(units: number): number {
    const { levels, cache, root } = this;
    for (; units > 0 && levels.length > 0; units--) {
      const level = levels[levels.length - 1]!;
      if (level.next === 0) units -= Math.floor(level.children.length / LISTED_PER_UNIT);
      const child = level.children[level.next++];
      if (child !== undefined) {
        if (!child.isHashed) continue;
        if (hasChildren(child)) this.enterDirectory(child);
        else cache.remove(child, this.isWhole);
        continue;
      }
      levels.pop();
      if (this.isWhole) level.dentry.children = null;
      if (level.dentry !== root) cache.remove(level.dentry, this.isWhole);
    }
    if (units > 0 && this.isWhole && root.pins === 0) root.releaseInode();
    return units;
  }
}

/** The work item that frees a file system without mounts: first its dentries, then its files. */
export class FileSystemEnd implements WorkItem {
  private readonly fs: FileSystem;
  private readonly dentries: WorkItem | null;

  constructor(cache: DentryCache, fs: FileSystem) {
    this.fs = fs;
    this.dentries = cache.forgetFileSystem(fs);
  }

  step(units: number): number {
    const left = this.dentries === null ? units : this.dentries.step(units);
    return left > 0 ? this.fs.free(left) : left;
  }
}

export class DentryCache {
  private readonly deferred: DeferredWork;
  /** The bound of `count`; tests set a small one. */
  maxUnused: number = MAX_UNUSED;
  /** Dentries in the tree, roots aside. */
  count: number = 0;
  /** Circular order of age: `newest.lruNext` is older. */
  private newest: Dentry | null = null;
  private oldest: Dentry | null = null;

  constructor(deferred: DeferredWork) {
    this.deferred = deferred;
  }

  /** The dentry of `name` in `dir`, negative when the name is missing; or -errno, BLOCK. HOT */
  lookup(dir: Dentry, name: string): Dentry | number {
    const inode = dir.inode;
    if (inode === null) return -ENOENT;
    const cached = dir.children === null ? undefined : dir.children.get(name);
    if (cached === undefined) return this.lookUpInFileSystem(dir, inode, name);
    if (!inode.dentriesAreStable) return this.revalidate(dir, inode, cached);
    cached.wasUsed = true;
    return cached;
  }

  private lookUpInFileSystem(dir: Dentry, inode: Inode, name: string): Dentry | number {
    if (name.length > NAME_MAX) return -ENAMETOOLONG;
    const found = inode.lookup(name);
    if (typeof found !== "number") return this.addFound(dir, name, found);
    if (found !== -ENOENT) return found;
    const negative = new Dentry(dir.fs, dir, name, null);
    if (inode.dentriesAreStable && !dir.isUnlinked) this.add(negative);
    return negative;
  }

  private revalidate(dir: Dentry, inode: Inode, cached: Dentry): Dentry | number {
    const found = inode.relookup(cached.name, cached.inode);
    if (typeof found === "number") {
      if (found !== -ENOENT) return found;
      // A mount point stays in the tree, so that the mount on it or below it can be reached.
      if (cached.inode === null || holdsMounts(cached)) return cached;
      this.dropStale(cached);
      return new Dentry(dir.fs, dir, cached.name, null);
    }
    if (found === cached.inode || (cached.inode !== null && holdsMounts(cached))) return cached;
    new ForgetTree(this, cached, false).step(Infinity);
    this.dropStale(cached);
    return this.addFound(dir, cached.name, found);
  }

  /**
   * Adds a dentry for `inode`, which a lookup of `name` in `dir` found. File systems that walk
   * ahead fill the cache by it.
   */
  addFound(dir: Dentry, name: string, inode: Inode): Dentry {
    const dentry = new Dentry(dir.fs, dir, name, inode);
    this.add(dentry);
    return dentry;
  }

  /** Gives the inode of a created name to the name's negative dentry. */
  instantiate(dentry: Dentry, inode: Inode): void {
    dentry.instantiate(inode);
    if (!dentry.isHashed) this.add(dentry);
  }

  /**
   * The name was removed (unlink, rmdir, replaced by rename): the dentry leaves the tree, and its
   * users keep it.
   */
  onUnlinked(dentry: Dentry): void {
    dentry.isUnlinked = true;
    // The children of a removed directory are negative dentries.
    if (hasChildren(dentry)) this.deferred.begin(new ForgetTree(this, dentry, false));
    this.dropStale(dentry);
  }

  /**
   * Adds a negative dentry for a name that was just removed, because the next call often looks it
   * up.
   */
  addNegative(dir: Dentry, name: string): void {
    if (dir.inode === null || !dir.inode.dentriesAreStable || dir.isUnlinked) return;
    this.add(new Dentry(dir.fs, dir, name, null));
  }

  /**
   * `dentry` was renamed. The caller has passed a positive dentry with the new name to `onUnlinked`
   * before.
   */
  onRenamed(dentry: Dentry, newParent: Dentry, newName: string): void {
    const there = newParent.children?.get(newName);
    if (there !== undefined && there !== dentry) this.remove(there);
    const old = dentry.parent.children;
    if (old !== null && old.get(dentry.name) === dentry) old.delete(dentry.name);
    dentry.parent = newParent;
    dentry.name = newName;
    if (dentry.isHashed) (newParent.children ??= new Map()).set(newName, dentry);
    else this.add(dentry);
  }

  /** RENAME_EXCHANGE: two positive dentries swap their places. */
  onExchanged(a: Dentry, b: Dentry): void {
    const parent = a.parent, name = a.name;
    a.parent.children?.delete(a.name);
    b.parent.children?.delete(b.name);
    a.parent = b.parent;
    a.name = b.name;
    b.parent = parent;
    b.name = name;
    (a.parent.children ??= new Map()).set(a.name, a);
    (b.parent.children ??= new Map()).set(b.name, b);
  }

  /**
   * The last mount of `fs` is gone: frees its dentries and its files, in slices if the file system
   * has many.
   */
  endFileSystem(fs: FileSystem): void {
    if (fs.isFreedInSlices) this.deferred.begin(new FileSystemEnd(this, fs));
    else {
      this.forgetFileSystem(fs)?.step(Infinity);
      fs.destroy();
    }
  }

  /**
   * A work item that removes all dentries of `fs`, which have no users any more; null if there are
   * none.
   */
  forgetFileSystem(fs: FileSystem): WorkItem | null {
    const root = fs.rootDentry;
    if (root === null) return null;
    fs.rootDentry = null;
    root.isHashed = false;
    return new ForgetTree(this, root, true);
  }

  /**
   * The entry `name` in the root of `fs` does not exist any more, and no negative dentry is kept
   * for it.
   */
  onRootEntryGone(fs: FileSystem, name: string): void {
    const dentry = fs.rootDentry?.children?.get(name);
    if (dentry !== undefined && !holdsMounts(dentry)) this.onUnlinked(dentry);
  }

  private add(dentry: Dentry): void {
    const siblings = (dentry.parent.children ??= new Map());
    const there = siblings.get(dentry.name);
    if (there !== undefined) this.remove(there);
    siblings.set(dentry.name, dentry);
    dentry.isHashed = true;
    this.count++;
    this.pushNewest(dentry);
  }

  /** Removes a dentry that is out of date, and marks it unlinked for its users. */
  private dropStale(dentry: Dentry): void {
    if (dentry.inode !== null) dentry.isUnlinked = true;
    this.remove(dentry);
  }

  /**
   * Removes a dentry from the tree. The dentries below it were removed before.
   *
   * @param withParent its parent and all names in that are removed too
   */
  remove(dentry: Dentry, withParent: boolean = false): void {
    if (!dentry.isHashed) {
      if (dentry.pins === 0) dentry.releaseInode();
      return;
    }
    const siblings = dentry.parent.children;
    if (!withParent && siblings !== null && siblings.get(dentry.name) === dentry) {
      siblings.delete(dentry.name);
    }
    this.unlinkLru(dentry);
    dentry.isHashed = false;
    this.count--;
    if (dentry.pins === 0) dentry.releaseInode();
  }

  /**
   * Forgets unused leaves beyond the bound, oldest first. A dentry that was used since the last
   * look gets another round. Call it only at the start of an operation: what a walk has found is
   * not pinned.
   */
  prune(): void {
    for (let i = 0; i < PRUNE_STEP && this.count > this.maxUnused; i++) {
      const d = this.oldest;
      if (d === null) return;
      if (isBusy(d) || hasChildren(d) || d.wasUsed) {
        d.wasUsed = false;
        this.unlinkLru(d);
        this.pushNewest(d);
      } else if (d !== this.newest) {
        this.remove(d);
      }
    }
  }

  /** The dentries that stay in the cache although nothing else refers to them. */
  watched(): Dentry[] {
    const found: Dentry[] = [];
    for (let d = this.newest; d !== null; d = d.lruNext) if (isWatched(d)) found.push(d);
    return found;
  }

  /** Adds dentries that are in their parents' trees already: those of a copy. */
  adopt(dentries: readonly Dentry[]): void {
    for (const dentry of dentries) this.pushNewest(dentry);
    this.count += dentries.length;
  }

  private pushNewest(d: Dentry): void {
    d.lruPrev = null;
    d.lruNext = this.newest;
    if (this.newest !== null) this.newest.lruPrev = d;
    else this.oldest = d;
    this.newest = d;
  }

  private unlinkLru(d: Dentry): void {
    if (d.lruPrev !== null) d.lruPrev.lruNext = d.lruNext;
    else if (this.newest === d) this.newest = d.lruNext;
    if (d.lruNext !== null) d.lruNext.lruPrev = d.lruPrev;
    else if (this.oldest === d) this.oldest = d.lruPrev;
    d.lruPrev = d.lruNext = null;
  }
}
