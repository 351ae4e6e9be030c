/**
 * Links of /proc/PID that lead to an object and not along a path: exe, cwd, root, fd/N
 * (proc_pid_fd(5)), ns/NAME. The text that readlink(2) gives is only informative.
 */

import { EACCES, ENOENT } from "../../../ffi/abi/errno.ts";
import { O_PATH } from "../../../ffi/abi/fcntl.ts";
import { S_IFLNK } from "../../../ffi/abi/stat.ts";
import { Dentry, Path } from "../../vfs/dentry.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { pathText } from "../../vfs/pathname.ts";
import type { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { GeneratedInode } from "../../fs/generated/generated_inode.ts";
import type { ProcTask } from "./source.ts";
import type { TaskRef } from "./task_ref.ts";

/** Base class of links to an object. */
export abstract class MagicLink extends GeneratedInode {
  readonly ref: TaskRef;

  constructor(fs: GeneratedFs, ref: TaskRef, ino: number) {
    super(fs, ino, S_IFLNK | 0o777);
    this.ref = ref;
    ref.own(this);
  }

  protected override get isModeFixed(): boolean {
    return true;
  }

  override refresh(): number {
    this.ref.own(this);
    return 0;
  }

  /** The task if the caller may inspect it, or -errno. */
  protected inspected(): ProcTask | number {
    const task = this.ref.get();
    if (task === null) return -ENOENT;
    return this.ref.mayInspect(task) ? task : -EACCES;
  }
}

/** The link "exe", "cwd" or "root". */
export class PlaceLink extends MagicLink {
  private readonly name: string;

  constructor(fs: GeneratedFs, ref: TaskRef, ino: number, name: string) {
    super(fs, ref, ino);
    this.name = name;
  }

  override followMagic(): Path | number {
    const task = this.inspected();
    if (typeof task === "number") return task;
    switch (this.name) {
      case "cwd":
        return task.fs?.cwd ?? -ENOENT;
      case "root":
        return task.fs?.root ?? -ENOENT;
      default:
        return task.exe?.path ?? -ENOENT;
    }
  }

  override readlink(): string | number {
    const path = this.followMagic();
    return typeof path === "number" ? path : textFor(this.ref, path);
  }
}

/** The text of a path for the caller. */
function textFor(ref: TaskRef, path: Path): string | number {
  const { dentry, mount } = path;
  // A pipe that was opened again, or a namespace: it is in no tree.
  if (dentry.isRoot && dentry !== mount.root) return dentry.name;
  return pathText(path, ref.source.caller()?.fs?.root ?? path);
}

/** The link fd/N. */
export class FdLink extends MagicLink {
  readonly fd: number;

  constructor(fs: GeneratedFs, ref: TaskRef, ino: number, fd: number) {
    super(fs, ref, ino);
    this.fd = fd;
    this.size = 64;
    this.refresh();
  }

  private file(task: ProcTask | null): OpenFile | null {
    return task === null || task.files === null ? null : task.files.getAny(this.fd);
  }

  /** Whether the descriptor is open. */
  get isOpen(): boolean {
    return this.file(this.ref.get()) !== null;
  }

  /** The mode shows how the descriptor was opened. */
  override refresh(): number {
    const file = this.file(this.ref.get());
    if (file !== null) {
      const isPath = (file.flags & O_PATH) !== 0;
      this.mode = S_IFLNK | (file.canRead && !isPath ? 0o500 : 0) |
        (file.canWrite && !isPath ? 0o300 : 0);
    }
    this.ref.own(this);
    return 0;
  }

  override followMagic(): Path | number {
    const task = this.inspected();
    if (typeof task === "number") return task;
    const file = this.file(task);
    if (file === null) return -ENOENT;
    return file.path ?? this.nameless(file, task);
  }

  /** A path for a file without a name (pipe, socket), for the walk in progress. */
  private nameless(file: OpenFile, task: ProcTask): Path | number {
    const around = this.ref.source.caller()?.fs ?? task.fs;
    if (around === null) return -ENOENT;
    const dentry = new Dentry(file.inode.fs, null, file.describe(), file.inode);
    dentry.isUnlinked = true;
    dentry.releaseInode();
    return new Path(around.root.mount, dentry);
  }

  override readlink(): string | number {
    const task = this.inspected();
    if (typeof task === "number") return task;
    const file = this.file(task);
    if (file === null) return -ENOENT;
    return file.path === null ? file.describe() : textFor(this.ref, file.path);
  }
}
