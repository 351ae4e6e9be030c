/**
 * A ring of io_uring_setup(2): takes requests from shared memory, starts them in order, handles
 * links and drains, and posts completions.
 *
 * Neighbours: ring_memory.ts (shared memory), worker.ts (one request), operations.ts; setup.ts and
 * enter.ts (the system calls).
 */

import { POLLIN, POLLOUT, POLLRDNORM, POLLWRNORM } from "../../ffi/abi/poll.ts";
import type { Account } from "../core/account.ts";
import { EAGAIN, ECANCELED, EINVAL, ENOMEM } from "../../ffi/abi/errno.ts";
import * as U from "../../ffi/abi/io_uring.ts";
import { O_RDWR } from "../../ffi/abi/fcntl.ts";
import { Fifo } from "../core/fifo.ts";
import { LATE_COMPLETIONS, RING_ENTRIES, RING_REQUESTS, RINGS } from "../core/quota.ts";
import { WaitQueue } from "../core/wait.ts";
import type { Credentials } from "../cred/credentials.ts";
import { AnonFile, type AnonFiles } from "../fs/anonfd/anon_inode.ts";
import type { EventFile } from "../fs/anonfd/eventfd.ts";
import type { Backing } from "../mm/backing.ts";
import type { Kernel } from "../task/kernel_services.ts";
import type { TaskPid } from "../task/pid_namespace.ts";
import type { Task } from "../task/task.ts";
import type { ThreadGroup } from "../task/thread_group.ts";
import { TimerQueue } from "../time/timer.ts";
import { RING_AT, type RingShape, type UringMemory } from "./ring_memory.ts";
import { isShort, prepare, takeFile } from "./operations.ts";
import { bufferMemoryAt } from "./buffer_rings.ts";
import type { BufferGroup } from "./buffers.ts";
import { releaseBuffers, releaseFiles } from "./register_resources.ts";
import type { FileTable, FixedBuffer } from "./resources.ts";
import type { Restrictions } from "./restrictions.ts";
import type { SqPoller } from "./sq_poller.ts";
import { Worker } from "./worker.ts";
import { usageOf } from "./zero_copy.ts";

const CQE = U.IoUringCqe.at;
const LINKS = U.IOSQE_IO_LINK | U.IOSQE_IO_HARDLINK;
/** Bit of `cqFlags`: the process wants no eventfd signals for now. */
const EVENTFD_DISABLED = 1;

/**
 * LIMIT: requests that one turn of the loop takes, if they are quick, and the rest of the last
 * chain.
 */
const TURN_REQUESTS = 256;
/**
 * LIMIT: time for running requests in one turn, and the number of requests between two reads of the
 * clock.
 */
const PUMP_NS = 250_000, LOOK_EACH = 4;

/** A completion that did not fit into the ring. */
interface LateCqe {
  readonly lo: number;
  readonly hi: number;
  readonly result: number;
  readonly flags: number;
}

export class Uring extends AnonFile {
  readonly memory: UringMemory;
  /** IORING_SETUP_* */
  readonly setup: number;
  readonly sqEntries: number;
  readonly cqEntries: number;
  private readonly sqeBytes: number;
  private readonly cqeBytes: number;
  isDisabled: boolean;
  /** The only task that may use the ring (IORING_SETUP_SINGLE_ISSUER); null: not chosen yet. */
  issuer: TaskPid | null = null;
  /**
   * IORING_SETUP_SQPOLL: the process for which requests are taken, whichever task wakes the ring;
   * null: the submitter.
   */
  poller: SqPoller | null = null;
  /** End of the address space of the task that made the ring. */
  readonly maxAddress: number;
  files: FileTable | null = null;
  buffers: (FixedBuffer | null)[] | null = null;
  eventFile: EventFile | null = null;
  /** Groups of provided buffers, by number. */
  readonly bufferGroups: Map<number, BufferGroup> = new Map();
  /** Set before the ring is enabled, in force afterwards. */
  restrictions: Restrictions | null = null;
  /** IORING_REGISTER_CLOCK: absolute times of waits are on CLOCK_BOOTTIME. */
  usesBoottime: boolean = false;
  /** IORING_REGISTER_IOWQ_MAX_WORKERS; null: not set. */
  maxWorkers: readonly [bounded: number, unbounded: number] | null = null;
  readonly personalities: Map<number, Credentials> = new Map();
  lastPersonality: number = 0;
  /** Requests that are started and not complete. */
  readonly inFlight: Set<Worker> = new Set();
  /** Time-outs that end after a number of completions, which is their deadline in this queue. */
  readonly counting: TimerQueue = new TimerQueue();
  /** The last `submit` left requests for another turn. */
  hasMore: boolean = false;
  /** Number of all completions posted. */
  posted: number = 0;
  private readonly queue: WaitQueue = new WaitQueue();
  private sqHead: number = 0;
  private cqTail: number = 0;
  private readonly late: Fifo<LateCqe> = new Fifo();
  private readonly ready: Fifo<Worker> = new Fifo();
  private readonly drained: Fifo<Worker> = new Fifo();
  private isPumping: boolean = false;
  /** Whether the requests started in this turn took long, and the number of questions. */
  private looks: number = 0;
  private isLong: boolean = false;

  constructor(
    account: Account,
    anon: AnonFiles,
    memory: UringMemory,
    setup: number,
    { sqEntries, cqEntries, sqeBytes, cqeBytes }: RingShape,
    maxAddress: number,
  ) {
    super(account, anon, O_RDWR);
    this.maxAddress = maxAddress;
    RINGS.add(1, this.account);
    this.memory = memory;
    this.setup = setup;
    this.sqEntries = sqEntries;
    this.cqEntries = cqEntries;
    this.sqeBytes = sqeBytes;
    this.cqeBytes = cqeBytes;
    this.isDisabled = (setup & U.IORING_SETUP_R_DISABLED) !== 0;
  }

  /** From now on only this task may use the ring. */
  chooseIssuer({ id }: Task): void {
    if ((this.setup & U.IORING_SETUP_SINGLE_ISSUER) !== 0) this.issuer ??= id;
  }
  isAnothers({ id }: Task): boolean {
    return this.issuer !== null && this.issuer !== id;
  }

  override get isRing(): boolean {
    return true;
  }
  override get waitQueue(): WaitQueue {
    return this.queue;
  }
  override describe(): string {
    return "anon_inode:[io_uring]";
  }

  override poll(): number {
    let bits = this.available > 0 ? POLLIN | POLLRDNORM : 0;
    if (this.unsubmitted < this.sqEntries) bits |= POLLOUT | POLLWRNORM;
    return bits;
  }

  override mmap(_writable: boolean, _shared: boolean, offset: number = 0): Backing | number {
    if (offset >= U.IORING_OFF_PBUF_RING) return bufferMemoryAt(this, offset) ?? -ENOMEM;
    return (this.setup & U.IORING_SETUP_NO_MMAP) !== 0 ? -ENOMEM : this.memory;
  }

  /** Number of completions that the process has not taken, by its own head. */
  get available(): number {
    const taken = this.memory.word(RING_AT.cqHead);
    return Math.min((this.cqTail - taken) >>> 0, this.cqEntries) + this.late.length;
  }

  /** Number of requests that the process has queued, by its own tail. */
  get unsubmitted(): number {
    return Math.min((this.memory.word(RING_AT.sqTail) - this.sqHead) >>> 0, this.sqEntries);
  }

  /**
   * Takes and starts up to `count` requests; returns the number, or -EAGAIN when the sandbox has
   * too many.
   */
  submit(task: Task, count: number): number {
    let head: Worker | null = null, tail: Worker | null = null, taken = 0;
    const most = Math.min(count, this.unsubmitted);
    this.hasMore = this.isLong = false;
    while (taken < most && RING_REQUESTS.hasRoom(1, task.account)) {
      const mayStop = head === null && taken > 0;
      if (mayStop && (taken >= TURN_REQUESTS || this.hasWorkedLong(task.kernel))) {
        this.hasMore = true;
        break;
      }
      const worker = this.take(task);
      if (worker === null) break;
      taken++;
      const { sqe } = worker;
      worker.initError = prepare(worker);
      const isBound = sqe.opcode === U.IORING_OP_LINK_TIMEOUT;
      if (tail !== null && isBound && tail.partner === null) {
        tail.partner = worker;
        worker.partner = tail;
      } else {
        if (isBound && worker.initError === 0) worker.initError = -EINVAL;
        if (tail !== null) tail.linked = worker;
        tail = worker;
      }
      head ??= worker;
      // A chain is taken whole, even if a request in it is wrong.
      const hasFailed = worker.initError !== 0 && (sqe.flags & LINKS) === 0;
      if ((sqe.flags & LINKS) === 0) {
        this.startChain(head);
        this.startReady();
        head = tail = null;
      }
      if (hasFailed && (this.setup & U.IORING_SETUP_SUBMIT_ALL) === 0) break;
    }
    if (head !== null) this.startChain(head);
    this.startReady();
    return taken === 0 && most > 0 && !RING_REQUESTS.hasRoom(1, task.account) ? -EAGAIN : taken;
  }

  /** The next request, or null for an invalid index. */
  private take(task: Task): Worker | null {
    const { memory } = this, mask = this.sqEntries - 1;
    const slot = this.sqHead & mask;
    const hasArray = (this.setup & U.IORING_SETUP_NO_SQARRAY) === 0;
    const index = hasArray ? memory.word(memory.arrayAt + 4 * slot) : slot;
    this.sqHead = (this.sqHead + 1) >>> 0;
    memory.setWord(RING_AT.sqHead, this.sqHead);
    if (index >= this.sqEntries) {
      memory.setWord(RING_AT.sqDropped, memory.word(RING_AT.sqDropped) + 1);
      return null;
    }
    const worker = new Worker(this, task);
    if (this.poller !== null) worker.cred = this.poller.cred;
    worker.sqe.load(memory.dv, memory.sqes + index * this.sqeBytes);
    return worker;
  }

  /** Starts a chain. One wrong request cancels those that are linked with it. */
  private startChain(head: Worker): void {
    let isSpoilt = false;
    for (let w: Worker | null = head; w !== null; w = w.linked) {
      if (w.initError !== 0 || (w.partner !== null && w.partner.initError !== 0)) isSpoilt = true;
    }
    if (!isSpoilt) {
      this.ready.push(head);
      return;
    }
    const isSilent = (head.sqe.flags & U.IOSQE_CQE_SKIP_SUCCESS) !== 0;
    for (let w: Worker | null = head; w !== null;) {
      const next: Worker | null = w.linked, bound = w.partner;
      w.linked = w.partner = null;
      w.isSilent = isSilent && w !== head;
      this.spoil(w);
      if (bound !== null) {
        bound.isSilent = isSilent;
        this.spoil(bound);
      }
      w = next;
    }
  }

  private spoil(w: Worker): void {
    if (!w.isSilent) this.post(w, w.initError !== 0 ? w.initError : -ECANCELED, 0);
    this.notify(w);
    w.end();
  }

  /** Posts the second completion of operations that have one. */
  private notify(w: Worker): void {
    if (w.op?.notifies === true) this.post(w, usageOf(w.sqe), U.IORING_CQE_F_NOTIF);
  }

  /** Starts requests that can start. After much work the rest runs in turn with other tasks. */
  pump(): void {
    if (this.isPumping) return;
    this.isLong = false;
    this.startReady();
  }

  private startReady(): void {
    if (this.isPumping) return;
    this.isPumping = true;
    for (;;) {
      const worker = this.ready.shift();
      if (worker === undefined) {
        if (!this.startDrained()) break;
      } else if (this.mustDrain(worker)) this.drained.push(worker);
      else this.start(worker, worker.isLater);
    }
    this.isPumping = false;
  }

  /** The rest of a chain that began before a drain precedes the drain too. */
  private mustDrain(worker: Worker): boolean {
    if (worker.isLater) return false;
    if (this.drained.length > 0) return true;
    return (worker.sqe.flags & U.IOSQE_IO_DRAIN) !== 0 && this.inFlight.size > 0;
  }

  /**
   * IOSQE_IO_DRAIN: runs behind all earlier requests and before all later ones. False: nothing
   * could start.
   */
  private startDrained(): boolean {
    const { first } = this.drained;
    if (first === undefined || this.inFlight.size > 0) return false;
    this.drained.shift();
    this.start(first, true);
    while (this.inFlight.size === 0 || !this.startsWithDrain) {
      const next = this.drained.shift();
      if (next === undefined) break;
      this.start(next, true);
    }
    return true;
  }

  private get startsWithDrain(): boolean {
    const { first } = this.drained;
    return first !== undefined && (first.sqe.flags & U.IOSQE_IO_DRAIN) !== 0;
  }

  /** `mayWait`: the number of requests is not bounded, so this one may be left to another turn. */
  private start(worker: Worker, mayWait: boolean): void {
    this.inFlight.add(worker);
    takeFile(worker);
    const bound = worker.partner;
    if (mayWait && this.hasWorkedLong(worker.kernel)) {
      worker.attemptLater();
      if (bound === null) return;
      this.inFlight.add(bound);
      bound.attemptLater();
      return;
    }
    worker.attempt();
    if (bound === null || worker.isDone) return;
    this.inFlight.add(bound);
    bound.attempt();
  }

  /** True if this turn of the loop has been long; reads the clock at every few calls. */
  private hasWorkedLong(kernel: Kernel): boolean {
    if (++this.looks % LOOK_EACH === 0) {
      this.isLong ||= kernel.now() > kernel.clock.nowNs + PUMP_NS;
    }
    return this.isLong;
  }

  /** Ends a request: posts its completion and starts what waited for it. */
  complete(worker: Worker, result: number): void {
    if (worker.isDone) return;
    const { linked, partner, sqe } = worker;
    worker.linked = worker.partner = null;
    const hasBegun = this.inFlight.delete(worker);
    if (hasBegun && worker.op?.notifies === true) worker.cqeFlags |= U.IORING_CQE_F_MORE;
    const skips = (sqe.flags & U.IOSQE_CQE_SKIP_SUCCESS) !== 0;
    if (!worker.isSilent && (result < 0 || !skips)) {
      this.post(worker, result, worker.cqeFlags);
    }
    this.notify(worker);
    worker.end();
    if (partner !== null && !partner.isDone) {
      partner.partner = null;
      this.complete(partner, -ECANCELED);
    }
    if (linked === null) return;
    const hasFailed = result < 0 || isShort(worker, result);
    if (hasFailed && (sqe.flags & U.IOSQE_IO_HARDLINK) === 0) {
      return this.cancelChain(linked, skips);
    }
    linked.isLater = true;
    this.ready.push(linked);
  }

  /**
   * `isSilent`: a request without a completion for success reports its own failure, not that of its
   * chain.
   */
  private cancelChain(first: Worker, isSilent: boolean): void {
    for (let w: Worker | null = first; w !== null;) {
      const next: Worker | null = w.linked;
      w.linked = null;
      w.isSilent = isSilent;
      this.complete(w, -ECANCELED);
      w = next;
    }
  }

  /** Posts a completion; one that does not fit is kept. */
  post(worker: Worker, result: number, flags: number): void {
    const { userLo, userHi } = worker.sqe;
    this.postFor(userLo, userHi, result, flags);
  }

  /** `lo` and `hi` are the user_data. */
  postFor(lo: number, hi: number, result: number, flags: number): void {
    this.posted++;
    if (this.late.length > 0 || !this.put(lo, hi, result, flags)) {
      if (LATE_COMPLETIONS.take(1, this.account)) this.late.push({ lo, hi, result, flags });
      else this.memory.setWord(RING_AT.cqOverflow, this.memory.word(RING_AT.cqOverflow) + 1);
      this.setOverflow(true);
    }
    if (
      this.eventFile !== null && (this.memory.word(RING_AT.cqFlags) & EVENTFD_DISABLED) === 0
    ) this.eventFile.signal();
    this.queue.wake(POLLIN);
    if (this.counting.nextDeadlineNs <= this.posted) this.counting.expire(this.posted);
  }

  private put(lo: number, hi: number, result: number, flags: number): boolean {
    const { memory } = this;
    if (((this.cqTail - memory.word(RING_AT.cqHead)) >>> 0) >= this.cqEntries) return false;
    const slot = this.cqTail & (this.cqEntries - 1);
    const at = memory.rings + RING_AT.cqes + slot * this.cqeBytes;
    memory.dv.setUint32(at + CQE.userData, lo, true);
    memory.dv.setUint32(at + CQE.userData + 4, hi, true);
    memory.dv.setInt32(at + CQE.res, result, true);
    memory.dv.setUint32(at + CQE.flags, flags, true);
    if (this.cqeBytes > U.IoUringCqe.size) {
      memory.dv.setFloat64(at + U.IoUringCqe.size, 0);
      memory.dv.setFloat64(at + U.IoUringCqe.size + 8, 0);
    }
    this.cqTail = (this.cqTail + 1) >>> 0;
    memory.setWord(RING_AT.cqTail, this.cqTail);
    return true;
  }

  /** Posts completions that did not fit before. */
  flushLate(): void {
    for (let cqe = this.late.first; cqe !== undefined; cqe = this.late.first) {
      if (!this.put(cqe.lo, cqe.hi, cqe.result, cqe.flags)) return;
      this.late.shift();
      LATE_COMPLETIONS.give(1, this.account);
    }
    this.setOverflow(false);
  }

  private setOverflow(on: boolean): void {
    const bits = this.memory.word(RING_AT.sqFlags) & ~U.IORING_SQ_CQ_OVERFLOW;
    this.memory.setWord(RING_AT.sqFlags, on ? bits | U.IORING_SQ_CQ_OVERFLOW : bits);
  }

  /** Cancels requests: all, or those of one process. */
  cancelAll(group: ThreadGroup | null): void {
    const waiting = [...this.ready.drain(), ...this.drained.drain()];
    for (const w of [...this.inFlight, ...waiting]) {
      if (group === null || w.group === group) this.dropChain(w);
      else if (!this.inFlight.has(w)) this.ready.push(w);
    }
  }

  private dropChain(first: Worker): void {
    for (let w: Worker | null = first; w !== null;) {
      const next: Worker | null = w.linked, bound = w.partner;
      w.linked = w.partner = null;
      this.inFlight.delete(w);
      w.end();
      if (bound !== null) {
        this.inFlight.delete(bound);
        bound.end();
      }
      w = next;
    }
  }

  protected override release(): void {
    this.cancelAll(null);
    releaseFiles(this);
    releaseBuffers(this);
    for (const group of this.bufferGroups.values()) group.release();
    this.bufferGroups.clear();
    LATE_COMPLETIONS.give(this.late.drain().length, this.account);
    RING_ENTRIES.give(this.personalities.size, this.account);
    this.eventFile?.drop();
    this.eventFile = null;
    this.memory.drop();
    RINGS.give(1, this.account);
  }
}
