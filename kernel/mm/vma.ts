/**
 * Virtual memory areas: what the guest mapped, as /proc/PID/maps shows it. Which frames stand behind the pages is
 * in pages.ts; what the host has mapped follows from both.
 */

import { PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE } from "../../platform/platform.ts";
import { type Account, ACCOUNTING } from "../core/account.ts";
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
  /** vdso and vvar: never split by fork rules, never written. */
  VM_SPECIAL = 0x2000,
  /** mseal(2). */
  VM_SEALED = 0x4000,
  /** userfaultfd(2): which faults the area's handler gets. */
  VM_UFFD_MISSING = 0x8000,
  VM_UFFD_WP = 0x10000,
  VM_UFFD_MINOR = 0x20000,
  /** Private memory that could be written at some time: it counts as committed. */
  VM_ACCOUNT = 0x40000,
  /** MAP_DROPPABLE: its contents may be taken away, and it cannot be locked. */
  VM_DROPPABLE = 0x80000,
  VM_UFFD = VM_UFFD_MISSING | VM_UFFD_WP | VM_UFFD_MINOR;

export const PROT_MASK: number = PROT_READ | PROT_WRITE | PROT_EXEC;

/** Linux's stack_guard_gap: nothing is placed this close below a stack. */
export const STACK_GUARD: number = 256 * 4096;

export class Vma {
  start: number;
  end: number;
  prot: number;
  /** What mprotect may grant: a shared mapping of a file that was opened read-only lacks PROT_WRITE. */
  maxProt: number;
  flags: number;
  readonly backing: Backing | null;
  /** File offset of `start`; for anonymous memory the address at which it was mapped. */
  offset: number;
  /** "[vdso]", "[vvar]", or "". */
  label: string;
  /** What prctl(PR_SET_VMA) calls memory without a file, or "". */
  name: string = "";
  /** Who handles its faults: with it go the VM_UFFD bits. */
  userfault: Userfault | null = null;
  /** mbind(2); null: as its task has it. */
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
    this.flags = accounted(flags, prot);
    this.backing = backing;
    this.offset = offset;
    this.label = label;
  }

  get isShared(): boolean {
    return (this.flags & VM_SHARED) !== 0;
  }
  /** Private memory without a file: frames are made of nothing at the first touch. */
  get isAnonymous(): boolean {
    return this.backing === null;
  }
  /** The host maps the file itself wherever the page map has no frame. */
  get isDirect(): boolean {
    return this.backing !== null && this.backing.platformFile >= 0;
  }
  /** Only guest code and copies for its own calls reach it (memfd_secret(2)). */
  get isSecret(): boolean {
    return this.backing !== null && this.backing.isSecret;
  }
  /** mlock(2) passes it over. */
  get isNeverLocked(): boolean {
    return this.isSecret || (this.flags & VM_DROPPABLE) !== 0;
  }
  /** Its faults are its handler's no longer (a child's copy, a place that it moved to). */
  dropHandler(): void {
    this.userfault = null;
    this.flags &= ~VM_UFFD;
  }
  /** What the host may do with file pages or frames that are not this process's own. */
  get sharedProt(): number {
    return readOnlyProt(this.prot);
  }
  /** Protection of file pages that the host maps directly. */
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

  /** True when `next` continues this area, so that Linux would show one line for both. */
  isContinuedBy(next: Vma): boolean {
    return this.end === next.start && this.prot === next.prot && this.flags === next.flags &&
      this.backing === next.backing && this.maxProt === next.maxProt &&
      this.label === next.label && this.name === next.name && this.userfault === next.userfault &&
      isSamePolicy(this.policy, next.policy) &&
      this.offset + (this.end - this.start) === next.offset;
  }
}

/** The flags of an area that gets this protection (accountable_mapping). */
export function accounted(flags: number, prot: number): number {
  const counts = (prot & PROT_WRITE) !== 0 && (flags & (VM_SHARED | VM_NORESERVE)) === 0;
  return counts ? flags | VM_ACCOUNT : flags;
}

/** Writing is taken away; what could be written can still be read, as on the processor. */
export function readOnlyProt(prot: number): number {
  return (prot & PROT_WRITE) === 0 ? prot : prot & ~PROT_WRITE | PROT_READ;
}

/** access: ACCESS_* bits, 0 = unknown. As x86 does: whatever is accessible at all can be read. */
export function allows(prot: number, access: number): boolean {
  return prot !== PROT_NONE && (access & (PROT_WRITE | PROT_EXEC) & ~prot) === 0;
}

/** Told when an area starts or ends to use a backing. */
export interface BackingUser {
  link(backing: Backing): void;
  unlink(backing: Backing): void;
}

/** LIMIT: areas a process may have (vm.max_map_count). */
export const MAX_AREAS = 65530;
/**
 * Areas that each memory has without a charge (its tasks' charge has room for them), and that are
 * charged at once.
 */
const FREE_AREAS = 64, CHARGED_AT_ONCE = 64;

/** All areas of a process, by address. */
export class VmaList {
  readonly list: Vma[] = [];
  private readonly user: BackingUser;
  private hint: number = 0;
  /** What made the memory is charged for its areas. */
  private readonly account: Account = ACCOUNTING.current;
  /** So many there may be without another charge. */
  private charged: number = FREE_AREAS;

  constructor(user: BackingUser) {
    this.user = user;
  }

  get length(): number {
    return this.list.length;
  }

  /** May there be `count` more (vm.max_map_count, and what the account may have)? HOT */
  hasRoom(count: number): boolean {
    const n = this.list.length + count;
    if (n > MAX_AREAS) return false;
    return n <= this.charged || this.chargeFor(n, false);
  }

  /** May the areas at `start` and at `end` be split there? */
  maySplit(start: number, end: number): boolean {
    const count = (this.isInside(start) ? 1 : 0) + (this.isInside(end) ? 1 : 0);
    return count === 0 || this.hasRoom(count);
  }

  /** May another memory have a copy of each area? */
  get mayCopy(): boolean {
    const n = this.list.length - FREE_AREAS;
    return n <= 0 || AREAS.hasRoom(n);
  }

  /** Charge what was inserted without a question: a copy, for which `mayCopy` asked. */
  charge(): void {
    if (this.list.length > this.charged) this.chargeFor(this.list.length, true);
  }

  /** All areas are gone. */
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

  /** Many areas went: those beyond what may soon be needed again are given back. */
  private giveBack(): void {
    const least = Math.max(FREE_AREAS, this.list.length + CHARGED_AT_ONCE);
    if (this.charged - least < 4 * CHARGED_AT_ONCE) return;
    AREAS.give(this.charged - least, this.account);
    this.charged = least;
  }

  /** `addr` is in an area and not its start. */
  private isInside(addr: number): boolean {
    const i = this.indexOf(addr);
    return i < this.list.length && this.list[i]!.start < addr;
  }

  /** Index of the first area that ends behind `addr` (length when none). HOT */
  indexOf(addr: number): number {
    const list = this.list, h = this.hint;
    if (h < list.length && list[h]!.end > addr && (h === 0 || list[h - 1]!.end <= addr)) return h;
    // The next one: areas are gone through in their order.
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

  /** True when something is mapped in [start, end). */
  overlaps(start: number, end: number): boolean {
    const i = this.indexOf(start);
    return i < this.list.length && this.list[i]!.start < end;
  }

  /** Make `addr` a boundary: the index of the first area at or behind it. */
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

  /** Nothing may be mapped in its range. The backing is held by the area from now on. */
  insert(vma: Vma): void {
    const i = this.indexOf(vma.start);
    if (i < this.list.length && this.list[i]!.start < vma.end) throw new KernelBug("areas overlap");
    if (vma.backing !== null) this.user.link(vma.backing);
    this.list.splice(i, 0, vma);
  }

  /** Remove areas [from, to). */
  remove(from: number, to: number): void {
    if (from === to) return;
    for (let i = from; i < to; i++) {
      const backing = this.list[i]!.backing;
      if (backing !== null) this.user.unlink(backing);
    }
    this.list.splice(from, to - from);
    this.giveBack();
  }

  /** Merge what continues each other in the neighbourhood of [start, end). */
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
    // Those that went are cut out at once: one by one, many would move as many each.
    if (++last >= i) return;
    list.splice(last, i - last);
    this.giveBack();
  }
}
