/**
 * Text files of a task, such as /proc/PID/stat: open, read and write. The texts by name:
 * task_formats.ts, memory_formats.ts.
 */

import type { Account } from "../../core/account.ts";
import { EACCES, EINVAL, EPERM, ESRCH } from "../../../ffi/abi/errno.ts";
import type { Credentials } from "../../cred/credentials.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import type { Dentry } from "../../vfs/dentry.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import type { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { TextFile, TextInode } from "../../fs/generated/text_inode.ts";
import { AreaTextFile } from "./area_text.ts";
import { AREA_FORMATS, MEMORY_FORMATS } from "./memory_formats.ts";
import { TASK_FORMATS } from "./task_formats.ts";
import type { TaskRef } from "./task_ref.ts";

/** Base class of text files with the task's owner. */
export abstract class OwnedText extends TextInode {
  readonly ref: TaskRef;
  readonly name: string;

  constructor(fs: GeneratedFs, ref: TaskRef, ino: number, permissions: number, name: string) {
    super(fs, ino, permissions);
    this.ref = ref;
    this.name = name;
    ref.own(this);
  }

  protected override get isModeFixed(): boolean {
    return true;
  }

  override refresh(): number {
    this.ref.own(this);
    return 0;
  }
}

/** `name` is in TASK_FORMATS. */
export class TaskText extends OwnedText {
  override open(
    _dentry: Dentry,
    flags: number,
    _cred: Credentials,
    account: Account,
  ): OpenFile | number {
    const task = this.ref.get();
    if (task === null) return -ESRCH;
    const isGuarded = TASK_FORMATS.get(this.name)?.needs === "access to open";
    return isGuarded && !this.ref.mayInspect(task)
      ? -EACCES
      : new TaskTextFile(account, this, flags);
  }

  /** Only an open file has a text. */
  override render(): number {
    return -EPERM;
  }

  renderFor(opener: Credentials): string | number {
    const task = this.ref.get(), format = TASK_FORMATS.get(this.name);
    if (task === null || format === undefined) return -ESRCH;
    const { needs } = format,
      isGuarded = needs === "access to read" || needs === "attachment to read";
    if (isGuarded && !this.ref.mayInspect(task)) {
      return needs === "access to read" ? -EACCES : -EPERM;
    }
    return format.render(task, this.ref.source, !this.ref.isThread, opener);
  }

  storeFor(text: string, opener: Credentials): number {
    const task = this.ref.get(), format = TASK_FORMATS.get(this.name);
    if (task === null) return -ESRCH;
    return format?.store?.(task, this.ref.source, text, opener) ?? -EINVAL;
  }
}

export class TaskTextFile extends TextFile {
  private readonly text: TaskText;

  constructor(account: Account, inode: TaskText, flags: number) {
    super(account, inode, flags);
    this.text = inode;
  }

  protected override render(): string | number {
    return this.cred === null ? -EPERM : this.text.renderFor(this.cred);
  }
  protected override store(text: string, _offset: number): number {
    return this.cred === null ? -EPERM : this.text.storeFor(text, this.cred);
  }
}

/**
 * A file about memory; `name` is in MEMORY_FORMATS or AREA_FORMATS. A descriptor shows the memory
 * at open(2), not that of a later program.
 */
export class MemoryText extends OwnedText {
  override open(
    _dentry: Dentry,
    flags: number,
    _cred: Credentials,
    account: Account,
  ): OpenFile | number {
    const task = this.ref.get();
    if (task === null) return -ESRCH;
    const needsMemory = MEMORY_FORMATS.has(this.name) || this.name === "smaps_rollup";
    if (task.mm === null && needsMemory) return -ESRCH;
    if (task.mm !== null && !this.ref.mayReadMemory(task)) return -EACCES;
    if (AREA_FORMATS.has(this.name)) {
      return new AreaTextFile(account, this, flags, this.ref, task.mm, this.name);
    }
    return new MemoryTextFile(account, this, flags, task.mm);
  }

  override render(): string {
    return "";
  }

  renderOf(mm: MemoryManager): string | number {
    return MEMORY_FORMATS.get(this.name)?.render(mm) ?? "";
  }
}

export class MemoryTextFile extends TextFile {
  private readonly text: MemoryText;
  private readonly mm: MemoryManager | null;

  constructor(account: Account, inode: MemoryText, flags: number, mm: MemoryManager | null) {
    super(account, inode, flags);
    this.text = inode;
    this.mm = mm;
  }

  protected override render(): string | number {
    if (this.text.ref.get() === null) return -ESRCH;
    return this.mm === null || this.mm.isDestroyed ? "" : this.text.renderOf(this.mm);
  }
}
