/** /proc/PID/ns: links to the namespaces of a task (namespaces(7)), which lead to files of nsfs. */

import { ENOENT } from "../../../ffi/abi/errno.ts";
import { S_IFLNK } from "../../../ffi/abi/stat.ts";
import type { Path } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { GeneratedDir } from "../../fs/generated/generated_dir.ts";
import type { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { MagicLink } from "./magic_link.ts";
import { NAMESPACE_LINKS, type NamespaceLink } from "./source.ts";
import { TaskNames } from "./task_names.ts";
import { AREA_PROCESS, AREA_THREAD, type TaskRef } from "./task_ref.ts";

/**
 * Index of the first namespace link among the inode numbers of a task, behind its other entries.
 */
const INO_INDEX = 1000;

export class NsLink extends MagicLink {
  private readonly name: NamespaceLink;

  constructor(fs: GeneratedFs, ref: TaskRef, ino: number, name: NamespaceLink) {
    super(fs, ref, ino);
    this.name = name;
  }

  override followMagic(): Path | number {
    const task = this.inspected();
    if (typeof task === "number") return task;
    const { source } = this.ref, namespace = task.namespaceOf(this.name);
    const fs = task.fs ?? source.caller()?.fs;
    if (namespace === null || fs === null || fs === undefined) return -ENOENT;
    return source.namespaces.pathOf(namespace, fs.namespace.vfs);
  }

  override readlink(): string | number {
    const path = this.followMagic();
    return typeof path === "number" ? path : path.dentry.name;
  }
}

export class NsDir extends TaskNames {
  constructor(fs: GeneratedFs, ref: TaskRef, parent: GeneratedDir, ino: number) {
    super(fs, ref, parent, ino, 0o511);
  }

  protected override get names(): readonly string[] {
    return NAMESPACE_LINKS;
  }
  protected override get type(): number {
    return S_IFLNK;
  }
  protected override inoOf(index: number): number {
    return this.ref.ino(this.ref.isThread ? AREA_THREAD : AREA_PROCESS, INO_INDEX + index);
  }
  protected override make(index: number): Inode {
    return new NsLink(this.generated, this.ref, this.inoOf(index), NAMESPACE_LINKS[index]!);
  }
}
