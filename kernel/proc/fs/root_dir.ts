/**
 * The root of /proc: a directory for each process, the links self and thread-self, and files about
 * the machine.
 */

import { EIO, ENOENT } from "../../../ffi/abi/errno.ts";
import { S_IFDIR, S_IFLNK } from "../../../ffi/abi/stat.ts";
import type { Inode } from "../../vfs/inode.ts";
import { FixedDir, GeneratedDir, type Listed } from "../../fs/generated/generated_dir.ts";
import type { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { FixedLink, GeneratedInode } from "../../fs/generated/generated_inode.ts";
import { type Polling, TextInode } from "../../fs/generated/text_inode.ts";
import { KmsgInode } from "./kmsg_file.ts";
import type { ProcFs } from "./procfs.ts";
import type { ProcSource, ProcViewer } from "./source.ts";
import { sysctlTree } from "./sysctl_dirs.ts";
import { SYSTEM_FILES } from "./system_files.ts";
import { parseId, TaskDir } from "./task_dir.ts";
import { AREA_PROCESS, inoOf, TaskRef } from "./task_ref.ts";

const ROOT_INO = 1;
/** Offsets in the directory: fixed entries come first. */
const SELF_OFFSET = 256, THREAD_SELF_OFFSET = 257, FIRST_PID_OFFSET = 258;

export class ProcRootDir extends GeneratedDir implements ProcViewer {
  private readonly proc: ProcFs;
  private readonly source: ProcSource;
  private readonly fixed: FixedDir;
  private readonly self: SelfLink;
  private readonly threadSelf: SelfLink;

  constructor(fs: ProcFs) {
    super(fs, ROOT_INO, 0o555);
    this.proc = fs;
    this.source = fs.procSource;
    this.fixed = new FixedDir(fs, null, 0o555, false, ROOT_INO);
    this.self = new SelfLink(fs, this.source, false);
    this.threadSelf = new SelfLink(fs, this.source, true);
    this.fill();
    this.refresh();
  }

  private fill(): void {
    const { proc, fixed, source } = this;
    for (const [path] of SYSTEM_FILES) {
      const names = path.split("/"), name = names.pop()!;
      let dir = fixed;
      for (const part of names) {
        const there = dir.lookup(part);
        dir = there instanceof FixedDir ? there : dir.put(part, new FixedDir(proc, dir, 0o555));
      }
      dir.put(name, new SystemText(proc, source, path));
    }
    fixed.put("kmsg", new KmsgInode(proc));
    fixed.put("mounts", new FixedLink(proc, proc.nextIno(), "self/mounts"));
    fixed.put("net", new FixedLink(proc, proc.nextIno(), "self/net"));
    fixed.put("sys", sysctlTree(proc, fixed, source));
  }

  override onMounted(): void {
    this.source.viewers.add(this);
  }
  override onUnmounted(): void {
    if (this.proc.mounts <= 1) this.source.viewers.delete(this);
  }
  /** Drops dentries of the process's directory, which would stay until memory is short. */
  onGone(id: number): void {
    this.source.forgetName(this.proc, String(id));
  }

  override get parentIno(): number {
    return this.ino;
  }
  override get dentriesAreStable(): boolean {
    return false;
  }

  override refresh(): number {
    this.nlink = this.fixed.nlink + this.source.processIds().length;
    return 0;
  }

  override lookup(name: string): Inode | number {
    if (name === "self") return this.self;
    if (name === "thread-self") return this.threadSelf;
    const id = parseId(name);
    if (id < 0) return this.proc.options.onlyPids ? -ENOENT : this.fixed.lookup(name);
    const task = this.source.task(id);
    if (task === null || !this.proc.shows(task)) return -ENOENT;
    return new TaskDir(this.proc, new TaskRef(this.source, task, false), this);
  }

  override relookup(name: string, cached: Inode | null): Inode | number {
    if (!(cached instanceof TaskDir)) return this.lookup(name);
    const task = cached.ref.get();
    if (task === null) return this.lookup(name);
    if (!this.proc.shows(task)) return -ENOENT;
    cached.ref.own(cached);
    return cached;
  }

  override list(): readonly Listed[] {
    const entries: Listed[] = this.proc.options.onlyPids ? [] : this.fixed.list().slice();
    const link = S_IFLNK >> 12;
    entries.push({ name: "self", ino: this.self.ino, type: link, offset: SELF_OFFSET });
    entries.push({
      name: "thread-self",
      ino: this.threadSelf.ino,
      type: link,
      offset: THREAD_SELF_OFFSET,
    });
    for (const pid of this.source.processIds()) {
      if (this.proc.hides) {
        const task = this.source.task(pid);
        if (task === null || !this.proc.shows(task)) continue;
      }
      entries.push({
        name: String(pid),
        ino: inoOf(pid, AREA_PROCESS, 0),
        type: S_IFDIR >> 12,
        offset: FIRST_PID_OFFSET + pid,
      });
    }
    return entries;
  }
}

/** /proc/self and /proc/thread-self, which lead to the caller. */
export class SelfLink extends GeneratedInode {
  private readonly source: ProcSource;
  private readonly isThread: boolean;

  constructor(fs: GeneratedFs, source: ProcSource, isThread: boolean) {
    super(fs, fs.nextIno(), S_IFLNK | 0o777);
    this.source = source;
    this.isThread = isThread;
  }

  override readlink(): string | number {
    const task = this.source.current();
    if (task === null) return -ENOENT;
    return this.isThread ? `${task.tgid}/task/${task.tid}` : `${task.tgid}`;
  }
}

/** A file about the machine, by its path in SYSTEM_FILES. */
export class SystemText extends TextInode {
  private readonly source: ProcSource;
  private readonly path: string;

  constructor(fs: GeneratedFs, source: ProcSource, path: string) {
    super(fs, fs.nextIno(), SYSTEM_FILES.get(path)?.permissions ?? 0o444);
    this.source = source;
    this.path = path;
  }

  override get polling(): Polling {
    return "ready";
  }
  override render(): string | number {
    return SYSTEM_FILES.get(this.path)?.render(this.source) ?? -EIO;
  }

  override store(_text: string, _offset: number): number {
    return -EIO;
  }
}
