/**
 * /proc/PID/mem: the memory of a process as a file, as a debugger uses it (proc_pid_mem(5)). A
 * descriptor refers to the memory at open(2), not to that of a later program.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { Account } from "../../core/account.ts";
import { EIO } from "../../../ffi/abi/errno.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import type { GeneratedFs } from "../../fs/generated/generated_fs.ts";
import { MemoryInode } from "./memory_inode.ts";
import type { ProcTask } from "./source.ts";
import type { TaskRef } from "./task_ref.ts";

export class MemInode extends MemoryInode {
  constructor(fs: GeneratedFs, ref: TaskRef, ino: number) {
    super(fs, ref, ino, 0o600);
  }

  protected override show(flags: number, mm: MemoryManager, account: Account): OpenFile {
    return new MemFile(account, this, flags, mm);
  }
  protected override mayShow(task: ProcTask): boolean {
    return this.ref.mayAttachMemory(task);
  }
}

const page = new Uint8Array(PAGE_SIZE);

export class MemFile extends OpenFile {
  readonly inode: MemInode;
  private readonly mm: MemoryManager;

  constructor(account: Account, inode: MemInode, flags: number, mm: MemoryManager) {
    super(account, flags);
    this.inode = inode;
    this.mm = mm;
  }

  override get isSeekable(): boolean {
    return true;
  }
  override get takesSplice(): boolean {
    return false;
  }

  override read(io: IoCursor, offset: number): number {
    if (this.mm.isDestroyed || io.remaining === 0) return 0;
    let done = 0;
    while (io.remaining > 0) {
      const len = Math.min(io.remaining, PAGE_SIZE - (offset + done) % PAGE_SIZE);
      const n = this.mm.readForced(page, 0, offset + done, len);
      if (n === 0) return done > 0 ? done : -EIO;
      const put = io.putBytes(page, 0, n);
      if (put < 0) return done > 0 ? done : put;
      done += put;
      if (put < n) break;
    }
    return done;
  }

  override write(io: IoCursor, offset: number): number {
    if (this.mm.isDestroyed || io.remaining === 0) return 0;
    let done = 0;
    while (io.remaining > 0) {
      const len = Math.min(io.remaining, PAGE_SIZE - (offset + done) % PAGE_SIZE);
      const taken = io.takeBytes(page, 0, len);
      if (taken < 0) return done > 0 ? done : taken;
      const n = this.mm.writeForced(offset + done, page, 0, taken);
      if (n === 0) return done > 0 ? done : -EIO;
      done += n;
      if (n < len) break;
    }
    return done;
  }

  override truncate(_size: number): number {
    return 0;
  }
}
