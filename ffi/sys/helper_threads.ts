/**
 * A pool of threads for host calls that may block: fsync, cold reads, locks, big fallocate.
 *
 * The main loop submits one raw system call, continues, and finds the result when the doorbell
 * rings; nothing here blocks or calls back. The threads are not libc's: a setresuid that libc
 * broadcasts does not reach them, so the pool must be made after the last change of credentials. A
 * seccomp filter installed with TSYNC covers them too. Neighbour: helper_code.ts.
 */

import { FUTEX_PRIVATE_FLAG, FUTEX_WAIT, FUTEX_WAKE } from "../abi/futex.ts";
import { MAP_ANONYMOUS, MAP_PRIVATE, PAGE_SIZE, PROT_READ, PROT_WRITE } from "../abi/mman.ts";
import { SYS_futex } from "../abi/syscall_numbers.ts";
import { check } from "./errors.ts";
import { close, eventfd, mmap, munmap, read } from "./files.ts";
import { HelperSlot, STATE_DONE, STATE_EXIT, STATE_IDLE, STATE_POSTED } from "./helper_code.ts";
import { native, syscall, viewOf } from "./native.ts";
import { scratch } from "./cstring.ts";

const { size: SLOT, at } = HelperSlot;
/** Numbers of a queued request: nr, six arguments, token. */
const REQUEST = 8;
const FIRST_QUEUE = 64;

export class HelperPool {
  /** An eventfd for epoll (EPOLLIN): a result is there. `reap` empties it. */
  readonly doorbellFd: number;
  /** Result of the request that `reap` returned last: raw, `-errno` on error. */
  result = 0;
  /** Number of requests submitted and not reaped. */
  inFlight = 0;

  #threads: number;
  readonly #base: number;
  readonly #bytes: number;
  readonly #i32: Int32Array<ArrayBuffer>;
  readonly #f64: Float64Array<ArrayBuffer>;
  readonly #tokens: Float64Array;
  /** Threads without a request, as a stack. */
  readonly #idle: Int32Array;
  #idleCount: number;
  /** A ring of requests that wait for a thread; its capacity is a power of two. */
  #queue = new Float64Array(FIRST_QUEUE * REQUEST);
  #queueHead = 0;
  #queueLength = 0;
  #next = 0;

  /**
   * @param threads how many calls can block at the same time; more are queued
   * @throws SyscallError if the host refuses memory, a descriptor or a thread
   */
  constructor(threads: number) {
    this.#threads = threads;
    this.#bytes = Math.ceil(threads * SLOT / PAGE_SIZE) * PAGE_SIZE;
    const flags = MAP_PRIVATE | MAP_ANONYMOUS;
    this.#base = check(mmap(0, this.#bytes, PROT_READ | PROT_WRITE, flags, -1, 0), "mmap helpers");
    const buffer = viewOf(this.#base, this.#bytes);
    this.#i32 = new Int32Array(buffer);
    this.#f64 = new Float64Array(buffer);
    this.#tokens = new Float64Array(threads);
    this.#idle = new Int32Array(threads);
    this.#idleCount = threads;
    this.doorbellFd = check(eventfd(), "eventfd2");
    for (let i = 0; i < threads; i++) {
      this.#idle[i] = i;
      this.#i32[(i * SLOT + at.doorbell) / 4] = this.doorbellFd;
      const r = native.start_helper(this.#base + i * SLOT);
      if (r < 0) {
        this.#threads = i;
        this.close();
      }
      check(r, "clone helper thread");
    }
  }

  /**
   * Starts a system call, or queues it if all threads are busy.
   *
   * @param token a number of 0 or more, by which `reap` names it
   *
   * SAFETY: memory that the arguments point to stays valid until the request is reaped.
   */
  submit(
    nr: number,
    a0: number,
    a1: number,
    a2: number,
    a3: number,
    a4: number,
    a5: number,
    token: number,
  ): void { // HOT
    this.inFlight++;
    if (this.#idleCount > 0) {
      const thread = this.#idle[--this.#idleCount] ?? 0;
      this.#post(thread, nr, a0, a1, a2, a3, a4, a5, token);
      return;
    }
    if ((this.#queueLength + 1) * REQUEST > this.#queue.length) this.#growQueue();
    const q = this.#queue;
    const slot = ((this.#queueHead + this.#queueLength++) * REQUEST) & (q.length - 1);
    q[slot] = nr;
    q[slot + 1] = a0;
    q[slot + 2] = a1;
    q[slot + 3] = a2;
    q[slot + 4] = a3;
    q[slot + 5] = a4;
    q[slot + 6] = a5;
    q[slot + 7] = token;
  }

  /** The token of a completed request, with its result in `result`; -1 if there is none now. */
  reap(): number { // HOT
    if (this.inFlight === 0) return -1;
    let thread = this.#findDone();
    if (thread < 0) {
      // Empties the doorbell, then looks again: a result from before the read is found now, and a
      // later one rings again.
      read(this.doorbellFd, scratch.area(0), 8);
      thread = this.#findDone();
      if (thread < 0) return -1;
    }
    this.inFlight--;
    this.result = this.#f64[(thread * SLOT + at.result) / 8] ?? 0;
    const token = this.#tokens[thread] ?? 0;
    Atomics.store(this.#i32, thread * SLOT / 4, STATE_IDLE);
    if (this.#queueLength > 0) this.#postQueued(thread);
    else this.#idle[this.#idleCount++] = thread;
    return token;
  }

  /**
   * Ends the threads. Requests in flight must have been reaped.
   *
   * @throws Error if some are in flight: a blocked thread cannot be stopped
   */
  close(): void {
    if (this.inFlight > 0) throw new Error(`helper pool closed with ${this.inFlight} in flight`);
    for (let i = 0; i < this.#threads; i++) {
      Atomics.store(this.#i32, i * SLOT / 4, STATE_EXIT);
      this.#wake(i);
    }
    for (let i = 0; i < this.#threads; i++) this.#join(i);
    munmap(this.#base, this.#bytes);
    close(this.doorbellFd);
  }

  #findDone(): number {
    for (let i = 0; i < this.#threads; i++) {
      const thread = this.#next;
      this.#next = thread + 1 === this.#threads ? 0 : thread + 1;
      if (Atomics.load(this.#i32, thread * SLOT / 4) === STATE_DONE) return thread;
    }
    return -1;
  }

  #postQueued(thread: number): void {
    const q = this.#queue;
    const slot = (this.#queueHead * REQUEST) & (q.length - 1);
    this.#queueHead++;
    this.#queueLength--;
    this.#post(
      thread,
      q[slot] ?? 0,
      q[slot + 1] ?? 0,
      q[slot + 2] ?? 0,
      q[slot + 3] ?? 0,
      q[slot + 4] ?? 0,
      q[slot + 5] ?? 0,
      q[slot + 6] ?? 0,
      q[slot + 7] ?? 0,
    );
  }

  #post(
    thread: number,
    nr: number,
    a0: number,
    a1: number,
    a2: number,
    a3: number,
    a4: number,
    a5: number,
    token: number,
  ): void {
    const f64 = this.#f64;
    const args = (thread * SLOT + at.args) / 8;
    f64[args] = a0;
    f64[args + 1] = a1;
    f64[args + 2] = a2;
    f64[args + 3] = a3;
    f64[args + 4] = a4;
    f64[args + 5] = a5;
    this.#tokens[thread] = token;
    this.#i32[(thread * SLOT + at.nr) / 4] = nr;
    Atomics.store(this.#i32, thread * SLOT / 4, STATE_POSTED);
    this.#wake(thread);
  }

  #wake(thread: number): void {
    syscall(SYS_futex, this.#base + thread * SLOT, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1);
  }

  /** The host clears the thread id and wakes its waiters, with a futex that is not private. */
  #join(thread: number): void {
    const word = (thread * SLOT + at.tid) / 4;
    for (;;) {
      const tid = Atomics.load(this.#i32, word);
      if (tid === 0) return;
      syscall(SYS_futex, this.#base + thread * SLOT + at.tid, FUTEX_WAIT, tid, 0);
    }
  }

  #growQueue(): void {
    const old = this.#queue;
    const grown = new Float64Array(2 * old.length);
    for (let i = 0; i < this.#queueLength * REQUEST; i++) {
      grown[i] = old[(this.#queueHead * REQUEST + i) & (old.length - 1)] ?? 0;
    }
    this.#queue = grown;
    this.#queueHead = 0;
  }
}
