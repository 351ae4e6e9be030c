/**
 * The receiving end of a stream of a channel: bytes that have come and are not read. What is read
 * gives the sender credit for as many more, so that an unread stream holds one window at most.
 */

import { ProtocolError, WINDOW_BYTES } from "../protocol/session/frame.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Credit is sent in pieces of this size at least. */
const GRANT_BYTES = WINDOW_BYTES / 4;
/** A smaller piece is copied, or it would keep the memory of a whole read. */
const COPY_BYTES = 16 << 10;

interface Reader {
  readonly resolve: (part: Bytes | null) => void;
  readonly reject: (error: Error) => void;
}

export class ByteQueue {
  readonly #grant: (bytes: number) => void;
  #parts: Bytes[] = [];
  /** Index of the first part that is not read. */
  #first = 0;
  /** What the peer may still send. */
  #window = WINDOW_BYTES;
  /** What was read, and not granted again. */
  #readBytes = 0;
  #state: "open" | "ended" | "dropped" = "open";
  #failure: Error | null = null;
  readonly #keepBytes: number;
  #keptBytes = 0;
  #onPart: (part: Bytes) => void = () => {};
  #reader: Reader | null = null;

  /**
   * @param grant sends the peer credit for so many bytes
   * @param keepBytes bytes are granted as they come, up to so many, and stay here until `all`; -1:
   * parts are read one by one
   */
  constructor(grant: (bytes: number) => void, keepBytes: number) {
    this.#grant = grant;
    this.#keepBytes = keepBytes;
  }

  /** @throws ProtocolError if the peer sends more than it may */
  push(part: Bytes): void {
    this.#window -= part.length;
    if (this.#window < 0) throw new ProtocolError("more data than was granted");
    if (this.#state === "ended") throw new ProtocolError("data behind the end of a stream");
    if (this.#state === "dropped") return;
    const reader = this.#reader;
    // Not slice(), which makes a view of a Buffer of Node.
    const kept = part.length < COPY_BYTES ? new Uint8Array(part) : part;
    this.#reader = null;
    this.#onPart(kept);
    if (reader === null) this.#parts.push(kept);
    else reader.resolve(kept);
    if (this.#keepBytes >= 0) this.#keep(part.length);
    else if (reader !== null) this.#hasRead(part.length);
  }

  end(): void {
    if (this.#state === "open") this.#state = "ended";
    this.#reader?.resolve(null);
    this.#reader = null;
  }

  /** What was not read can be read still; then reading fails. */
  fail(error: Error): void {
    if (this.#state !== "open") return;
    this.#failure = error;
    this.#state = "dropped";
    this.#reader?.reject(error);
    this.#reader = null;
  }

  /** What comes from now on is not kept. */
  drop(): void {
    this.#state = "dropped";
    this.#failure = null;
    this.#parts = [];
    this.#first = 0;
    this.#reader?.resolve(null);
    this.#reader = null;
  }

  get isOpen(): boolean {
    return this.#state === "open";
  }

  /** `onPart` gets each part that comes; it must not throw. */
  watch(onPart: (part: Bytes) => void): void {
    this.#onPart = onPart;
  }

  #keep(bytes: number): void {
    this.#keptBytes += bytes;
    if (this.#keptBytes > this.#keepBytes) throw new ProtocolError("more data than was asked for");
    this.#hasRead(bytes);
  }

  /** All bytes of a queue that keeps them. */
  all(): Bytes {
    const all = new Uint8Array(this.#keptBytes);
    let at = 0;
    for (const part of this.#parts) {
      all.set(part, at);
      at += part.length;
    }
    this.#parts = [];
    this.#keptBytes = 0;
    return all;
  }

  /** The next part; null at the end. One reader at a time. */
  read(): Promise<Bytes | null> {
    const part = this.#parts[this.#first];
    if (part !== undefined) {
      this.#first++;
      if (this.#first === this.#parts.length) {
        this.#parts = [];
        this.#first = 0;
      }
      this.#hasRead(part.length);
      return Promise.resolve(part);
    }
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#state !== "open") return Promise.resolve(null);
    return new Promise((resolve, reject) => this.#reader = { resolve, reject });
  }

  #hasRead(bytes: number): void {
    this.#readBytes += bytes;
    if (this.#readBytes < GRANT_BYTES || this.#state !== "open") return;
    const granted = this.#readBytes;
    this.#readBytes = 0;
    this.#window += granted;
    this.#grant(granted);
  }

  /** The queue as a stream. @param onCancel the stream's reader does not want the rest */
  stream(onCancel: () => void): ReadableStream<Bytes> {
    return new ReadableStream<Bytes>({
      pull: async (controller) => {
        const part = await this.read();
        if (part === null) controller.close();
        else controller.enqueue(part);
      },
      cancel: () => {
        const wasOpen = this.isOpen;
        this.drop();
        if (wasOpen) onCancel();
      },
    }, { highWaterMark: 0 });
  }
}
