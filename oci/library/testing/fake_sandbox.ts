/** The sandbox's end of a connection in memory: it records requests, and a test answers them. */

import { Buffer } from "node:buffer";
import { PassThrough } from "node:stream";
import {
  CONTROL,
  CREDIT,
  DATA,
  END,
  ERROR,
  EVENT,
  FrameDecoder,
  frameOf,
  type FrameSink,
  HELLO,
  messageBytes,
  OPEN,
  OUTPUT,
  PROTOCOL_VERSION,
  RESULT,
  SESSION,
} from "../../protocol/session/frame.ts";
import type { ErrorMessage, Request, SandboxInfo } from "../../protocol/session/messages.ts";
import { Connection, type Transport } from "../connection.ts";

export const INFO: SandboxInfo = {
  protocol: PROTOCOL_VERSION,
  version: "0",
  id: "fake",
  labels: {},
  pid: 0,
  socket: "",
  platform: "ptrace",
  createdMs: 0,
  persistent: false,
  deadlineMs: null,
};

/** How a program that ends by itself ends. */
export const EXITED = {
  code: 0,
  signal: null,
  reason: "exit",
  durationMs: 1,
  peakMemoryBytes: 1,
  cpuMs: 1,
} as const;

/** What a fake sandbox does with what it gets; what is absent is ignored. */
export interface Behaviour {
  onOpen?(fake: FakeSandbox, channel: number, request: Request): void;
  onControl?(fake: FakeSandbox, channel: number, message: object): void;
  onInput?(fake: FakeSandbox, channel: number, bytes: Uint8Array): void;
  onInputEnd?(fake: FakeSandbox, channel: number): void;
  onCredit?(fake: FakeSandbox, channel: number, stream: number, bytes: number): void;
}

export class FakeSandbox implements FrameSink {
  readonly transport: Transport;
  /** Whether the client keeps its script alive. */
  isHeld = true;
  isDestroyed = false;
  readonly #toClient: PassThrough = new PassThrough({ highWaterMark: 1 << 30 });
  readonly #behaviour: Behaviour;
  #sequence = 0;

  /** @param roomBytes what the way to the sandbox holds before the client has to wait */
  constructor(behaviour: Behaviour, roomBytes = 64 << 10) {
    this.#behaviour = behaviour;
    const fromClient = new PassThrough({ highWaterMark: roomBytes });
    const decoder = new FrameDecoder(this);
    fromClient.on("data", (bytes: Buffer<ArrayBuffer>) => decoder.push(bytes));
    this.transport = {
      readable: this.#toClient,
      writable: fromClient,
      hold: (isHeld) => this.isHeld = isHeld,
      destroy: () => this.isDestroyed = true,
      endReason: () => Promise.resolve("the fake has ended"),
    };
  }

  /** A connection to a new fake that has said HELLO. */
  static async connect(behaviour: Behaviour): Promise<{
    readonly fake: FakeSandbox;
    readonly connection: Connection;
  }> {
    const fake = new FakeSandbox(behaviour);
    const opening = Connection.open(fake.transport, { protocol: PROTOCOL_VERSION });
    fake.message(SESSION, HELLO, INFO);
    return { fake, connection: (await opening).connection };
  }

  /** Bytes as they are, perhaps no frame. */
  raw(bytes: Uint8Array<ArrayBuffer>): void {
    this.#toClient.write(Buffer.from(bytes));
  }

  frame(channel: number, type: number, flags: number, payload: Uint8Array): void {
    this.raw(frameOf(channel, this.#sequence++, type, flags, payload));
  }

  message(channel: number, type: number, message: object): void {
    this.frame(channel, type, 0, messageBytes(message));
  }

  result(channel: number, message: object = {}): void {
    this.message(channel, RESULT, message);
  }

  error(channel: number, message: ErrorMessage): void {
    this.message(channel, ERROR, message);
  }

  event(channel: number, message: object): void {
    this.message(channel, EVENT, message);
  }

  output(channel: number, text: string | Uint8Array, stream: number = OUTPUT): void {
    const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
    this.frame(channel, DATA, stream, bytes);
  }

  endOutput(channel: number, stream: number = OUTPUT): void {
    this.frame(channel, DATA, stream | END, new Uint8Array());
  }

  credit(channel: number, stream: number, bytes: number): void {
    const payload = new Uint8Array(4);
    new DataView(payload.buffer).setUint32(0, bytes, true);
    this.frame(channel, CREDIT, stream, payload);
  }

  skipSequence(): void {
    this.#sequence++;
  }

  /** The sandbox is gone. */
  end(): void {
    this.#toClient.end();
  }

  onData(channel: number, _stream: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.#behaviour.onInput?.(this, channel, bytes);
  }
  onEnd(channel: number): void {
    this.#behaviour.onInputEnd?.(this, channel);
  }
  onCredit(channel: number, stream: number, bytes: number): void {
    this.#behaviour.onCredit?.(this, channel, stream, bytes);
  }
  onMessage(channel: number, type: number, message: unknown): void {
    if (type === OPEN) this.#behaviour.onOpen?.(this, channel, message as Request);
    if (type === CONTROL) this.#behaviour.onControl?.(this, channel, message as object);
  }
}
