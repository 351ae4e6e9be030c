/**
 * The interface of messages: a reusable object that reads its body from a buffer and writes it to
 * one.
 *
 * Each message type has one object, made at start and used for every message of the type, so a
 * message allocates nothing on either side. Strings stay in the receive buffer (wire.ts: Str). The
 * families: session.ts, walk.ts, file.ts, attributes.ts, tree.ts, xattr.ts, lock.ts, extension.ts.
 */

import { HEADER_BYTES } from "./constants.ts";
import { ProtocolError, type Reader, type Writer } from "./wire.ts";

/** A 9P message, request or reply. */
export interface Message {
  readonly type: number;
  /** Reads the body. Throws ProtocolError at the first field that does not fit. */
  read(r: Reader): void;
  /** Writes the body. Throws ProtocolError when it does not fit the buffer. */
  write(w: Writer): void;
}

/** Writes a whole message and returns its size in bytes. */
export function encode(w: Writer, tag: number, m: Message): number {
  w.begin(m.type, tag);
  m.write(w);
  return w.end();
}

/** Reads a message's body; the reader is positioned behind the header and ends with the message. */
export function decode(r: Reader, m: Message): void {
  m.read(r);
  r.done();
}

/** A message without a body, as Rclunk. */
export class EmptyMessage implements Message {
  readonly type: number;

  constructor(type: number) {
    this.type = type;
  }

  read(_r: Reader): void {}

  write(_w: Writer): void {}
}

/** A message that holds one fid, as Tclunk. */
export class FidMessage implements Message {
  readonly type: number;
  fid = 0;

  constructor(type: number) {
    this.type = type;
  }

  read(r: Reader): void {
    this.fid = r.getU32();
  }

  write(w: Writer): void {
    w.putU32(this.fid);
  }
}

/**
 * The size of the message that starts at `pos`, or 0 when not even its header is complete.
 * Throws ProtocolError for a size that is smaller than a header or larger than `msize`.
 */
export function frameSize(dv: DataView, pos: number, end: number, msize: number): number {
  if (end - pos < HEADER_BYTES) return 0;
  const size = dv.getUint32(pos, true);
  if (size < HEADER_BYTES || size > msize) {
    throw new ProtocolError(`a message claims ${size} bytes; 7 to ${msize} are allowed`);
  }
  return size;
}
