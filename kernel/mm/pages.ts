/**
 * The page map of a process: the frame of each guest page, in extents. Units are pages: guest page
 * numbers, and arena page numbers for frames. The memory manager's topic files read and change it;
 * vma.ts has the areas.
 *
 * An extent may have a *shadow*: a reserved stretch of untouched frames that its pages move to when
 * they are written (page i to shadow + i, so that host mappings can be merged). An extent without
 * frame (-1) has only a shadow, or marks pages as poisoned or watched.
 *
 * Invariant: a page with a frame is mapped in the host, with the protection that its area and its
 * flags give.
 */

import type { Account } from "../core/account.ts";
import { PAGE_EXTENTS } from "../core/quota.ts";

/**
 * A bit of an extent's flags. The frame may be shared, so the host must not let the guest write.
 */
export const PAGE_COW = 1;
/** The frame is a page of the file itself, not this process's copy. */
export const PAGE_FILE = 2;
/** A copy of a code page with patched system call sites (patch.ts). */
export const PAGE_PATCHED = 4;
/** A frame of a shared mapping. */
export const PAGE_SHARED = 8;
/**
 * With PAGE_COW, or without a frame: a write is a fault for the area's handler (userfaultfd(2)).
 */
export const PAGE_WATCHED = 16;
/** Without a frame: a touch is SIGBUS (UFFDIO_POISON). */
export const PAGE_POISONED = 32;
/** With PAGE_SHARED and PAGE_COW: a snapshot may hold the frame (freeze.ts). */
export const PAGE_FROZEN = 64;

/**
 * The places for extents that a new map has, and those that are not charged: the charge of a task
 * has room for them.
 */
const FIRST_PLACES = 32, FREE_PLACES = 256;
/** The most extents that a change of one range adds: it can cut one extent into three. */
export const CHANGE_EXTENTS = 2;
/** Arrays of which less than this part is used are made smaller. */
const LEAST_USED = 1 / 8;

/** The numbers that frames have in a copy of the kernel. */
interface NewFrames {
  /** Of the first of `count` frames whose numbers follow each other. */
  of(first: number, count: number): number;
  /** How many of `most` frames have numbers that follow each other, at least 1. */
  run(first: number, most: number): number;
}

/**
 * The extents are in arrays with a gap at the place of the last insertion or removal, so that the
 * next change near by moves few extents, however many there are.
 */
export class PageMap {
  /** Number of extents. */
  length: number = 0;
  private starts: Float64Array = new Float64Array(FIRST_PLACES);
  private counts: Float64Array = new Float64Array(FIRST_PLACES);
  private frames: Int32Array = new Int32Array(FIRST_PLACES);
  private shadows: Int32Array = new Int32Array(FIRST_PLACES);
  private bits: Uint8Array = new Uint8Array(FIRST_PLACES);
  /** The gap is before extent `gap` and has `room` places: all that are not used. */
  private gap: number = 0;
  private room: number = FIRST_PLACES;
  private hint: number = 0;
  /**
   * Pages whose frame or flags changed, as page, count pairs, while a fork copies the map in
   * several turns; else null.
   */
  changed: number[] | null = null;
  /** The account that is charged for the places: the maker's. */
  private readonly account: Account;

  constructor(account: Account) {
    this.account = account;
  }

  /**
   * Whether `count` more extents may be made. A change that does not call this is charged as well.
   * HOT
   */
  hasRoom(count: number): boolean {
    return count <= this.room || this.mayGrow;
  }

  private get mayGrow(): boolean {
    const more = chargedFor(2 * this.starts.length) - chargedFor(this.starts.length);
    return PAGE_EXTENTS.hasRoom(more, this.account);
  }

  /** Whether another memory may have a copy of the map. */
  mayCopy(account: Account): boolean {
    const count = chargedFor(2 * this.length);
    return count === 0 || PAGE_EXTENTS.hasRoom(count, account);
  }

  /** The place of extent `i` in the arrays. HOT */
  private at(i: number): number {
    return i < this.gap ? i : i + this.room;
  }
  start(i: number): number {
    return this.starts[this.at(i)]!;
  }
  count(i: number): number {
    return this.counts[this.at(i)]!;
  }
  end(i: number): number {
    const at = this.at(i);
    return this.starts[at]! + this.counts[at]!;
  }
  frame(i: number): number {
    return this.frames[this.at(i)]!;
  }
  shadow(i: number): number {
    return this.shadows[this.at(i)]!;
  }
  flags(i: number): number {
    return this.bits[this.at(i)]!;
  }

  /** The index of the first extent that ends behind `page`. HOT */
  indexOf(page: number): number {
    const h = this.hint;
    if (h < this.length && this.end(h) > page && (h === 0 || this.end(h - 1) <= page)) return h;
    let lo = 0, hi = this.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (this.end(mid) > page) hi = mid;
      else lo = mid + 1;
    }
    this.hint = lo;
    return lo;
  }

  /** The index of the extent with a frame at `page`, or -1. HOT */
  present(page: number): number {
    const i = this.indexOf(page);
    return i < this.length && this.start(i) <= page && this.frame(i) >= 0 ? i : -1;
  }

  /** Whether the page is poisoned. */
  isPoisoned(page: number): boolean {
    const i = this.indexOf(page);
    return i < this.length && this.start(i) <= page && (this.flags(i) & PAGE_POISONED) !== 0;
  }

  /** Whether the page has no frame and is poisoned or watched. */
  isMarked(page: number): boolean {
    const i = this.indexOf(page), marks = PAGE_POISONED | PAGE_WATCHED;
    return i < this.length && this.start(i) <= page && this.frame(i) < 0 &&
      (this.flags(i) & marks) !== 0;
  }

  /**
   * Splits the extent at `page` in two; returns the index of the first extent at or behind `page`.
   */
  splitAt(page: number): number {
    const i = this.indexOf(page);
    if (i === this.length || this.start(i) >= page) return i;
    const n = page - this.start(i), rest = this.count(i) - n;
    const frame = this.frame(i), shadow = this.shadow(i);
    this.open(i + 1);
    this.counts[this.at(i)] = n;
    this.setRange(i + 1, page, rest);
    this.set(i + 1, frame < 0 ? -1 : frame + n, shadow < 0 ? -1 : shadow + n, this.flags(i));
    return i + 1;
  }

  /** Adds an extent where there is none, and merges it with its neighbours. */
  insert(page: number, pages: number, frame: number, shadow: number, flags: number): void {
    const i = this.indexOf(page);
    this.open(i);
    this.setRange(i, page, pages);
    this.set(i, frame, shadow, flags);
    this.coalesce(i - 1, i + 2);
  }

  set(i: number, frame: number, shadow: number, flags: number): void {
    if (this.changed !== null) this.changed.push(this.start(i), this.count(i));
    const at = this.at(i);
    this.frames[at] = frame;
    this.shadows[at] = shadow;
    this.bits[at] = flags;
  }

  setFlags(i: number, flags: number): void {
    if (this.changed !== null) this.changed.push(this.start(i), this.count(i));
    this.bits[this.at(i)] = flags;
  }

  /** Removes extents [from, to). */
  remove(from: number, to: number): void {
    if (from === to) return;
    if (this.changed !== null) {
      const page = this.start(from);
      this.changed.push(page, this.end(to - 1) - page);
    }
    if (this.gap < from) this.moveGap(from);
    else if (this.gap > to) this.moveGap(to);
    // The gap now touches or is inside [from, to), so it can take in all of them.
    this.gap = from;
    this.length -= to - from;
    this.room += to - from;
    const { starts: { length: places } } = this;
    if (places > FREE_PLACES && this.length < places * LEAST_USED) {
      this.resize(Math.max(FIRST_PLACES, 2 * this.length));
    }
  }

  /**
   * For the map of a copy of a kernel, which nothing is mapped from yet: frames get other numbers,
   * patched pages are the file's own again, and shadows are reserved when they are needed. What has
   * only a shadow is left out, as in a fork. An extent whose frames are apart in the copy becomes
   * several.
   */
  renumber(numbers: NewFrames): void {
    this.splitApart(numbers);
    const { starts, counts, frames, shadows, bits } = this;
    this.moveGap(this.length);
    let kept = 0;
    for (let i = 0; i < this.length; i++) {
      const frame = frames[i]!, flags = bits[i]!;
      const isLeftOut = frame < 0 && (flags & (PAGE_POISONED | PAGE_WATCHED)) === 0;
      if (isLeftOut || (flags & PAGE_PATCHED) !== 0) continue;
      starts[kept] = starts[i]!;
      counts[kept] = counts[i]!;
      frames[kept] = frame < 0 ? -1 : numbers.of(frame, counts[i]!);
      shadows[kept] = -1;
      bits[kept++] = flags;
    }
    this.room += this.length - kept;
    this.length = this.gap = kept;
    this.hint = 0;
  }

  private splitApart(numbers: NewFrames): void {
    for (let i = 0; i < this.length; i++) {
      const frame = this.frame(i), count = this.count(i);
      if (frame < 0 || (this.flags(i) & PAGE_PATCHED) !== 0) continue;
      const together = numbers.run(frame, count);
      if (together < count) this.splitAt(this.start(i) + together);
    }
  }

  /** Merges neighbours within extents [from, to). */
  coalesce(from: number, to: number): void {
    const first = Math.max(0, from), last = Math.min(to, this.length);
    let kept = first;
    for (let i = first + 1; i < last; i++) {
      if (this.isContinuedBy(kept, i)) {
        this.counts[this.at(kept)]! += this.count(i);
      } else if (++kept !== i) {
        this.setRange(kept, this.start(i), this.count(i));
        this.set(kept, this.frame(i), this.shadow(i), this.flags(i));
      }
    }
    if (kept + 1 < last) this.remove(kept + 1, last);
  }

  private isContinuedBy(i: number, j: number): boolean {
    const n = this.count(i);
    return this.start(i) + n === this.start(j) && this.flags(i) === this.flags(j) &&
      isAdjacent(this.frame(i), n, this.frame(j)) && isAdjacent(this.shadow(i), n, this.shadow(j));
  }

  private setRange(i: number, page: number, pages: number): void {
    const at = this.at(i);
    this.starts[at] = page;
    this.counts[at] = pages;
  }

  /** Opens a place at index `i`. */
  private open(i: number): void {
    if (this.room === 0) this.resize(2 * this.length);
    this.moveGap(i);
    this.gap++;
    this.length++;
    this.room--;
  }

  private moveGap(to: number): void {
    const { gap, room } = this;
    this.gap = to;
    if (to === gap) return;
    const target = to < gap ? to + room : gap, from = to < gap ? to : gap + room;
    const end = to < gap ? gap : to + room;
    this.starts.copyWithin(target, from, end);
    this.counts.copyWithin(target, from, end);
    this.frames.copyWithin(target, from, end);
    this.shadows.copyWithin(target, from, end);
    this.bits.copyWithin(target, from, end);
  }

  /**
   * @param places the new length of the arrays, at least the number of extents
   */
  private resize(places: number): void {
    const { length, account } = this;
    const more = chargedFor(places) - chargedFor(this.starts.length);
    if (more > 0) PAGE_EXTENTS.add(more, account);
    else PAGE_EXTENTS.give(-more, account);
    this.moveGap(length);
    this.starts = copied(this.starts, new Float64Array(places), length);
    this.counts = copied(this.counts, new Float64Array(places), length);
    this.frames = copied(this.frames, new Int32Array(places), length);
    this.shadows = copied(this.shadows, new Int32Array(places), length);
    this.bits = copied(this.bits, new Uint8Array(places), length);
    this.room = places - length;
  }
}

function chargedFor(places: number): number {
  return places <= FREE_PLACES ? 0 : places;
}

function copied<T extends Float64Array | Int32Array | Uint8Array>(from: T, to: T, n: number): T {
  to.set(from.subarray(0, n));
  return to;
}

function isAdjacent(a: number, n: number, b: number): boolean {
  return a < 0 ? b < 0 : b === a + n;
}
