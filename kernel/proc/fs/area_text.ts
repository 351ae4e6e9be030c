/**
 * Files of /proc/PID with a record for each area of a memory: maps, smaps, numa_maps; and
 * smaps_rollup, with one record for all. As with Linux's seq_file, the text is made while it is
 * read, from the area behind the last record on: a read gives some records, and the records in
 * front of a reader's offset are skipped over several turns.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { Account } from "../../core/account.ts";
import { EAGAIN, ENOMEM, ESRCH } from "../../../ffi/abi/errno.ts";
import { stringToBytes } from "../../core/bytes.ts";
import { TEXT_BYTES } from "../../core/quota.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import { VM_LOCKED, type Vma } from "../../mm/vma.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import type { GeneratedInode } from "../../fs/generated/generated_inode.ts";
import type { TaskRef } from "./task_ref.ts";
import { AREA_FORMATS } from "./memory_formats.ts";
import { MemoryUse, TURN_UNITS, UseCount } from "./memory_use.ts";

/** LIMIT: a read makes records until they have this many bytes. */
const CHUNK_BYTES = 8192;
const NOTHING = new Uint8Array(0);
/** The use of areas that are not counted. */
const NONE = new MemoryUse();

export class AreaTextFile extends OpenFile {
  readonly inode: GeneratedInode;
  private readonly ref: TaskRef;
  private readonly mm: MemoryManager | null;
  /** The name of the file, by which its format is found. */
  private readonly name: string;
  /** The text from `chunkAt` on. */
  private chunk: Uint8Array<ArrayBuffer> = NOTHING;
  private chunkAt: number = 0;
  /** The records of areas below this address are made. */
  private next: number = 0;
  /** The count in progress, of the next area or of all areas. */
  private count: UseCount | null = null;
  private total: MemoryUse = new MemoryUse();
  private isAtEnd: boolean = false;

  /** @param name in AREA_FORMATS */
  constructor(
    account: Account,
    inode: GeneratedInode,
    flags: number,
    ref: TaskRef,
    mm: MemoryManager | null,
    name: string,
  ) {
    super(account, flags);
    this.inode = inode;
    this.ref = ref;
    this.mm = mm;
    this.name = name;
  }

  override get isSeekable(): boolean {
    return true;
  }

  override read(io: IoCursor, offset: number): number {
    const { mm } = this;
    this.needsTurn = false;
    if (this.ref.get() === null) return -ESRCH;
    if (mm === null || mm.isDestroyed) return 0;
    // A reader at offset 0 sees the memory as it is now.
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

  /** Makes the next records: the units left, 0 at the end of the turn, or -ENOMEM. */
  private makeChunk(mm: MemoryManager, units: number): number {
    const { vmas } = mm, format = AREA_FORMATS.get(this.name)!;
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

  /** Count an area: the units left; 0: more is to count. */
  private countArea(mm: MemoryManager, vma: Vma, units: number): number {
    const count = this.count ??= new UseCount(vma.start / PAGE_SIZE, vma.end / PAGE_SIZE);
    const left = count.advance(mm, vma, units);
    if (left > 0 && (vma.flags & VM_LOCKED) !== 0) count.use.locked = count.use.resident;
    return left;
  }

  private keep(bytes: Uint8Array<ArrayBuffer>): boolean {
    if (!TEXT_BYTES.replace(this.chunk.length, bytes.length, this.account)) return false;
    this.chunk = bytes;
    return true;
  }

  protected override release(): void {
    this.keep(NOTHING);
  }
}
