/**
 * Files of /proc/PID that have a record for each area of a memory: maps, smaps, numa_maps; and
 * smaps_rollup, which has one for all. The text is made as it is read, from the area behind the
 * last record on, as Linux's seq_file does it: a read gives some records, and what a reader at
 * another place has to be passed over takes several turns of the loop.
 */

import type { Account } from "../../core/account.ts";
import { EAGAIN, ENOMEM, ESRCH } from "../../../ffi/abi/errno.ts";
import { stringToBytes } from "../../core/bytes.ts";
import { TEXT_BYTES } from "../../core/quota.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { PAGE_SIZE } from "../../mm/frames.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import { VM_LOCKED, type Vma } from "../../mm/vma.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import type { GeneratedInode } from "../../fs/generated/generated_inode.ts";
import type { TaskRef } from "./task_ref.ts";
import { MemoryUse, TURN_UNITS, UseCount } from "./memory_use.ts";

export interface AreaFormat {
  /** What a record costs, in the units of memory_use.ts. */
  readonly units: number;
  /** Records say how much of the area is there. */
  readonly counts: boolean;
  /** The record of an area, or null: there is none for each. */
  readonly record: ((mm: MemoryManager, vma: Vma, use: MemoryUse) => string) | null;
  /** What stands at the end. */
  readonly total: ((mm: MemoryManager, use: MemoryUse) => string) | null;
}

/** LIMIT: a read gives records until there are so many bytes. */
const CHUNK_BYTES = 8192;
const NOTHING = new Uint8Array(0);
/** Of areas that are not counted. */
const NONE = new MemoryUse();

export class AreaTextFile extends OpenFile {
  readonly inode: GeneratedInode;
  private readonly ref: TaskRef;
  private readonly mm: MemoryManager | null;
  private readonly format: AreaFormat;
  /** Bytes from `chunkAt` on. */
  private chunk: Uint8Array<ArrayBuffer> = NOTHING;
  private chunkAt: number = 0;
  /** Areas below this address have their record. */
  private next: number = 0;
  /** The next one, of which a part is counted; and all before. */
  private count: UseCount | null = null;
  private total: MemoryUse = new MemoryUse();
  private isAtEnd: boolean = false;

  constructor(
    account: Account,
    inode: GeneratedInode,
    flags: number,
    ref: TaskRef,
    mm: MemoryManager | null,
    format: AreaFormat,
  ) {
    super(account, flags);
    this.inode = inode;
    this.ref = ref;
    this.mm = mm;
    this.format = format;
  }

  override get isSeekable(): boolean {
    return true;
  }

  override read(io: IoCursor, offset: number): number {
    const { mm } = this;
    this.needsTurn = false;
    if (this.ref.get() === null) return -ESRCH;
    if (mm === null || mm.isDestroyed) return 0;
    // A reader that begins again sees the memory as it is now.
    const isFirst = offset === 0 && this.chunkAt === 0 && this.chunk.length > 0;
    if (offset < this.chunkAt || isFirst) this.rewind();
    for (let units = TURN_UNITS; offset >= this.chunkAt + this.chunk.length;) {
      if (this.isAtEnd) return 0;
      if (units <= 0) {
        this.needsTurn = true;
        return -EAGAIN;
      }
      units = this.makeChunk(mm, units);
      if (units === -ENOMEM) return -ENOMEM;
    }
    const from = offset - this.chunkAt;
    return io.putBytes(this.chunk, from, Math.min(io.remaining, this.chunk.length - from));
  }

  private rewind(): void {
    this.keep(NOTHING);
    this.chunkAt = 0;
    this.next = 0;
    this.count = null;
    this.total = new MemoryUse();
    this.isAtEnd = false;
  }

  /** The records that follow: the units that are left, 0 when the turn is over, or -ENOMEM. */
  private makeChunk(mm: MemoryManager, units: number): number {
    const { vmas } = mm, { format } = this;
    let text = "", left = units;
    while (text.length < CHUNK_BYTES && left > 0 && !this.isAtEnd) {
      const i = vmas.indexOf(this.next);
      if (i === vmas.length) {
        text += format.total?.(mm, this.total) ?? "";
        this.isAtEnd = true;
        break;
      }
      const vma = vmas.at(i);
      if (format.counts) left = this.countArea(mm, vma, left);
      if (left <= 0) break;
      const use = this.count?.use ?? NONE;
      text += format.record?.(mm, vma, use) ?? "";
      left -= format.units;
      this.total.add(use);
      this.next = vma.end;
      this.count = null;
    }
    this.chunkAt += this.chunk.length;
    if (this.keep(stringToBytes(text))) return Math.max(0, left);
    this.rewind();
    return -ENOMEM;
  }

  /** Units that are left; 0: there is more to count. */
  private countArea(mm: MemoryManager, vma: Vma, units: number): number {
    const count = this.count ??= new UseCount(vma.start / PAGE_SIZE, vma.end / PAGE_SIZE);
    const left = count.advance(mm, vma, units);
    if (left > 0 && (vma.flags & VM_LOCKED) !== 0) count.use.locked = count.use.resident;
    return left;
  }

  private keep(bytes: Uint8Array<ArrayBuffer>): boolean {
    const more = bytes.length - this.chunk.length;
    if (more > 0 && !TEXT_BYTES.hasRoom(more, this.account)) return false;
    TEXT_BYTES.add(more, this.account);
    this.chunk = bytes;
    return true;
  }

  protected override release(): void {
    this.keep(NOTHING);
  }
}
