/**
 * A TCP connection from outside to a port on the guest's loopback, IPv4 first and then IPv6,
 * because a server may listen on either. It works without any network in the sandbox. The session's
 * request `connectPort` and published ports use it.
 */

import { EAGAIN, ECONNREFUSED, EINPROGRESS } from "../../../ffi/abi/errno.ts";
import { SockaddrIn, SockaddrIn6 } from "../../../ffi/abi/inet.ts";
import { AF_INET, AF_INET6, SHUT_WR, SOCK_STREAM } from "../../../ffi/abi/socket.ts";
import { POLLOUT } from "../../../ffi/abi/poll.ts";
import { addressOf } from "../../../ffi/sys/cstring.ts";
import { rootCredentials } from "../../../kernel/cred/credentials.ts";
import { ContainerCaller } from "../../../kernel/init.ts";
import { KernelCursor } from "../../../kernel/mm/cursor.ts";
import { SocketAddress, type SocketCaller } from "../../../kernel/net/message.ts";
import type { Socket } from "../../../kernel/net/socket.ts";
import type { Container } from "../../../kernel/task/container.ts";
import { Backlog } from "./backlog.ts";
import { type QueueListener, QueueWaiter } from "./queue_waiter.ts";

/** 127.0.0.1 and the last byte of ::1. */
const LOOPBACK = [127, 0, 0, 1], LOOPBACK6_LAST = 1;

export interface LoopbackListener {
  /** `read` may give something. */
  onReadable(): void;
  /** The guest has taken so many bytes of `write`. */
  onTaken(bytes: number): void;
  /** The guest takes no more: all was written before `endInput`, or the connection is broken. */
  onInputEnd(): void;
  /** There is no connection: -errno. */
  onRefused(error: number): void;
}

class PortCaller extends ContainerCaller implements SocketCaller {
  readonly pid = 0;
}

export class LoopbackConnection implements QueueListener {
  readonly #container: Container;
  readonly #port: number;
  readonly #listener: LoopbackListener;
  readonly #sockets: Set<Socket>;
  readonly #cursor: KernelCursor = new KernelCursor();
  readonly #backlog: Backlog = new Backlog();
  readonly #changes: QueueWaiter = new QueueWaiter(this);
  /** For the peer's queue, where a full socket waits. */
  readonly #room: QueueWaiter = new QueueWaiter(this);
  #socket: Socket | null = null;
  #isConnected = false;
  #isInputEnding = false;
  #isInputEnded = false;

  /** @param sockets has the socket of the connection while there is one */
  constructor(
    container: Container,
    port: number,
    listener: LoopbackListener,
    sockets: Set<Socket>,
  ) {
    this.#container = container;
    this.#port = port;
    this.#listener = listener;
    this.#sockets = sockets;
  }

  /** Begins to connect. The listener may be called before this returns. */
  open(): void {
    this.#connect(AF_INET);
  }

  #connect(family: number): void {
    const caller = new PortCaller(this.#container, rootCredentials(), 0);
    const sockets = this.#container.ns.net.familyOf(family, SOCK_STREAM);
    const made = typeof sockets === "number" ? sockets : sockets.create(caller, SOCK_STREAM, 0);
    let r = typeof made === "number" ? made : 0;
    if (typeof made !== "number") {
      this.#socket = made;
      this.#sockets.add(made);
      made.queue.add(this.#changes, 0);
      r = made.connect(caller, addressFor(family, this.#port), true);
    }
    caller.close();
    if (r === 0) this.#onConnected();
    else if (r !== -EINPROGRESS && r !== -EAGAIN) this.#onRefused(r);
    // A second attempt begins in a wake-up of the first one, during which others are ignored.
    else this.#checkConnect();
  }

  #onConnected(): void {
    this.#isConnected = true;
    this.#listener.onReadable();
    this.#push();
  }

  #onRefused(error: number): void {
    const wasIpv4 = this.#socket?.family === AF_INET;
    this.close();
    if (wasIpv4 && error === -ECONNREFUSED) this.#connect(AF_INET6);
    else this.#listener.onRefused(error);
  }

  onChange(): void {
    if (!this.#isConnected) return this.#checkConnect();
    this.#push();
    this.#listener.onReadable();
  }

  #checkConnect(): void {
    const socket = this.#socket;
    if (socket === null || this.#isConnected) return;
    if (socket.error !== 0) this.#onRefused(-socket.error);
    else if ((socket.poll() & POLLOUT) !== 0) this.#onConnected();
  }

  /** Bytes for the guest, valid during the call; they wait if there is no room for them. */
  write(bytes: Uint8Array<ArrayBuffer>): void {
    this.#backlog.add(bytes);
    this.#push();
  }

  /** No more bytes will come. */
  endInput(): void {
    this.#isInputEnding = true;
    this.#push();
  }

  #push(): void {
    const socket = this.#socket;
    if (socket === null || !this.#isConnected || this.#isInputEnded) return;
    let isBroken = false;
    let taken = this.#backlog.drain((bytes) => {
      const n = socket.write(this.#cursor.set(addressOf(bytes), bytes.length), -1);
      if (n < 0) isBroken = n !== -EAGAIN;
      return Math.max(0, n);
    });
    if (isBroken) taken += this.#backlog.clear();
    if (taken > 0) this.#listener.onTaken(taken);
    if (!this.#backlog.isEmpty) {
      if (socket.blockedOn !== socket.queue) socket.blockedOn.add(this.#room, 0);
    } else if (isBroken || this.#isInputEnding) {
      this.#isInputEnded = true;
      if (!isBroken) socket.shutdown(SHUT_WR);
      this.#listener.onInputEnd();
    }
  }

  /** Copies bytes of the guest to `address`: how many, 0 for none now, -1 at the end. */
  read(address: number, max: number): number {
    if (this.#socket === null) return -1;
    if (!this.#isConnected) return 0;
    const n = this.#socket.read(this.#cursor.set(address, max), -1);
    return n > 0 ? n : n === -EAGAIN ? 0 : -1;
  }

  close(): void {
    this.#changes.unlink();
    this.#room.unlink();
    const socket = this.#socket;
    if (socket === null) return;
    this.#socket = null;
    this.#sockets.delete(socket);
    socket.drop();
  }
}

function addressFor(family: number, port: number): SocketAddress {
  const address = new SocketAddress();
  if (family === AF_INET) {
    address.start(AF_INET, SockaddrIn.size);
    address.dv.setUint16(SockaddrIn.at.port, port);
    address.u8.set(LOOPBACK, SockaddrIn.at.addr);
  } else {
    address.start(AF_INET6, SockaddrIn6.size);
    address.dv.setUint16(SockaddrIn6.at.port, port);
    address.u8[SockaddrIn6.at.addr + 15] = LOOPBACK6_LAST;
  }
  return address;
}
