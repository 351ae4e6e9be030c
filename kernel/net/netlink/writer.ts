/** Builds netlink messages: headers, attributes, padding (netlink(7), rtnetlink(7)). */

import {
  NLA_F_NESTED,
  NLM_F_ACK_TLVS,
  NLM_F_CAPPED,
  NLM_F_MULTI,
  NLMSG_DONE,
  NLMSG_ERROR,
  Nlmsgerr,
  NLMSGERR_ATTR_MSG,
  Nlmsghdr,
  Rtattr,
} from "../../../ffi/abi/netlink.ts";

/**
 * Bytes of the buffer at first; it grows. LIMIT: up to MAX_BYTES, then the reply is overfull. A
 * reply with a reader is passed to it whenever there are SPILL_BYTES.
 */
const BUFFER_BYTES = 16384, MAX_BYTES = 16 << 20, SPILL_BYTES = 64 << 10;

/** The header of the request that is replied to. */
export class NetlinkRequest {
  type: number = 0;
  flags: number = 0;
  seq: number = 0;
  pid: number = 0;
}

/** Takes the messages of a long reply before it is complete. */
interface AnswerReader {
  takeAnswer(writer: NetlinkWriter): void;
}

export class NetlinkWriter {
  /** Null: the whole reply stays in the buffer. */
  reader: AnswerReader | null = null;
  /** The buffer; each `begin` and each attribute may replace it. */
  u8: Uint8Array<ArrayBuffer> = new Uint8Array(BUFFER_BYTES);
  dv: DataView = new DataView(this.u8.buffer);
  /** Bytes written. */
  length: number = 0;
  /** Flags that the next message gets besides its own. */
  mark: number = 0;
  private message: number = 0;
  /** The reply had more than MAX_BYTES: it is incomplete and must be discarded. */
  isOverfull: boolean = false;

  reset(): void {
    this.length = 0;
    this.mark = 0;
    this.isOverfull = false;
  }

  private reserve(bytes: number): void {
    if (this.length + bytes > MAX_BYTES) {
      this.isOverfull = true;
      this.length = 0;
    }
    const needed = this.length + bytes;
    if (needed <= this.u8.length) return;
    const u8 = new Uint8Array(2 * needed);
    u8.set(this.u8.subarray(0, this.length));
    this.u8 = u8;
    this.dv = new DataView(u8.buffer);
  }

  /** Begins a message with `bytes` of fixed content, zeroed: the offset of that content. */
  begin(request: NetlinkRequest, type: number, flags: number, bytes: number): number {
    if (this.length > SPILL_BYTES && this.reader !== null) {
      this.reader.takeAnswer(this);
      this.length = 0;
    }
    this.reserve(Nlmsghdr.size + align(bytes));
    const at = this.message = this.length;
    this.u8.fill(0, at, at + Nlmsghdr.size + align(bytes));
    this.dv.setUint16(at + Nlmsghdr.at.type, type, true);
    this.dv.setUint16(at + Nlmsghdr.at.flags, flags | this.mark, true);
    this.mark = 0;
    this.dv.setUint32(at + Nlmsghdr.at.seq, request.seq, true);
    this.dv.setUint32(at + Nlmsghdr.at.pid, request.pid, true);
    this.length += Nlmsghdr.size + align(bytes);
    return at + Nlmsghdr.size;
  }

  /** Ends the message: write its length. */
  end(): void {
    this.dv.setUint32(this.message + Nlmsghdr.at.len, this.length - this.message, true);
  }

  /** Adds an attribute of `bytes`, zeroed: the offset of its data. */
  attribute(type: number, bytes: number): number {
    this.reserve(Rtattr.size + align(bytes));
    const at = this.length;
    this.u8.fill(0, at, at + Rtattr.size + align(bytes));
    this.dv.setUint16(at + Rtattr.at.len, Rtattr.size + bytes, true);
    this.dv.setUint16(at + Rtattr.at.type, type, true);
    this.length += Rtattr.size + align(bytes);
    return at + Rtattr.size;
  }
  u32(type: number, value: number): void {
    const at = this.attribute(type, 4);
    this.dv.setUint32(at, value, true);
  }
  u8Value(type: number, value: number): void {
    const at = this.attribute(type, 1);
    this.dv.setUint8(at, value);
  }
  bytes(type: number, text: string): void {
    const at = this.attribute(type, text.length);
    for (let i = 0; i < text.length; i++) this.u8[at + i] = text.charCodeAt(i);
  }
  /** Begins an attribute that contains attributes; the result ends it. */
  nest(type: number): () => void {
    return this.nestPlain(type | NLA_F_NESTED);
  }
  /** Begins a nested attribute without NLA_F_NESTED in its type, as older families have it. */
  nestPlain(type: number): () => void {
    const start = this.attribute(type, 0) - Rtattr.size;
    return () => this.dv.setUint16(start + Rtattr.at.len, this.length - start, true);
  }
  /** Adds a text with its NUL. */
  text(type: number, text: string): void {
    this.bytes(type, text + "\0");
  }
  u16(type: number, value: number): void {
    const at = this.attribute(type, 2);
    this.dv.setUint16(at, value, true);
  }

  /**
   * Writes NLMSG_ERROR with the request, or with its header alone if `isCapped`; error 0
   * acknowledges and has only the header. @param why a text for NETLINK_EXT_ACK
   */
  error(
    request: NetlinkRequest,
    message: Uint8Array<ArrayBuffer>,
    error: number,
    isCapped: boolean,
    why: string,
  ): void {
    const isShort = isCapped || error === 0;
    const bytes = message.subarray(0, isShort ? Nlmsghdr.size : message.length);
    const flags = (isShort ? NLM_F_CAPPED : 0) | (why === "" ? 0 : NLM_F_ACK_TLVS);
    const at = this.begin(request, NLMSG_ERROR, flags, 4 + bytes.length);
    this.dv.setInt32(at + Nlmsgerr.at.error, error, true);
    this.u8.set(bytes, at + Nlmsgerr.at.msg);
    if (why !== "") this.text(NLMSGERR_ATTR_MSG, why);
    this.end();
  }

  /** Writes NLMSG_DONE behind the last message of a dump. */
  done(request: NetlinkRequest): void {
    this.begin(request, NLMSG_DONE, NLM_F_MULTI, 4);
    this.end();
  }
}

function align(bytes: number): number {
  return (bytes + 3) & ~3;
}
