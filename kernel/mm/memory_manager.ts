/**
 * The memory of one process: its areas (vma.ts), the frames of its pages (pages.ts), and the host
 * mappings in its address space. This class is the hub; each operation is a topic file of this
 * folder. The memory system calls (kernel/syscalls/mm), the loader and faults call it.
 *
 * Every change has the same order: the books are changed, the host change is queued, then
 * `finishChange` releases the frames that the queued change unmaps.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { Account } from "../core/account.ts";
import { ENOMEM } from "../../ffi/abi/errno.ts";
import type { AddressSpace } from "../../platform/platform.ts";
import { ADDRESS_SPACES } from "../core/quota.ts";
import { INITIAL_USER_NAMESPACE, type UserNamespace } from "../cred/user_namespace.ts";
import { MemoryCounters, MemoryLimits } from "./accounting.ts";
import type { AddressLayout } from "./address_layout.ts";
import type { Backing } from "./backing.ts";
import { brk, ProgramBreak } from "./brk.ts";
import { UserAccess } from "./copy_user.ts";
import { Fault, handleFault, resolvePage } from "./fault.ts";
import { FileMappings } from "./file_mappings.ts";
import { ChangeLock } from "./change_lock.ts";
import { copyMemory, ForkCopies, forkSpace } from "./fork.ts";
import { forcedCopyIn, forcedCopyOut } from "./forced_access.ts";
import { FutexKey, futexKey, type SharedWord } from "./futex_key.ts";
import { HostUse } from "./host_use.ts";
import { madvise } from "./madvise.ts";
import type { MemoryContext } from "./memory_context.ts";
import { mlock } from "./mlock.ts";
import { mmap } from "./mmap.ts";
import { mprotect } from "./mprotect.ts";
import { mremap } from "./mremap.ts";
import { PageMap } from "./pages.ts";
import { setPatching } from "./patch.ts";
import type { PatchedSites } from "./patched_sites.ts";
import { dropPages, munmap } from "./region.ts";
import { PR_MDWE_NO_INHERIT } from "../../ffi/abi/prctl.ts";
import { mseal } from "./mseal.ts";
import { SearchState } from "./unmapped_area.ts";
import { PROT_MASK, type Vma, VmaList } from "./vma.ts";
import { WriteRun } from "./write_run.ts";

/** The guest addresses that prctl(PR_SET_MM) sets and /proc/PID shows. */
export class ProgramAddresses {
  codeStart: number = 0;
  codeEnd: number = 0;
  dataStart: number = 0;
  dataEnd: number = 0;
  stackStart: number = 0;
  argStart: number = 0;
  argEnd: number = 0;
  envStart: number = 0;
  envEnd: number = 0;
  /** The auxiliary vector as it was put on the stack, for /proc/PID/auxv. */
  auxv: Uint8Array<ArrayBuffer> = new Uint8Array(0);
}

export class MemoryManager extends UserAccess {
  readonly ctx: MemoryContext;
  readonly space: AddressSpace;
  readonly vmas: VmaList;
  readonly pages: PageMap;
  readonly files: FileMappings;
  readonly limits: MemoryLimits = new MemoryLimits();
  readonly hostUse: HostUse = new HostUse();
  readonly counters: MemoryCounters = new MemoryCounters();
  readonly program: ProgramAddresses = new ProgramAddresses();
  readonly break: ProgramBreak = new ProgramBreak();
  /** The signal of the last `handleFault` that did not return 0. */
  readonly fault: Fault = new Fault();
  /** The result of the last `futexKey`. */
  readonly key: FutexKey = new FutexKey();
  /** The sizes that /proc computed last. */
  measured: object | null = null;
  /** The lock of a call that changes areas in several turns. */
  readonly changes: ChangeLock = new ChangeLock();
  layout: AddressLayout;
  /** Mappings are placed below this address. */
  mmapBase: number;
  readonly search: SearchState = new SearchState();
  /** Tasks that use this memory (CLONE_VM). */
  users: number = 1;
  /** Its place in the order of kcmp(2) (task/object_ranks.ts); 0: it was not compared yet. */
  rank: number = 0;
  /** VM_LOCKED bits that new areas get (mlockall MCL_FUTURE). */
  futureFlags: number = 0;
  /** Its own user may read it (PR_SET_DUMPABLE). */
  isDumpable: boolean = true;
  /**
   * The user namespace whose CAP_SYS_PTRACE counts when it is not dumpable: the one of the
   * execve(2), or an ancestor.
   */
  ownerNs: UserNamespace = INITIAL_USER_NAMESPACE;
  /** PR_MDWE_*: writable memory cannot become executable. */
  writeOrExec: number = 0;
  /** PR_SET_THP_DISABLE. There are no huge pages anyway. */
  isHugeDisabled: boolean = false;
  /** Some area is or was sealed: mseal(2). */
  hasSeals: boolean = false;
  /** Some area has or had a handler: userfaultfd(2). */
  hasHandlers: boolean = false;
  /** pkey_alloc(2) was called. */
  hasAskedForKey: boolean = false;
  /** Its patched sites, with one reference; null: nothing is patched. */
  sites: PatchedSites | null = null;
  /** The number of calls by signal before sites are patched. */
  unpatchedCalls: number = 0;
  /** System call sites may be patched (patch.ts). */
  isPatching: boolean = true;
  /**
   * A thread has set its GS base, which patched call sites use: no site can be patched any more.
   */
  hasOwnGs: boolean = false;
  /**
   * The addresses of sites that `patchSite` refused, so that it can refuse them quickly; null in
   * most memories.
   */
  refusedSites: Float64Array | null = null;
  /** The host changes up to this one write-protect pages for a fork. */
  forkSeq: number = 0;
  /** The frames that are reserved for the stack: first page and count. */
  stackReserve: number = -1;
  stackReservePages: number = 0;
  isDestroyed: boolean = false;
  /** The faults in a row at the same page that found nothing to do. */
  spuriousPage: number = -1;
  spuriousCount: number = 0;
  readonly writeRun: WriteRun = new WriteRun();
  /** The account of the address space. */
  readonly account: Account;
  /** Frames whose unmapping is about to be queued: page, count pairs. */
  private readonly unmaps: number[] = [];

  /** `pages`: the page map that exists already (a fork). */
  constructor(
    account: Account,
    ctx: MemoryContext,
    space: AddressSpace,
    pages: PageMap = new PageMap(account),
  ) {
    super(ctx.arena, ctx.windows, ctx.tlbs.take());
    this.ctx = ctx;
    this.pages = pages;
    this.space = space;
    space.owner = this;
    ctx.memories.add(this);
    this.files = new FileMappings(this);
    this.vmas = new VmaList(account, this.files);
    this.layout = ctx.plainLayout;
    this.mmapBase = this.layout.mmapBase(this.limits.stack);
    this.account = account;
    ADDRESS_SPACES.add(1, account);
  }

  /**
   * mmap(2): the address, or -errno. `backing` is null for MAP_ANONYMOUS; `maxProt` is what
   * mprotect(2) may set later (no PROT_WRITE for a shared mapping of a file that was opened
   * read-only, no PROT_EXEC on noexec mounts). `mayWait`: IN_SLICES is a result. The caller fills
   * the pages of MAP_POPULATE.
   */
  mmap(
    addr: number,
    len: number,
    prot: number,
    flags: number,
    backing: Backing | null,
    offset: number,
    maxProt: number = PROT_MASK,
    mayWait: boolean = false,
  ): number {
    return mmap(this, addr, len, prot, flags, backing, offset, maxProt, mayWait);
  }
  munmap(addr: number, len: number): number {
    return munmap(this, addr, len);
  }
  mprotect(addr: number, len: number, prot: number): number {
    return mprotect(this, addr, len, prot);
  }
  mremap(addr: number, oldLen: number, newLen: number, flags: number, newAddr: number): number {
    return mremap(this, addr, oldLen, newLen, flags, newAddr);
  }
  madvise(addr: number, len: number, advice: number): number {
    return madvise(this, addr, len, advice);
  }
  mseal(addr: number, len: number): number {
    return mseal(this, addr, len);
  }
  /** mlock2(2) flags MLOCK_ONFAULT; `lock` false is munlock(2). */
  mlock(addr: number, len: number, flags: number, lock: boolean): number {
    return mlock(this, addr, len, flags, lock);
  }
  /** brk(2): returns the break afterwards, changed or not. */
  brk(addr: number): number {
    return brk(this, addr);
  }

  /**
   * Handles a guest access that failed at `addr`. `access`: ACCESS_* bits, 0 when unknown; `signo`:
   * the host's signal, for SIGBUS. 0: the thread runs again. Otherwise a signal number (SIGSEGV,
   * SIGBUS, or SIGKILL when memory is out), with `fault` filled; or FAULT_AWAITED.
   */
  handleFault(addr: number, access: number, signo: number = 0): number {
    return handleFault(this, addr, access, signo);
  }

  /**
   * The memory of a child process in a new address space, or -ENOMEM. `stackPointer` is that of the
   * thread that forks; with it the used end of the stack is copied at once.
   */
  fork(account: Account, stackPointer: number = 0): MemoryManager | number {
    const copies = new ForkCopies();
    const space = forkSpace(this, copies, stackPointer);
    if (space === null) return -ENOMEM;
    const child = new MemoryManager(account, this.ctx, space);
    try {
      copyMemory(this, child, copies);
    } catch (cause) {
      copies.release(this.ctx.frames);
      child.destroy();
      throw cause;
    }
    return child;
  }

  /** Takes over the settings of prctl(2) that a process's children and next programs inherit. */
  inheritPolicies(from: MemoryManager): void {
    this.isHugeDisabled = from.isHugeDisabled;
    if ((from.writeOrExec & PR_MDWE_NO_INHERIT) === 0) this.writeOrExec = from.writeOrExec;
  }

  /** Puts the identity of a futex word into `key`: 0, -EINVAL or -EFAULT. */
  futexKey(addr: number, isPrivate: boolean): number {
    return futexKey(this, addr, isPrivate);
  }
  /** Whether both words are the same futex. */
  static sameWord(a: SharedWord, b: SharedWord): boolean {
    return a.owner === b.owner && a.offset === b.offset;
  }

  /**
   * Reads as a debugger does: whatever the protection, and the original code where it was patched.
   * Returns the bytes read.
   */
  readForced(dst: Uint8Array<ArrayBuffer>, dstOffset: number, addr: number, len: number): number {
    return forcedCopyIn(this, dst, dstOffset, addr, len);
  }
  /**
   * Writes as a debugger does: read-only private pages are copied first. Returns the bytes written.
   */
  writeForced(addr: number, src: Uint8Array<ArrayBuffer>, srcOffset: number, len: number): number {
    return forcedCopyOut(this, addr, src, srcOffset, len);
  }

  /** False restores the original code and ends all patching (ptrace, strace, guest seccomp). */
  setPatching(enabled: boolean): void {
    setPatching(this, enabled);
  }

  /** Another task uses this memory. */
  share(): this {
    this.users++;
    return this;
  }
  /** Drops a task's reference; the last one destroys the address space. */
  put(): void {
    if (--this.users === 0) this.destroy();
  }

  /** Ends the host process and gives all memory back. */
  destroy(): void {
    if (this.isDestroyed) return;
    this.ctx.memories.delete(this);
    this.endSpace();
    dropPages(this, 0, Infinity);
    this.releaseReserves();
    this.vmas.remove(0, this.vmas.length);
    this.vmas.uncharge();
    this.counters.copyFrom(new MemoryCounters());
    this.finishChange();
    this.sites?.drop();
    this.sites = null;
    this.ctx.tlbs.give(this.leaveTlb());
  }

  /** Ends the host process. The memory must not be used any more. */
  endSpace(): void {
    this.isDestroyed = true;
    this.space.isEnded = true;
    this.space.destroy();
    this.ctx.leavingSpaces.add(this.space, this.account);
  }

  /** Records frames that the next queued host change unmaps. */
  addUnmap(framePage: number, pages: number): void {
    this.unmaps.push(framePage, pages);
  }

  /** Called when the change is queued: releases the recorded frames, and flushes the TLB. */
  finishChange(): void {
    const leaving = this.unmaps;
    for (let i = 0; i < leaving.length; i += 2) {
      this.ctx.frames.release(leaving[i]! * PAGE_SIZE, leaving[i + 1]!, this.space);
    }
    leaving.length = 0;
    this.flushTlb();
  }

  /** Gives back frames that were reserved for growth. */
  releaseReserves(): void {
    this.break.releaseReserve(this.ctx.frames);
    if (this.stackReservePages > 0) {
      this.ctx.frames.releaseUntouched(this.stackReserve * PAGE_SIZE, this.stackReservePages);
      this.stackReservePages = 0;
    }
  }

  /** The host address of an arena page. */
  hostOf(framePage: number): number {
    return this.ctx.arena.base + framePage * PAGE_SIZE;
  }

  protected override resolve(page: number, access: number): number {
    if (this.isDestroyed) return -1;
    const host = resolvePage(this, page, access);
    // A copy advances by this many pages: with none, it would never end.
    if (host >= 0 && this.runPages < 1) throw new RangeError(`a run of ${this.runPages} pages`);
    this.resolvedPages = this.runPages;
    return host;
  }
  /** The contiguous pages of the last `resolvePage`. */
  runPages: number = 1;

  /**
   * The pages that have a frame: an upper bound of the resident ones, as some may not be touched.
   */
  get residentPages(): number {
    let pages = 0;
    for (let i = 0; i < this.pages.length; i++) {
      if (this.pages.frame(i) >= 0) pages += this.pages.count(i);
    }
    return pages;
  }

  /** The name of an area in /proc/PID/maps. */
  nameOf(vma: Vma): string {
    const given = vma.name;
    if (vma.backing !== null) {
      return given === "" ? vma.backing.describe() : `[anon_shmem:${given}]`;
    }
    if (vma.label !== "") return vma.label;
    if (vma.start <= this.break.end && vma.end >= this.break.start && this.break.end > 0) {
      return "[heap]";
    }
    const stack = this.program.stackStart;
    if (vma.start <= stack && stack < vma.end) return "[stack]";
    return given === "" ? "" : `[anon:${given}]`;
  }
}
