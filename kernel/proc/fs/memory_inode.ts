/**
 * Base class of files of /proc/PID that access memory: a caller that may inspect the process opens
 * them, for its memory at that time.
 */

import type { Account } from "../../core/account.ts";
import { EACCES, ESRCH } from "../../../ffi/abi/errno.ts";
import { S_IFREG } from "../../../ffi/abi/stat.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import type { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { GeneratedInode } from "../../fs/generated/generated_inode.ts";
import type { ProcTask } from "./source.ts";
import type { TaskRef } from "./task_ref.ts";

export abstract class MemoryInode extends GeneratedInode {
  protected readonly ref: TaskRef;

  constructor(fs: GeneratedFs, ref: TaskRef, ino: number, permissions: number) {
    super(fs, ino, S_IFREG | permissions);
    this.ref = ref;
    ref.own(this);
  }

  /** A description of the memory. */
  protected abstract show(flags: number, mm: MemoryManager, account: Account): OpenFile;

  protected mayShow(task: ProcTask): boolean {
    return this.ref.mayReadMemory(task);
  }

  protected override get isModeFixed(): boolean {
    return true;
  }
  override refresh(): number {
    this.ref.own(this);
    return 0;
  }

  override open(
    _dentry: Dentry,
    flags: number,
    _cred: Credentials,
    account: Account,
  ): OpenFile | number {
    const task = this.ref.get();
    if (task === null || task.mm === null) return -ESRCH;
    return this.mayShow(task) ? this.show(flags, task.mm, account) : -EACCES;
  }
}
