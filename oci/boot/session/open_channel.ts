/**
 * A channel of a connection (connection.ts): the accounts of its streams, and the request behind it
 * (channel.ts).
 */

import {
  CREDIT,
  ERROR,
  EVENT,
  INPUT,
  ProtocolError,
  RESULT,
  WINDOW_BYTES,
} from "../../protocol/session/frame.ts";
import type { ErrorMessage, RefusedEvent } from "../../protocol/session/messages.ts";
import { UserError } from "../../user_error.ts";
import type { Channel, ChannelPort } from "./channel.ts";
import { errorOf } from "../../protocol/request_error.ts";

/** Credit is sent when so much of it has come together. */
const GRANT_BYTES = WINDOW_BYTES / 4;
/** LIMIT: credit of a stream. */
const CREDIT_MAX = 2 ** 32;
const STREAMS = 3;

/** What a channel uses of its connection. */
export interface ChannelOwner {
  /** Bytes of messages that wait. */
  readonly queuedBytes: number;
  /** The channel may have data to send. */
  addReady(channel: OpenChannel): void;
  enqueue(channel: number, type: number, flags: number, payload: Uint8Array): void;
  send(channel: number, type: number, message: object): void;
  flush(): void;
  /** The channel has ended. */
  forget(id: number): void;
}

/** A channel of a connection, with the accounts of its streams. */
export class OpenChannel implements ChannelPort {
  readonly id: number;
  /** Waits in the list of channels with data. */
  isQueued = false;
  isOpen = true;
  readonly #connection: ChannelOwner;
  #channel: Channel | null = null;
  /** By stream: bytes that may be sent; those that were not granted back; grants to send. */
  readonly #credit: number[] = Array(STREAMS).fill(WINDOW_BYTES);
  readonly #received: number[] = Array(STREAMS).fill(0);
  readonly #grants: number[] = Array(STREAMS).fill(0);
  readonly #isEnded: boolean[] = Array(STREAMS).fill(false);
  /** Streams on which `produce` is to be called, as bits. */
  #wanted = 0;
  #lastStream = 0;

  constructor(connection: ChannelOwner, id: number) {
    this.#connection = connection;
    this.id = id;
  }

  begin(channel: Channel): void {
    if (this.isOpen) this.#channel = channel;
    else channel.onGone();
  }

  /** Runs a step of the request, whose errors end the request only. */
  guard(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      const channel = this.#channel;
      this.fail(errorOf(error));
      channel?.onGone();
    }
  }

  get isPassive(): boolean {
    return this.#channel?.isPassive ?? false;
  }

  // From the client.

  take(stream: number, bytes: Uint8Array<ArrayBuffer>): void {
    const received = (this.#received[stream] ?? 0) + bytes.length;
    if (stream !== INPUT) {
      throw new ProtocolError(`channel ${this.id} got data on stream ${stream}`);
    }
    if (received > WINDOW_BYTES) {
      throw new ProtocolError(`channel ${this.id} got more data than it granted`);
    }
    if (this.#isEnded[stream]) throw new ProtocolError(`channel ${this.id} got data after its end`);
    this.#received[stream] = received;
    this.guard(() => this.#channel?.onData(stream, bytes));
  }

  takeEnd(stream: number): void {
    if (stream !== INPUT || this.#isEnded[stream]) return;
    this.#isEnded[stream] = true;
    this.guard(() => this.#channel?.onEnd(stream));
  }

  /** A message that is not valid does not end the request. */
  control(message: unknown): void {
    try {
      this.#channel?.onControl(message);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      this.event({ refused: errorOf(error) } satisfies RefusedEvent);
    }
  }

  credit(stream: number, bytes: number): void {
    if (stream === INPUT) throw new ProtocolError(`channel ${this.id} got credit for its input`);
    const credit = (this.#credit[stream] ?? 0) + bytes;
    if (credit > CREDIT_MAX) throw new ProtocolError("a credit is too large");
    this.#credit[stream] = credit;
    if ((this.#wanted & 1 << stream) !== 0) this.#connection.addReady(this);
  }

  // To the client.

  wantsToSend(stream: number): void {
    if (!this.isOpen) return;
    this.#wanted |= 1 << stream;
    this.#connection.addReady(this);
  }

  /** Whether a stream has something to send and credit for it. */
  get hasReady(): boolean {
    return this.#find() >= 0;
  }

  creditOf(stream: number): number {
    return this.#credit[stream] ?? 0;
  }

  /** The stream whose turn it is; -1: none. */
  nextStream(): number {
    return this.#find();
  }

  #find(): number {
    for (let i = 1; i <= STREAMS; i++) {
      const stream = (this.#lastStream + i) % STREAMS;
      if ((this.#wanted & 1 << stream) !== 0 && (this.#credit[stream] ?? 0) > 0) return stream;
    }
    return -1;
  }

  produce(stream: number, address: number, max: number): number {
    this.#lastStream = stream;
    const n = this.#channel?.produce(stream, address, max) ?? 0;
    if (n <= 0) this.#wanted &= ~(1 << stream);
    else this.#credit[stream] = (this.#credit[stream] ?? 0) - n;
    return n;
  }

  onProduced(): void {
    this.guard(() => this.#channel?.onProduced());
  }

  onEventsSent(): void {
    this.guard(() => this.#channel?.onEventsSent());
  }

  grant(stream: number, bytes: number): void {
    if (!this.isOpen) return;
    const grants = (this.#grants[stream] ?? 0) + bytes;
    this.#grants[stream] = grants;
    if (grants < GRANT_BYTES) return;
    this.#grants[stream] = 0;
    this.#received[stream] = (this.#received[stream] ?? 0) - grants;
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, grants, true);
    this.#connection.enqueue(this.id, CREDIT, stream, payload);
  }

  event(message: object): void {
    if (this.isOpen) this.#connection.send(this.id, EVENT, message);
  }
  get eventBytes(): number {
    return this.#connection.queuedBytes;
  }

  result(message: object): void {
    this.#end(RESULT, message);
  }
  fail(error: ErrorMessage): void {
    this.#end(ERROR, error);
  }

  flush(): void {
    this.#connection.flush();
  }

  #end(type: number, message: object): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#channel = null;
    this.#connection.forget(this.id);
    this.#connection.send(this.id, type, message);
  }

  /** The connection is gone. */
  drop(): void {
    const channel = this.#channel;
    this.isOpen = false;
    this.#channel = null;
    channel?.onGone();
  }
}
