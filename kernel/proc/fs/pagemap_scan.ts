/**
 * PAGEMAP_SCAN, an ioctl(2) of /proc/PID/pagemap: find regions of pages of some kind, and watch
 * them for writes.
 *
 * DIFFERS: a page of zeros that was only read is not present; no page is huge or soft-dirty.
 */

import { USER_END } from "../../../platform/platform.ts";
import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { EFAULT, EINVAL, EPERM } from "../../../ffi/abi/errno.ts";
import * as P from "../../../ffi/abi/pagemap.ts";
import { UFFD_FEATURE_WP_ASYNC } from "../../../ffi/abi/userfaultfd.ts";
import type { MemoryManager } from "../../mm/memory_manager.ts";
import { PAGE_FILE, PAGE_SHARED, PAGE_WATCHED } from "../../mm/pages.ts";
import { hasTouched, nextTouched, nextUntouched } from "../../mm/touched.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import { watchPages } from "../../userfault/userfault_pages.ts";
import { VM_UFFD_WP, type Vma } from "../../mm/vma.ts";

const ALL_FLAGS = BigInt(P.PM_SCAN_WP_MATCHING | P.PM_SCAN_CHECK_WPASYNC);
const ALL_CATEGORIES = 0xffn;
/** LIMIT: pages and regions of one scan; the caller goes on where it ended. */
const MAX_PAGES = 1 << 20, MAX_REGIONS = 1 << 14;
/** Pages of one page table of Linux: without the table nothing is known of a page. */
const TABLE_PAGES = 512;

const { at, size: ARG_BYTES } = P.PmScanArg;
const words = new Uint8Array(ARG_BYTES);
const view = new DataView(words.buffer);
const regionBytes = new Uint8Array(P.PageRegion.size);
const regionView = new DataView(regionBytes.buffer);

interface Wanted {
  readonly inverted: number;
  readonly all: number;
  readonly some: number;
  readonly shown: number;
}

/** The regions found, up to the room for them. */
class Regions {
  /** First page, page behind the last, and categories of each region. */
  readonly found: number[] = [];
  private readonly wanted: Wanted;
  private readonly max: number;
  private left: number;
  private readonly isCounting: boolean;

  constructor(wanted: Wanted, maxRegions: number, maxPages: number, isCounting: boolean) {
    this.wanted = wanted;
    this.max = maxRegions;
    this.left = maxPages;
    this.isCounting = isCounting;
  }

  isWanted(categories: number): boolean {
    const { inverted, all, some } = this.wanted, have = categories ^ inverted;
    return (have & all) === all && (some === 0 || (have & some) !== 0);
  }

  /** Adds pages [from, to): where it ended; before `to` if there is no room for more. */
  add(from: number, to: number, categories: number): number {
    const end = from + Math.min(to - from, this.left), shown = categories & this.wanted.shown;
    if (end === from) return from;
    if (!this.isCounting && !this.put(from, end, shown)) return from;
    this.left -= end - from;
    return end;
  }

  private put(from: number, end: number, shown: number): boolean {
    const { found } = this, last = found.length - 3;
    if (last >= 0 && found[last + 1] === from && found[last + 2] === shown) {
      found[last + 1] = end;
      return true;
    }
    if (found.length >= 3 * this.max) return false;
    found.push(from, end, shown);
    return true;
  }
}

/** Carries out the ioctl: the number of regions, or -errno. */
export function scanPages(mm: MemoryManager, arg: number, user: UserMemory): number {
  if (user.copyIn(words, 0, arg, ARG_BYTES) < 0) return -EFAULT;
  const word = (o: number): bigint => view.getBigUint64(o, true);
  if (word(at.size) !== BigInt(ARG_BYTES) || (word(at.flags) & ~ALL_FLAGS) !== 0n) return -EINVAL;
  const masks = [at.categoryInverted, at.categoryMask, at.categoryAnyofMask, at.returnMask];
  if (masks.some((o) => (word(o) & ~ALL_CATEGORIES) !== 0n)) return -EINVAL;
  const start = Number(word(at.start)), end = Number(word(at.end));
  if (start % PAGE_SIZE !== 0) return -EINVAL;
  if (end < start || end > USER_END) return -EFAULT;
  const vec = Number(word(at.vec)), room = Number(word(at.vecLen));
  if (vec === 0 && room > 0) return -EINVAL;
  if (vec + room * P.PageRegion.size > USER_END) return -EFAULT;
  const [inverted, all, some, shown] = masks.map((o) => Number(word(o)));
  const wanted = { inverted: inverted!, all: all!, some: some!, shown: shown! };
  const most = Number(word(at.maxPages)) || Infinity, flags = Number(word(at.flags));
  const regions = new Regions(wanted, Math.min(room, MAX_REGIONS), most, vec === 0);
  const last = Math.ceil(end / PAGE_SIZE);
  const walked = walk(mm, start / PAGE_SIZE, last, flags, regions);
  if (walked < 0) return walked;
  return tell(user, arg, vec, regions.found, walked * PAGE_SIZE);
}

function tell(
  user: UserMemory,
  arg: number,
  vec: number,
  found: readonly number[],
  walkEnd: number,
): number {
  const { at: field, size } = P.PageRegion, count = found.length / 3;
  for (let i = 0; i < count; i++) {
    regionView.setBigUint64(field.start, BigInt(found[3 * i]! * PAGE_SIZE), true);
    regionView.setBigUint64(field.end, BigInt(found[3 * i + 1]! * PAGE_SIZE), true);
    regionView.setBigUint64(field.categories, BigInt(found[3 * i + 2]!), true);
    if (user.copyOut(vec + i * size, regionBytes, 0, size) < 0) return -EFAULT;
  }
  return user.store64(arg + at.walkEnd, walkEnd) < 0 ? -EFAULT : count;
}

/** Scans pages [from, to): where it ended, or -EPERM. */
function walk(
  mm: MemoryManager,
  from: number,
  to: number,
  flags: number,
  regions: Regions,
): number {
  let left = MAX_PAGES, page = from;
  for (let i = mm.vmas.indexOf(from * PAGE_SIZE); page < to && i < mm.vmas.length; i++) {
    const vma = mm.vmas.at(i), first = Math.max(page, vma.start / PAGE_SIZE);
    if (first >= to) break;
    const end = Math.min(to, vma.end / PAGE_SIZE), isAllowed = isAsync(vma);
    page = end;
    if (!isAllowed && (flags & P.PM_SCAN_CHECK_WPASYNC) !== 0) return -EPERM;
    if (!isAllowed && (flags & P.PM_SCAN_WP_MATCHING) !== 0) continue;
    const stop = Math.min(end, first + left);
    const reached = walkArea(mm, first, stop, isAllowed ? P.PAGE_IS_WPALLOWED : 0, flags, regions);
    if (reached < end) return reached;
    left -= stop - first;
  }
  return to;
}

/** Whether pages may be watched for writes without a handler. */
function isAsync(vma: Vma): boolean {
  const features = vma.userfault?.features ?? 0;
  return (vma.flags & VM_UFFD_WP) !== 0 && (features & UFFD_FEATURE_WP_ASYNC) !== 0;
}

function walkArea(
  mm: MemoryManager,
  from: number,
  to: number,
  base: number,
  flags: number,
  regions: Regions,
): number {
  for (let page = from; page < to;) {
    const end = Math.min(to, sameUntil(mm, page)), categories = base | categoriesOf(mm, page);
    if (regions.isWanted(categories)) {
      const reached = regions.add(page, end, categories);
      const isProtected = (flags & P.PM_SCAN_WP_MATCHING) !== 0 && reached > page;
      if (isProtected) watchPages(mm, page * PAGE_SIZE, reached * PAGE_SIZE, true);
      if (reached < end) return reached;
    }
    page = end;
  }
  return to;
}

function categoriesOf(mm: MemoryManager, page: number): number {
  const map = mm.pages, i = map.indexOf(page);
  if (i < map.length && map.start(i) <= page) {
    const flags = map.flags(i), written = (flags & PAGE_WATCHED) === 0 ? P.PAGE_IS_WRITTEN : 0;
    const frame = map.frame(i) + page - map.start(i);
    const isFile = (flags & (PAGE_FILE | PAGE_SHARED)) !== 0;
    if (map.frame(i) >= 0 && (isFile || nextTouched(mm.ctx, frame, frame + 1) === frame)) {
      return P.PAGE_IS_PRESENT | written | (isFile ? P.PAGE_IS_FILE : 0);
    }
    // A mark without a page shows as swapped out.
    if (map.isMarked(page) || written === 0) return P.PAGE_IS_SWAPPED | written;
  }
  return hasTable(mm, page) ? P.PAGE_IS_WRITTEN : 0;
}

/** The end of the run of pages like `page`, at least the next page. */
function sameUntil(mm: MemoryManager, page: number): number {
  const map = mm.pages, table = (Math.floor(page / TABLE_PAGES) + 1) * TABLE_PAGES;
  const i = map.indexOf(page);
  if (i === map.length || map.start(i) > page) {
    return Math.min(table, i === map.length ? Infinity : map.start(i));
  }
  const end = map.end(i);
  if (map.frame(i) < 0 || (map.flags(i) & (PAGE_FILE | PAGE_SHARED)) !== 0) return end;
  const delta = map.frame(i) - map.start(i), last = end + delta;
  const data = nextTouched(mm.ctx, page + delta, last);
  if (data === page + delta) return nextUntouched(mm.ctx, data, last) - delta;
  return Math.min(table, data - delta);
}

/** Whether any page in the page table of this one is present. */
function hasTable(mm: MemoryManager, page: number): boolean {
  const first = Math.floor(page / TABLE_PAGES) * TABLE_PAGES, end = first + TABLE_PAGES;
  const map = mm.pages;
  for (let i = map.indexOf(first); i < map.length && map.start(i) < end; i++) {
    if (map.frame(i) < 0 || (map.flags(i) & (PAGE_FILE | PAGE_SHARED)) !== 0) return true;
  }
  return hasTouched(mm, first, end);
}
