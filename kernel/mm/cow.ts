/**
 * Copy on write: a page whose frame may be shared is copied, with its neighbourhood, to the shadow
 * stretch of its extent; a file page that the host maps directly is copied to frames. A frame
 * without other users is made writable again instead. fault.ts calls this.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { EFAULT, ENOMEM } from "../../ffi/abi/errno.ts";
import { copyTouched } from "./copy_frames.ts";
import type { MemoryManager } from "./memory_manager.ts";
import { PAGE_COW, PAGE_FILE, PAGE_PATCHED } from "./pages.ts";
import { unpatchPages } from "./patch.ts";
import { mapFrames, pageUp } from "./region.ts";
import type { Vma } from "./vma.ts";
import { WINDOW } from "./write_run.ts";

/**
 * When the host process has more mappings than this, 2 MiB are copied at once: the host's own limit
 * is 65530.
 */
const CROWDED = 20_000, LARGE_WINDOW = 512;
/** The pages on each side that are searched for frames without other users. */
const TAKE_BACK = 512;
/** LIMIT: pages of a shadow stretch (64 MiB). */
const STRETCH = 16384;

/** Makes the COW page at `page` this process's own: 0 or -ENOMEM. */
export function breakCow(mm: MemoryManager, vma: Vma, page: number): number {
  const map = mm.pages, frames = mm.ctx.frames, i = map.present(page);
  if ((map.flags(i) & PAGE_PATCHED) !== 0) {
    unpatchPages(mm, page, page + 1);
    return copyFilePages(mm, vma, page);
  }
  const lo = Math.max(map.start(i), vma.start / PAGE_SIZE);
  const hi = Math.min(map.end(i), vma.end / PAGE_SIZE);
  const delta = map.frame(i) - map.start(i);
  const isMine = frames.refs((page + delta) * PAGE_SIZE) === 1;
  const window = mm.space.mappingCount > CROWDED ? LARGE_WINDOW : WINDOW;
  const start = Math.floor(page / window) * window;
  const run = isMine ? 0 : Math.max(window, mm.writeRun.pagesFor(page));
  const from = Math.max(lo, isMine ? page - TAKE_BACK : start);
  // A shadow stretch ends there.
  const shadowEnd = Math.floor(page / STRETCH + 1) * STRETCH;
  const to = Math.min(hi, isMine ? page + TAKE_BACK : Math.min(start + run, shadowEnd));
  let a = page, b = page + 1;
  while (a > from && (frames.refs((a - 1 + delta) * PAGE_SIZE) === 1) === isMine) a--;
  while (b < to && (frames.refs((b + delta) * PAGE_SIZE) === 1) === isMine) b++;
  if (isMine) {
    makeWritable(mm, vma, a, b);
    return 0;
  }
  mm.writeRun.onCopied(b);
  reserveShadow(mm, page, lo, hi);
  return moveToShadow(mm, vma, a, b) || moveToShadow(mm, vma, page, page + 1) ? 0 : -ENOMEM;
}

/** Makes frames of [from, to), which have no other user, writable again. */
function makeWritable(mm: MemoryManager, vma: Vma, from: number, to: number): void {
  const map = mm.pages, i = map.splitAt(from);
  map.splitAt(to);
  if (map.shadow(i) >= 0) {
    mm.ctx.frames.releaseUntouched(map.shadow(i) * PAGE_SIZE, to - from);
  }
  map.set(i, map.frame(i), -1, map.flags(i) & ~(PAGE_COW | PAGE_FILE));
  map.coalesce(i - 1, i + 2);
  mm.space.protect(from * PAGE_SIZE, (to - from) * PAGE_SIZE, vma.prot);
  mm.finishChange();
}

/**
 * Gives the extent of `page` a shadow, if it has none and memory is not short; [lo, hi) bounds it.
 */
function reserveShadow(mm: MemoryManager, page: number, lo: number, hi: number): void {
  const map = mm.pages, i = map.indexOf(page);
  if (map.shadow(i) >= 0) return;
  const from = Math.max(lo, Math.floor(page / STRETCH) * STRETCH);
  const to = Math.min(hi, Math.floor(page / STRETCH + 1) * STRETCH);
  if (to - from <= WINDOW) return;
  const shadow = mm.ctx.frames.alloc(to - from);
  if (shadow < 0) return;
  const at = map.splitAt(from);
  map.splitAt(to);
  map.set(at, map.frame(at), shadow / PAGE_SIZE, map.flags(at));
}

/**
 * Copies the frames of [from, to), all of one extent, to its shadow or to new frames. False when
 * memory is out.
 */
function moveToShadow(mm: MemoryManager, vma: Vma, from: number, to: number): boolean {
  const map = mm.pages, frames = mm.ctx.frames, n = to - from;
  const i = map.splitAt(from);
  map.splitAt(to);
  const source = map.frame(i);
  let target = map.shadow(i);
  if (target < 0) {
    const off = frames.alloc(n);
    if (off < 0) return false;
    target = off / PAGE_SIZE;
  }
  map.set(i, source, -1, map.flags(i));
  const bytes = n * PAGE_SIZE, { arena } = mm.ctx;
  if (copyTouched(arena, target * PAGE_SIZE, source * PAGE_SIZE, bytes) !== bytes) {
    frames.release(target * PAGE_SIZE, n);
    return false;
  }
  map.set(i, target, -1, map.flags(i) & ~(PAGE_COW | PAGE_FILE));
  map.coalesce(i - 1, i + 2);
  mm.addUnmap(source, n);
  mm.space.mapArena(from * PAGE_SIZE, n * PAGE_SIZE, target * PAGE_SIZE, vma.prot);
  mm.finishChange();
  return true;
}

/**
 * Makes private copies of the file pages around `page`, which has no frame. 0, -EFAULT behind the
 * end of the file, or -ENOMEM.
 */
export function copyFilePages(mm: MemoryManager, vma: Vma, page: number): number {
  const map = mm.pages, shift = (vma.start - vma.offset) / PAGE_SIZE;
  const fileEnd = pageUp(vma.backing!.size()) / PAGE_SIZE + shift;
  if (page >= fileEnd) return -EFAULT;
  const vmaStart = vma.start / PAGE_SIZE, vmaEnd = vma.end / PAGE_SIZE;
  let i = map.indexOf(page);
  if (i === map.length || map.start(i) > page) {
    const lo = Math.max(vmaStart, i > 0 ? map.end(i - 1) : 0);
    const hi = Math.min(vmaEnd, fileEnd, i < map.length ? map.start(i) : Infinity);
    const from = Math.max(lo, Math.floor(page / STRETCH) * STRETCH);
    const to = Math.min(hi, Math.floor(page / STRETCH + 1) * STRETCH);
    const shadow = to - from > WINDOW ? mm.ctx.frames.alloc(to - from) : -1;
    if (shadow < 0) {
      const a = Math.max(lo, Math.floor(page / WINDOW) * WINDOW);
      return copyIntoNew(mm, vma, a, Math.min(hi, Math.floor(page / WINDOW + 1) * WINDOW));
    }
    map.insert(from, to - from, -1, shadow / PAGE_SIZE, 0);
    i = map.indexOf(page);
  }
  const window = Math.floor(page / WINDOW) * WINDOW, run = mm.writeRun.pagesFor(page);
  const from = Math.max(map.start(i), vmaStart, window);
  const to = Math.min(map.end(i), vmaEnd, fileEnd, window + run);
  mm.writeRun.onCopied(to);
  const at = map.splitAt(from);
  map.splitAt(to);
  const target = map.shadow(at);
  const error = readFile(mm, vma, from, to, target);
  if (error < 0) return error;
  map.remove(at, at + 1);
  mapFrames(mm, from, to - from, target, 0, vma.prot);
  mm.finishChange();
  return 0;
}

/**
 * Copies the file pages [from, to), which have neither frames nor a shadow, to new frames: 0 or
 * -errno.
 */
export function copyIntoNew(mm: MemoryManager, vma: Vma, from: number, to: number): number {
  const off = mm.ctx.frames.alloc(to - from);
  if (off < 0) return -ENOMEM;
  const error = readFile(mm, vma, from, to, off / PAGE_SIZE);
  if (error < 0) {
    mm.ctx.frames.release(off, to - from);
    return error;
  }
  mapFrames(mm, from, to - from, off / PAGE_SIZE, 0, vma.prot);
  mm.finishChange();
  return 0;
}

/** Reads the file bytes of guest pages [from, to) into zeroed frames: 0 or -EFAULT. */
function readFile(mm: MemoryManager, vma: Vma, from: number, to: number, frame: number): number {
  const backing = vma.backing!, offset = from * PAGE_SIZE - vma.start + vma.offset;
  const len = Math.min((to - from) * PAGE_SIZE, backing.size() - offset), host = mm.hostOf(frame);
  if (vma.isDirect) return backing.readInto(host, offset, len) < 0 ? -EFAULT : 0;
  const { arena } = mm.ctx;
  for (let done = 0; done < len;) {
    const at = backing.frame(offset + done, false), left = Math.ceil((len - done) / PAGE_SIZE);
    const run = at < 0 ? 1 : backing.contiguous(offset + done, at, left);
    const n = Math.min(run * PAGE_SIZE, len - done);
    if (at >= 0 && copyTouched(arena, frame * PAGE_SIZE + done, at, n) !== n) return -EFAULT;
    done += n;
  }
  return 0;
}
