/**
 * The frames that one connection sends (connection.ts). Messages go before data; channels with data
 * have turns. One turn of the loop writes OUT_BYTES at most.
 */

import { EAGAIN, EINTR } from "../../../ffi/abi/errno.ts";
import { EPOLLOUT } from "../../../ffi/abi/epoll.ts";
import { addressOf, allocBuffer } from "../../../ffi/sys/cstring.ts";
import type { Host } from "../../../kernel/core/host.ts";
import { Waiter } from "../../../kernel/core/wait.ts";
import { Timer, type TimerQueue } from "../../../kernel/time/timer.ts";
import { DATA, END, HEADER_BYTES, PAYLOAD_MAX, putHeader } from "../../protocol/session/frame.ts";
import { EVENT_BYTES } from "./channel.ts";
import type { OpenChannel } from "./open_channel.ts";

/** LIMIT: bytes of one DATA frame, so that channels have turns. */
const PIECE_BYTES = 64 << 10;
/** Room for the largest message. */
const OUT_BYTES = PAYLOAD_MAX + HEADER_BYTES;
/**
 * How long output waits for more, ns: a program that writes in small pieces must not wake the
 * client for each of them.
 */
const BATCH_NS = 50_000;

export interface FrameOutputOwner {
  readonly host: Host;
  readonly timers: TimerQueue;
}

/** The connection of an output. */
export interface FrameOutputListener {
  /** The queue of messages is shorter than EVENT_BYTES again. */
  onEventsSent(): void;
  /** As much was written as the socket takes, or one turn's part. */
  onWritten(): void;
  /** The client takes no more frames. */
  onBroken(): void;
}

interface QueuedMessage {
  readonly channel: number;
  readonly type: number;
  readonly flags: number;
  readonly payload: Uint8Array;
}

export class FrameOutput {
  #owner: FrameOutputOwner;
  readonly #fd: number;
  readonly #listener: FrameOutputListener;
  /** Channels that may have data to send. */
  readonly #ready: OpenChannel[] = [];
  readonly #queue: QueuedMessage[] = [];
  /** Bytes of messages that wait. */
  queuedBytes = 0;
  readonly #out: Uint8Array<ArrayBuffer> = allocBuffer(OUT_BYTES);
  readonly #outAddress: number = addressOf(this.#out);
  readonly #outView: DataView = new DataView(this.#out.buffer, this.#out.byteOffset);
  /** Bytes of `out` from `at` to `end` are not written yet. */
  #at = 0;
  #end = 0;
  #sequence = 0;
  readonly #flush: FlushTimer;
  readonly #writable: Writable;
  #isWriterWatched = false;
  /** The socket has no room. */
  #isFull = false;
  #isPumping = false;
  #isClosed = false;

  /** @param fd non-blocking; the output owns it */
  constructor(owner: FrameOutputOwner, fd: number, listener: FrameOutputListener) {
    this.#owner = owner;
    this.#fd = fd;
    this.#listener = listener;
    this.#flush = new FlushTimer(this);
    this.#writable = new Writable(this);
  }

  get isEmpty(): boolean {
    return this.#at === this.#end && this.#queue.length === 0 && this.#ready.length === 0;
  }

  addMessage(channel: number, type: number, flags: number, payload: Uint8Array): void {
    this.#queue.push({ channel, type, flags, payload });
    this.queuedBytes += HEADER_BYTES + payload.length;
    // What one turn makes goes out together, in the next one.
    this.#flushWithin(0);
  }

  addReady(channel: OpenChannel): void {
    if (channel.isQueued) return;
    channel.isQueued = true;
    this.#ready.push(channel);
    this.#flushWithin(BATCH_NS);
  }

  /** The channels have ended: their data is not sent. */
  dropData(): void {
    this.#ready.length = 0;
  }

  #flushWithin(ns: number): void {
    if (this.#isPumping || this.#isFull || this.#isClosed) return;
    const { host, timers } = this.#owner, untilNs = ns === 0 ? 0 : host.monotonicNs() + ns;
    if (this.#flush.isArmed && this.#flush.deadlineNs <= untilNs) return;
    timers.arm(this.#flush, untilNs);
  }

  /** Writes as much as the socket takes, or one turn's part. */
  pump(): void {
    if (this.#isPumping || this.#isClosed) return;
    this.#isPumping = true;
    const isBroken = !this.#write();
    this.#isPumping = false;
    // A step of a request may have closed the connection.
    if (this.#isClosed) return;
    if (isBroken) return this.#listener.onBroken();
    if (!this.isEmpty) this.#awaitRoom();
    this.#listener.onWritten();
  }

  /** False: the client takes no more. */
  #write(): boolean {
    const { host } = this.#owner;
    let written = 0;
    while (!this.#isClosed && written < OUT_BYTES && (this.#at < this.#end || this.#fill())) {
      const n = host.write(this.#fd, this.#outAddress + this.#at, this.#end - this.#at);
      if (n === -EINTR) continue;
      if (n === -EAGAIN) break;
      if (n < 0) return false;
      this.#at += n;
      written += n;
    }
    return true;
  }

  #awaitRoom(): void {
    const { host } = this.#owner;
    this.#isFull = true;
    if (this.#isWriterWatched) host.arm(this.#fd, EPOLLOUT);
    else {
      this.#isWriterWatched = true;
      host.watch(this.#fd, EPOLLOUT, this.#writable);
    }
  }

  onWritable(): void {
    this.#isFull = false;
    this.pump();
  }

  /** Fills the empty buffer: false if there is nothing to send. */
  #fill(): boolean {
    this.#at = this.#end = 0;
    const hadEvents = this.queuedBytes > EVENT_BYTES;
    this.#putMessages();
    if (hadEvents && this.queuedBytes <= EVENT_BYTES) this.#listener.onEventsSent();
    // One round: what asks again has its next turn later.
    for (let rounds = this.#ready.length; rounds > 0; rounds--) {
      if (OUT_BYTES - this.#end <= HEADER_BYTES) break;
      const channel = this.#ready.shift();
      if (channel === undefined) break;
      channel.isQueued = false;
      if (channel.isOpen) this.#putData(channel);
    }
    return this.#end > 0;
  }

  #putMessages(): void {
    let count = 0;
    for (const { channel, type, flags, payload } of this.#queue) {
      if (OUT_BYTES - this.#end < HEADER_BYTES + payload.length) break;
      this.#putHeader(channel, type, flags, payload.length);
      this.#out.set(payload, this.#end);
      this.#end += payload.length;
      this.queuedBytes -= HEADER_BYTES + payload.length;
      count++;
    }
    this.#queue.splice(0, count);
  }

  #putHeader(channel: number, type: number, flags: number, length: number): void {
    const sequence = this.#sequence;
    putHeader(this.#outView, this.#end, { length, channel, sequence, type, flags });
    this.#sequence = (sequence + 1) >>> 0;
    this.#end += HEADER_BYTES;
  }

  /** Appends data of one stream of the channel. */
  #putData(channel: OpenChannel): void {
    const stream = channel.nextStream();
    if (stream < 0) return;
    const room = OUT_BYTES - this.#end - HEADER_BYTES;
    const max = Math.min(room, PIECE_BYTES, channel.creditOf(stream));
    const n = channel.produce(stream, this.#outAddress + this.#end + HEADER_BYTES, max);
    // `produce` may end the channel.
    if (n !== 0) {
      this.#putHeader(channel.id, DATA, n < 0 ? stream | END : stream, Math.max(0, n));
      this.#end += Math.max(0, n);
    }
    channel.onProduced();
    if (channel.isOpen && channel.hasReady) this.addReady(channel);
  }

  /** Goes to another kernel, which writes what waits: `take` follows. */
  leave(): void {
    const { host, timers } = this.#owner;
    timers.disarm(this.#flush);
    host.unwatch(this.#fd);
    this.#isWriterWatched = this.#isFull = false;
  }

  take(owner: FrameOutputOwner): void {
    this.#owner = owner;
    if (!this.isEmpty) this.#flushWithin(0);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.leave();
    this.#owner.host.close(this.#fd);
  }
}

/** Writes what waits. */
class FlushTimer extends Timer {
  readonly #output: FrameOutput;

  constructor(output: FrameOutput) {
    super();
    this.#output = output;
  }

  override onExpire(_nowNs: number): void {
    this.#output.pump();
  }
}

/** The socket has room again. */
class Writable extends Waiter {
  readonly #output: FrameOutput;

  constructor(output: FrameOutput) {
    super();
    this.#output = output;
  }

  override onWake(_events: number): void {
    this.#output.onWritable();
  }
}
