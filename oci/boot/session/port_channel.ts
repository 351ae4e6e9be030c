/**
 * The request `connectPort`: a stream between the client and a TCP port on the guest's loopback,
 * IPv4 first. It works without any network in the sandbox.
 */

import { EAGAIN, ECONNREFUSED, EINPROGRESS } from "../../../ffi/abi/errno.ts";
import { SockaddrIn, SockaddrIn6 } from "../../../ffi/abi/inet.ts";
import { AF_INET, AF_INET6, SHUT_WR, SOCK_STREAM } from "../../../ffi/abi/socket.ts";
import { POLLOUT } from "../../../ffi/abi/poll.ts";
import { addressOf } from "../../../ffi/sys/cstring.ts";
import { errnoName } from "../../../ffi/sys/errors.ts";
import { rootCredentials } from "../../../kernel/cred/credentials.ts";
import { ContainerCaller } from "../../../kernel/init.ts";
import { KernelCursor } from "../../../kernel/mm/cursor.ts";
import { SocketAddress, type SocketCaller } from "../../../kernel/net/message.ts";
import type { Socket } from "../../../kernel/net/socket.ts";
import type { JsonNode } from "../../json_node.ts";
import { INPUT, OUTPUT } from "../../protocol/session/frame.ts";
import { Backlog } from "./backlog.ts";
import { Channel, type ChannelPort } from "./channel.ts";
import { RequestError } from "./errors.ts";
import { type QueueListener, QueueWaiter } from "./queue_waiter.ts";
import type { Session } from "./session.ts";

const PORT_MAX = 65535;
/** 127.0.0.1 and the last byte of ::1. */
const LOOPBACK = [127, 0, 0, 1], LOOPBACK6_LAST = 1;

class PortCaller extends ContainerCaller implements SocketCaller {
  readonly pid = 0;
}

export class PortChannel extends Channel implements QueueListener {
  readonly #session: Session;
  readonly #number: number;
  readonly #cursor: KernelCursor = new KernelCursor();
  readonly #backlog: Backlog = new Backlog();
  readonly #changes: QueueWaiter = new QueueWaiter(this);
  /** For the peer's queue, where a full socket waits. */
  readonly #room: QueueWaiter = new QueueWaiter(this);
  #socket: Socket;
  #isConnected = false;
  #triesIpv6 = false;
  #isInputEnded = false;
  #isShut = false;
  #isOutputEnded = false;

  /** @throws UserError */
  constructor(session: Session, port: ChannelPort, request: JsonNode) {
    super(port);
    this.#session = session;
    this.#number = request.member("port").integer(1, PORT_MAX);
    this.#socket = this.#open(AF_INET);
    this.#connect();
  }

  #open(family: number): Socket {
    const { container } = this.#session, caller = new PortCaller(container, rootCredentials(), 0);
    const families = container.ns.net.familyOf(family, SOCK_STREAM);
    const socket = typeof families === "number"
      ? families
      : families.create(caller, SOCK_STREAM, 0);
    caller.fs.drop();
    caller.files.drop();
    if (typeof socket === "number") throw this.#error(socket);
    socket.queue.add(this.#changes, 0);
    return socket;
  }

  #connect(): void {
    const { container } = this.#session, caller = new PortCaller(container, rootCredentials(), 0);
    const socket = this.#socket, address = new SocketAddress();
    if (socket.family === AF_INET) {
      address.start(AF_INET, SockaddrIn.size);
      address.dv.setUint16(SockaddrIn.at.port, this.#number);
      address.u8.set(LOOPBACK, SockaddrIn.at.addr);
    } else {
      address.start(AF_INET6, SockaddrIn6.size);
      address.dv.setUint16(SockaddrIn6.at.port, this.#number);
      address.u8[SockaddrIn6.at.addr + 15] = LOOPBACK6_LAST;
    }
    const r = socket.connect(caller, address, true);
    caller.fs.drop();
    caller.files.drop();
    if (r === 0) this.#onConnected();
    else if (r !== -EINPROGRESS && r !== -EAGAIN) this.#onRefused(r);
    // A second attempt begins in a wake-up of the first one, during which others are ignored.
    else this.#checkConnect();
  }

  #onConnected(): void {
    this.#isConnected = true;
    this.port.wantsToSend(OUTPUT);
    this.#push();
  }

  /** Servers may listen on ::1 only. */
  #onRefused(error: number): void {
    this.#close();
    if (this.#triesIpv6 || error !== -ECONNREFUSED) throw this.#error(error);
    this.#triesIpv6 = true;
    this.#socket = this.#open(AF_INET6);
    this.#connect();
  }

  #error(error: number): RequestError {
    const name = errnoName(error);
    return error === -ECONNREFUSED
      ? new RequestError("NotFound", `no program listens on port ${this.#number}`, name)
      : new RequestError("Failed", `cannot connect to port ${this.#number}: ${name}`, name);
  }

  onChange(): void {
    if (!this.#isConnected) return this.#checkConnect();
    this.#push();
    if (!this.#isOutputEnded) this.port.wantsToSend(OUTPUT);
  }

  /** Called by the socket's queue: errors go to the client. */
  #checkConnect(): void {
    const socket = this.#socket, { error } = socket;
    try {
      if (error !== 0) this.#onRefused(-error);
      else if ((socket.poll() & POLLOUT) !== 0) this.#onConnected();
    } catch (cause) {
      if (!(cause instanceof RequestError)) throw cause;
      this.port.fail({ code: cause.code, message: cause.message, errno: cause.errno });
    }
  }

  override onData(_stream: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.#backlog.add(bytes);
    this.#push();
  }

  override onEnd(_stream: number): void {
    this.#isInputEnded = true;
    this.#push();
  }

  override onControl(): void {
    this.#close();
    this.port.result({});
  }

  #push(): void {
    if (!this.#isConnected || this.#isShut) return;
    const socket = this.#socket;
    let isBroken = false;
    let taken = this.#backlog.drain((bytes) => {
      const n = socket.write(this.#cursor.set(addressOf(bytes), bytes.length), -1);
      if (n < 0) isBroken = n !== -EAGAIN;
      return Math.max(0, n);
    });
    if (isBroken) taken += this.#backlog.clear();
    if (taken > 0) this.port.grant(INPUT, taken);
    if (!this.#backlog.isEmpty) {
      if (socket.blockedOn !== socket.queue) socket.blockedOn.add(this.#room, 0);
    } else if (isBroken || this.#isInputEnded) {
      this.#isShut = true;
      if (!isBroken) socket.shutdown(SHUT_WR);
      this.#finish();
    }
  }

  override produce(_stream: number, address: number, max: number): number {
    const n = this.#socket.read(this.#cursor.set(address, max), -1);
    if (n > 0) return n;
    if (n === -EAGAIN) return 0;
    this.#isOutputEnded = true;
    return -1;
  }

  override onProduced(): void {
    this.#finish();
  }

  /** Both directions have ended. */
  #finish(): void {
    if (!this.#isOutputEnded || !this.#isShut) return;
    this.#close();
    this.port.result({});
  }

  #close(): void {
    this.#changes.unlink();
    this.#room.unlink();
    this.#socket.drop();
  }

  override onGone(): void {
    this.#close();
  }
}
