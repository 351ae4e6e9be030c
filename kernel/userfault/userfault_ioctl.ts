/**
 * The requests of ioctl_userfaultfd(2): copies arguments in, checks them in Linux's order, and
 * writes results back. userfault/userfault_pages.ts and userfault/userfault_move.ts change the
 * pages.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { EAGAIN, EFAULT, EINVAL, ENOENT, ENOMEM, EPERM, ESRCH } from "../../ffi/abi/errno.ts";
import * as U from "../../ffi/abi/userfaultfd.ts";
import { MIN_ADDRESS } from "../mm/address_layout.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { CHANGE_EXTENTS } from "../mm/pages.ts";
import type { UserMemory } from "../mm/user_memory.ts";
import type { Userfault } from "./userfault.ts";
import { movableArea, movePage } from "./userfault_move.ts";
import {
  handledArea,
  placePage,
  poisonPage,
  registerAreas,
  showPage,
  unregisterAreas,
  watchArea,
  watchPages,
} from "./userfault_pages.ts";
import { VM_UFFD_MINOR, VM_UFFD_MISSING, VM_UFFD_WP, type Vma } from "../mm/vma.ts";

/** Features that UFFDIO_API reports. */
export const FEATURES: number = U.UFFD_FEATURE_PAGEFAULT_FLAG_WP | U.UFFD_FEATURE_EVENT_FORK |
  U.UFFD_FEATURE_EVENT_REMAP | U.UFFD_FEATURE_EVENT_REMOVE | U.UFFD_FEATURE_MISSING_SHMEM |
  U.UFFD_FEATURE_EVENT_UNMAP | U.UFFD_FEATURE_SIGBUS | U.UFFD_FEATURE_THREAD_ID |
  U.UFFD_FEATURE_MINOR_SHMEM | U.UFFD_FEATURE_EXACT_ADDRESS |
  U.UFFD_FEATURE_WP_HUGETLBFS_SHMEM | U.UFFD_FEATURE_WP_UNPOPULATED | U.UFFD_FEATURE_POISON |
  U.UFFD_FEATURE_WP_ASYNC | U.UFFD_FEATURE_MOVE;
const TWO32 = 0x100000000;
const API_HIGH = (1 << (U._UFFDIO_API - 32)) >>> 0;
const API_LOW = 1 << U._UFFDIO_REGISTER | 1 << U._UFFDIO_UNREGISTER;
export const IOCTLS: bigint = BigInt(API_HIGH) << 32n | BigInt(API_LOW);
const RANGE_IOCTLS = 1 << U._UFFDIO_WAKE | 1 << U._UFFDIO_COPY | 1 << U._UFFDIO_ZEROPAGE |
  1 << U._UFFDIO_MOVE | 1 << U._UFFDIO_POISON;

/**
 * LIMIT: pages that one request places; the caller repeats it for the rest, as after a race
 * (EAGAIN).
 */
const MAX_PAGES = 4096;

const words = new Uint8Array(40);
const view = new DataView(words.buffer);
const page = new Uint8Array(PAGE_SIZE);

/**
 * Word `i` of the argument as a number: exact below 2^53, and larger than any valid address
 * otherwise.
 */
function argumentWord(i: number): number {
  return view.getUint32(8 * i, true) + view.getUint32(8 * i + 4, true) * TWO32;
}

/**
 * UFFDIO_API, once: reports the features and enables the requested ones. Events of forks need
 * `mayFollow`.
 */
export function userfaultApi(
  handler: Userfault,
  arg: number,
  user: UserMemory,
  mayFollow: boolean,
): number {
  if (user.copyIn(words, 0, arg, 24) < 0) return -EFAULT;
  const api = argumentWord(0), features = argumentWord(1);
  const isKnown = features < TWO32 && (features & ~FEATURES) === 0;
  words.fill(0);
  const isRefused = api === U.UFFD_API && !mayFollow &&
    (features & U.UFFD_FEATURE_EVENT_FORK) !== 0;
  if (api !== U.UFFD_API || isRefused || !isKnown) {
    if (user.copyOut(arg, words, 0, 24) < 0) return -EFAULT;
    return isRefused ? -EPERM : -EINVAL;
  }
  view.setUint32(0, U.UFFD_API, true);
  view.setUint32(8, FEATURES, true);
  view.setUint32(16, API_LOW, true);
  view.setUint32(20, API_HIGH, true);
  if (user.copyOut(arg, words, 0, 24) < 0) return -EFAULT;
  if (handler.isReady) {
    words.fill(0);
    return user.copyOut(arg, words, 0, 24) < 0 ? -EFAULT : -EINVAL;
  }
  handler.isReady = true;
  const isAsync = (features & U.UFFD_FEATURE_WP_ASYNC) !== 0;
  handler.features = isAsync ? features | U.UFFD_FEATURE_WP_UNPOPULATED : features;
  return 0;
}

/** Performs all other requests. */
export function handlerIoctl(
  handler: Userfault,
  request: number,
  arg: number,
  user: UserMemory,
): number {
  if (handler.isChanging) {
    const at = resultOf(request);
    if (at > 0 && user.store64(arg + at, -EAGAIN) < 0) return -EFAULT;
    if (at >= 0) return -EAGAIN;
  }
  switch (request) {
    case U.UFFDIO_REGISTER:
      return registerRange(handler, arg, user);
    case U.UFFDIO_UNREGISTER:
    case U.UFFDIO_WAKE:
      return unregisterOrWake(handler, request, arg, user);
    case U.UFFDIO_COPY:
      return copyPages(handler, arg, user);
    case U.UFFDIO_ZEROPAGE:
    case U.UFFDIO_CONTINUE:
    case U.UFFDIO_POISON:
      return fillPages(handler, request, arg, user);
    case U.UFFDIO_MOVE:
      return movePages(handler, arg, user);
    case U.UFFDIO_WRITEPROTECT:
      return writeProtect(handler, arg, user);
    default:
      return -EINVAL;
  }
}

/**
 * Offset of the result in the argument, for a request that changes pages; 0: no result; -1: it
 * changes no pages.
 */
function resultOf(request: number): number {
  switch (request) {
    case U.UFFDIO_COPY:
    case U.UFFDIO_MOVE:
      return 32;
    case U.UFFDIO_ZEROPAGE:
    case U.UFFDIO_CONTINUE:
    case U.UFFDIO_POISON:
      return 24;
    default:
      return request === U.UFFDIO_WRITEPROTECT ? 0 : -1;
  }
}

/** validate_range of Linux: whole pages within the program's address space. */
function isRange(mm: MemoryManager, start: number, len: number): boolean {
  const max = mm.layout.maxAddress;
  return start % PAGE_SIZE === 0 && len % PAGE_SIZE === 0 && len > 0 && start >= MIN_ADDRESS &&
    start < max && len <= max - start;
}

function registerRange(handler: Userfault, arg: number, user: UserMemory): number {
  const { mm } = handler;
  if (user.copyIn(words, 0, arg, 24) < 0) return -EFAULT;
  const start = argumentWord(0), len = argumentWord(1), mode = argumentWord(2);
  if (mode === 0 || mode > 7) return -EINVAL;
  if (!isRange(mm, start, len)) return -EINVAL;
  if (mm.isDestroyed) return -ESRCH;
  const bits = ((mode & U.UFFDIO_REGISTER_MODE_MISSING) !== 0 ? VM_UFFD_MISSING : 0) |
    ((mode & U.UFFDIO_REGISTER_MODE_WP) !== 0 ? VM_UFFD_WP : 0) |
    ((mode & U.UFFDIO_REGISTER_MODE_MINOR) !== 0 ? VM_UFFD_MINOR : 0);
  const r = registerAreas(handler, start, start + len, bits);
  if (r < 0) return r;
  let ioctls = RANGE_IOCTLS;
  if ((mode & U.UFFDIO_REGISTER_MODE_WP) !== 0) ioctls |= 1 << U._UFFDIO_WRITEPROTECT;
  if ((mode & U.UFFDIO_REGISTER_MODE_MINOR) !== 0) ioctls |= 1 << U._UFFDIO_CONTINUE;
  return user.store64(arg + 24, ioctls) < 0 ? -EFAULT : 0;
}

function unregisterOrWake(
  handler: Userfault,
  request: number,
  arg: number,
  user: UserMemory,
): number {
  if (user.copyIn(words, 0, arg, 16) < 0) return -EFAULT;
  const start = argumentWord(0), len = argumentWord(1);
  if (!isRange(handler.mm, start, len)) return -EINVAL;
  if (request === U.UFFDIO_WAKE) {
    handler.wake(start, start + len);
    return 0;
  }
  return handler.mm.isDestroyed ? -ESRCH : unregisterAreas(handler.mm, start, start + len);
}

/** The area that gets the pages, or -errno. */
function targetArea(handler: Userfault, start: number, len: number): Vma | number {
  if (handler.mm.isDestroyed) return -ESRCH;
  return handledArea(handler.mm, start, len) ?? -ENOENT;
}

/**
 * Ends a request for `len` bytes of which `done` were placed: stores that number at `resultAt`, and
 * wakes waiters.
 */
function endRequest(
  handler: Userfault,
  start: number,
  len: number,
  done: number,
  error: number,
  wakes: boolean,
  user: UserMemory,
  resultAt: number,
): number {
  handler.mm.finishChange();
  const result = done > 0 ? done : error;
  if (user.store64(resultAt, result) < 0) return -EFAULT;
  if (result < 0) return result;
  if (wakes) handler.wake(start, start + done);
  return done === len ? 0 : -EAGAIN;
}

function copyPages(handler: Userfault, arg: number, user: UserMemory): number {
  if (user.copyIn(words, 0, arg, 32) < 0) return -EFAULT;
  const dst = argumentWord(0), src = argumentWord(1), len = argumentWord(2), mode = argumentWord(3);
  if (!isRange(handler.mm, dst, len)) return -EINVAL;
  if (src + len >= 2 ** 64 || mode > 3) return -EINVAL;
  const watch = (mode & U.UFFDIO_COPY_MODE_WP) !== 0;
  const wakes = (mode & U.UFFDIO_COPY_MODE_DONTWAKE) === 0;
  const vma = targetArea(handler, dst, len);
  if (vma === -ESRCH) return -ESRCH;
  let done = 0, error = 0;
  if (typeof vma === "number") error = vma;
  else if (watch && (vma.flags & VM_UFFD_WP) === 0) error = -EINVAL;
  while (error === 0 && typeof vma !== "number" && done < Math.min(len, MAX_PAGES * PAGE_SIZE)) {
    if (user.copyIn(page, 0, src + done, PAGE_SIZE) < 0) error = -EFAULT;
    else error = placePage(handler.mm, vma, (dst + done) / PAGE_SIZE, page, watch);
    if (error === 0) done += PAGE_SIZE;
  }
  return endRequest(handler, dst, len, done, error, wakes, user, arg + 32);
}

/** UFFDIO_MOVE, from memory of the same process only. */
function movePages(handler: Userfault, arg: number, user: UserMemory): number {
  const { mm } = handler;
  if (user.copyIn(words, 0, arg, 32) < 0) return -EFAULT;
  const dst = argumentWord(0), src = argumentWord(1), len = argumentWord(2), mode = argumentWord(3);
  if (user !== mm || !isRange(mm, dst, len) || !isRange(mm, src, len) || mode > 3) return -EINVAL;
  const mayBeHole = (mode & U.UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES) !== 0;
  const wakes = (mode & U.UFFDIO_MOVE_MODE_DONTWAKE) === 0;
  const vma = movableArea(handler, dst, src, len);
  let done = 0, error = typeof vma === "number" ? vma : 0;
  while (error === 0 && typeof vma !== "number" && done < Math.min(len, MAX_PAGES * PAGE_SIZE)) {
    error = movePage(mm, vma, (dst + done) / PAGE_SIZE, (src + done) / PAGE_SIZE, mayBeHole);
    if (error === 0) done += PAGE_SIZE;
  }
  return endRequest(handler, dst, len, done, error, wakes, user, arg + 32);
}

/** UFFDIO_ZEROPAGE, UFFDIO_CONTINUE, UFFDIO_POISON. */
function fillPages(handler: Userfault, request: number, arg: number, user: UserMemory): number {
  const { mm } = handler, isContinue = request === U.UFFDIO_CONTINUE;
  if (user.copyIn(words, 0, arg, 24) < 0) return -EFAULT;
  const start = argumentWord(0), len = argumentWord(1), mode = argumentWord(2);
  if (!isRange(mm, start, len) || mode > (isContinue ? 3 : 1)) return -EINVAL;
  const isWatched = (mode & U.UFFDIO_CONTINUE_MODE_WP) !== 0;
  const vma = targetArea(handler, start, len);
  if (vma === -ESRCH) return -ESRCH;
  let done = 0, error = 0;
  if (typeof vma === "number") error = vma;
  else if (isContinue && (vma.flags & VM_UFFD_MINOR) === 0 && vma.backing === null) error = -EINVAL;
  else if (isWatched && (vma.flags & VM_UFFD_WP) === 0) error = -EINVAL;
  while (error === 0 && typeof vma !== "number" && done < Math.min(len, MAX_PAGES * PAGE_SIZE)) {
    const at = (start + done) / PAGE_SIZE;
    if (request === U.UFFDIO_POISON) error = poisonPage(mm, at);
    else error = isContinue ? showPage(mm, vma, at) : placePage(mm, vma, at, null, false);
    if (error === 0 && isWatched) watchArea(mm, vma, at, at + 1);
    if (error === 0) done += PAGE_SIZE;
  }
  return endRequest(handler, start, len, done, error, (mode & 1) === 0, user, arg + 24);
}

function writeProtect(handler: Userfault, arg: number, user: UserMemory): number {
  const { mm } = handler;
  if (user.copyIn(words, 0, arg, 24) < 0) return -EFAULT;
  const start = argumentWord(0), len = argumentWord(1), mode = argumentWord(2);
  if (!isRange(mm, start, len) || mode > 2) return -EINVAL;
  if (mm.isDestroyed) return -ESRCH;
  const on = mode === U.UFFDIO_WRITEPROTECT_MODE_WP;
  if (!mm.pages.hasRoom(CHANGE_EXTENTS)) return -ENOMEM;
  const r = watchPages(mm, start, start + len, on);
  if (r < 0) return r;
  if (mode === 0) handler.wake(start, start + len);
  return 0;
}
