/**
 * One guest address space over one stub process.
 *
 * Changes of mappings are written to the stub's command page, and the helper thread makes them in
 * order before a context of the space runs. Neighbours: `zygote.ts` makes the first stub,
 * `../mapping_index.ts` has the mappings, `ptrace_platform.ts` owns spaces.
 */

import { MAP_FIXED, MAP_SHARED, PAGE_SIZE, PROT_READ } from "../../ffi/abi/mman.ts";
import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_PARENT,
  CLONE_PTRACE,
  CLONE_SIGHAND,
  CLONE_SYSVSEM,
  CLONE_THREAD,
  CLONE_VM,
} from "../../ffi/abi/sched.ts";
import { SIGKILL } from "../../ffi/abi/signal.ts";
import {
  SYS_clone,
  SYS_kill,
  SYS_mmap,
  SYS_mprotect,
  SYS_munmap,
} from "../../ffi/abi/syscall_numbers.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { AddressSpace, type Thunks } from "../platform.ts";
import { PtraceContext } from "./context.ts";
import { GuestThread } from "./guest_thread.ts";
import { HelperThread } from "./helper_thread.ts";
import { ARENA, MappingIndex } from "../mapping_index.ts";
import { MAX_COMMANDS, STUB_CONTROL } from "./stub_image.ts";
import { ARENA_FD, COMMANDS_FD, type StubOwner } from "./zygote.ts";

const PROCESS_FLAGS = CLONE_PARENT | CLONE_PTRACE | CLONE_FS | CLONE_FILES;
const THREAD_FLAGS = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
  CLONE_SYSVSEM | CLONE_PTRACE;
/** LIMIT: stopped threads kept for the next newContext of a space. */
const MAX_IDLE_THREADS = 16;

export class PtraceSpace extends AddressSpace {
  readonly mappings: MappingIndex;
  readonly #owner: StubOwner;
  readonly #helper: HelperThread;
  readonly #page: number;
  #queued = 0;
  #seq = 0;
  #acked = 0;
  #isBroken = false;
  #isDestroyed = false;
  readonly #threads = new Set<GuestThread>();
  readonly #idle: GuestThread[] = [];

  /** Use `cloneSpace`. */
  constructor(owner: StubOwner, helper: HelperThread, page: number, mappings: MappingIndex) {
    super();
    this.#owner = owner;
    this.#helper = helper;
    this.#page = page;
    this.mappings = mappings;
    owner.spaces.add(this);
    helper.ended = () => this.#stubEnded();
  }

  override get hostPid(): number {
    return this.#helper.isDead ? 0 : this.#helper.tid;
  }

  override get seq(): number {
    return this.#seq;
  }
  override get ackedSeq(): number {
    return this.#acked;
  }
  override get broken(): boolean {
    return this.#isBroken;
  }
  override get mappingCount(): number {
    return this.mappings.count;
  }

  override mapArena(addr: number, len: number, offset: number, prot: number): void {
    this.mappings.map(addr, addr + len, ARENA, offset, prot);
    this.#queue(SYS_mmap, addr, len, prot, MAP_SHARED | MAP_FIXED, ARENA_FD, offset);
    this.#seq++;
  }

  override mapFile(addr: number, len: number, file: number, offset: number, prot: number): void {
    this.mappings.map(addr, addr + len, file, offset, prot);
    this.#queue(SYS_mmap, addr, len, prot, MAP_SHARED | MAP_FIXED, file, offset);
    this.#seq++;
  }

  /** This platform has no thunks. */
  override useThunks(_thunks: Thunks): void {}

  override unmap(addr: number, len: number): void {
    this.mappings.unmap(addr, addr + len);
    this.#queue(SYS_munmap, addr, len, 0, 0, 0, 0);
    this.#seq++;
  }

  override protect(addr: number, len: number, prot: number): void {
    const changed = this.mappings.protect(addr, addr + len, prot);
    for (let i = 0; i < changed.length; i += 2) {
      this.#queue(SYS_mprotect, changed[i]!, changed[i + 1]! - changed[i]!, prot, 0, 0, 0);
    }
    this.#seq++;
  }

  #queue(
    nr: number,
    a0: number,
    a1: number,
    a2: number,
    a3: number,
    a4: number,
    a5: number,
  ): void {
    if (this.#isBroken) return; // another stub may have the page
    if (this.#queued === MAX_COMMANDS) this.flush();
    this.#owner.commands.write(this.#page, this.#queued++, nr, a0, a1, a2, a3, a4, a5);
    if (this.#queued === 1) this.#owner.dirty.add(this);
  }

  override flush(): void {
    if (this.#queued > 0) {
      const count = this.#queued;
      this.#queued = 0;
      this.#owner.dirty.delete(this);
      if (!this.#isBroken && this.#helper.runBatch(count) !== 0) this.#isBroken = true;
    }
    if (!this.#isBroken || this.#helper.isDead) this.#acked = this.#seq;
  }

  override fork(): PtraceSpace | null {
    this.flush();
    if (this.#isBroken || this.#isDestroyed) return null;
    return cloneSpace(this.#owner, this.#helper, this.mappings.clone());
  }

  override newContext(): PtraceContext | null {
    if (this.#isDestroyed) return null;
    const thread = this.#idle.pop() ?? this.#newThread();
    if (thread === null) return null;
    const context = new PtraceContext(this, thread, thread.tracer.fpuSize);
    thread.context = context;
    return context;
  }

  #newThread(): GuestThread | null {
    const { tracer } = this.#helper;
    if (!tracer.hasRoom()) return null;
    const tid = this.#helper.call(SYS_clone, THREAD_FLAGS, 0, 0, 0, 0);
    if (tid < 0) return null;
    const thread = new GuestThread(tracer, tid, this);
    this.#threads.add(thread);
    tracer.adopt(thread);
    tracer.waitFor(thread);
    return thread.fetch() < 0 ? null : thread;
  }

  /** Takes back a stopped thread that has no context any more. */
  threadIsFree(thread: GuestThread): void {
    if (this.#isDestroyed || thread.isDead) return;
    if (this.#idle.length < MAX_IDLE_THREADS) this.#idle.push(thread);
    else thread.exit();
  }

  threadEnded(thread: GuestThread): void {
    this.#threads.delete(thread);
    const at = this.#idle.indexOf(thread);
    if (at >= 0) this.#idle.splice(at, 1);
  }

  /**
   * The last change: when `ackedSeq` reaches it, the host process has ended, and its mappings with
   * it.
   */
  override destroy(): void {
    if (this.#isDestroyed) return;
    this.#isDestroyed = true;
    this.#isBroken = true;
    this.#queued = 0;
    this.#seq++;
    this.#owner.dirty.delete(this);
    for (const thread of this.#threads) thread.context?.release();
    this.#idle.length = 0;
    if (this.#helper.isDead) this.#acked = this.#seq;
    else syscall(SYS_kill, this.hostPid, SIGKILL);
  }

  #stubEnded(): void {
    this.#isBroken = true;
    this.#acked = this.#seq;
    this.#owner.dirty.delete(this);
    this.#owner.spaces.delete(this);
    this.#owner.commands.give(this.#page);
  }
}

/**
 * Clones a stub and makes a space of it.
 *
 * @param parent helper of the stub to clone: the zygote's, or that of the space which forks
 * @param mappings what the parent has mapped
 * @returns null if the host gives no process, thread or memory
 */
export function cloneSpace(
  owner: StubOwner,
  parent: HelperThread,
  mappings: MappingIndex,
): PtraceSpace | null {
  const { tracer } = parent;
  if (!tracer.hasRoom()) return null;
  const page = owner.commands.take();
  if (page < 0) return null;
  const pid = parent.call(SYS_clone, PROCESS_FLAGS, 0, 0, 0, 0);
  if (pid < 0) {
    owner.commands.give(page);
    return null;
  }
  const helper = new HelperThread(tracer, pid);
  const space = new PtraceSpace(owner, helper, page, mappings);
  tracer.adopt(helper);
  tracer.waitFor(helper);
  if (helper.fetch() === 0) {
    const at = STUB_CONTROL;
    const flags = MAP_SHARED | MAP_FIXED;
    const r = helper.call(
      SYS_mmap,
      at,
      PAGE_SIZE,
      PROT_READ,
      flags,
      COMMANDS_FD,
      page * PAGE_SIZE,
    );
    if (r === at) return space;
  }
  space.destroy();
  return null;
}
