/**
 * Makes the files of a Gofer work again after a restore: the kernel has its objects, but the
 * connection is a new one, on which no fid exists, and no descriptor is open.
 *
 * Each file that something refers to is walked by its path, compared with what it was, and opened
 * again where it was open. What differs is reported; the caller decides whether the restored kernel
 * may run. An object whose file is not found stays, and calls on it are -ESTALE.
 *
 * Record locks, leases and watches are the kernel's own and need nothing here: the Gofer holds none
 * for guests. docs/internals/snapshots.md has the design.
 */

import { EIO, ENODATA } from "../../../ffi/abi/errno.ts";
import { O_DIRECTORY, O_EXCL, O_RDWR, O_TMPFILE } from "../../../ffi/abi/fcntl.ts";
import { S_IFMT } from "../../../ffi/abi/stat.ts";
import {
  type Attr,
  type GoferClient,
  NOFID,
  OPEN_NONE,
} from "../../../gofer/client/gofer_client.ts";
import { GoferDirectory } from "./directory.ts";
import type { DonatedFile } from "./donated_file.ts";
import { attachRoot, type GoferFs } from "./gofer_fs.ts";
import { GoferInode } from "./gofer_inode.ts";
import { GoferNode, HOST_INO } from "./nodes.ts";
import { GoferRegular } from "./regular.ts";
import { writeUnnamed } from "./unnamed_bytes.ts";

/** The most names of one walk. */
const MAX_NAMES = 48;

/**
 * - gone: its path leads to nothing
 * - type: its path leads to a file of another type
 * - replaced: its path leads to another file of the same type
 * - size, time: an open file has another size, or was changed
 * - deleted: it was open without a name, and the snapshot does not have its bytes
 * - closed: it was open and cannot be opened again
 * - listener: a socket of the host that listen(2) has not taken yet
 */
type Change =
  | "gone"
  | "type"
  | "replaced"
  | "size"
  | "time"
  | "deleted"
  | "closed"
  | "listener";

/** A file that is not as it was. */
export interface ChangedFile {
  readonly inode: GoferInode;
  /** From the root of the file system. */
  readonly path: string;
  readonly change: Change;
  /** A positive error number of the Gofer; 0: none. */
  readonly errno: number;
}

export interface ReconnectOptions {
  /**
   * A file is the same if it has the same path and type, as in a copy of the tree. Else its inode
   * number and its time of birth count too.
   */
  readonly isCopy: boolean;
  /** A file that was replaced by another one is lost, too: default false. */
  readonly losesReplaced?: boolean;
}

/**
 * To be called before the snapshot: fetches the attributes of open files that this sandbox has
 * changed, so that `reconnect` can compare them. 0 or -errno.
 */
export function settleAttributes(fs: GoferFs): number {
  for (const file of fs.donated) {
    const r = file.users > 0 ? file.inode.refresh() : 0;
    if (r < 0) return r;
  }
  return 0;
}

/**
 * Gives `fs` the connection `client`, on which it attaches to the root `name`. The files that
 * changed, or -errno when the connection or its root does not work. The memories are mapped
 * afterwards.
 */
export function reconnect(
  fs: GoferFs,
  client: GoferClient,
  name: string,
  options: ReconnectOptions,
): ChangedFile[] | number {
  const rootFid = attachRoot(client, name);
  if (rootFid < 0) return rootFid;
  fs.startOver(client, rootFid);
  return new Reconnection(fs, client, options).run();
}

/** Undoes `reconnect`: the copy of the kernel failed. */
export function disconnect(fs: GoferFs): void {
  const { ctx: { host, platform }, client } = fs;
  for (const { fd, backing } of fs.donated) {
    if (backing !== null && backing.platformFile >= 0) {
      platform.unregisterFile(backing.platformFile);
    }
    if (fd >= 0) host.close(fd);
  }
  fs.fids.destroy();
  if (fs.rootFid >= 0) client.clunk(fs.rootFid);
}

class Reconnection {
  private readonly fs: GoferFs;
  private readonly client: GoferClient;
  private readonly options: ReconnectOptions;
  private readonly opened: Map<GoferInode, DonatedFile[]> = new Map();
  private readonly compared: Set<GoferInode> = new Set();
  /** They keep their places until the end, for the paths of what was below them. */
  private readonly lost: Set<GoferInode> = new Set();
  private readonly changes: ChangedFile[] = [];

  constructor(fs: GoferFs, client: GoferClient, options: ReconnectOptions) {
    this.fs = fs;
    this.client = client;
    this.options = options;
    for (const file of fs.donated) {
      const files = this.opened.get(file.inode);
      if (files === undefined) this.opened.set(file.inode, [file]);
      else files.push(file);
    }
  }

  /** `client.walk` has the attributes of the root. */
  run(): ChangedFile[] | number {
    const { fs, client } = this;
    this.compare(fs.root, client.walk.at(0));
    this.findOtherNames();
    for (const files of this.opened.values()) this.reopen(files);
    // A walk compares all on its way, so those that were found last, further down, are first.
    for (const inode of fs.heldInodes().reverse()) {
      if (!this.compared.has(inode) && !this.lost.has(inode)) this.find(inode, OPEN_NONE);
      if (inode instanceof GoferNode && inode.takeListener() >= 0) {
        this.report(inode, "listener", 0);
      }
    }
    for (const inode of this.lost) inode.lose();
    fs.forgetOthers(this.compared);
    // The kernel's clock may be set back yet.
    if (!fs.isExclusive) { for (const inode of this.compared) inode.expire(); }
    return client.dead ? -EIO : this.changes;
  }

  /** Gives files with several links whose known name was removed a name that a dentry has. */
  private findOtherNames(): void {
    const { root, rootDentry } = this.fs;
    const nameless = new Set(this.fs.heldInodes().filter((inode) => !inode.hasPlace));
    nameless.delete(root);
    const left = nameless.size === 0 || rootDentry === null ? [] : [rootDentry];
    for (let dentry = left.pop(); dentry !== undefined; dentry = left.pop()) {
      const dir = dentry.inode;
      if (!(dir instanceof GoferDirectory) || !dir.dentriesAreStable) continue;
      for (const child of dentry.children?.values() ?? []) {
        const { inode } = child;
        if (inode instanceof GoferDirectory) left.push(child);
        else if (inode instanceof GoferInode && nameless.has(inode)) {
          inode.setEntry(dir, child.name);
        }
      }
    }
  }

  private report(inode: GoferInode, change: Change, errno: number): void {
    this.changes.push({ inode, path: inode.pathText, change, errno });
  }

  private lose(inode: GoferInode, change: Change, errno: number): void {
    if (this.lost.has(inode)) return;
    this.lost.add(inode);
    this.compared.delete(inode);
    this.report(inode, change, errno);
  }

  /** Opens the descriptors of a file again. */
  private reopen(files: readonly DonatedFile[]): void {
    const { inode } = files[0]!;
    // The root of a tree may be a file: it has no name either, and a fid already.
    if (!inode.hasPlace && inode !== this.fs.root) this.makeUnnamed(inode);
    for (const file of files) {
      const fd = this.openAgain(inode, file.access);
      file.reopen(Math.max(-1, fd));
      if (fd < 0) inode.onClosed(file);
    }
  }

  private openAgain(inode: GoferRegular, flags: number): number {
    if (this.lost.has(inode)) return -1;
    if (inode.fid < 0) return this.find(inode, flags);
    const fd = this.client.openFd(inode.fid, flags);
    if (fd < 0) this.report(inode, "closed", -fd);
    return fd;
  }

  /** Makes a file without a name that has the saved bytes of one. */
  private makeUnnamed(inode: GoferRegular): void {
    const { client, fs } = this, fid = client.fids.take();
    const flags = O_RDWR | O_TMPFILE | O_DIRECTORY | (inode.isLinkable ? 0 : O_EXCL);
    const { mode, uid, gid } = inode;
    const fd = inode.unnamedBytes === null
      ? -ENODATA
      : client.createFd(fs.rootFid, fid, "", flags, mode & 0o7777, uid, gid);
    if (fd < 0) {
      client.fids.release(fid);
      this.lose(inode, "deleted", -fd);
      return;
    }
    let r = writeUnnamed(inode, fd);
    inode.unnamedBytes = null;
    fs.ctx.host.close(fd);
    if (r >= 0) r = client.getattr(fid);
    if (r < 0) {
      client.clunk(fid);
      this.lose(inode, "deleted", -r);
      return;
    }
    fs.adopt(inode, client.attr);
    inode.adoptFid(fid);
    fs.fids.add(inode);
    this.compared.add(inode);
  }

  /**
   * Walks to `inode` and compares what is on the way. Returns the descriptor, if `open` has flags
   * and the file could be opened, or -1.
   */
  private find(inode: GoferInode, open: number): number {
    const { client } = this, way: GoferInode[] = [];
    let top = inode;
    while (top.fid < 0) {
      way.push(top);
      if (top.parent === null || this.lost.has(top)) {
        this.lose(inode, "gone", 0);
        return -1;
      }
      top = top.parent;
    }
    way.reverse();
    let from = top.fid, at = 0;
    for (; way.length - at > MAX_NAMES; at += MAX_NAMES) {
      from = this.walkOn(inode, from, way.slice(at, at + MAX_NAMES));
      if (from < 0) return -1;
    }
    this.walk(inode, from, NOFID, way.slice(at), open);
    const fd = client.takeFd(), isFound = !this.lost.has(inode);
    if (isFound && open !== OPEN_NONE && fd < 0) {
      this.report(inode, "closed", client.walk.openEcode);
    }
    if (isFound || fd < 0) return fd;
    this.fs.ctx.host.close(fd);
    return -1;
  }

  /** Walks a part of a long way, to a directory that gets a fid: the fid, or -1. */
  private walkOn(inode: GoferInode, from: number, part: readonly GoferInode[]): number {
    const { client, fs } = this, fid = client.fids.take(), last = part[part.length - 1]!;
    const n = this.walk(inode, from, fid, part, OPEN_NONE);
    if (!this.lost.has(inode)) {
      last.adoptFid(fid);
      fs.fids.add(last);
      return fid;
    }
    if (n > 0) client.clunk(fid);
    else client.fids.release(fid);
    return -1;
  }

  /** Makes one walk on the way to `inode`, which is lost if it fails; how many files it found. */
  private walk(
    inode: GoferInode,
    from: number,
    newFid: number,
    way: readonly GoferInode[],
    open: number,
  ): number {
    const { client } = this;
    const n = client.walkGetattr(from, newFid, way.map((step) => step.entryName), 0, open);
    for (let i = 0; i < n; i++) {
      if (!this.compare(way[i]!, client.walk.at(i))) break;
    }
    const isWhole = n === way.length && way.every((step) => !this.lost.has(step));
    if (!isWhole) this.lose(inode, "gone", n < 0 ? -n : client.walk.ecode);
    return n;
  }

  /** Compares a file with what it was, once, and takes it over; false: it has another type. */
  private compare(inode: GoferInode, attr: Attr): boolean {
    if ((inode.mode & S_IFMT) !== (attr.mode & S_IFMT)) {
      this.lose(inode, "type", 0);
      return false;
    }
    const change = this.compared.has(inode) ? null : this.changeOf(inode, attr);
    if (change === "replaced" && this.options.losesReplaced === true) {
      this.lose(inode, change, 0);
      return false;
    }
    if (change !== null) this.report(inode, change, 0);
    this.compared.add(inode);
    this.fs.adopt(inode, attr);
    return true;
  }

  private changeOf(inode: GoferInode, attr: Attr): Change | null {
    if (!this.options.isCopy && !this.isSameFile(inode, attr)) return "replaced";
    // Attributes that this sandbox made wrong say nothing (settleAttributes).
    if (!this.opened.has(inode) || inode.isStale) return null;
    if (inode.size !== attr.size) return "size";
    const isSameTime = inode.mtimeSec === attr.mtimeSec && inode.mtimeNsec === attr.mtimeNsec;
    return isSameTime ? null : "time";
  }

  /** The Gofer's number of a file system, in the bits above, may be another one. */
  private isSameFile(inode: GoferInode, attr: Attr): boolean {
    if (inode.ino % HOST_INO !== attr.qid.path % HOST_INO) return false;
    return this.fs.copiesUp ||
      (inode.btimeSec === attr.btimeSec && inode.btimeNsec === attr.btimeNsec);
  }
}
