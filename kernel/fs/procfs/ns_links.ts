/**
 * /proc/PID/ns: links to the namespaces of a task (namespaces(7)). Following one leads to a file of nsfs that stands for
 * the namespace.
 */

import { EACCES, ENOENT, ESRCH } from "../../../ffi/abi/errno.ts";
import { S_IFLNK } from "../../../ffi/abi/stat.ts";
import type { Path } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import { FIRST_OFFSET, GeneratedDir, type Listed } from "../generated/generated_dir.ts";
import type { GeneratedFs } from "../generated/generated_fs.ts";
import { MagicLink } from "./magic_link.ts";
import { NAMESPACE_LINKS, type NamespaceLink } from "./source.ts";
import { AREA_PROCESS, AREA_THREAD, type TaskRef } from "./task_ref.ts";

/** Index of a namespace link among the inode numbers of a task: behind its other entries. */
const INO_INDEX = 1000;

class NsLink extends MagicLink {
  private readonly name: NamespaceLink;

  constructor(fs: GeneratedFs, ref: TaskRef, ino: number, name: NamespaceLink) {
    super(fs, ref, ino);
    this.name = name;
  }

  override followMagic(): Path | number {
    const task = this.inspected();
    if (typeof task === "number") return task;
    const { source } = this.ref, namespace = task.namespaceOf(this.name);
    const fs = task.fs ?? source.current()?.fs;
    if (namespace === null || fs === null || fs === undefined) return -ENOENT;
    return source.namespaces.pathOf(namespace, fs.namespace.vfs);
  }

  override readlink(): string | number {
    const path = this.followMagic();
    return typeof path === "number" ? path : path.dentry.name;
  }
}

export class NsDir extends GeneratedDir {
  readonly ref: TaskRef;
  private readonly parent: GeneratedDir;

  constructor(fs: GeneratedFs, ref: TaskRef, parent: GeneratedDir, ino: number) {
    super(fs, ino, 0o511);
    this.ref = ref;
    this.parent = parent;
    ref.own(this);
  }

  protected override get isModeFixed(): boolean {
    return true;
  }
  override get parentIno(): number {
    return this.parent.ino;
  }
  override get dentriesAreStable(): boolean {
    return false;
  }
  override refresh(): number {
    this.ref.own(this);
    return 0;
  }

  private inoOf(index: number): number {
    return this.ref.ino(this.ref.isThread ? AREA_THREAD : AREA_PROCESS, INO_INDEX + index);
  }

  override lookup(name: string): Inode | number {
    const index = NAMESPACE_LINKS.findIndex((n) => n === name), link = NAMESPACE_LINKS[index];
    if (link === undefined) return -ENOENT;
    if (this.ref.get() === null) return -ESRCH;
    return new NsLink(this.generated, this.ref, this.inoOf(index), link);
  }

  override relookup(name: string, cached: Inode | null): Inode | number {
    if (cached === null) return this.lookup(name);
    if (!this.ref.own(cached)) return -ESRCH;
    return cached;
  }

  override list(): readonly Listed[] | number {
    const task = this.ref.get();
    if (task === null) return -ENOENT;
    if (!this.ref.mayInspect(task)) return -EACCES;
    return NAMESPACE_LINKS.map((name, i) => ({
      name,
      ino: this.inoOf(i),
      type: S_IFLNK >> 12,
      offset: FIRST_OFFSET + i,
    }));
  }
}
