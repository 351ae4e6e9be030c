/** /proc/PID, /proc/PID/task and /proc/PID/task/TID: proc_pid(5), proc_pid_task(5). */

import type { Account } from "../../core/account.ts";
import { ENOENT, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFMT } from "../../../ffi/abi/stat.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { FIRST_OFFSET, type GeneratedDir, type Listed } from "../../fs/generated/generated_dir.ts";
import { AttrDir } from "./attr_dir.ts";
import { FdDir, FdinfoDir } from "./fd_dirs.ts";
import { IdMapText, isIdMapFile } from "./id_map_files.ts";
import { PlaceLink } from "./magic_link.ts";
import { MapFilesDir } from "./map_files_dir.ts";
import { MemInode } from "./mem_file.ts";
import { AREA_FORMATS, MEMORY_FORMATS } from "./memory_formats.ts";
import { MountsInode } from "./mounts_files.ts";
import { NetDir } from "./net_dir.ts";
import { NsDir } from "./ns_links.ts";
import { PagemapInode } from "./pagemap_file.ts";
import type { ProcFs } from "./procfs.ts";
import { TaskBelow } from "./task_below.ts";
import { IN_PROCESS, IN_THREAD, TASK_ENTRIES, type TaskEntry } from "./task_entries.ts";
import { AREA_PROCESS, AREA_THREAD, inoOf, TaskRef } from "./task_ref.ts";
import { MemoryText, TaskText } from "./task_text.ts";

export class TaskDir extends TaskBelow {
  private readonly proc: ProcFs;
  private readonly area: number;

  constructor(fs: ProcFs, ref: TaskRef, parent: GeneratedDir) {
    const area = ref.isThread ? AREA_THREAD : AREA_PROCESS;
    super(fs, ref, parent, ref.ino(area, 0), 0o555);
    this.proc = fs;
    this.area = area;
    this.nlink = 2 + this.entries().filter((e) => (e.mode & S_IFMT) === S_IFDIR).length;
  }

  private entries(): TaskEntry[] {
    const where = this.ref.isThread ? IN_THREAD : IN_PROCESS;
    return TASK_ENTRIES.filter((e) => (e.where & where) !== 0);
  }

  /** 0, -ESRCH after the end of the task, or the result of the mount's `hidepid`. */
  private mayEnter(): number {
    const task = this.ref.get();
    return task === null ? -ESRCH : this.proc.mayEnter(task);
  }

  override lookup(name: string): Inode | number {
    const index = this.entries().findIndex((e) => e.name === name);
    if (index < 0) return this.ref.get() === null ? -ESRCH : -ENOENT;
    const r = this.mayEnter();
    return r < 0 ? r : this.make(this.entries()[index]!, this.ref.ino(this.area, 1 + index));
  }

  override relookup(name: string, cached: Inode | null): Inode | number {
    if (cached === null) return this.lookup(name);
    const r = this.mayEnter();
    if (r < 0) return r;
    cached.refresh();
    return cached;
  }

  override list(): readonly Listed[] | number {
    const task = this.ref.get();
    if (task === null) return -ENOENT;
    if (this.proc.mayEnter(task) < 0) return -EPERM;
    return this.entries().map(({ name, mode }, i) => ({
      name,
      ino: this.ref.ino(this.area, 1 + i),
      type: (mode & S_IFMT) >> 12,
      offset: FIRST_OFFSET + i,
    }));
  }

  override checkMode(mask: number, cred: Credentials): number {
    if (!this.ref.isThread && this.ref.get() === null) return -ESRCH;
    return super.checkMode(mask, cred);
  }

  override open(
    dentry: Dentry,
    flags: number,
    cred: Credentials,
    account: Account,
  ): OpenFile | number {
    const r = this.mayEnter();
    return r === -ESRCH || r === 0 ? super.open(dentry, flags, cred, account) : r;
  }

  private make({ name, mode }: TaskEntry, ino: number): Inode {
    const { proc, ref } = this;
    switch (name) {
      case "task":
        return new ThreadsDir(proc, ref, this, ino);
      case "fd":
        return new FdDir(proc, ref, this, ino);
      case "map_files":
        return new MapFilesDir(proc, ref, this, ino, 0o500);
      case "fdinfo":
        return new FdinfoDir(proc, ref, this, ino);
      case "ns":
        return new NsDir(proc, ref, this, ino);
      case "attr":
        return new AttrDir(proc, ref, this, ino);
      case "net":
        return new NetDir(proc, ref, this, ino);
      case "cwd":
      case "root":
      case "exe":
        return new PlaceLink(proc, ref, ino, name);
      case "mem":
        return new MemInode(proc, ref, ino);
      case "pagemap":
        return new PagemapInode(proc, ref, ino);
      case "mounts":
      case "mountinfo":
      case "mountstats":
        return new MountsInode(proc, ref, ino, mode & 0o777, name);
      default:
        if (isIdMapFile(name)) return new IdMapText(proc, ref, ino, mode & 0o777, name);
        return MEMORY_FORMATS.has(name) || AREA_FORMATS.has(name)
          ? new MemoryText(proc, ref, ino, mode & 0o777, name)
          : new TaskText(proc, ref, ino, mode & 0o777, name);
    }
  }
}

/** /proc/PID/task: a directory for each thread. */
export class ThreadsDir extends TaskBelow {
  private readonly proc: ProcFs;

  constructor(fs: ProcFs, ref: TaskRef, parent: GeneratedDir, ino: number) {
    super(fs, ref, parent, ino, 0o555);
    this.proc = fs;
    this.refresh();
  }

  override checkMode(mask: number, cred: Credentials): number {
    return this.ref.get() === null ? -ESRCH : super.checkMode(mask, cred);
  }

  override refresh(): number {
    this.ref.own(this);
    this.nlink = 2 + (this.ref.get()?.threadIds().length ?? 0);
    return 0;
  }

  override lookup(name: string): Inode | number {
    const tid = parseId(name), task = this.ref.get();
    if (task === null) return -ESRCH;
    const thread = tid < 0 ? null : this.ref.source.task(tid);
    if (thread === null || thread.tgid !== task.tgid) return -ENOENT;
    return new TaskDir(this.proc, new TaskRef(this.ref.source, thread, true), this);
  }

  override relookup(name: string, cached: Inode | null): Inode | number {
    if (!(cached instanceof TaskDir) || !cached.ref.own(cached)) return this.lookup(name);
    return this.ref.get() === null ? -ESRCH : cached;
  }

  override list(): readonly Listed[] | number {
    const task = this.ref.get();
    if (task === null) return -ENOENT;
    return task.threadIds().map((tid) => ({
      name: String(tid),
      ino: inoOf(tid, AREA_THREAD, 0),
      type: S_IFDIR >> 12,
      offset: FIRST_OFFSET + tid,
    }));
  }
}

/** A process or thread id as a name: no sign, no leading zero; -1 for other names. */
export function parseId(name: string): number {
  return /^[1-9][0-9]{0,9}$/.test(name) ? Number(name) : -1;
}
