/** A client in memory for tests of connections: a host whose descriptors are byte queues. */

import { EAGAIN, EPIPE } from "../../../ffi/abi/errno.ts";
import { EPOLLIN, EPOLLOUT } from "../../../ffi/abi/epoll.ts";
import { copyFromBuffer, copyToBuffer } from "../../../ffi/mem/native_memory.ts";
import { addressOf, allocBuffer } from "../../../ffi/sys/cstring.ts";
import type { Waiter } from "../../../kernel/core/wait.ts";
import { FakeHost } from "../../../kernel/testing/fake_host.ts";
import { TimerQueue } from "../../../kernel/time/timer.ts";
import type { JsonNode } from "../../json_node.ts";
import {
  FrameDecoder,
  frameOf,
  type FrameSink,
  HELLO,
  messageBytes,
  OPEN,
} from "../../protocol/session/frame.ts";
import type { Channel, ChannelPort } from "./channel.ts";
import { Connection, type ConnectionOwner, READ_BYTES } from "./connection.ts";

/** Descriptors of the connection. */
const IN = 3, OUT = 4;

class QueueHost extends FakeHost {
  /** Bytes that the client has sent. */
  readonly incoming: Uint8Array<ArrayBuffer>[] = [];
  /** Bytes that were written, and room for more. */
  readonly outgoing: Uint8Array<ArrayBuffer>[] = [];
  room = Infinity;
  isClientGone = false;
  readonly closed: Set<number> = new Set();
  readonly #armed: Map<number, { events: number; waiter: Waiter }> = new Map();

  override read(_fd: number, address: number, length: number): number {
    const first = this.incoming.shift();
    if (first === undefined) return this.isClientGone ? 0 : -EAGAIN;
    const n = Math.min(first.length, length);
    copyFromBuffer(address, first, 0, n);
    if (n < first.length) this.incoming.unshift(first.slice(n));
    return n;
  }

  override write(_fd: number, address: number, length: number): number {
    if (this.isClientGone) return -EPIPE;
    const n = Math.min(length, this.room);
    if (n === 0) return -EAGAIN;
    this.room -= n;
    const bytes = new Uint8Array(n);
    copyToBuffer(bytes, 0, address, n);
    this.outgoing.push(bytes);
    return n;
  }

  override close(fd: number): void {
    this.closed.add(fd);
  }
  override watch(fd: number, events: number, waiter: Waiter): number {
    this.#armed.set(fd, { events, waiter });
    return 0;
  }
  override arm(fd: number, events: number): number {
    const watch = this.#armed.get(fd);
    if (watch !== undefined) watch.events = events;
    return 0;
  }
  override unwatch(fd: number): void {
    this.#armed.delete(fd);
  }

  /** Reports what is ready, once: whether anything was. */
  report(): boolean {
    let isAny = false;
    for (const [fd, watch] of [...this.#armed]) {
      const isReady = fd === IN
        ? this.incoming.length > 0 || this.isClientGone
        : this.room > 0 || this.isClientGone;
      const events = watch.events & (fd === IN ? EPOLLIN : EPOLLOUT);
      if (!isReady || events === 0) continue;
      watch.events = 0;
      watch.waiter.onWake(events);
      isAny = true;
    }
    return isAny;
  }
}

/** The opener of a test's channels. */
type TestOpener = (port: ChannelPort, request: JsonNode) => Channel;

/** A connection and its client. */
export class ConnectionLab implements ConnectionOwner, FrameSink {
  readonly host: QueueHost = new QueueHost();
  readonly timers: TimerQueue = new TimerQueue();
  readonly input: Uint8Array<ArrayBuffer> = allocBuffer(READ_BYTES);
  readonly connection: Connection;
  /** Messages to the client: channel, type, message. */
  readonly messages: [number, number, unknown][] = [];
  /** Bytes to the client by channel and stream, and streams that have ended. */
  readonly bytes: Map<string, number> = new Map();
  readonly ended: Set<string> = new Set();
  readonly credits: [number, number, number][] = [];
  isClosed = false;
  readonly #open: TestOpener;
  readonly #decoder: FrameDecoder = new FrameDecoder(this);
  #sequence = 0;

  constructor(open: TestOpener, isGreeted: boolean = false) {
    this.#open = open;
    this.connection = new Connection(this, IN, OUT, isGreeted);
    if (isGreeted) this.#sequence = 1;
  }

  greet(): object {
    return { hello: true };
  }
  receive(socket: number, into: Uint8Array<ArrayBuffer>) {
    const len = this.host.read(socket, addressOf(into), into.length);
    return len < 0 ? len : { len, fds: [] };
  }

  openChannel(port: ChannelPort, request: JsonNode): Channel {
    return this.#open(port, request);
  }
  onClosed(): void {
    this.isClosed = true;
  }
  onWorkEnd(): void {}

  /** Sends a frame of the client with the next number. */
  send(channel: number, type: number, flags: number, payload: Uint8Array): void {
    this.host.incoming.push(frameOf(channel, this.#sequence, type, flags, payload));
    this.#sequence = (this.#sequence + 1) >>> 0;
  }
  sendMessage(channel: number, type: number, message: object): void {
    this.send(channel, type, 0, messageBytes(message));
  }
  hello(): void {
    this.sendMessage(0, HELLO, { protocol: 1 });
  }
  open(channel: number, request: object = {}): void {
    this.sendMessage(channel, OPEN, request);
  }

  /** Lets the connection work until it rests; the client takes what was written. */
  run(): void {
    for (let turn = 0; turn < 1000; turn++) {
      const now = this.host.monotonicNs(), hadTimers = this.timers.nextDeadlineNs <= now;
      this.timers.expire(now);
      const hadEvents = this.host.report();
      for (const bytes of this.host.outgoing.splice(0)) this.#decoder.push(bytes);
      if (!hadTimers && !hadEvents) return;
    }
  }

  onData(channel: number, stream: number, bytes: Uint8Array<ArrayBuffer>): void {
    const key = `${channel}.${stream}`;
    this.bytes.set(key, (this.bytes.get(key) ?? 0) + bytes.length);
  }
  onEnd(channel: number, stream: number): void {
    this.ended.add(`${channel}.${stream}`);
  }
  onCredit(channel: number, stream: number, bytes: number): void {
    this.credits.push([channel, stream, bytes]);
  }
  onMessage(channel: number, type: number, message: unknown): void {
    this.messages.push([channel, type, message]);
  }
}
