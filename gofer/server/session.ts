/**
 * One 9P session: its fids, the results of its version, and the frame around every handler.
 *
 * It works on buffers, not sockets: connection.ts moves bytes, dispatch.ts finds the handler.
 */

import { EINVAL, EPROTO } from "../../ffi/abi/errno.ts";
import { closeFd } from "../backend/host_calls.ts";
import { MSIZE_MIN, NOFID, TVERSION } from "../protocol/constants.ts";
import { EmptyMessage, encode, type Message } from "../protocol/message.ts";
import { Rlerror } from "../protocol/session.ts";
import { ProtocolError, Reader, Writer } from "../protocol/wire.ts";
import { addressOf } from "../../ffi/sys/cstring.ts";
import { handlerOf } from "./dispatch.ts";
import { type Fid, FidTable } from "./fid.ts";
import type { Service } from "./service.ts";

const rlerror = new Rlerror();
const empty: EmptyMessage[] = [];
for (let type = 0; type < 256; type++) empty.push(new EmptyMessage(type));

export class Session {
  readonly service: Service;
  readonly fids: FidTable;
  /** The request's body. */
  readonly in = new Reader();
  /** Replies, one behind the other, until the connection sends them. */
  readonly out: Writer;
  /** Host address of `out`'s buffer. */
  readonly outBase: number;
  /** Host address of the receive buffer. */
  readonly inBase: number;
  /** Descriptors to be sent with the replies in `out`, and closed here afterwards. */
  readonly donated: number[] = [];
  /** Whether the socket can carry descriptors. */
  readonly canDonate: boolean;
  msize = MSIZE_MIN;
  isVersioned = false;
  isDvisor = false;
  readonly #receiveBuffer: Uint8Array;
  readonly #receiveView: DataView;
  #tag = 0;

  constructor(service: Service, receiveBuffer: Uint8Array, out: Writer, canDonate: boolean) {
    this.service = service;
    this.fids = new FidTable(service.fidsMax);
    this.#receiveBuffer = receiveBuffer;
    this.#receiveView = new DataView(
      receiveBuffer.buffer,
      receiveBuffer.byteOffset,
      receiveBuffer.byteLength,
    );
    this.inBase = addressOf(receiveBuffer);
    this.out = out;
    this.outBase = addressOf(out.u8);
    this.canDonate = canDonate;
    service.sessions.add(this);
  }

  /**
   * Handles the message of `size` bytes at `at` of the receive buffer; its reply is appended to
   * `out`.
   */
  handle(at: number, size: number): void { // HOT
    const type = this.#receiveView.getUint8(at + 4);
    this.#tag = this.#receiveView.getUint16(at + 5, true);
    const start = this.out.pos;
    const donations = this.donated.length;
    this.out.limit = Math.min(start + this.msize, this.out.u8.length);
    let r: number;
    try {
      this.in.open(this.#receiveBuffer, this.#receiveView, at + 7, at + size);
      r = this.isVersioned || type === TVERSION ? handlerOf(type, this.isDvisor)(this) : -EPROTO;
    } catch (e) {
      if (!(e instanceof ProtocolError)) throw e;
      r = -EINVAL;
    }
    if (r >= 0) return;
    while (this.donated.length > donations) closeFd(this.donated.pop() ?? -1);
    this.out.pos = start;
    rlerror.ecode = -r;
    encode(this.out, this.#tag, rlerror);
  }

  /** Appends a reply. Always 0, so that a handler can end with it. */
  reply(m: Message): 0 {
    encode(this.out, this.#tag, m);
    return 0;
  }

  /** Appends a reply without a body. */
  replyEmpty(type: number): 0 {
    return this.reply(empty[type] ?? rlerror);
  }

  /** Starts a reply that the handler writes itself; `endReply` ends it. */
  beginReply(type: number): void {
    this.out.begin(type, this.#tag);
  }

  endReply(): 0 {
    this.out.end();
    return 0;
  }

  /** The fid of a request, or null; fids that are streams of an attribute's value do not count. */
  fid(number: number): Fid | null {
    const fid = this.fids.get(number);
    return fid === null || fid.xattr !== null ? null : fid;
  }

  /** Whether a request may bind `number`. */
  isFree(number: number): boolean {
    return number !== NOFID && this.fids.get(number) === null && !this.fids.isFull;
  }

  /** Drops all state, at a new Tversion or the end of the connection. */
  reset(): void {
    this.fids.clear();
    this.isVersioned = false;
    this.isDvisor = false;
  }

  close(): void {
    this.reset();
    for (const fd of this.donated.splice(0)) closeFd(fd);
    this.service.sessions.delete(this);
  }
}
