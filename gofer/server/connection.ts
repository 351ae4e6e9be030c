/**
 * One client's socket: passes received messages to the session, and sends replies and descriptors.
 *
 * It waits only if its caller requests that. A client that does not read its replies is not served
 * until it does, and so holds at most two buffers.
 */

import { EAGAIN, EINTR } from "../../ffi/abi/errno.ts";
import { MSG_DONTWAIT } from "../../ffi/abi/socket.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { closeFd } from "../backend/host_calls.ts";
import { frameSize } from "../protocol/message.ts";
import { ProtocolError, Writer } from "../protocol/wire.ts";
import { FDS_PER_SEND, FdSocket } from "../transport/fd_socket.ts";
import type { Service } from "./service.ts";
import { Session } from "./session.ts";

/** Replies are collected up to this size before they are sent, if there are further requests. */
const FLUSH_BYTES = 65536;
/** Room behind the largest message, so that one read takes further messages too. */
const READ_AHEAD_BYTES = 4096;

export class Connection {
  readonly socket: FdSocket;
  readonly session: Session;
  /** Whether replies wait until the client reads. */
  isBlocked = false;
  isClosed = false;
  /** The reason for the close, when the client broke the protocol; "" otherwise. */
  complaint = "";
  readonly #buffer: Uint8Array;
  readonly #view: DataView;
  readonly #address: number;
  readonly #out: Writer;
  readonly #outAddress: number;
  /** Received bytes that were not handled yet: [start, end). */
  #start = 0;
  #end = 0;
  /** Bytes of `out` that were sent already. */
  #sent = 0;

  constructor(fd: number, service: Service, canDonate: boolean) {
    this.socket = new FdSocket(fd);
    const buffer = allocBuffer(service.msizeMax + READ_AHEAD_BYTES);
    this.#buffer = buffer;
    this.#view = new DataView(buffer.buffer);
    this.#address = addressOf(buffer);
    this.#out = new Writer(allocBuffer(service.msizeMax + FLUSH_BYTES));
    this.#outAddress = addressOf(this.#out.u8);
    this.session = new Session(service, buffer, this.#out, canDonate);
  }

  /**
   * Reads once and handles what is complete. `flags` 0 waits for bytes, MSG_DONTWAIT does not.
   * False when there was nothing to read.
   */
  receive(flags: number): boolean { // HOT
    const room = this.#buffer.length - this.#end;
    const n = this.socket.receive(this.#address + this.#end, room, flags);
    if (n > 0) {
      this.#end += n;
      this.handleAll();
      return true;
    }
    if (n === -EAGAIN || n === -EINTR) return false;
    this.close();
    return true;
  }

  /** Handles complete messages until there are none, or until replies cannot be sent. */
  handleAll(): void { // HOT
    try {
      while (!this.isClosed) {
        const size = frameSize(this.#view, this.#start, this.#end, this.session.msize);
        if (size === 0 || this.#end - this.#start < size) break;
        const isFull = this.#out.pos >= FLUSH_BYTES || this.session.donated.length >= FDS_PER_SEND;
        if (isFull && !this.flush()) return;
        this.session.handle(this.#start, size);
        this.#start += size;
      }
    } catch (e) {
      if (!(e instanceof ProtocolError)) throw e;
      this.complaint = e.message;
      this.close();
    }
    if (this.isClosed) return;
    this.flush();
    this.#compact();
  }

  #compact(): void {
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
    } else if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
  }

  /** Sends the contents of `out`. False when the client's side is full: then `isBlocked` is set. */
  flush(): boolean {
    const donated = this.session.donated;
    while (this.#sent < this.#out.pos) {
      const at = this.#outAddress + this.#sent;
      const len = this.#out.pos - this.#sent;
      const n = donated.length > 0
        ? this.socket.sendWithFds(at, len, MSG_DONTWAIT, donated)
        : this.socket.send(at, len, MSG_DONTWAIT);
      if (n === -EINTR) continue;
      if (n === -EAGAIN) {
        this.isBlocked = true;
        return false;
      }
      if (n < 0) {
        this.close();
        return false;
      }
      while (donated.length > 0) closeFd(donated.pop() ?? -1);
      this.#sent += n;
    }
    this.#out.reset();
    this.#sent = 0;
    this.isBlocked = false;
    return true;
  }

  /** Called when the client can read again: sends the rest and handles received requests. */
  resume(): void {
    if (this.flush()) this.handleAll();
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.session.close();
    this.socket.close();
  }
}
