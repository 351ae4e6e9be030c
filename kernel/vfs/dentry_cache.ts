/**
 * The dentry cache: looks names up through the tree of known dentries, remembers what file systems answer (missing
 * names too), follows renames and removals, and forgets the least recently used leaves beyond a bound.
 *
 * Not here: permission, symbolic links and mounts of a walk (walk.ts). An inode's own methods are only called
 * from here and from the operations.
 */

import { ENAMETOOLONG, ENOENT } from "../../ffi/abi/errno.ts";
import type { DeferredWork, Job } from "../core/deferred_work.ts";
import { Dentry } from "./dentry.ts";
import type { FileSystem, Inode } from "./inode.ts";

/** LIMIT: dentries kept for names that nobody uses. */
const MAX_UNUSED = 65536;
const NAME_MAX = 255;
/** Dentries looked at by one call of `prune`: it runs with every operation, so it may be lazy. */
const PRUNE_STEP = 128;

/** The dentry of a file system's root. */
export function rootDentryOf(fs: FileSystem): Dentry {
  if (fs.rootDentry === null) {
    fs.rootDentry = new Dentry(fs, null, "", fs.root);
    fs.rootDentry.isHashed = true;
  }
  return fs.rootDentry;
}

/** Whether something is mounted on it, or on a name below it that is in the cache: those are pinned, and so all are. */
function holdsMounts(dentry: Dentry): boolean {
  for (const below of treeOf(dentry)) if (below.mountCount > 0) return true;
  return false;
}

/** A dentry and all below it, each behind its parent; a guest makes trees as deep as it likes. */
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

/** A directory on the way of a job, and those of its children that are still to be visited. */
interface Level {
  readonly dentry: Dentry;
  readonly children: Iterator<Dentry>;
}

/** The job that takes what is below a dentry out of the tree, leaves first. */
class Forgetting implements Job {
  private readonly cache: DentryCache;
  private readonly root: Dentry;
  /** The root goes too, as it is that of a file system: no walk comes to it any more. */
  private readonly isWhole: boolean;
  private readonly levels: Level[] = [];

  constructor(cache: DentryCache, root: Dentry, isWhole: boolean) {
    this.cache = cache;
    this.root = root;
    this.isWhole = isWhole;
    this.enter(root);
  }

  private enter(dentry: Dentry): void {
    if (dentry.children !== null) this.levels.push({ dentry, children: dentry.children.values() });
  }

  step(units: number): number {
    const { levels, cache, root } = this;
    for (; units > 0 && levels.length > 0; units--) {
      const level = levels[levels.length - 1]!, next = level.children.next();
      if (next.done !== true) {
        if (hasChildren(next.value)) this.enter(next.value);
        else cache.remove(next.value, this.isWhole);
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

/** The job that ends a file system without mounts: its dentries, then its files. */
class FileSystemEnd implements Job {
  private readonly fs: FileSystem;
  private readonly dentries: Job | null;

  constructor(cache: DentryCache, fs: FileSystem) {
    this.fs = fs;
    this.dentries = cache.forget(fs);
  }

  step(units: number): number {
    const left = this.dentries === null ? units : this.dentries.step(units);
    return left > 0 ? this.fs.free(left) : left;
  }
}

export class DentryCache {
  private readonly deferred: DeferredWork;
  /** Bound of `count`; tests make it small. */
  maxUnused: number = MAX_UNUSED;
  /** Dentries in the tree, roots aside. */
  count: number = 0;
  /** Circular order of age: `newest.lruNext` is older. */
  private newest: Dentry | null = null;
  private oldest: Dentry | null = null;

  constructor(deferred: DeferredWork) {
    this.deferred = deferred;
  }

  /** The dentry of `name` in `dir`, negative when there is no such name; or -errno, BLOCK. HOT */
  lookup(dir: Dentry, name: string): Dentry | number {
    const inode = dir.inode;
    if (inode === null) return -ENOENT;
    const cached = dir.children === null ? undefined : dir.children.get(name);
    if (cached === undefined) return this.ask(dir, inode, name);
    if (!inode.dentriesAreStable) return this.revalidate(dir, inode, cached);
    cached.wasUsed = true;
    return cached;
  }

  private ask(dir: Dentry, inode: Inode, name: string): Dentry | number {
    if (name.length > NAME_MAX) return -ENAMETOOLONG;
    const found = inode.lookup(name);
    if (typeof found !== "number") return this.enter(dir, name, found);
    if (found !== -ENOENT) return found;
    const negative = new Dentry(dir.fs, dir, name, null);
    if (inode.dentriesAreStable && !dir.isUnlinked) this.add(negative);
    return negative;
  }

  private revalidate(dir: Dentry, inode: Inode, cached: Dentry): Dentry | number {
    const found = inode.relookup(cached.name, cached.inode);
    if (typeof found === "number") {
      if (found !== -ENOENT) return found;
      // What is mounted on stays reachable, and so does what is mounted on below.
      if (cached.inode === null || holdsMounts(cached)) return cached;
      this.drop(cached);
      return new Dentry(dir.fs, dir, cached.name, null);
    }
    if (found === cached.inode || (cached.inode !== null && holdsMounts(cached))) return cached;
    new Forgetting(this, cached, false).step(Infinity);
    this.drop(cached);
    return this.enter(dir, cached.name, found);
  }

  /** A dentry for what a lookup of `name` in `dir` found; file systems that walk ahead fill the cache with it. */
  enter(dir: Dentry, name: string, inode: Inode): Dentry {
    const dentry = new Dentry(dir.fs, dir, name, inode);
    this.add(dentry);
    return dentry;
  }

  /** A name was created: the negative dentry gets its inode. */
  instantiate(dentry: Dentry, inode: Inode): void {
    dentry.instantiate(inode);
    if (!dentry.isHashed) this.add(dentry);
  }

  /** The name is gone (unlink, rmdir, replaced by rename): users keep the dentry, the tree does not. */
  unlinked(dentry: Dentry): void {
    dentry.isUnlinked = true;
    // Names that were missing in a directory.
    if (hasChildren(dentry)) this.deferred.begin(new Forgetting(this, dentry, false));
    this.drop(dentry);
  }

  /** Nothing has this name now: remember that, as it is often asked for next. */
  missing(dir: Dentry, name: string): void {
    if (dir.inode === null || !dir.inode.dentriesAreStable || dir.isUnlinked) return;
    this.add(new Dentry(dir.fs, dir, name, null));
  }

  /** `dentry` was renamed; whatever dentry had the new name must have been `unlinked` before, if positive. */
  moved(dentry: Dentry, newParent: Dentry, newName: string): void {
    const there = newParent.children?.get(newName);
    if (there !== undefined && there !== dentry) this.remove(there);
    const old = dentry.parent.children;
    if (old !== null && old.get(dentry.name) === dentry) old.delete(dentry.name);
    dentry.parent = newParent;
    dentry.name = newName;
    if (dentry.isHashed) (newParent.children ??= new Map()).set(newName, dentry);
    else this.add(dentry);
  }

  /** RENAME_EXCHANGE of two positive dentries. */
  exchanged(a: Dentry, b: Dentry): void {
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

  /** The last mount of `fs` is gone: so are its tree and its files. */
  end(fs: FileSystem): void {
    if (fs.isFreedInSlices) this.deferred.begin(new FileSystemEnd(this, fs));
    else {
      this.forget(fs)?.step(Infinity);
      fs.destroy();
    }
  }

  /** The dentries of `fs` have no users any more: the job that takes them out of the tree. */
  forget(fs: FileSystem): Job | null {
    const root = fs.rootDentry;
    if (root === null) return null;
    fs.rootDentry = null;
    root.isHashed = false;
    return new Forgetting(this, root, true);
  }

  /** What had `name` in the root of `fs` is no more, and nobody is going to ask for it again. */
  gone(fs: FileSystem, name: string): void {
    const dentry = fs.rootDentry?.children?.get(name);
    if (dentry !== undefined && !holdsMounts(dentry)) this.unlinked(dentry);
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

  /** A name that is not what it was: out of the tree, marked as gone for those who still use it. */
  private drop(dentry: Dentry): void {
    if (dentry.inode !== null) dentry.isUnlinked = true;
    this.remove(dentry);
  }

  /**
   * Out of the tree. Those below it must be out already.
   *
   * @param withParent its parent goes too, and all names in it
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
   * Forget unused leaves beyond the bound, oldest first; what was used since it was last looked at gets another round.
   * Only at the start of an operation: what a walk has found is not pinned.
   */
  prune(): void {
    for (let i = 0; i < PRUNE_STEP && this.count > this.maxUnused; i++) {
      const d = this.oldest;
      if (d === null) return;
      const isBusy = d.pins > 0 || d.mountCount > 0 ||
        (d.children !== null && d.children.size > 0) ||
        (d.inode !== null && (d.inode.watches !== null || d.inode.ruleCount > 0));
      if (isBusy || d.wasUsed) {
        d.wasUsed = false;
        this.unlinkLru(d);
        this.pushNewest(d);
      } else if (d !== this.newest) {
        this.remove(d);
      }
    }
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
