/**
 * One client of a session: frames of docs/protocol.md in both directions, and the channels of its
 * requests. session_server.ts opens connections; channel.ts is the contract with requests.
 *
 * One turn reads at most READ_BYTES and writes about as much. Messages go before data; channels
 * with data have turns.
 */

import { EAGAIN, EINTR } from "../../../ffi/abi/errno.ts";
import { EPOLLIN, EPOLLOUT } from "../../../ffi/abi/epoll.ts";
import { addressOf, allocBuffer } from "../../../ffi/sys/cstring.ts";
import type { Host } from "../../../kernel/core/host.ts";
import { Waiter } from "../../../kernel/core/wait.ts";
import { Timer, type TimerQueue } from "../../../kernel/time/timer.ts";
import { JsonNode } from "../../json_node.ts";
import {
  CONTROL,
  DATA,
  END,
  ERROR,
  FrameDecoder,
  type FrameSink,
  HEADER_BYTES,
  HELLO,
  messageBytes,
  OPEN,
  PAYLOAD_MAX,
  ProtocolError,
  putHeader,
  SESSION,
} from "../../protocol/session/frame.ts";
import { CHANNELS_MAX } from "../../protocol/session/limits.ts";
import type { ErrorMessage } from "../../protocol/session/messages.ts";
import { UserError } from "../../user_error.ts";
import { type Channel, type ChannelPort, EVENT_BYTES } from "./channel.ts";
import { errorOf } from "./errors.ts";
import { type ChannelOwner, OpenChannel } from "./open_channel.ts";

/** LIMIT: bytes that are read in a turn. */
export const READ_BYTES = 256 << 10;
/** LIMIT: bytes of one DATA frame, so that channels have turns. */
const PIECE_BYTES = 64 << 10;
/** Room for the largest message. */
const OUT_BYTES = PAYLOAD_MAX + HEADER_BYTES;
/**
 * How long output waits for more, ns: a program that writes in small pieces must not wake the
 * client for each of them.
 */
const BATCH_NS = 50_000;
/** LIMIT: bytes of messages that wait for the socket while requests are read. */
const QUEUE_BYTES = 1 << 20;
/** LIMIT: how long a client may take for its HELLO, ns. */
const GREETING_NS = 10e9;

export interface ConnectionOwner {
  readonly host: Host;
  readonly timers: TimerQueue;
  /** A buffer of READ_BYTES for the bytes of one read. */
  readonly input: Uint8Array<ArrayBuffer>;
  /** The answer to a client's HELLO. @throws UserError */
  greet(hello: JsonNode): object;
  /** @throws UserError */
  openChannel(port: ChannelPort, request: JsonNode): Channel;
  onClosed(connection: Connection): void;
  /** A request has ended. */
  onQuiet(): void;
}

interface QueuedMessage {
  readonly channel: number;
  readonly type: number;
  readonly flags: number;
  readonly payload: Uint8Array;
}

export class Connection extends Waiter implements FrameSink, ChannelOwner {
  readonly #owner: ConnectionOwner;
  readonly #inFd: number;
  readonly #outFd: number;
  readonly #decoder: FrameDecoder;
  readonly #channels: Map<number, OpenChannel> = new Map();
  /** Channels that may have data to send. */
  readonly #ready: OpenChannel[] = [];
  readonly #queue: QueuedMessage[] = [];
  #queuedBytes = 0;
  readonly #out: Uint8Array<ArrayBuffer> = allocBuffer(OUT_BYTES);
  readonly #outAddress: number = addressOf(this.#out);
  readonly #outView: DataView = new DataView(this.#out.buffer, this.#out.byteOffset);
  /** Bytes of `out` from `at` to `end` are not written yet. */
  #at = 0;
  #end = 0;
  #sequence = 0;
  #lastChannel = 0;
  #hasGreeted: boolean;
  /** Set by a channel whose data or messages wait; the timer writes them in the next turn. */
  readonly #flush: Flush;
  readonly #writable: Writable;
  readonly #greeting: GreetingTimer;
  #isWriterWatched = false;
  /** The socket has no room. */
  #isFull = false;
  #isPumping = false;
  #isReadingPaused = false;
  /** The client is to be closed when all was written. */
  #isEnding = false;
  isClosed = false;

  /**
   * @param inFd, outFd two descriptors, both non-blocking; the connection owns them
   * @param isGreeted the client's HELLO was read before
   */
  constructor(owner: ConnectionOwner, inFd: number, outFd: number, isGreeted: boolean) {
    super();
    this.#owner = owner;
    this.#inFd = inFd;
    this.#outFd = outFd;
    this.#hasGreeted = isGreeted;
    this.#decoder = new FrameDecoder(this, isGreeted ? 1 : 0);
    this.#flush = new Flush(this);
    this.#writable = new Writable(this);
    this.#greeting = new GreetingTimer(this);
    owner.host.watch(inFd, EPOLLIN, this);
    if (!isGreeted) owner.timers.arm(this.#greeting, owner.host.monotonicNs() + GREETING_NS);
  }

  /** Whether a request is open that is no mere wait for events. */
  get isBusy(): boolean {
    for (const channel of this.#channels.values()) if (!channel.isPassive) return true;
    return false;
  }

  override onWake(_events: number): void {
    if (this.isClosed) return;
    const { host, input } = this.#owner;
    const n = host.read(this.#inFd, addressOf(input), READ_BYTES);
    if (n !== -EAGAIN && n !== -EINTR) {
      if (n <= 0) return this.close();
      if (!this.#take(input.subarray(0, n))) return;
    }
    if (this.#queuedBytes > QUEUE_BYTES) this.#isReadingPaused = true;
    else host.arm(this.#inFd, EPOLLIN);
    this.pump();
  }

  /** False if the connection ends. */
  #take(bytes: Uint8Array<ArrayBuffer>): boolean {
    let isDone = false;
    try {
      this.#decoder.push(bytes);
      isDone = true;
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      isDone = true;
      this.endWith({ code: "Protocol", message: error.message });
    } finally {
      // A bug in a request must not leave a client that waits.
      if (!isDone) this.close();
    }
    return !this.isClosed && !this.#isEnding;
  }

  // Frames of the client.

  onMessage(channel: number, type: number, message: unknown): void {
    if (type === HELLO) return this.#onHello(channel, message);
    if (!this.#hasGreeted) throw new ProtocolError("the first frame is no HELLO");
    if (type === OPEN) return this.#onOpen(channel, message);
    if (type !== CONTROL) throw new ProtocolError(`a client sends no frame of type ${type}`);
    this.#find(channel)?.control(message);
  }

  #onHello(channel: number, message: unknown): void {
    if (this.#hasGreeted || channel !== SESSION) throw new ProtocolError("a second HELLO");
    this.#hasGreeted = true;
    this.#owner.timers.disarm(this.#greeting);
    try {
      this.greet(this.#owner.greet(new JsonNode("HELLO", "", message)));
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.endWith(errorOf(error));
    }
  }

  greet(info: object): void {
    this.send(SESSION, HELLO, info);
  }

  #onOpen(id: number, message: unknown): void {
    if (id <= this.#lastChannel) throw new ProtocolError(`channel ${id} is used again`);
    this.#lastChannel = id;
    const open = new OpenChannel(this, id);
    if (this.#channels.size >= CHANNELS_MAX) {
      open.fail({ code: "Limit", message: `more than ${CHANNELS_MAX} requests at a time` });
      return;
    }
    this.#channels.set(id, open);
    open.guard(() =>
      open.begin(this.#owner.openChannel(open, new JsonNode("request", "", message)))
    );
  }

  onData(channel: number, stream: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.#find(channel)?.take(stream, bytes);
  }
  onEnd(channel: number, stream: number): void {
    this.#find(channel)?.takeEnd(stream);
  }
  onCredit(channel: number, stream: number, bytes: number): void {
    this.#find(channel)?.credit(stream, bytes);
  }

  /** Null for a channel that is closed already: the frame has crossed its RESULT. */
  #find(id: number): OpenChannel | null {
    if (!this.#hasGreeted) throw new ProtocolError("the first frame is no HELLO");
    const found = this.#channels.get(id) ?? null;
    if (found === null && (id > this.#lastChannel || id === SESSION)) {
      throw new ProtocolError(`channel ${id} is not open`);
    }
    return found;
  }

  // Frames to the client.

  send(channel: number, type: number, message: object): void {
    const payload = messageBytes(message);
    if (payload.length <= PAYLOAD_MAX) return this.enqueue(channel, type, 0, payload);
    this.send(channel, ERROR, { code: "Limit", message: "the answer is too long for one message" });
  }

  enqueue(channel: number, type: number, flags: number, payload: Uint8Array): void {
    if (this.isClosed || this.#isEnding) return;
    this.#queue.push({ channel, type, flags, payload });
    this.#queuedBytes += HEADER_BYTES + payload.length;
    this.flushSoon();
  }

  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  forget(id: number): void {
    this.#channels.delete(id);
    this.#owner.onQuiet();
  }

  addReady(channel: OpenChannel): void {
    if (channel.isQueued) return;
    channel.isQueued = true;
    this.#ready.push(channel);
    this.#flushWithin(BATCH_NS);
  }

  /** Writes in the next turn, so that what one turn makes goes out together. */
  flushSoon(): void {
    this.#flushWithin(0);
  }

  #flushWithin(ns: number): void {
    if (this.#isPumping || this.#isFull || this.isClosed) return;
    const { host, timers } = this.#owner, untilNs = ns === 0 ? 0 : host.monotonicNs() + ns;
    if (this.#flush.isArmed && this.#flush.deadlineNs <= untilNs) return;
    timers.arm(this.#flush, untilNs);
  }

  /** Writes as much as the socket takes, or one turn's part. */
  pump(): void {
    if (this.#isPumping || this.isClosed) return;
    this.#isPumping = true;
    const { host } = this.#owner;
    let written = 0;
    while (written < OUT_BYTES && (this.#at < this.#end || this.#fill())) {
      const n = host.write(this.#outFd, this.#outAddress + this.#at, this.#end - this.#at);
      if (n === -EINTR) continue;
      if (n === -EAGAIN) {
        this.#isFull = true;
        break;
      }
      if (n < 0) {
        this.#isPumping = false;
        return this.close();
      }
      this.#at += n;
      written += n;
    }
    this.#isPumping = false;
    const hasMore = this.#at < this.#end || this.#queue.length > 0 || this.#ready.length > 0;
    if (hasMore) this.#awaitRoom();
    else if (this.#isEnding) return this.close();
    if (this.#isReadingPaused && this.#queuedBytes <= QUEUE_BYTES / 2) {
      this.#isReadingPaused = false;
      host.arm(this.#inFd, EPOLLIN);
    }
  }

  #awaitRoom(): void {
    const { host } = this.#owner;
    this.#isFull = true;
    if (this.#isWriterWatched) host.arm(this.#outFd, EPOLLOUT);
    else {
      this.#isWriterWatched = true;
      host.watch(this.#outFd, EPOLLOUT, this.#writable);
    }
  }

  onWritable(): void {
    this.#isFull = false;
    this.pump();
  }

  /** Fills the empty buffer: false if there is nothing to send. */
  #fill(): boolean {
    this.#at = this.#end = 0;
    const hadEvents = this.#queuedBytes > EVENT_BYTES;
    this.#putMessages();
    if (hadEvents && this.#queuedBytes <= EVENT_BYTES) this.#resumeEvents();
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
      this.#queuedBytes -= HEADER_BYTES + payload.length;
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

  #resumeEvents(): void {
    for (const channel of [...this.#channels.values()]) channel.onEventsSent();
  }

  /** Sends ERROR on channel 0, after which the connection ends. */
  endWith(error: ErrorMessage): void {
    if (this.isClosed || this.#isEnding) return;
    this.send(SESSION, ERROR, error);
    this.#isEnding = true;
    this.#dropChannels();
    this.pump();
  }

  #dropChannels(): void {
    const channels = [...this.#channels.values()];
    this.#channels.clear();
    this.#ready.length = 0;
    for (const channel of channels) channel.drop();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const { host, timers } = this.#owner;
    timers.disarm(this.#flush);
    timers.disarm(this.#greeting);
    host.unwatch(this.#inFd);
    host.unwatch(this.#outFd);
    host.close(this.#inFd);
    host.close(this.#outFd);
    this.#dropChannels();
    this.#owner.onClosed(this);
  }
}

/** Writes what waits. */
class Flush extends Timer {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    super();
    this.#connection = connection;
  }

  override onExpire(_nowNs: number): void {
    this.#connection.pump();
  }
}

/** A client that does not say HELLO must not keep the place of another one. */
class GreetingTimer extends Timer {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    super();
    this.#connection = connection;
  }

  override onExpire(_nowNs: number): void {
    this.#connection.endWith({ code: "Protocol", message: "HELLO does not come" });
    this.#connection.close();
  }
}

/** The socket has room again. */
class Writable extends Waiter {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    super();
    this.#connection = connection;
  }

  override onWake(_events: number): void {
    this.#connection.onWritable();
  }
}
