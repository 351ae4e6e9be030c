/**
 * The client's end of the socket: sends requests and receives replies, one at a time or several,
 * without promises.
 *
 * `call` sends a request and waits for its reply; `submit` and `poll` do the two halves separately.
 * Replies are decoded in place: their contents are valid until the next call, poll or flush.
 * Everything received is untrusted: a reply that does not fit ends the connection, and every later
 * request is -EIO. gofer_client.ts has the meaning of requests.
 */

import { EAGAIN, EINTR, EIO, MAX_ERRNO } from "../../ffi/abi/errno.ts";
import { POLLIN, POLLOUT } from "../../ffi/abi/poll.ts";
import { MSG_DONTWAIT, SHUT_RDWR } from "../../ffi/abi/socket.ts";
import { SYS_close, SYS_shutdown } from "../../ffi/abi/syscall_numbers.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { poll } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import {
  HEADER_BYTES,
  MSIZE_MAX,
  RLERROR,
  TBINDFD,
  TCLUNK,
  TCREATEFD,
  TOPENFD,
  TWALKGETATTR,
} from "../protocol/constants.ts";
import { decode, encode, FidMessage, frameSize, type Message } from "../protocol/message.ts";
import { ProtocolError, Reader, Writer } from "../protocol/wire.ts";
import { FdSocket } from "../transport/fd_socket.ts";

/** Tag of the request that `call` waits for. */
const CALL_TAG = 0;
/** Tags of requests whose replies are dropped, used in turn. */
const QUIET_TAG_FIRST = 0x1000;
const QUIET_TAG_LAST = 0x7fff;
/** Tags of `submit`, used in turn. */
const SUBMIT_TAG_FIRST = 0x8000;
const SUBMIT_TAG_LAST = 0xfffe;
/** LIMIT: requests whose replies were not polled yet; `submit` returns -EAGAIN beyond it. */
const OUTSTANDING_MAX = 1024;
/** Quiet requests are sent with the next request, or once there are this many bytes of them. */
const QUIET_BYTES = 8192;

/** A reply that came while the client waited for another one. */
interface Stashed {
  readonly frame: Uint8Array;
  readonly fd: number;
}

export class ClientConnection {
  /** The server has ended or broke the protocol; final. */
  isDead = false;
  /** The reason, for the log. */
  reason = "";
  /** Failed non-blocking reads before a call goes to sleep. */
  spins = 0;
  /** Largest message in both directions; Tversion sets it. */
  msize: number;
  /** Body of the reply found last. */
  readonly reply = new Reader();
  replyType = 0;
  readonly #socket: FdSocket;
  readonly #out: Writer;
  readonly #outAddress: number;
  readonly #buffer: Uint8Array;
  readonly #view: DataView;
  readonly #address: number;
  #start = 0;
  #end = 0;
  #outstanding = 0;
  #quietTag = QUIET_TAG_FIRST;
  #submitTag = SUBMIT_TAG_FIRST;
  /** Descriptor that came with the reply found last and was not taken yet. */
  #replyFd = -1;
  #stash: Stashed[] = [];
  readonly #tclunk = new FidMessage(TCLUNK);

  /** Owns the socket. `msizeMax`: the largest message that the buffers must hold, in bytes. */
  constructor(fd: number, msizeMax: number) {
    this.#socket = new FdSocket(fd);
    this.msize = Math.min(msizeMax, MSIZE_MAX);
    this.#buffer = allocBuffer(this.msize + QUIET_BYTES);
    this.#view = new DataView(
      this.#buffer.buffer,
      this.#buffer.byteOffset,
      this.#buffer.byteLength,
    );
    this.#address = addressOf(this.#buffer);
    this.#out = new Writer(allocBuffer(this.msize + 2 * QUIET_BYTES));
    this.#outAddress = addressOf(this.#out.u8);
  }

  /**
   * Ends the connection: every later request is -EIO. The descriptor stays open until `close`:
   * others may watch it, and its number must not be used again meanwhile.
   */
  die(reason: string): number {
    if (!this.isDead) {
      this.isDead = true;
      this.reason = reason;
      this.#dropFd();
      for (const s of this.#stash.splice(0)) if (s.fd >= 0) syscall(SYS_close, s.fd);
      syscall(SYS_shutdown, this.#socket.fd, SHUT_RDWR);
    }
    return -EIO;
  }

  /** Closes the connection. */
  close(): void {
    this.die("closed by this side");
    this.#socket.close();
  }

  /** Sends a request and waits for its reply: 0 and the body decoded into `reply`, or -errno. */
  call(request: Message, reply: Message): number { // HOT
    if (this.isDead) return -EIO;
    this.#dropFd();
    this.#append(request, CALL_TAG);
    if (this.flush() < 0) return -EIO;
    while (!this.isDead) {
      const tag = this.#nextFrame();
      if (tag === CALL_TAG) return this.finish(reply);
      if (tag >= SUBMIT_TAG_FIRST) this.#putAside();
      if (tag < 0) this.#fill(true);
    }
    return -EIO;
  }

  /**
   * Queues a request that is sent with the next one, and returns its tag. `takeReply` returns its
   * reply once that of the next one is there.
   */
  prepare(request: Message): number {
    const tag = this.#nextSubmitTag();
    this.#append(request, tag);
    return tag;
  }

  /**
   * Decodes the reply to a prepared request: 0 or -errno. `takeFd` has the descriptor that came
   * with it.
   */
  takeReply(tag: number, reply: Message): number {
    let found = this.#unstash(tag);
    // The request behind it was not sent after all, so this one's reply is waited for.
    while (found === null) {
      if (this.isDead || this.flush() < 0) return -EIO;
      const there = this.#nextFrame();
      if (there >= SUBMIT_TAG_FIRST) this.#putAside();
      else if (there < 0) this.#fill(true);
      found = this.#unstash(tag);
    }
    this.#dropFd();
    this.#openStashed(found);
    return this.finish(reply);
  }

  #unstash(tag: number): Stashed | null {
    const at = this.#stash.findIndex((s) =>
      new DataView(s.frame.buffer).getUint16(5, true) === tag
    );
    return this.#stash.splice(at, at < 0 ? 0 : 1)[0] ?? null;
  }

  #nextSubmitTag(): number {
    const tag = this.#submitTag;
    this.#submitTag = tag === SUBMIT_TAG_LAST ? SUBMIT_TAG_FIRST : tag + 1;
    return tag;
  }

  /** Sends a request without waiting. Returns its tag, which `poll` will return, or -errno. */
  submit(request: Message): number {
    if (this.isDead) return -EIO;
    if (this.#outstanding + this.#stash.length >= OUTSTANDING_MAX) return -EAGAIN;
    const tag = this.#nextSubmitTag();
    this.#append(request, tag);
    return this.flush() < 0 ? -EIO : tag;
  }

  /**
   * The tag of a submitted request whose reply has arrived, or -1. `replyType` and `reply` belong
   * to it until the next poll or call: `finish` decodes it, `takeFd` takes its descriptor.
   */
  poll(): number {
    this.#dropFd();
    const old = this.#stash.shift();
    if (old !== undefined) return this.#openStashed(old);
    let isFresh = true;
    while (!this.isDead) {
      const tag = this.#nextFrame();
      if (tag >= SUBMIT_TAG_FIRST) return tag;
      if (tag >= 0) continue;
      if (!isFresh) return -1;
      this.#fill(false);
      isFresh = false;
    }
    return -1;
  }

  /** Decodes the reply found last into `reply`, or turns its Rlerror into -errno. */
  finish(reply: Message): number { // HOT
    if (this.replyType === RLERROR) return this.#errorOf();
    if (this.replyType !== reply.type) {
      return this.die(`a reply of type ${this.replyType} came for one of type ${reply.type}`);
    }
    try {
      decode(this.reply, reply);
    } catch (e) {
      if (!(e instanceof ProtocolError)) throw e;
      return this.die(e.message);
    }
    return 0;
  }

  #errorOf(): number {
    if (this.reply.left !== 4) return this.die("an Rlerror of the wrong size");
    const errno = this.reply.getU32();
    return errno > 0 && errno <= MAX_ERRNO ? -errno : this.die(`an Rlerror with errno ${errno}`);
  }

  /** The descriptor that came with the reply found last, or -1; the caller owns it. */
  takeFd(): number {
    const fd = this.#replyFd;
    this.#replyFd = -1;
    return fd;
  }

  /** Queues a Tclunk: it is sent with the next request, and its reply is dropped. */
  clunk(fid: number): void {
    if (this.isDead) return;
    this.#tclunk.fid = fid;
    this.#append(this.#tclunk, this.#quietTag);
    this.#quietTag = this.#quietTag === QUIET_TAG_LAST ? QUIET_TAG_FIRST : this.#quietTag + 1;
    if (this.#out.pos >= QUIET_BYTES) this.flush();
  }

  #append(request: Message, tag: number): void {
    this.#out.limit = Math.min(this.#out.pos + this.msize, this.#out.u8.length);
    const start = this.#out.pos;
    try {
      encode(this.#out, tag, request);
    } catch (e) {
      this.#out.pos = start; // a name is text: an error of the caller, and nothing was sent
      throw e;
    }
    this.#outstanding++;
  }

  /** Sends everything queued. Reads replies meanwhile if the server cannot take more. 0 or -EIO. */
  flush(): number {
    let at = 0;
    const end = this.#out.pos;
    while (at < end) {
      const n = this.#socket.send(this.#outAddress + at, end - at, MSG_DONTWAIT);
      if (n > 0) at += n;
      else if (n === -EAGAIN) this.#makeRoom();
      else if (n !== -EINTR) return this.die(`the Gofer's socket cannot be written: errno ${-n}`);
      if (this.isDead) return -EIO;
    }
    this.#out.reset();
    return 0;
  }

  /** Reads the replies that have arrived, because the server waits until the client reads. */
  #makeRoom(): void {
    if (poll(this.#socket.fd, POLLIN | POLLOUT, -1) <= 0) return;
    this.#fill(false);
    while (!this.isDead) {
      const tag = this.#nextFrame();
      if (tag < 0) return;
      if (tag >= SUBMIT_TAG_FIRST) this.#putAside();
      else this.#dropFd();
    }
  }

  /** Reads once; `isWaiting` sleeps until there is something. */
  #fill(isWaiting: boolean): void { // HOT
    if (this.#start > 0) {
      this.#buffer.copyWithin(0, this.#start, this.#end);
      this.#end -= this.#start;
      this.#start = 0;
    }
    const at = this.#address + this.#end;
    const room = this.#buffer.length - this.#end;
    let n = -EAGAIN;
    for (let i = isWaiting ? this.spins : 1; n === -EAGAIN && i > 0; i--) {
      n = this.#socket.receiveWithFds(at, room, MSG_DONTWAIT);
    }
    if (n === -EAGAIN && isWaiting) {
      n = this.#socket.receiveWithFds(at, room, 0);
      if (n === -EAGAIN) poll(this.#socket.fd, POLLIN, -1); // the socket is non-blocking
    }
    if (n > 0) this.#end += n;
    else if (n === 0) this.die("the Gofer closed its socket");
    else if (n !== -EAGAIN && n !== -EINTR) this.die(`the Gofer's socket fails: errno ${-n}`);
    if (this.#socket.received.length > this.#outstanding) {
      this.die("descriptors that were not requested");
    }
  }

  /** Opens the next complete reply: its tag, or -1 when there is none. */
  #nextFrame(): number { // HOT
    if (this.isDead) return -1;
    let size: number;
    try {
      size = frameSize(this.#view, this.#start, this.#end, this.msize);
    } catch (e) {
      if (!(e instanceof ProtocolError)) throw e;
      return this.die(e.message);
    }
    if (size === 0 || this.#end - this.#start < size) return -1;
    const at = this.#start;
    this.#start += size;
    const tag = this.#view.getUint16(at + 5, true);
    return this.#openFrame(this.#buffer, this.#view, at, at + size) ? tag : -1;
  }

  /** Points `reply` at a frame and takes the descriptor that belongs to it. */
  #openFrame(u8: Uint8Array, view: DataView, at: number, end: number): boolean { // HOT
    this.#dropFd();
    if (--this.#outstanding < 0) {
      this.die("a reply to no request");
      return false;
    }
    this.replyType = view.getUint8(at + 4);
    this.reply.open(u8, view, at + HEADER_BYTES, end);
    if (!this.#bringsFd(view, at, end)) return true;
    this.#replyFd = this.#socket.received.shift() ?? -1;
    if (this.#replyFd < 0) this.die("a reply without the descriptor it promises");
    return !this.isDead;
  }

  #bringsFd(view: DataView, at: number, end: number): boolean {
    const type = this.replyType - 1;
    if (type === TOPENFD || type === TCREATEFD || type === TBINDFD) return true;
    const isWalk = this.replyType === TWALKGETATTR + 1 && end - at > HEADER_BYTES + 1;
    return isWalk && view.getUint8(at + HEADER_BYTES + 1) !== 0;
  }

  #putAside(): void {
    const { u8, pos, end } = this.reply;
    this.#stash.push({ frame: u8.slice(pos - HEADER_BYTES, end), fd: this.takeFd() });
  }

  #openStashed(s: Stashed): number {
    const view = new DataView(s.frame.buffer);
    this.replyType = view.getUint8(4);
    this.#replyFd = s.fd;
    this.reply.open(s.frame, view, HEADER_BYTES, s.frame.length);
    return view.getUint16(5, true);
  }

  #dropFd(): void {
    if (this.#replyFd >= 0) syscall(SYS_close, this.#replyFd);
    this.#replyFd = -1;
  }

  /** The socket, for a caller that waits on several. */
  get fd(): number {
    return this.#socket.fd;
  }
}
