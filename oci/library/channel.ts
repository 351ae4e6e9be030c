/**
 * A request to the sandbox: its streams, events and outcome. Connection makes channels and brings
 * them what the sandbox sends.
 */

import {
  CONTROL,
  END,
  ERROR,
  ERRORS,
  INPUT,
  OUTPUT,
  PAYLOAD_MAX,
  ProtocolError,
  RESULT,
  WINDOW_BYTES,
} from "../protocol/session/frame.ts";
import type { ErrorMessage, ProgramControl } from "../protocol/session/messages.ts";
import { ByteQueue } from "./byte_queue.ts";
import { type Doing, errorOf, SandboxError } from "./errors.ts";

/** What a channel needs of its connection. */
export interface FrameWriter {
  /** The transport takes no more data for now. */
  readonly isFull: boolean;
  /** Calls `wake` once when it takes data again. */
  onRoom(wake: () => void): void;
  sendMessage(channel: number, type: number, message: object): void;
  sendData(channel: number, flags: number, bytes: Uint8Array): void;
  sendCredit(channel: number, flags: number, bytes: number): void;
}

/** How a request ended. */
type Outcome = { readonly result: unknown } | { readonly error: ErrorMessage };

export interface ChannelOptions {
  readonly doing: Doing;
  /** Gets the events of the request, in order. */
  readonly onEvent?: (event: unknown) => void;
  /** The outputs keep so many bytes each, which the sandbox was asked to send at most. */
  readonly keepBytes?: number;
}

export class Channel {
  readonly id: number;
  readonly output: ByteQueue;
  readonly errors: ByteQueue;
  /** Never rejects. */
  readonly outcome: Promise<Outcome>;
  readonly #writer: FrameWriter;
  readonly #options: ChannelOptions;
  #settle: (outcome: Outcome) => void = () => {};
  #isOpen = true;
  #isInputEnded = false;
  #isCancelled = false;
  /** Bytes of input that the sandbox takes. */
  #credit = WINDOW_BYTES;
  #wakeWriter: () => void = () => {};

  constructor(id: number, writer: FrameWriter, options: ChannelOptions) {
    this.id = id;
    this.#writer = writer;
    this.#options = options;
    const granting = (stream: number) => (bytes: number) => writer.sendCredit(id, stream, bytes);
    const { keepBytes = -1 } = options;
    this.output = new ByteQueue(granting(OUTPUT), keepBytes);
    this.errors = new ByteQueue(granting(ERRORS), keepBytes);
    this.outcome = new Promise((resolve) => this.#settle = resolve);
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /**
   * Waits for the end of the request; when `signal` is aborted, cancels it first.
   * @returns the message of RESULT
   * @throws SandboxError, or the reason of `signal` after the request has ended
   */
  async finish(signal?: AbortSignal): Promise<unknown> {
    const cancel = (): void => this.cancel();
    if (signal?.aborted === true) cancel();
    signal?.addEventListener("abort", cancel);
    try {
      const outcome = await this.outcome;
      signal?.throwIfAborted();
      if ("error" in outcome) throw errorOf(outcome.error, this.#options.doing);
      return outcome.result;
    } finally {
      signal?.removeEventListener("abort", cancel);
    }
  }

  /**
   * Writes to the sandbox as fast as it reads.
   * @throws SandboxError if the request has ended meanwhile
   */
  async write(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      while (this.#isOpen && (this.#credit === 0 || this.#writer.isFull)) await this.#change();
      if (!this.#isOpen || this.#isInputEnded) {
        throw new SandboxError("Closed", `cannot write: ${this.#name()} has ended`);
      }
      const n = Math.min(bytes.length - at, this.#credit, PAYLOAD_MAX);
      this.#credit -= n;
      this.#writer.sendData(this.id, INPUT, bytes.subarray(at, at + n));
      at += n;
    }
  }

  /** Ends the input. */
  endInput(): void {
    if (!this.#isOpen || this.#isInputEnded) return;
    this.#isInputEnded = true;
    this.#writer.sendData(this.id, INPUT | END, new Uint8Array());
  }

  control(message: ProgramControl | { readonly close: true }): void {
    if (this.#isOpen) this.#writer.sendMessage(this.id, CONTROL, message);
  }

  /** Asks the sandbox to end the request. */
  cancel(): void {
    if (this.#isCancelled) return;
    this.#isCancelled = true;
    this.control({ close: true });
  }

  #name(): string {
    const { verb, subject } = this.#options.doing;
    return verb === "run" ? `program ${subject}` : `the request to ${verb} ${subject ?? ""}`.trim();
  }

  /** Waits for credit, for room, or for the end of the request. */
  #change(): Promise<void> {
    return new Promise((resolve) => {
      this.#wakeWriter = resolve;
      if (this.#writer.isFull) this.#writer.onRoom(resolve);
    });
  }

  // What follows is called by the connection.

  queueOf(stream: number): ByteQueue {
    if (stream === OUTPUT) return this.output;
    if (stream === ERRORS) return this.errors;
    throw new ProtocolError("the sandbox sent data on a stream of input");
  }

  onCredit(stream: number, bytes: number): void {
    if (stream !== INPUT) throw new ProtocolError("credit for a stream of output");
    this.#credit += bytes;
    this.#wakeWriter();
  }

  onEvent(event: unknown): void {
    this.#options.onEvent?.(event);
  }

  /** The request has ended, with RESULT or ERROR. */
  onEnd(type: typeof RESULT | typeof ERROR, message: unknown): void {
    this.#isOpen = false;
    if (type === RESULT) {
      this.output.end();
      this.errors.end();
      this.#settle({ result: message });
    } else {
      const error = message as ErrorMessage;
      this.output.fail(errorOf(error, this.#options.doing));
      this.errors.fail(errorOf(error, this.#options.doing));
      this.#settle({ error });
    }
    this.#wakeWriter();
  }
}
