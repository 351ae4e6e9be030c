/**
 * One connection to a sandbox (docs/protocol.md): frames in and out of a transport, and the
 * channels of its requests. What is sent waits in the transport; data waits for room in it, while
 * messages are small and do not.
 */

import { Buffer } from "node:buffer";
import {
  CREDIT,
  DATA,
  ERROR,
  EVENT,
  FrameDecoder,
  frameOf,
  type FrameSink,
  HEADER_BYTES,
  HELLO,
  messageBytes,
  OPEN,
  PAYLOAD_MAX,
  PROTOCOL_VERSION,
  ProtocolError,
  putHeader,
  RESULT,
  SESSION,
} from "../protocol/session/frame.ts";
import { CHANNELS_MAX } from "../protocol/session/limits.ts";
import type {
  AttachMessage,
  CreateMessage,
  ErrorMessage,
  Request,
  SandboxInfo,
} from "../protocol/session/messages.ts";
import { Channel, type ChannelOptions, type FrameWriter } from "./channel.ts";
import { errorOf, LimitError } from "./errors.ts";

/** Payloads of so many bytes are not copied behind their header, but written apart. */
const COPIED_BYTES = 16 << 10;

/** A pair of byte streams to a sandbox. */
export interface Transport {
  readonly readable: NodeJS.ReadableStream;
  readonly writable: NodeJS.WritableStream;
  /** Whether the transport keeps the script alive. */
  hold(isHeld: boolean): void;
  /** Closes both directions at once. */
  destroy(): void;
  /** Why the peer has closed the connection; "": unknown. Called after its end. */
  endReason(): Promise<string>;
}

export class Connection implements FrameSink, FrameWriter {
  readonly #transport: Transport;
  readonly #decoder: FrameDecoder = new FrameDecoder(this);
  readonly #channels: Map<number, Channel> = new Map();
  readonly #hello: Promise<SandboxInfo>;
  #answer: { resolve(info: SandboxInfo): void; reject(error: Error): void } | null = null;
  /** Resolves when the connection has ended, with the reason. */
  readonly ended: Promise<ErrorMessage>;
  #setEnded: (reason: ErrorMessage) => void = () => {};
  #failure: ErrorMessage | null = null;
  #isEnding = false;
  #nextChannel = 1;
  #sequence = 0;
  #isFull = false;
  #roomWaiters: (() => void)[] = [];

  private constructor(transport: Transport, hello: CreateMessage | AttachMessage) {
    this.#transport = transport;
    this.#hello = new Promise((resolve, reject) => this.#answer = { resolve, reject });
    this.ended = new Promise((resolve) => this.#setEnded = resolve);
    const { readable, writable } = transport;
    readable.on("data", (bytes: Uint8Array<ArrayBuffer>) => this.#receive(bytes));
    readable.on("end", () => this.#onClose());
    readable.on("close", () => this.#onClose());
    readable.on("error", () => this.#onClose());
    writable.on("error", () => this.#onClose());
    writable.on("drain", () => this.#onDrain());
    this.sendMessage(SESSION, HELLO, hello);
  }

  /**
   * Says HELLO and waits for the answer.
   * @throws SandboxError why the sandbox refuses
   */
  static async open(
    transport: Transport,
    hello: CreateMessage | AttachMessage,
  ): Promise<{ readonly connection: Connection; readonly info: SandboxInfo }> {
    const connection = new Connection(transport, hello);
    const info = await connection.#hello;
    return { connection, info };
  }

  /** @throws SandboxGoneError, or LimitError if too many requests are open */
  request(request: Request, options: ChannelOptions): Channel {
    if (this.#failure !== null) throw errorOf(this.#failure, options.doing);
    if (this.#channels.size >= CHANNELS_MAX) {
      throw new LimitError(
        `cannot ${options.doing.verb}: ${CHANNELS_MAX} requests to the sandbox are open; ` +
          "wait for some of them, or connect once more with `Sandbox.connect`",
      );
    }
    const channel = new Channel(this.#nextChannel++, this, options);
    if (this.#channels.size === 0) this.#transport.hold(true);
    this.#channels.set(channel.id, channel);
    this.sendMessage(channel.id, OPEN, request);
    return channel;
  }

  /** Ends the connection. Open requests fail. */
  close(message: string): void {
    this.#fail({ code: "Gone", message });
  }

  // FrameWriter

  get isFull(): boolean {
    return this.#isFull && this.#failure === null;
  }

  onRoom(wake: () => void): void {
    this.#roomWaiters.push(wake);
  }

  sendMessage(channel: number, type: number, message: object): void {
    const bytes = messageBytes(message);
    if (bytes.length > PAYLOAD_MAX) {
      if (type === OPEN || type === HELLO) this.#refuse(channel, bytes.length);
      return;
    }
    this.#send(channel, type, 0, bytes);
  }

  sendData(channel: number, flags: number, bytes: Uint8Array): void {
    this.#send(channel, DATA, flags, bytes);
  }

  sendCredit(channel: number, flags: number, bytes: number): void {
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, bytes, true);
    this.#send(channel, CREDIT, flags, payload);
  }

  #send(channel: number, type: number, flags: number, payload: Uint8Array): void {
    if (this.#failure !== null) return;
    const sequence = this.#sequence;
    this.#sequence = (sequence + 1) >>> 0;
    if (payload.length < COPIED_BYTES) {
      return this.#write(frameOf(channel, sequence, type, flags, payload));
    }
    const header = new Uint8Array(HEADER_BYTES), { length } = payload;
    putHeader(new DataView(header.buffer), 0, { length, channel, sequence, type, flags });
    this.#write(header);
    this.#write(payload);
  }

  #write(bytes: Uint8Array): void {
    const { buffer, byteOffset, length } = bytes;
    if (!this.#transport.writable.write(Buffer.from(buffer, byteOffset, length))) {
      this.#isFull = true;
    }
  }

  /** A request that is too long for a frame fails without being sent. */
  #refuse(channel: number, length: number): void {
    const isHello = channel === SESSION, what = isHello ? "the options have" : "the request has";
    const message = `${what} ${length} bytes; at most ${PAYLOAD_MAX} fit`;
    const error = { code: "Limit", message, errno: "E2BIG" } as const;
    if (isHello) this.#fail(error);
    else this.#finish(channel, ERROR, error);
  }

  #onDrain(): void {
    this.#isFull = false;
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const wake of waiters) wake();
  }

  // FrameSink

  #receive(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#failure !== null) return;
    try {
      this.#decoder.push(bytes);
    } catch (error) {
      // Messages have the members of their types, or a step that uses them throws.
      const text = error instanceof Error ? error.message : String(error);
      this.#fail({ code: "Protocol", message: `the sandbox broke the protocol: ${text}` });
    }
  }

  onData(channel: number, stream: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.#channelOf(channel)?.queueOf(stream).push(bytes);
  }

  onEnd(channel: number, stream: number): void {
    this.#channelOf(channel)?.queueOf(stream).end();
  }

  onCredit(channel: number, stream: number, bytes: number): void {
    this.#channelOf(channel)?.onCredit(stream, bytes);
  }

  onMessage(channel: number, type: number, message: unknown): void {
    if (channel === SESSION) this.#onSession(type, message);
    else if (type === EVENT) this.#channelOf(channel)?.onEvent(message);
    else if (type === RESULT || type === ERROR) this.#finish(channel, type, message);
    else throw new ProtocolError(`a sandbox sends no frames of type ${type}`);
  }

  #onSession(type: number, message: unknown): void {
    if (type === ERROR) return this.#fail(message as ErrorMessage);
    const answer = this.#answer;
    if (type !== HELLO || answer === null) {
      throw new ProtocolError(`a frame of type ${type} on the channel of the session`);
    }
    const info = message as SandboxInfo;
    if (info.protocol !== PROTOCOL_VERSION) {
      return this.#fail({
        code: "Unsupported",
        message: `the sandbox speaks version ${info.protocol} of the protocol, this library ` +
          `version ${PROTOCOL_VERSION}: use the library and the executable of one release`,
      });
    }
    this.#answer = null;
    this.#transport.hold(false);
    answer.resolve(info);
  }

  /** Null: the channel is closed; data and credit may cross its end. */
  #channelOf(id: number): Channel | null {
    const channel = this.#channels.get(id);
    if (channel !== undefined) return channel;
    if (id >= this.#nextChannel || id === SESSION) {
      throw new ProtocolError(`channel ${id} was not opened`);
    }
    return null;
  }

  #finish(id: number, type: typeof RESULT | typeof ERROR, message: unknown): void {
    const channel = this.#channelOf(id);
    if (channel === null) throw new ProtocolError(`channel ${id} ends twice`);
    this.#channels.delete(id);
    channel.onEnd(type, message);
    if (this.#channels.size === 0) this.#transport.hold(false);
  }

  async #onClose(): Promise<void> {
    if (this.#failure !== null || this.#isEnding) return;
    this.#isEnding = true;
    const reason = await this.#transport.endReason();
    const cut = this.#decoder.isBetweenFrames ? "" : " in the middle of a message";
    const message = `the sandbox has ended${cut}${reason === "" ? "" : `: ${reason}`}`;
    this.#fail({ code: this.#answer === null ? "Gone" : "Failed", message });
  }

  #fail(reason: ErrorMessage): void {
    if (this.#failure !== null) return;
    this.#failure = reason;
    this.#transport.destroy();
    this.#answer?.reject(errorOf(reason, null));
    this.#answer = null;
    const gone = { ...reason, code: "Gone" } as const;
    this.#failure = gone;
    const open = [...this.#channels.values()];
    this.#channels.clear();
    for (const channel of open) channel.onEnd(ERROR, reason.code === "Protocol" ? reason : gone);
    this.#onDrain();
    this.#setEnded(gone);
  }
}
