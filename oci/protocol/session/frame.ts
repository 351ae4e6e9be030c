/**
 * Frames of the session protocol (docs/protocol.md): a header of 16 bytes and a payload. Both ends
 * use this file: the kernel of a sandbox, and the library in Deno, Node and Bun. So it imports
 * nothing.
 */

/** The version that both ends name in their first message. */
export const PROTOCOL_VERSION = 1;

/** Bytes of a header: length u32, channel u32, sequence u32, type u8, flags u8, 0 u16. */
export const HEADER_BYTES = 16;
/** LIMIT: bytes of a payload. */
export const PAYLOAD_MAX = 256 << 10;
/** Bytes that may be sent on a stream before the receiver grants more. */
export const WINDOW_BYTES = 1 << 20;

/** Types of frames. */
export const HELLO = 1,
  OPEN = 2,
  DATA = 3,
  CREDIT = 4,
  CONTROL = 5,
  EVENT = 6,
  RESULT = 7,
  ERROR = 8;
const LAST_TYPE = ERROR;

/** Flags of DATA and CREDIT: the number of the stream, and on DATA the end of it. */
export const STREAM_MASK = 0x0f, END = 0x80;
/** Streams of a channel: the client's input, and the two outputs of a program. */
export const INPUT = 0, OUTPUT = 1, ERRORS = 2;

/** The channel of the session itself. */
export const SESSION = 0;

const NOTHING = new Uint8Array(0);

/** The peer broke the protocol: the connection ends. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

/** Writes a header at `offset`. */
export function putHeader(
  view: DataView,
  offset: number,
  header: {
    readonly length: number;
    readonly channel: number;
    readonly sequence: number;
    readonly type: number;
    readonly flags: number;
  },
): void {
  view.setUint32(offset, header.length, true);
  view.setUint32(offset + 4, header.channel, true);
  view.setUint32(offset + 8, header.sequence, true);
  view.setUint8(offset + 12, header.type);
  view.setUint8(offset + 13, header.flags);
  view.setUint16(offset + 14, 0, true);
}

/** Receives what a FrameDecoder finds. */
export interface FrameSink {
  /** A part of the payload of a DATA frame; it is valid during the call. */
  onData(channel: number, stream: number, bytes: Uint8Array<ArrayBuffer>): void;
  /** A stream has ended. */
  onEnd(channel: number, stream: number): void;
  onCredit(channel: number, stream: number, bytes: number): void;
  /** A frame of another type, whose payload is a JSON object. */
  onMessage(channel: number, type: number, message: unknown): void;
}

/**
 * Takes the bytes of one direction, in pieces of any size, and calls the sink for each frame.
 * Payloads of DATA are passed on as they come, other ones when they are complete.
 */
export class FrameDecoder {
  readonly #sink: FrameSink;
  readonly #header: Uint8Array<ArrayBuffer> = new Uint8Array(HEADER_BYTES);
  readonly #view: DataView = new DataView(this.#header.buffer);
  #headerBytes = 0;
  #sequence = 0;
  #channel = 0;
  #type = 0;
  #flags = 0;
  /** Bytes of the payload that have not arrived. */
  #left = 0;
  /** The payload of a frame that is no data, filled as it comes. */
  #payload: Uint8Array<ArrayBuffer> = NOTHING;

  /** @param sequence the number of the next frame; later than 0 if a frame was read before */
  constructor(sink: FrameSink, sequence: number = 0) {
    this.#sink = sink;
    this.#sequence = sequence;
  }

  /** The bytes so far end between two frames. */
  get isBetweenFrames(): boolean {
    return this.#headerBytes === 0;
  }

  /** @throws ProtocolError */
  push(bytes: Uint8Array<ArrayBuffer>): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.#headerBytes < HEADER_BYTES) {
        const n = Math.min(HEADER_BYTES - this.#headerBytes, bytes.length - at);
        this.#header.set(bytes.subarray(at, at + n), this.#headerBytes);
        this.#headerBytes += n;
        at += n;
        if (this.#headerBytes < HEADER_BYTES) return;
        this.#begin();
        if (this.#left === 0) this.#finish();
        continue;
      }
      const n = Math.min(this.#left, bytes.length - at), part = bytes.subarray(at, at + n);
      at += n;
      if (this.#type === DATA) this.#sink.onData(this.#channel, this.#flags & STREAM_MASK, part);
      else this.#payload.set(part, this.#payload.length - this.#left);
      this.#left -= n;
      if (this.#left === 0) this.#finish();
    }
  }

  /** Checks a complete header. */
  #begin(): void {
    const view = this.#view, length = view.getUint32(0, true);
    const sequence = view.getUint32(8, true), type = view.getUint8(12), flags = view.getUint8(13);
    if (length > PAYLOAD_MAX) throw new ProtocolError(`a frame has ${length} bytes`);
    if (sequence !== this.#sequence) {
      throw new ProtocolError(`frame ${this.#sequence} has the number ${sequence}`);
    }
    if (type < HELLO || type > LAST_TYPE) throw new ProtocolError(`a frame has type ${type}`);
    const known = type === DATA ? STREAM_MASK | END : type === CREDIT ? STREAM_MASK : 0;
    if ((flags & ~known) !== 0 || (flags & STREAM_MASK) > ERRORS || view.getUint16(14) !== 0) {
      throw new ProtocolError(`a frame of type ${type} has flags ${flags}`);
    }
    if (type === CREDIT && length !== 4) throw new ProtocolError(`a credit has ${length} bytes`);
    this.#sequence = (sequence + 1) >>> 0;
    this.#channel = view.getUint32(4, true);
    this.#type = type;
    this.#flags = flags;
    this.#left = length;
    if (type !== DATA) this.#payload = new Uint8Array(length);
  }

  /** The payload is complete. */
  #finish(): void {
    const channel = this.#channel, type = this.#type, flags = this.#flags, payload = this.#payload;
    this.#headerBytes = 0;
    this.#payload = NOTHING;
    const sink = this.#sink, stream = flags & STREAM_MASK;
    if (type === DATA) {
      if ((flags & END) !== 0) sink.onEnd(channel, stream);
    } else if (type === CREDIT) {
      sink.onCredit(channel, stream, new DataView(payload.buffer).getUint32(0, true));
    } else sink.onMessage(channel, type, parseObject(payload));
  }
}

function parseObject(bytes: Uint8Array<ArrayBuffer>): unknown {
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {
    // Reported below.
  }
  throw new ProtocolError("a message is no JSON object");
}

/** A whole frame, for messages and small data. */
export function frameOf(
  channel: number,
  sequence: number,
  type: number,
  flags: number,
  payload: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(HEADER_BYTES + payload.length);
  const header = { length: payload.length, channel, sequence, type, flags };
  putHeader(new DataView(bytes.buffer), 0, header);
  bytes.set(payload, HEADER_BYTES);
  return bytes;
}

export function messageBytes(message: object): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify(message));
}
