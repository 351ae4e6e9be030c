/**
 * /proc/PID/attr: attributes of security modules (proc_pid_attr(5)). This kernel's modules have
 * none, so reads and writes are EINVAL.
 */

import type { Account } from "../../core/account.ts";
import { EACCES, EINVAL, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import { S_IFREG } from "../../../ffi/abi/stat.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { Inode } from "../../vfs/inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import type { GeneratedDir } from "../../fs/generated/generated_dir.ts";
import type { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { TextFile, TextInode } from "../../fs/generated/text_inode.ts";
import { TaskNames } from "./task_names.ts";
import { AREA_ATTR, AREA_THREAD_ATTR, type TaskRef } from "./task_ref.ts";

const FILES: readonly (readonly [string, number])[] = [
  ["current", 0o666],
  ["prev", 0o444],
  ["exec", 0o666],
  ["fscreate", 0o666],
  ["keycreate", 0o666],
  ["sockcreate", 0o666],
];

const NAMES: readonly string[] = FILES.map(([name]) => name);

export class AttrDir extends TaskNames {
  constructor(fs: GeneratedFs, ref: TaskRef, parent: GeneratedDir, ino: number) {
    super(fs, ref, parent, ino, 0o555);
  }

  protected override get names(): readonly string[] {
    return NAMES;
  }
  protected override get type(): number {
    return S_IFREG;
  }
  protected override inoOf(index: number): number {
    return this.ref.ino(this.ref.isThread ? AREA_THREAD_ATTR : AREA_ATTR, index);
  }
  protected override make(index: number): Inode {
    return new AttrFile(this.generated, this.ref, this.inoOf(index), FILES[index]![1]);
  }
}

export class AttrFile extends TextInode {
  private readonly ref: TaskRef;

  constructor(fs: GeneratedFs, ref: TaskRef, ino: number, permissions: number) {
    super(fs, ino, permissions);
    this.ref = ref;
    ref.own(this);
  }

  override open(_dentry: Dentry, flags: number, _cred: Credentials, account: Account): OpenFile {
    const task = this.ref.get();
    const mm = task !== null && this.ref.mayInspect(task) ? task.mm : null;
    return new OpenAttr(account, this, flags, mm);
  }

  override render(): number {
    return this.ref.get() === null ? -ESRCH : -EINVAL;
  }

  /** Only a task itself may write its attributes, through a file that it opened. */
  storeThrough(mm: MemoryManager | null): number {
    const task = this.ref.get(), caller = this.ref.source.current();
    if (mm === null || caller?.mm !== mm) return -EPERM;
    if (task === null) return -ESRCH;
    return caller.tgid === task.tgid ? -EINVAL : -EACCES;
  }
}

/**
 * A descriptor stays with the program that the process ran at open(2): others cannot write by it.
 */
export class OpenAttr extends TextFile {
  private readonly attr: AttrFile;
  private readonly mm: MemoryManager | null;

  constructor(account: Account, attr: AttrFile, flags: number, mm: MemoryManager | null) {
    super(account, attr, flags);
    this.attr = attr;
    this.mm = mm;
  }

  protected override store(_text: string, _offset: number): number {
    return this.attr.storeThrough(this.mm);
  }
}
