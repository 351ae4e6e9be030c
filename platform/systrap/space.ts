/**
 * One guest address space over one stub process: its mappings, its slots, its end.
 *
 * Nothing here waits: the stub may not exist yet. Neighbours: `command_ring.ts` carries the
 * changes, `context.ts` runs in it, `systrap.ts` makes spaces and reports ends of processes.
 */

import {
  MAP_FIXED,
  MAP_SHARED,
  PAGE_SIZE,
  PROT_EXEC,
  PROT_READ,
  PROT_WRITE,
} from "../../ffi/abi/mman.ts";
import { SIGKILL, SS_AUTODISARM } from "../../ffi/abi/signal.ts";
import { ESRCH } from "../../ffi/abi/errno.ts";
import { SYS_kill, SYS_pidfd_open, SYS_pidfd_send_signal } from "../../ffi/abi/syscall_numbers.ts";
import { close } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { AddressSpace, type Thunks } from "../platform.ts";
import { MappingIndex } from "../mapping_index.ts";
import {
  ACK_AT,
  COMMANDS,
  COMMANDS_AT,
  FD_ARENA,
  FD_CONTROL,
  MARK_FAILED,
  MARK_FORKING,
  MAX_SLOTS,
  OP_FORK,
  OP_MMAP,
  OP_MPROTECT,
  OP_MUNMAP,
  OP_THREAD,
  OP_WAKE,
  POSTED_FAST,
  SIGNAL_STACK,
  SLOT_AT,
  SLOT_HEADER,
  SLOTS_END,
  SLOTS_FROM,
  SLOTS_IN_CHUNK,
  STACK_T_BYTES,
  STUB_BASE,
  TABLES,
  THUNKS,
} from "./stub/layout.ts";
import { TABLE_BYTES, TABLE_COUNT, TABLE_THUNKS_BYTES } from "../thunks.ts";
import { CommandRing } from "./command_ring.ts";
import { SystrapContext } from "./context.ts";
import type { Engine } from "./engine.ts";
import { SystrapThunks } from "./site_memory.ts";
import { Slot } from "./slot.ts";

const SHARED_FIXED = MAP_SHARED | MAP_FIXED;
/** LIMIT: stopped host threads kept for the next newContext of a space. */
const MAX_IDLE = 16;
/** The marks in the u64 that holds pid and mark. */
const FAILED = MARK_FAILED * 0x100000000, FORKING = MARK_FORKING * 0x100000000;
/** Stands for the arena in place of a file handle. */
const ARENA = -1;
const DESTROYED = "its space was destroyed";
const ANY_PROT = PROT_READ | PROT_WRITE | PROT_EXEC;

/** The parts of the platform, besides the engine, that a space uses. */
export interface SpaceOwner {
  readonly engine: Engine;
  /** Message that must be done before `file` can be mapped, or 0. */
  installedBy(file: number): number;
  /** Called when the stub has reported its pid: watches it. */
  born(space: SystrapSpace): void;
  /** Called when the space has ended: its numbers can be used again. */
  ended(space: SystrapSpace): void;
  /** The space of a new stub, which is not born yet. */
  childOf(parent: SystrapSpace): SystrapSpace | null;
}

export class SystrapSpace extends AddressSpace {
  readonly id: number;
  readonly ring: CommandRing;
  readonly contexts = new Set<SystrapContext>();
  /** Contexts whose resume waits for room in the ring. */
  readonly held: SystrapContext[] = [];
  /** The mapper has a thread or a child to make, and no thread was resumed since. */
  needsWake = false;
  isDestroyed = false;
  /** Host pid of the stub and its pidfd; 0 and -1 before its birth and after its end. */
  pid = 0;
  pidfd = -1;
  mappings = new MappingIndex();
  /**
   * The thunks of its patched call sites, and the number of their tables that the stub has or will
   * have.
   */
  thunks: SystrapThunks | null = null;
  #tables = 0;
  readonly #owner: SpaceOwner;
  readonly #engine: Engine;
  /** Address of the slots in the stub, and the number of their chunks that it has or will have. */
  readonly #slots: number;
  #mappedChunks = 0;
  readonly #chunks: number[];
  readonly #idle: Slot[] = [];
  readonly #free: Slot[] = [];
  #nextSlot = 1; // slot 0 is the header
  #isDead = false;
  #mustDie = false;
  /** The reason for which it is killed, if it is. */
  #cause: string | null = null;
  /** Children that were forked and are not born yet: they need this mapper. */
  readonly #unborn = new Set<SystrapSpace>();
  #parent: SystrapSpace | null = null;

  /** @param chunk control file offset of the first slots */
  constructor(owner: SpaceOwner, id: number, chunk: number) {
    super();
    this.#owner = owner;
    this.#engine = owner.engine;
    this.id = id;
    this.#chunks = [chunk];
    this.#slots = drawSlots(owner.engine.control.slotBytes);
    this.ring = new CommandRing(owner.engine.control, id);
  }

  // Mappings

  override get seq(): number {
    return this.ring.seq;
  }
  /** When the stub has ended, all its mappings have too. */
  override get ackedSeq(): number {
    return this.#isDead ? this.ring.seq : this.ring.ackedSeq;
  }
  override get broken(): boolean {
    return this.#isDead && !this.isDestroyed;
  }
  override get mappingCount(): number {
    return this.mappings.count;
  }
  override get hostPid(): number {
    this.stubIsAlive();
    return this.pid;
  }

  override mapArena(addr: number, len: number, offset: number, prot: number): void {
    checkRange(addr, len);
    this.mappings.map(addr, addr + len, ARENA, offset, prot);
    this.ring.push(OP_MMAP, 0, addr, len, prot & ANY_PROT, SHARED_FIXED, FD_ARENA, offset);
  }

  override mapFile(addr: number, len: number, file: number, offset: number, prot: number): void {
    checkRange(addr, len);
    const wait = this.#owner.installedBy(file);
    this.mappings.map(addr, addr + len, file, offset, prot);
    this.ring.push(OP_MMAP, wait, addr, len, prot & ANY_PROT, SHARED_FIXED, file, offset);
  }

  override unmap(addr: number, len: number): void {
    checkRange(addr, len);
    this.mappings.unmap(addr, addr + len);
    this.ring.push(OP_MUNMAP, 0, addr, len, 0, 0, 0, 0);
  }

  /** Holes in the range stay holes: mprotect(2) is called on mapped pages only. */
  override protect(addr: number, len: number, prot: number): void {
    checkRange(addr, len);
    const changed = this.mappings.protect(addr, addr + len, prot);
    for (let i = 0; i < changed.length; i += 2) {
      const start = changed[i]!;
      this.ring.push(OP_MPROTECT, 0, start, changed[i + 1]! - start, prot & ANY_PROT, 0, 0, 0);
    }
  }

  override useThunks(thunks: Thunks): void {
    if (this.thunks === null && thunks instanceof SystrapThunks) this.thunks = thunks.hold();
    if (this.thunks !== thunks) throw new Error("a space has one set of thunks, of its platform");
    for (; this.#tables < thunks.tableCount; this.#tables++) {
      const i = this.#tables,
        block = this.thunks.blockAt(i),
        code = THUNKS + i * TABLE_THUNKS_BYTES;
      this.#mapControl(TABLES[i]!, TABLE_BYTES, PROT_READ, block);
      this.#mapControl(code, TABLE_THUNKS_BYTES, PROT_READ | PROT_EXEC, block + TABLE_BYTES);
    }
  }

  #mapControl(address: number, bytes: number, prot: number, offset: number): void {
    this.ring.push(OP_MMAP, 0, address, bytes, prot, SHARED_FIXED, FD_CONTROL, offset);
  }

  override flush(): void {
    if (this.#isDead || !this.ring.isBehind) return;
    this.needsWake = false;
    if (!this.ring.publish()) this.#engine.overflowing.push(this);
    this.wakeMapper();
  }

  /**
   * Stages the queue for a thread that is being resumed. The mapper wakes a sleeping thread when it
   * has done all: one wake-up less than waking the thread first, which would then wake the mapper.
   * False if some commands found no room.
   */
  stageForResume(sleeper: Slot | null): boolean {
    if (sleeper !== null) {
      this.ring.push(OP_WAKE, 0, sleeper.address + SLOT_AT.state, 0, 0, 0, 0, 0);
    }
    if (this.ring.stage()) return true;
    this.ring.commit();
    this.#engine.overflowing.push(this);
    this.wakeMapper();
    return false;
  }

  /** Wakes the mapper, which has to make a thread that was resumed. */
  hurry(): void {
    if (this.#parent !== null && this.#parent.needsWake) this.#parent.flush();
    if (!this.needsWake) return;
    this.needsWake = false;
    this.wakeMapper();
  }

  wakeMapper(): void {
    this.#engine.wake(this.#engine.control.commandsOffset(this.id) + COMMANDS_AT.head);
  }

  /** Continues what waits for room in the ring. */
  drain(): void {
    if (this.#isDead) return;
    if (this.ring.publish()) {
      for (const context of this.held.splice(0)) context.replyHeld();
    } else this.#engine.overflowing.push(this);
    this.wakeMapper();
  }

  // Threads

  override newContext(): SystrapContext | null {
    if (this.isDestroyed || this.#isDead) return null;
    const idle = this.#idle.pop();
    const slot = idle ?? this.#newThread();
    if (slot === null) return null;
    const context = new SystrapContext(this.#engine, this, slot);
    this.contexts.add(context);
    return context;
  }

  hadFirstStop(slot: Slot): void {
    slot.isFresh = false;
    this.stubIsAlive();
  }

  /** Makes a thread in advance: it starts together with the stub. Null if there is no room. */
  prepareThread(): Slot | null {
    const slot = this.#newThread();
    this.ring.publish();
    this.needsWake = false;
    if (slot !== null) this.#idle.push(slot);
    return slot;
  }

  #newThread(): Slot | null {
    const slot = this.#free.pop() ?? this.#newSlot();
    if (slot === null) return null;
    const { control } = this.#engine;
    const stack = COMMANDS_AT.stacks + slot.index * STACK_T_BYTES;
    const stackAt = control.commandsOffset(this.id) + stack;
    control.setWord(stackAt, slot.address + SIGNAL_STACK);
    // Every signal starts at the top of the alternate stack, wherever the rsp of the guest points.
    control.setWord(stackAt + 8, SS_AUTODISARM);
    control.setWord(stackAt + 16, control.slotBytes - SIGNAL_STACK);
    control.setWord(slot.at + SLOT_AT.stack, slot.address + SLOT_HEADER);
    const words = control.i32, wordAt = slot.at / 4;
    words[wordAt + SLOT_AT.tid / 4] = words[wordAt + SLOT_AT.kick / 4] = 0;
    words[wordAt + SLOT_AT.state / 4] = POSTED_FAST; // as if it had stopped there
    slot.hasFrame = false;
    slot.isFresh = true;
    this.ring.push(OP_THREAD, 0, slot.address, COMMANDS + stack, 0, 0, 0, 0);
    this.#wakeSoon();
    return slot;
  }

  #wakeSoon(): void {
    if (this.needsWake) return;
    this.needsWake = true;
    this.#engine.starting.push(this);
  }

  #newSlot(): Slot | null {
    if (this.#nextSlot >= MAX_SLOTS) return null;
    const { control } = this.#engine;
    const index = this.#nextSlot;
    const chunk = Math.floor(index / SLOTS_IN_CHUNK);
    if (chunk === this.#mappedChunks && !this.#mapChunk(chunk)) return null;
    this.#nextSlot++;
    const within = index % SLOTS_IN_CHUNK * control.slotBytes;
    return new Slot(index, this.#chunks[chunk]! + within, this.#slots + index * control.slotBytes);
  }

  #mapChunk(index: number): boolean {
    const { control } = this.#engine, address = this.#slots + index * control.chunkBytes;
    if (index === this.#chunks.length) {
      const offset = control.takeChunk();
      if (offset < 0) return false;
      this.#chunks.push(offset);
    }
    const prot = PROT_READ | PROT_WRITE;
    this.#mapControl(address, control.chunkBytes, prot, this.#chunks[index]!);
    this.#mappedChunks++;
    return true;
  }

  /** Keeps a host thread that waits, for a later context. False if there are enough. */
  keepIdle(slot: Slot): boolean {
    if (this.#idle.length >= MAX_IDLE) return false;
    this.#idle.push(slot);
    return true;
  }

  slotIsFree(slot: Slot): void {
    if (!this.isDestroyed && !this.#isDead) this.#free.push(slot);
  }

  // Birth and death

  override fork(): SystrapSpace | null {
    if (this.isDestroyed || this.#isDead) return null;
    const child = this.#owner.childOf(this);
    if (child === null) return null;
    child.mappings = this.mappings.clone();
    child.thunks = this.thunks?.hold() ?? null;
    child.#tables = this.#tables;
    child.#parent = this;
    this.#unborn.add(child);
    const { control } = this.#engine;
    const commands = control.commandsOffset(child.id);
    const ack = control.ackOffset(child.id);
    this.ring.push(OP_FORK, 0, commands, child.firstChunk, ack, FAILED, FORKING, this.#slots);
    this.#wakeSoon();
    return child;
  }

  /** Control file offset of the first slots. */
  get firstChunk(): number {
    return this.#chunks[0]!;
  }

  /**
   * Reads the pid that the stub has reported. It must be read before guest code runs there for the
   * first time, although the ack area could not be forged later either.
   */
  stubIsAlive(): void {
    if (this.pid !== 0 || this.#isDead) return;
    if (this.#readAck(ACK_AT.mark) === MARK_FAILED) return this.died();
    const pid = this.#readAck(ACK_AT.pid);
    if (pid === 0) return;
    this.#leaveParent();
    this.pid = pid;
    this.pidfd = syscall(SYS_pidfd_open, pid, 0);
    this.#owner.born(this);
    // The process has ended since, and was reaped.
    if (this.pidfd === -ESRCH) return this.died();
    if (this.#mustDie && !this.#waitsForBirth) this.#sendKill();
  }

  /** Loads a word of the ack area as a whole: half of a pid would name another process. */
  #readAck(field: number): number {
    const { control } = this.#engine;
    return Atomics.load(control.i32, (control.ackOffset(this.id) + field) / 4);
  }

  /** Releases the parent, which stays until its mapper has made all forked children. */
  #leaveParent(): void {
    const parent = this.#parent;
    this.#parent = null;
    if (parent === null) return;
    parent.#unborn.delete(this);
    if (parent.isDestroyed && parent.#unborn.size === 0) parent.kill(DESTROYED);
  }

  get #waitsForBirth(): boolean {
    return this.isDestroyed && this.#unborn.size > 0;
  }

  /** Ends the stub. Its contexts report TRAP_DEATH, with `cause`, once it is dead. */
  kill(cause: string): void {
    this.#mustDie = true;
    this.#cause ??= cause;
    if (this.#isDead) return;
    this.stubIsAlive();
    if (this.pid !== 0) this.#sendKill();
  }

  #sendKill(): void {
    if (this.pidfd >= 0) syscall(SYS_pidfd_send_signal, this.pidfd, SIGKILL, 0, 0);
    // Without a descriptor the pid serves: it is not reused before the stub is reaped.
    else syscall(SYS_kill, this.pid, SIGKILL);
  }

  /** Called when the stub was reaped, or could not be made. */
  died(): void {
    if (this.#isDead) return;
    this.#isDead = true;
    this.pid = 0;
    if (this.pidfd >= 0) close(this.pidfd);
    this.pidfd = -1;
    this.#leaveParent();
    for (const child of [...this.#unborn]) child.parentDied();
    const cause = this.#cause ?? "its host process ended";
    for (const context of [...this.contexts]) context.lose(cause);
    this.held.length = 0;
    if (this.isDestroyed) this.#end();
  }

  /**
   * The parent's mapper has ended. If it was cloning, the child may live and have frames mapped: it
   * is killed when it reports its pid. If the child died before that, its numbers and frames are
   * never used again.
   */
  parentDied(): void {
    this.stubIsAlive();
    if (this.pid !== 0 || this.#isDead) return;
    if (this.#readAck(ACK_AT.mark) !== MARK_FORKING) return this.died();
    this.stillborn();
  }

  /** As far as the Sentry can know, the stub will never report its pid. */
  stillborn(): void {
    this.#mustDie = true;
    this.#leaveParent();
    for (const context of [...this.contexts]) context.lose("the host gave it no process");
  }

  /** Whether it waits for its birth: `stubIsAlive` should be called from time to time. */
  get isUnborn(): boolean {
    return this.pid === 0 && !this.#isDead;
  }

  override destroy(): void {
    if (this.isDestroyed) return;
    this.ring.seq++; // the last change: acked when the stub has ended
    this.isDestroyed = true;
    for (const context of [...this.contexts]) context.release();
    this.#idle.length = 0;
    this.held.length = 0;
    if (this.#isDead) this.#end();
    else if (this.#unborn.size > 0) this.#endAfterBirths();
    else this.kill(DESTROYED);
  }

  #endAfterBirths(): void {
    this.#mustDie = true;
    for (const child of this.#unborn) child.#ringAtBirth();
    if (!this.ring.publish()) this.#engine.overflowing.push(this);
    this.wakeMapper();
    // They may have been born before the request to ring.
    for (const child of [...this.#unborn]) child.stubIsAlive();
  }

  #ringAtBirth(): void {
    const { control } = this.#engine;
    const word = control.commandsOffset(this.id) + COMMANDS_AT.ringAtBirth;
    Atomics.store(control.i32, word / 4, 1);
  }

  #end(): void {
    const { control } = this.#engine;
    for (const chunk of this.#chunks) control.giveChunk(chunk);
    control.giveSpace(this.id);
    this.thunks?.release();
    this.#owner.ended(this);
  }
}

/**
 * A random place for the slots of a stub: they hold saved registers, whose addresses no other
 * process shall learn.
 */
function drawSlots(slotBytes: number): number {
  const places = (SLOTS_END - SLOTS_FROM) / slotBytes - MAX_SLOTS;
  const [random] = crypto.getRandomValues(new Uint32Array(1));
  return SLOTS_FROM + random! % places * slotBytes;
}

/** SAFETY: a mapping over the stub's own pages would hand the guest the mapper. */
function checkRange(addr: number, len: number): void {
  const end = addr + len;
  const isSound = addr >= 0 && len > 0 && end <= STUB_BASE && addr % PAGE_SIZE === 0 &&
    len % PAGE_SIZE === 0;
  if (!isSound) throw new RangeError(`no guest range: 0x${addr.toString(16)} + ${len}`);
  if (end <= TABLES[0]! || addr >= TABLES[TABLE_COUNT - 1]! + TABLE_BYTES) return;
  for (const table of TABLES) {
    if (addr < table + TABLE_BYTES && end > table) {
      throw new RangeError(`guest range over the jump tables: 0x${addr.toString(16)} + ${len}`);
    }
  }
}
