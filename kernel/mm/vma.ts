/**
 * Virtual memory areas: the ranges that the guest mapped, as /proc/PID/maps shows them, and the
 * list of a process. pages.ts has the frames of the pages; what the host has mapped follows from
 * both.
 */

import { PAGE_SIZE, PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import type { Account } from "../core/account.ts";
import { KernelBug } from "../core/kernel_bug.ts";
import { AREAS } from "../core/quota.ts";
import type { Backing } from "./backing.ts";
import { isSamePolicy, type MemPolicy } from "./mem_policy.ts";
import type { Userfault } from "../userfault/userfault.ts";

/** Bits of `Vma.flags`. */
export const VM_SHARED = 1,
  VM_GROWSDOWN = 2,
  VM_NORESERVE = 4,
  VM_LOCKED = 8,
  VM_LOCKONFAULT = 0x10,
  VM_DONTFORK = 0x20,
  VM_WIPEONFORK = 0x40,
  VM_DONTDUMP = 0x80,
  VM_HUGEPAGE = 0x100,
  VM_NOHUGEPAGE = 0x200,
  VM_SEQUENTIAL = 0x400,
  VM_RANDOM = 0x800,
  VM_MERGEABLE = 0x1000,
  /** vdso and vvar: cannot be discarded or grown. */
  VM_SPECIAL = 0x2000,
  /** mseal(2). */
  VM_SEALED = 0x4000,
  /** userfaultfd(2): which faults the area's handler gets. */
  VM_UFFD_MISSING = 0x8000,
  VM_UFFD_WP = 0x10000,
  VM_UFFD_MINOR = 0x20000,
  /** Private memory that was writable at some time: it counts as committed. */
  VM_ACCOUNT = 0x40000,
  /** MAP_DROPPABLE: the kernel may discard its contents, and it cannot be locked. */
  VM_DROPPABLE = 0x80000,
  VM_UFFD = VM_UFFD_MISSING | VM_UFFD_WP | VM_UFFD_MINOR;

export const PROT_MASK: number = PROT_READ | PROT_WRITE | PROT_EXEC;

/** stack_guard_gap of Linux: no mapping is placed this close below a stack. */
export const STACK_GUARD: number = 256 * PAGE_SIZE;

export class Vma {
  start: number;
  end: number;
  prot: number;
  /**
   * The protection that mprotect(2) may set: a shared mapping of a file that was opened read-only
   * lacks PROT_WRITE.
   */
  maxProt: number;
  flags: number;
  readonly backing: Backing | null;
  /** File offset of `start`; for anonymous memory the address at which it was mapped. */
  offset: number;
  /** "[vdso]", "[vvar]", or "". */
  label: string;
  /** The name that prctl(PR_SET_VMA) gave to memory without a file, or "". */
  name: string = "";
  /** The userfaultfd(2) handler of its faults, which the VM_UFFD bits belong to. */
  userfault: Userfault | null = null;
  /** The policy of mbind(2); null: the task's policy. */
  policy: MemPolicy | null = null;

  constructor(
    start: number,
    end: number,
    prot: number,
    maxProt: number,
    flags: number,
    backing: Backing | null,
    offset: number,
    label: string,
  ) {
    this.start = start;
    this.end = end;
    this.prot = prot;
    this.maxProt = maxProt;
    this.flags = accountableFlags(flags, prot);
    this.backing = backing;
    this.offset = offset;
    this.label = label;
  }

  get isShared(): boolean {
    return (this.flags & VM_SHARED) !== 0;
  }
  /** Private memory without a file: zeroed frames are given at the first touch. */
  get isAnonymous(): boolean {
    return this.backing === null;
  }
  /** The host maps the file itself wherever the page map has no frame. */
  get isDirect(): boolean {
    return this.backing !== null && this.backing.platformFile >= 0;
  }
  /** memfd_secret(2): only guest code, and copies for the guest's own calls, reach it. */
  get isSecret(): boolean {
    return this.backing !== null && this.backing.isSecret;
  }
  /** mlock(2) skips it. */
  get isNeverLocked(): boolean {
    return this.isSecret || (this.flags & VM_DROPPABLE) !== 0;
  }
  /** Removes the handler of its faults (in a child's copy, and after a move). */
  dropHandler(): void {
    this.userfault = null;
    this.flags &= ~VM_UFFD;
  }
  /** The host's protection of file pages and of frames that are not this process's own. */
  get sharedProt(): number {
    return readOnlyProt(this.prot);
  }
  /** The host's protection of file pages that are mapped directly. */
  get directProt(): number {
    return this.isShared ? this.prot : readOnlyProt(this.prot);
  }

  clone(): Vma {
    const { start, end, prot, maxProt, flags, backing, offset, label } = this;
    const copy = new Vma(start, end, prot, maxProt, flags, backing, offset, label);
    copy.userfault = this.userfault;
    copy.policy = this.policy;
    copy.name = this.name;
    return copy;
  }

  /** Whether `next` continues this area, so that Linux would show one line for both. */
  isContinuedBy(next: Vma): boolean {
    return this.end === next.start && this.prot === next.prot && this.flags === next.flags &&
      this.backing === next.backing && this.maxProt === next.maxProt &&
      this.label === next.label && this.name === next.name && this.userfault === next.userfault &&
      isSamePolicy(this.policy, next.policy) &&
      this.offset + (this.end - this.start) === next.offset;
  }
}

/** The flags of an area after it gets this protection (accountable_mapping). */
export function accountableFlags(flags: number, prot: number): number {
  const counts = (prot & PROT_WRITE) !== 0 && (flags & (VM_SHARED | VM_NORESERVE)) === 0;
  return counts ? flags | VM_ACCOUNT : flags;
}

/**
 * The protection without PROT_WRITE; memory that was writable stays readable, as on the processor.
 */
export function readOnlyProt(prot: number): number {
  return (prot & PROT_WRITE) === 0 ? prot : prot & ~PROT_WRITE | PROT_READ;
}

/**
 * Whether a protection allows an access (ACCESS_* bits, 0 = unknown). On x86, all memory that can
 * be accessed can be read.
 */
export function allows(prot: number, access: number): boolean {
  return prot !== PROT_NONE && (access & (PROT_WRITE | PROT_EXEC) & ~prot) === 0;
}

/** Called when an area starts or stops using a backing. */
export interface BackingUser {
  link(backing: Backing): void;
  unlink(backing: Backing): void;
}

/** LIMIT: areas a process may have (vm.max_map_count). */
export const MAX_AREAS = 65530;
/**
 * Areas of each memory that are not charged (the charge of its tasks has room for them), and the
 * number that is charged at once.
 */
const FREE_AREAS = 64, CHARGED_AT_ONCE = 64;

/** All areas of a process, by address. */
export class VmaList {
  readonly list: Vma[] = [];
  private readonly user: BackingUser;
  private hint: number = 0;
  /** The account that is charged for the areas: the maker's. */
  private readonly account: Account;
  /** The number of areas that is paid for. */
  private charged: number = FREE_AREAS;

  constructor(account: Account, user: BackingUser) {
    this.account = account;
    this.user = user;
  }

  get length(): number {
    return this.list.length;
  }

  /** Whether there may be `count` more areas (vm.max_map_count, and the account's limit). HOT */
  hasRoom(count: number): boolean {
    const n = this.list.length + count;
    if (n > MAX_AREAS) return false;
    return n <= this.charged || this.chargeFor(n, false);
  }

  /** Whether the areas at `start` and at `end` may be split there. */
  maySplit(start: number, end: number): boolean {
    const count = (this.isInside(start) ? 1 : 0) + (this.isInside(end) ? 1 : 0);
    return count === 0 || this.hasRoom(count);
  }

  /** Whether another memory may have a copy of each area. */
  mayCopy(account: Account): boolean {
    const n = this.list.length - FREE_AREAS;
    return n <= 0 || AREAS.hasRoom(n, account);
  }

  /**
   * Charges areas that were inserted without `hasRoom`: those of a copy, for which `mayCopy` was
   * called.
   */
  charge(): void {
    if (this.list.length > this.charged) this.chargeFor(this.list.length, true);
  }

  /** Uncharges all areas, which are gone. */
  uncharge(): void {
    AREAS.give(this.charged - FREE_AREAS, this.account);
    this.charged = FREE_AREAS;
  }

  private chargeFor(length: number, isCertain: boolean): boolean {
    const count = Math.ceil((length - this.charged) / CHARGED_AT_ONCE) * CHARGED_AT_ONCE;
    if (isCertain) AREAS.add(count, this.account);
    else if (!AREAS.take(count, this.account)) return false;
    this.charged += count;
    return true;
  }

  /** After many areas were removed, gives back the charge beyond what may soon be needed again. */
  private giveBack(): void {
    const least = Math.max(FREE_AREAS, this.list.length + CHARGED_AT_ONCE);
    if (this.charged - least < 4 * CHARGED_AT_ONCE) return;
    AREAS.give(this.charged - least, this.account);
    this.charged = least;
  }

  /** Whether `addr` is inside an area and not at its start. */
  private isInside(addr: number): boolean {
    const i = this.indexOf(addr);
    return i < this.list.length && this.list[i]!.start < addr;
  }

  /** Index of the first area that ends behind `addr` (length when none). HOT */
  indexOf(addr: number): number {
    const list = this.list, h = this.hint;
    if (h < list.length && list[h]!.end > addr && (h === 0 || list[h - 1]!.end <= addr)) return h;
    // Loops over areas go on to the next one.
    if (h + 1 < list.length && list[h]!.end <= addr && list[h + 1]!.end > addr) {
      return this.hint = h + 1;
    }
    let lo = 0, hi = list.length;
    while (lo < hi) {
      const mid = (lo + hi) >> 1;
      if (list[mid]!.end > addr) hi = mid;
      else lo = mid + 1;
    }
    this.hint = lo;
    return lo;
  }

  /** The area that contains `addr`, or null. HOT */
  find(addr: number): Vma | null {
    const i = this.indexOf(addr);
    if (i === this.list.length) return null;
    const vma = this.list[i]!;
    return vma.start <= addr ? vma : null;
  }

  at(i: number): Vma {
    const vma = this.list[i];
    if (vma === undefined) throw new KernelBug(`no area ${i}`);
    return vma;
  }

  /** Whether something is mapped in [start, end). */
  overlaps(start: number, end: number): boolean {
    const i = this.indexOf(start);
    return i < this.list.length && this.list[i]!.start < end;
  }

  /** Splits the area at `addr` in two; returns the index of the first area at or behind `addr`. */
  splitAt(addr: number): number {
    const i = this.indexOf(addr);
    if (i === this.list.length || this.list[i]!.start >= addr) return i;
    const vma = this.list[i]!, rest = vma.clone();
    rest.start = addr;
    rest.offset = vma.offset + (addr - vma.start);
    vma.end = addr;
    if (rest.backing !== null) this.user.link(rest.backing);
    this.list.splice(i + 1, 0, rest);
    return i + 1;
  }

  /**
   * Inserts an area into a range where nothing is mapped. The area holds its backing from now on.
   */
  insert(vma: Vma): void {
    const i = this.indexOf(vma.start);
    if (i < this.list.length && this.list[i]!.start < vma.end) throw new KernelBug("areas overlap");
    if (vma.backing !== null) this.user.link(vma.backing);
    this.list.splice(i, 0, vma);
  }

  /** Removes areas [from, to). */
  remove(from: number, to: number): void {
    if (from === to) return;
    for (let i = from; i < to; i++) {
      const backing = this.list[i]!.backing;
      if (backing !== null) this.user.unlink(backing);
    }
    this.list.splice(from, to - from);
    this.giveBack();
  }

  /** Merges areas that continue each other in and next to [start, end). */
  mergeAround(start: number, end: number): void {
    const { list } = this;
    let i = Math.max(1, this.indexOf(start)), last = i - 1;
    for (; i < list.length && list[i]!.start <= end; i++) {
      const before = list[last]!, vma = list[i]!;
      if (before.isContinuedBy(vma)) {
        before.end = vma.end;
        if (vma.backing !== null) this.user.unlink(vma.backing);
      } else list[++last] = vma;
    }
    // The merged areas are cut out together: one by one, each removal would move the rest of the
    // list.
    if (++last >= i) return;
    list.splice(last, i - last);
    this.giveBack();
  }
}
