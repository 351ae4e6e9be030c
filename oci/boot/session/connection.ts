/**
 * One client of a session: its frames (docs/protocol.md), which are checked, and the channels of
 * its requests. session_server.ts opens connections; frame_output.ts sends; channel.ts is the
 * contract with requests. One turn of the loop reads at most READ_BYTES.
 */

import { EAGAIN, EINTR } from "../../../ffi/abi/errno.ts";
import { EPOLLIN } from "../../../ffi/abi/epoll.ts";
import { addressOf } from "../../../ffi/sys/cstring.ts";
import { Waiter } from "../../../kernel/core/wait.ts";
import { Timer } from "../../../kernel/time/timer.ts";
import { JsonNode } from "../../json_node.ts";
import {
  CONTROL,
  ERROR,
  FrameDecoder,
  type FrameSink,
  HELLO,
  messageBytes,
  OPEN,
  PAYLOAD_MAX,
  ProtocolError,
  SESSION,
} from "../../protocol/session/frame.ts";
import { CHANNELS_MAX } from "../../protocol/session/limits.ts";
import type { ErrorMessage } from "../../protocol/session/messages.ts";
import { UserError } from "../../user_error.ts";
import { RequestFds } from "../control/control_server.ts";
import type { Channel, ChannelPort } from "./channel.ts";
import { errorOf } from "../../protocol/request_error.ts";
import { FrameOutput, type FrameOutputListener, type FrameOutputOwner } from "./frame_output.ts";
import { type ChannelOwner, OpenChannel } from "./open_channel.ts";

/** LIMIT: bytes that are read in a turn. */
export const READ_BYTES = 256 << 10;
/** LIMIT: bytes of messages that wait for the socket while requests are read. */
const QUEUE_BYTES = 1 << 20;
/** LIMIT: how long a client may take for its HELLO, ns. */
const GREETING_NS = 10e9;

export interface ConnectionOwner extends FrameOutputOwner {
  /** A buffer of READ_BYTES for the bytes of one read. */
  readonly input: Uint8Array<ArrayBuffer>;
  /** Reads from a client's socket: bytes and descriptors, or -errno. */
  receive(
    socket: number,
    into: Uint8Array<ArrayBuffer>,
  ): { readonly len: number; readonly fds: readonly number[] } | number;
  /** The answer to the HELLO of a client, which may go to another owner. @throws UserError */
  greet(hello: JsonNode, connection: Connection): object;
  /** @throws UserError */
  openChannel(port: ChannelPort, request: JsonNode, fds: RequestFds): Channel;
  onClosed(connection: Connection): void;
  /** A request has ended. */
  onWorkEnd(): void;
}

export class Connection extends Waiter implements FrameSink, ChannelOwner, FrameOutputListener {
  #owner: ConnectionOwner;
  readonly #inFd: number;
  readonly #output: FrameOutput;
  readonly #decoder: FrameDecoder;
  readonly #channels: Map<number, OpenChannel> = new Map();
  #lastChannel = 0;
  /** Descriptors that came with what was read last. */
  #fds: RequestFds = new RequestFds([]);
  readonly #isOwners: boolean;
  #hasGreeted: boolean;
  readonly #greeting: GreetingTimer;
  #isReadingPaused = false;
  /** The client is to be closed when all was written. */
  #isEnding = false;
  isClosed = false;

  /**
   * @param inFd, outFd two descriptors, both non-blocking; the connection owns them
   * @param isGreeted the client's HELLO was read before: it is the sandbox's owner
   */
  constructor(owner: ConnectionOwner, inFd: number, outFd: number, isGreeted: boolean) {
    super();
    this.#owner = owner;
    this.#inFd = inFd;
    this.#output = new FrameOutput(owner, outFd, this);
    this.#hasGreeted = this.#isOwners = isGreeted;
    this.#decoder = new FrameDecoder(this, isGreeted ? 1 : 0);
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
    const { host, input } = this.#owner, n = this.#read(input);
    if (n !== -EAGAIN && n !== -EINTR) {
      if (n <= 0) return this.close();
      const isOpen = this.#take(input.subarray(0, n));
      this.#fds.closeRest();
      if (!isOpen) return;
    }
    if (this.queuedBytes > QUEUE_BYTES) this.#isReadingPaused = true;
    else host.arm(this.#inFd, EPOLLIN);
    this.#output.pump();
  }

  /** Sockets bring descriptors, too; the owner's connection may be two pipes. */
  #read(input: Uint8Array<ArrayBuffer>): number {
    if (this.#isOwners) return this.#owner.host.read(this.#inFd, addressOf(input), READ_BYTES);
    const r = this.#owner.receive(this.#inFd, input);
    if (typeof r === "number") return r;
    if (r.fds.length > 0) this.#fds = new RequestFds(r.fds);
    return r.len;
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
      this.greet(this.#owner.greet(new JsonNode("HELLO", "", message), this));
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
      open.begin(this.#owner.openChannel(open, new JsonNode("request", "", message), this.#fds))
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
    this.#output.addMessage(channel, type, flags, payload);
  }

  flush(): void {
    this.#output.pump();
  }

  get queuedBytes(): number {
    return this.#output.queuedBytes;
  }

  forget(id: number): void {
    this.#channels.delete(id);
    this.#owner.onWorkEnd();
  }

  addReady(channel: OpenChannel): void {
    this.#output.addReady(channel);
  }

  // From the output.

  onEventsSent(): void {
    for (const channel of [...this.#channels.values()]) channel.onEventsSent();
  }

  onWritten(): void {
    if (this.#isEnding && this.#output.isEmpty) return this.close();
    if (!this.#isReadingPaused || this.queuedBytes > QUEUE_BYTES / 2) return;
    this.#isReadingPaused = false;
    this.#owner.host.arm(this.#inFd, EPOLLIN);
  }

  onBroken(): void {
    this.close();
  }

  // Another kernel.

  /** Ends requests, but one, as their kernel ends. What they have there is not touched. */
  failRequests(error: ErrorMessage, except: ChannelPort | null): void {
    for (const channel of [...this.#channels.values()]) if (channel !== except) channel.fail(error);
  }

  /** Goes to another kernel: `take` follows. */
  leave(): void {
    const { host, timers } = this.#owner;
    timers.disarm(this.#greeting);
    host.unwatch(this.#inFd);
    this.#output.leave();
  }

  take(owner: ConnectionOwner): void {
    this.#owner = owner;
    const { host, timers } = owner;
    if (!this.#hasGreeted) timers.arm(this.#greeting, host.monotonicNs() + GREETING_NS);
    host.watch(this.#inFd, this.#isReadingPaused ? 0 : EPOLLIN, this);
    this.#output.take(owner);
  }

  // The end.

  /** Sends ERROR on channel 0, after which the connection ends. */
  endWith(error: ErrorMessage): void {
    if (this.isClosed || this.#isEnding) return;
    this.send(SESSION, ERROR, error);
    this.#isEnding = true;
    this.#dropChannels();
    this.#output.pump();
  }

  #dropChannels(): void {
    const channels = [...this.#channels.values()];
    this.#channels.clear();
    this.#output.dropData();
    for (const channel of channels) channel.drop();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const { host, timers } = this.#owner;
    timers.disarm(this.#greeting);
    host.unwatch(this.#inFd);
    host.close(this.#inFd);
    this.#output.close();
    this.#dropChannels();
    this.#owner.onClosed(this);
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
