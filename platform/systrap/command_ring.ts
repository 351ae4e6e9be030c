/**
 * The Sentry's end of a mapper's commands: a queue in the Sentry, a ring in memory that is
 * read-only in the stub, and the ack.
 *
 * Changes are queued, and joined where one continues another, until a thread is resumed or
 * `publish` is called. The progress of the mapper is read from the ack area only. Neighbour:
 * `stub/mapper.ts`.
 */

import {
  ACK_AT,
  COMMAND_AT,
  COMMAND_BYTES,
  COMMANDS_AT,
  OP_ACK,
  OP_MMAP,
  OP_MPROTECT,
  OP_MUNMAP,
  RING_ENTRIES,
} from "./stub/layout.ts";
import type { ControlMemory } from "./control_memory.ts";

/** Numbers in a queued command: op, wait, change number, six arguments. */
const FIELDS = 9;
/** LIMIT: fields of published commands that stay in the queue before it is compacted. */
const KEPT_FIELDS = 1 << 16;
const OP = 0, WAIT = 1, SEQ = 2, ARGS = 3;

export class CommandRing {
  /** Number of the last queued change. */
  seq = 0;
  /** Commands in the ring so far, modulo 2^32 (signed). */
  head = 0;
  readonly #control: ControlMemory;
  readonly #commands: number;
  readonly #ack: number;
  readonly #headIndex: number;
  readonly #ackSeqIndex: number;
  readonly #ackHeadIndex: number;
  readonly #queue: number[] = [];
  /** Index in the queue of the first command that is not in the ring yet. */
  #queued = 0;
  /** Change number of the last command in the ring. */
  #publishedSeq = 0;
  #ackedHead = 0;

  constructor(control: ControlMemory, space: number) {
    this.#control = control;
    this.#commands = control.commandsOffset(space);
    this.#ack = control.ackOffset(space);
    this.#headIndex = (this.#commands + COMMANDS_AT.head) / 4;
    this.#ackSeqIndex = (this.#ack + ACK_AT.seq) / 4;
    this.#ackHeadIndex = (this.#ack + ACK_AT.head) / 4;
  }

  /** Whether the mapper has work to do before guest code may continue. HOT */
  get isBehind(): boolean {
    if (this.hasQueued) return true;
    return this.head !== this.#ackedHead && this.head !== this.#readAck();
  }

  /** Whether commands wait here, outside of the ring. */
  get hasQueued(): boolean {
    return this.#queue.length > this.#queued;
  }

  /** Number of the last change that is done. */
  get ackedSeq(): number {
    const low = Atomics.load(this.#control.i32, this.#ackSeqIndex);
    return this.#publishedSeq + ((low - this.#publishedSeq) | 0);
  }

  #readAck(): number {
    this.#ackedHead = Atomics.load(this.#control.i32, this.#ackHeadIndex);
    return this.#ackedHead;
  }

  /** Queues a command as the next change. `wait`: zygote message that must be done first, or 0. */
  push(
    op: number,
    wait: number,
    a0: number,
    a1: number,
    a2: number,
    a3: number,
    a4: number,
    a5: number,
  ): void {
    this.seq++;
    const q = this.#queue;
    if (q.length > this.#queued && this.#join(q.length - FIELDS, op, wait, a0, a1, a2, a4, a5)) {
      return;
    }
    q.push(op, wait, this.seq, a0, a1, a2, a3, a4, a5);
  }

  /**
   * Joins a change with the queued one at `at` if it continues it: same kind, next address, next
   * offset.
   */
  #join(
    at: number,
    op: number,
    wait: number,
    addr: number,
    len: number,
    prot: number,
    fd: number,
    offset: number,
  ): boolean {
    const q = this.#queue;
    if (q[at + OP] !== op || q[at + WAIT] !== wait) return false;
    const oldLen = q[at + ARGS + 1]!;
    if (q[at + ARGS]! + oldLen !== addr || q[at + ARGS + 2] !== prot) return false;
    if (op === OP_MMAP) {
      if (q[at + ARGS + 4] !== fd || q[at + ARGS + 5]! + oldLen !== offset) return false;
    } else if (op !== OP_MUNMAP && op !== OP_MPROTECT) return false;
    q[at + ARGS + 1] = oldLen + len;
    q[at + SEQ] = this.seq;
    return true;
  }

  /** Publishes the queue to the mapper: `stage` and `commit`. */
  publish(): boolean {
    const isAll = this.stage();
    this.commit();
    return isAll;
  }

  /**
   * Moves the queue into the ring, with an ack at its end. The mapper does not look there before
   * `commit`.
   *
   * @returns false if some of it found no room; the mapper rings the doorbell when there is room
   */
  stage(): boolean {
    const q = this.#queue;
    const waiting = (q.length - this.#queued) / FIELDS;
    if (waiting === 0) return true;
    const room = RING_ENTRIES - ((this.head - this.#readAck()) | 0);
    const count = Math.min(waiting, room - 1);
    if (count <= 0) return false;
    for (let i = 0; i < count; i++) this.#write(this.#queued + i * FIELDS);
    const seq = q[this.#queued + (count - 1) * FIELDS + SEQ]!;
    this.#publishedSeq = seq;
    this.#queued += count * FIELDS;
    if (count === waiting || this.#queued > KEPT_FIELDS) this.#forget();
    const at = this.#entry();
    this.head = (this.head + 1) | 0;
    const { dv } = this.#control;
    dv.setUint32(at + COMMAND_AT.op, OP_ACK, true);
    dv.setUint32(at + COMMAND_AT.wait, count === waiting ? 0 : 1, true);
    dv.setUint32(at + COMMAND_AT.args + ACK_AT.seq, seq >>> 0, true);
    dv.setInt32(at + COMMAND_AT.args + ACK_AT.head, this.head, true);
    this.#control.setWord(at + COMMAND_AT.args + 8, this.#ack);
    return count === waiting;
  }

  /** Removes published commands from the queue. It is called seldom, as all later ones move. */
  #forget(): void {
    const q = this.#queue;
    if (this.#queued === q.length) q.length = 0;
    else q.splice(0, this.#queued);
    this.#queued = 0;
  }

  /** Publishes to the mapper what was staged. Wakes no thread. */
  commit(): void {
    Atomics.store(this.#control.i32, this.#headIndex, this.head);
  }

  #write(from: number): void {
    const at = this.#entry();
    const q = this.#queue;
    this.#control.dv.setUint32(at + COMMAND_AT.op, q[from + OP]!, true);
    this.#control.dv.setUint32(at + COMMAND_AT.wait, q[from + WAIT]!, true);
    for (let i = 0; i < 6; i++) {
      this.#control.setWord(at + COMMAND_AT.args + 8 * i, q[from + ARGS + i]!);
    }
    this.head = (this.head + 1) | 0;
  }

  #entry(): number {
    const index = this.head & (RING_ENTRIES - 1);
    return this.#commands + COMMANDS_AT.ring + index * COMMAND_BYTES;
  }
}
