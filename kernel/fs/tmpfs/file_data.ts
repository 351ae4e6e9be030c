/**
 * The bytes of a tmpfs file: pages in arena frames, moved from and to cursors in runs of contiguous
 * frames. It does not know the inode: the caller gives the size. Bytes of the last page behind the
 * end are zero.
 *
 * Neighbours: file_pages.ts (where the pages are), regular.ts (size, seals, times), regular_file.ts
 * (calls `read` and `write`).
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { ENOMEM, ENOSPC } from "../../../ffi/abi/errno.ts";
import { copy, fill } from "../../../ffi/mem/native_memory.ts";
import { copyTouched } from "../../mm/copy_frames.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { FilePages, HOLE, type PageSink } from "./file_pages.ts";
import { RecordedPages } from "./records/inode_record.ts";
import type { TmpfsSpace } from "./space.ts";

/** The most pages of one allocation. */
const MAX_EXTENT = 512;

/** The file whose data it is. */
interface DataOwner {
  readonly ino: number;
  /** The pages at bytes [from, to) get other frames: mappings of the old ones end. */
  onPagesMoved(from: number, to: number): void;
  /** Drops its record: the pages are about to change. */
  dropRecord(): void;
}

export class FileData implements PageSink {
  readonly pages: FilePages = new FilePages();
  readonly owner: DataOwner;
  readonly space: TmpfsSpace;
  private readonly base: number;
  /** Records of the file have the arrays of `pages`, and hold the frames too; null: none does. */
  lent: RecordedPages | null = null;

  constructor(owner: DataOwner, space: TmpfsSpace) {
    this.owner = owner;
    this.space = space;
    this.base = space.frames.arena.base;
  }

  /** Reads bytes [offset, size) into the cursor: how many, or -EFAULT when none. HOT */
  read(io: IoCursor, offset: number, size: number): number {
    let left = Math.min(io.remaining, size - offset), done = 0;
    let page = Math.floor(offset / PAGE_SIZE), inPage = offset - page * PAGE_SIZE;
    const pages = this.pages;
    while (left > 0) {
      const run = pages.run(page, Math.ceil((inPage + left) / PAGE_SIZE));
      const n = Math.min(left, run * PAGE_SIZE - inPage), frame = pages.runFrame;
      const r = frame === HOLE
        ? io.putZeros(n)
        : io.putHost(this.base + frame * PAGE_SIZE + inPage, n);
      if (r < 0) return done > 0 ? done : r;
      done += r;
      if (r < n) return done;
      left -= n;
      page += run;
      inPage = 0;
    }
    return done;
  }

  /**
   * Writes the cursor's next `len` bytes at `offset`: how many, or -EFAULT, -ENOSPC, -ENOMEM when
   * none. HOT
   */
  write(io: IoCursor, offset: number, len: number): number {
    let left = len, done = 0;
    let page = Math.floor(offset / PAGE_SIZE), inPage = offset - page * PAGE_SIZE;
    const pages = this.pages;
    while (left > 0) {
      const wanted = Math.ceil((inPage + left) / PAGE_SIZE);
      let run = pages.run(page, wanted), frame = pages.runFrame;
      const isNew = frame === HOLE;
      if (isNew) {
        run = this.allocate(page, run);
        if (run < 0) return done > 0 ? done : run;
        frame = pages.get(page);
      } else if (this.space.frames.pool.isShared) {
        run = this.own(page, run);
        if (run < 0) return done > 0 ? done : run;
        frame = pages.get(page);
      }
      const n = Math.min(left, run * PAGE_SIZE - inPage);
      const r = io.takeHost(this.base + frame * PAGE_SIZE + inPage, n);
      if (isNew && r < n) {
        const used = r <= 0 ? 0 : Math.ceil((inPage + r) / PAGE_SIZE);
        pages.clear(page + used, page + run, this);
      }
      if (r < 0) return done > 0 ? done : r;
      done += r;
      if (r < n) return done;
      left -= n;
      page += run;
      inPage = 0;
    }
    return done;
  }

  /**
   * Fills the hole of `count` pages at `page`, or a part of it: how many pages, -ENOSPC or -ENOMEM.
   */
  allocate(page: number, count: number): number {
    if (this.lent !== null) this.endLoan();
    const room = this.space.takePages(Math.min(count, MAX_EXTENT));
    if (room === 0) return -ENOSPC;
    for (let n = room; n > 0; n >>= 1) {
      const off = this.space.frames.alloc(n);
      if (off < 0) continue;
      if (n < room) this.space.givePages(room - n);
      this.pages.fill(page, off / PAGE_SIZE, n);
      return n;
    }
    this.space.givePages(room);
    return -ENOMEM;
  }

  /**
   * Called before a write to `count` pages that have contiguous frames: if a snapshot or another
   * kernel holds the first one, it gets a copy, as do those behind it. The number of pages that may
   * be written now, or -ENOMEM.
   */
  own(page: number, count: number): number {
    const { frames } = this.space, old = this.pages.get(page);
    if (old === HOLE) return count;
    if (this.lent !== null && frames.pool.isHeldTwice(old)) this.endLoan();
    const run = frames.pool.heldRun(old, Math.min(count, MAX_EXTENT));
    if (!frames.pool.isHeldTwice(old)) return run;
    for (let n = run; n > 0; n >>= 1) {
      const off = frames.alloc(n);
      if (off < 0) continue;
      const bytes = n * PAGE_SIZE;
      if (copyTouched(frames.arena, off, old * PAGE_SIZE, bytes) === bytes) {
        this.pages.replace(page, off / PAGE_SIZE, n);
        this.owner.onPagesMoved(page * PAGE_SIZE, (page + n) * PAGE_SIZE);
        frames.release(old * PAGE_SIZE, n);
        return n;
      }
      frames.release(off, n);
    }
    return -ENOMEM;
  }

  /**
   * Called before bytes [from, to) are zeroed: pages of which a part stays may be written then. 0
   * or -ENOMEM.
   */
  ownEdges(from: number, to: number): number {
    for (const edge of [from, to]) {
      if (edge % PAGE_SIZE === 0 || edge === Infinity) continue;
      const page = Math.floor(edge / PAGE_SIZE);
      if (this.own(page, 1) < 0) return -ENOMEM;
    }
    return 0;
  }

  /** Moves the pages from `from` on by `by` pages (negative: down, onto holes). */
  shift(from: number, by: number): void {
    if (this.lent !== null) this.endLoan();
    this.pages.shift(from, by);
  }

  /** The pages, for a record of the file. */
  lend(): RecordedPages {
    return this.lent ??= new RecordedPages(this.pages.pieces, this.space.frames.pool);
  }

  /** Has the pages of a record of the file, whose frames are held for it. */
  borrow(pages: RecordedPages): void {
    this.lent = pages;
    this.pages.use(pages);
  }

  /** The pages become the file's alone. Its own record does not have them any more. */
  private endLoan(): void {
    this.owner.dropRecord();
    if (this.lent!.refs > 0) this.pages.separate();
    this.lent = null;
  }

  /** Fills all holes of pages [from, to): 0, or -errno after undoing it. */
  reserve(from: number, to: number): number {
    // A range larger than the arena fails before a page is taken, as in shmem_fallocate.
    if (to - from > this.space.frames.arena.size / PAGE_SIZE) return -ENOSPC;
    const filled: number[] = [];
    for (let page = from; page < to;) {
      let run = this.pages.run(page, to - page);
      if (this.pages.runFrame === HOLE) {
        run = this.allocate(page, run);
        if (run < 0) {
          for (let i = 0; i < filled.length; i += 2) {
            this.pages.clear(filled[i]!, filled[i]! + filled[i + 1]!, this);
          }
          return run;
        }
        filled.push(page, run);
      }
      page += run;
    }
    return 0;
  }

  /**
   * Zeroes bytes [from, to); whole pages become holes. `to` Infinity: to the end. `ownEdges` was
   * called before.
   */
  punch(from: number, to: number): void {
    const first = Math.ceil(from / PAGE_SIZE), last = Math.floor(to / PAGE_SIZE);
    if (first > last) {
      this.zero(from, to);
      return;
    }
    if (this.lent !== null) this.endLoan();
    this.zero(from, first * PAGE_SIZE);
    this.pages.clear(first, last, this);
    if (to !== Infinity) this.zero(last * PAGE_SIZE, to);
  }

  /** Zeroes bytes within one page, unless it is a hole. */
  private zero(from: number, to: number): void {
    if (from >= to) return;
    const page = Math.floor(from / PAGE_SIZE), frame = this.pages.get(page);
    if (frame !== HOLE) fill(this.base + frame * PAGE_SIZE + from - page * PAGE_SIZE, 0, to - from);
  }

  /** The arena offset of a page, or -1 for a hole. */
  frame(page: number): number {
    const frame = this.pages.get(page);
    return frame === HOLE ? -1 : frame * PAGE_SIZE;
  }

  /**
   * Copies bytes from `offset` on to host memory, holes as zeros: how many (short at a fault of the
   * destination).
   */
  copyTo(hostAddr: number, offset: number, len: number): number {
    let done = 0;
    while (done < len) {
      const at = offset + done, page = Math.floor(at / PAGE_SIZE), inPage = at - page * PAGE_SIZE;
      const run = this.pages.run(page, Math.ceil((inPage + len - done) / PAGE_SIZE));
      const n = Math.min(len - done, run * PAGE_SIZE - inPage), frame = this.pages.runFrame;
      const r = frame === HOLE
        ? fill(hostAddr + done, 0, n)
        : copy(hostAddr + done, this.base + frame * PAGE_SIZE + inPage, n);
      done += r;
      if (r < n) break;
    }
    return done;
  }

  /** Called by PageMap: frees pages that left the map. */
  free(arenaPage: number, count: number): void {
    this.space.frames.release(arenaPage * PAGE_SIZE, count);
    this.space.givePages(count);
  }
}
