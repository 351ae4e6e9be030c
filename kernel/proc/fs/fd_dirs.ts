/**
 * /proc/PID/fd and /proc/PID/fdinfo: a task's open descriptors (proc_pid_fd(5),
 * proc_pid_fdinfo(5)).
 */

import type { Account } from "../../core/account.ts";
import { EACCES, ENOENT, ESRCH } from "../../../ffi/abi/errno.ts";
import { O_CLOEXEC } from "../../../ffi/abi/fcntl.ts";
import { S_IFLNK, S_IFREG } from "../../../ffi/abi/stat.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import { NR_OPEN } from "../../vfs/fd_table.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { FIRST_OFFSET, type GeneratedDir, type Listed } from "../../fs/generated/generated_dir.ts";
import type { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { TextInode } from "../../fs/generated/text_inode.ts";
import { leaseLine, lockLine } from "./lock_text.ts";
import { FdLink } from "./magic_link.ts";
import type { ProcTask } from "./source.ts";
import { TaskBelow } from "./task_below.ts";
import {
  AREA_FD,
  AREA_FDINFO,
  AREA_THREAD_FD,
  AREA_THREAD_FDINFO,
  type TaskRef,
} from "./task_ref.ts";

/** `mnt_id` of files without a visible mount, as Linux's pipes and sockets have one. */
const INTERNAL_MOUNT = 14;

/** A descriptor number as a name: no sign, no leading zero. */
function parseFd(name: string): number {
  if (!/^(0|[1-9][0-9]{0,6})$/.test(name)) return -1;
  const fd = Number(name);
  return fd < NR_OPEN ? fd : -1;
}

abstract class DescriptorDir extends TaskBelow {
  private readonly area: number;
  private readonly entryType: number;

  constructor(
    fs: GeneratedFs,
    ref: TaskRef,
    parent: GeneratedDir,
    ino: number,
    permissions: number,
    area: number,
    entryType: number,
  ) {
    super(fs, ref, parent, ino, permissions);
    this.area = area;
    this.entryType = entryType;
  }

  protected inoOf(fd: number): number {
    return this.ref.ino(this.area, fd);
  }

  protected abstract make(fd: number): Inode;

  override lookup(name: string): Inode | number {
    const task = this.ref.get(), fd = parseFd(name);
    if (task === null) return -ESRCH;
    if (fd < 0 || task.files === null || task.files.getAny(fd) === null) return -ENOENT;
    return this.make(fd);
  }

  override list(): readonly Listed[] | number {
    const task = this.ref.get();
    if (task === null) return -ENOENT;
    const type = this.entryType >> 12;
    return (task.files?.openFds() ?? []).map((fd) => ({
      name: String(fd),
      ino: this.inoOf(fd),
      type,
      offset: FIRST_OFFSET + fd,
    }));
  }
}

/** /proc/PID/fd. */
export class FdDir extends DescriptorDir {
  constructor(fs: GeneratedFs, ref: TaskRef, parent: GeneratedDir, ino: number) {
    super(fs, ref, parent, ino, 0o500, ref.isThread ? AREA_THREAD_FD : AREA_FD, S_IFLNK);
    this.refresh();
  }

  /** A process that may not be inspected may still read its own directory. */
  override checkMode(mask: number, cred: Credentials): number {
    const task = this.ref.get(), r = super.checkMode(mask, cred);
    return r < 0 && task !== null && this.ref.source.caller()?.isOf(task) === true ? 0 : r;
  }

  /** The size is the number of descriptors. */
  override refresh(): number {
    const task = this.ref.get();
    if (task === null) return 0;
    this.ref.own(this);
    this.size = task.files?.count ?? 0;
    return 0;
  }

  protected override make(fd: number): Inode {
    return new FdLink(this.generated, this.ref, this.inoOf(fd), fd);
  }

  override relookup(name: string, cached: Inode | null): Inode | number {
    if (!(cached instanceof FdLink)) return this.lookup(name);
    if (this.ref.get() === null) return -ESRCH;
    if (!cached.isOpen) return -ENOENT;
    cached.refresh();
    return cached;
  }
}

/** /proc/PID/fdinfo. */
export class FdinfoDir extends DescriptorDir {
  constructor(fs: GeneratedFs, ref: TaskRef, parent: GeneratedDir, ino: number) {
    const area = ref.isThread ? AREA_THREAD_FDINFO : AREA_FDINFO;
    super(fs, ref, parent, ino, 0o555, area, S_IFREG);
  }

  override refresh(): number {
    this.ref.own(this);
    return 0;
  }

  override checkMode(mask: number, cred: Credentials): number {
    return this.ref.get() === null ? -ESRCH : super.checkMode(mask, cred);
  }

  /** The look-up needs more than the mode says (proc_fdinfo_permission of Linux). */
  override lookup(name: string): Inode | number {
    const task = this.ref.get();
    return task !== null && !this.ref.mayInspect(task) ? -EACCES : super.lookup(name);
  }

  override open(
    dentry: Dentry,
    flags: number,
    cred: Credentials,
    account: Account,
  ): OpenFile | number {
    const task = this.ref.get();
    if (task === null) return -ENOENT;
    return this.ref.mayInspect(task) ? super.open(dentry, flags, cred, account) : -EACCES;
  }

  protected override make(fd: number): Inode {
    return new FdinfoFile(this.generated, this.ref, this.inoOf(fd), fd);
  }

  override relookup(name: string, cached: Inode | null): Inode | number {
    const found = this.lookup(name);
    return typeof found !== "number" && cached instanceof FdinfoFile ? cached : found;
  }
}

export class FdinfoFile extends TextInode {
  private readonly ref: TaskRef;
  private readonly fd: number;

  constructor(fs: GeneratedFs, ref: TaskRef, ino: number, fd: number) {
    super(fs, ino, 0o444);
    this.ref = ref;
    this.fd = fd;
    ref.own(this);
  }

  protected override get isModeFixed(): boolean {
    return true;
  }

  override open(
    dentry: Dentry,
    flags: number,
    cred: Credentials,
    account: Account,
  ): OpenFile | number {
    const task = this.ref.get();
    if (task === null) return -ESRCH;
    return this.ref.mayInspect(task) ? super.open(dentry, flags, cred, account) : -EACCES;
  }

  override render(): string | number {
    const task = this.ref.get();
    if (task === null || task.files === null) return -ENOENT;
    const file = task.files.getAny(this.fd);
    if (file === null) return -ENOENT;
    const flags = file.flags | (task.files.isCloexec(this.fd) ? O_CLOEXEC : 0);
    return `pos:\t${file.pos}\nflags:\t0${flags.toString(8)}\n` +
      `mnt_id:\t${file.path?.mount.id ?? INTERNAL_MOUNT}\nino:\t${file.inode.ino}\n` +
      lockLines(task, file) + file.fdinfo(this.ref.source.pids);
  }
}

/**
 * The lock: lines of a descriptor: flock(2), record locks of its table or its description, and its
 * lease.
 */
function lockLines(task: ProcTask, file: OpenFile): string {
  const { inode } = file, { locks, leases } = inode, lines: string[] = [];
  for (const lock of locks?.all ?? []) {
    if (lock.owner !== task.files && lock.owner !== file) continue;
    lines.push(lockLine(lock, lock.kind === "OFDLCK" ? -1 : task.tgid, inode));
  }
  const lease = leases?.of(file) ?? null;
  if (lease !== null) lines.push(leaseLine(lease, task.tgid, inode));
  return lines.map((line, i) => `lock:\t${i + 1}: ${line}`).join("");
}
