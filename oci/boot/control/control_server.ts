/**
 * Answers commands about a running sandbox (protocol/control_protocol.ts). A connection brings one
 * request and gets one answer. The server never waits for a client. A RequestHandler carries the
 * requests out.
 */

import { EAGAIN, EINTR } from "../../../ffi/abi/errno.ts";
import { EPOLLIN } from "../../../ffi/abi/epoll.ts";
import { MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_NONBLOCK } from "../../../ffi/abi/socket.ts";
import { SYS_accept4 } from "../../../ffi/abi/syscall_numbers.ts";
import { addressOf, allocBuffer } from "../../../ffi/sys/cstring.ts";
import { recvFds, sendFds } from "../../../ffi/sys/fdpass.ts";
import { close, pread } from "../../../ffi/sys/files.ts";
import { syscall } from "../../../ffi/sys/native.ts";
import type { Host } from "../../../kernel/core/host.ts";
import { Waiter } from "../../../kernel/core/wait.ts";
import { explain, UserError } from "../../user_error.ts";
import { PACKET_MAX, type Request } from "../../protocol/control_protocol.ts";
import { readRequest } from "../../protocol/control_requests.ts";

/** LIMIT: commands that are connected at a time. */
const CONNECTIONS_MAX = 256;
/** LIMIT: bytes of a request in a memfd. */
const REQUEST_MAX = 1 << 24;

export interface RequestHandler {
  /**
   * Acts on a request.
   * @returns the members of the answer besides `ok`, or a promise of them
   * @throws UserError
   */
  onRequest(request: Request, fds: RequestFds): object | Later;
}

/** An answer that comes later; the client waits for it. */
export class Later {
  #connection: Connection | null = null;
  #answer: object | null = null;
  #fd: number = -1;

  /**
   * @param result the members of the answer besides `ok`, or an error
   * @param fd sent with the answer, and closed here; -1: none
   */
  settle(result: object | UserError, fd: number = -1): void {
    this.#answer = result instanceof UserError ? refusal(result) : { ok: true, ...result };
    this.#fd = fd;
    if (this.#connection !== null) this.#finish(this.#connection, this.#answer);
  }

  /** Called by the connection that waits. */
  awaitBy(connection: Connection): void {
    this.#connection = connection;
    if (this.#answer !== null) this.#finish(connection, this.#answer);
  }

  #finish(connection: Connection, answer: object): void {
    connection.finish(answer, this.#fd);
    if (this.#fd >= 0) close(this.#fd);
  }
}

function refusal(error: UserError): object {
  return { ok: false, message: explain(error), code: error.exitCode };
}

/** Descriptors of a request. The handler takes those that it keeps; the others are closed. */
export class RequestFds {
  readonly #fds: (number | null)[];

  constructor(fds: readonly number[]) {
    this.#fds = [...fds];
  }

  /**
   * Called before the first of several descriptors is taken.
   * @throws UserError if there are fewer
   */
  require(count: number): void {
    if (this.#fds.length >= count) return;
    throw new UserError(`the request came with ${this.#fds.length} descriptors, not ${count}`);
  }

  /** @throws UserError if there are not that many */
  take(index: number): number {
    const fd = this.#fds[index] ?? null;
    if (fd === null) throw new UserError("the request came without a descriptor");
    this.#fds[index] = null;
    return fd;
  }

  /**
   * Takes the first one; the others move up.
   * @throws UserError if there is none
   */
  takeFirst(): number {
    const fd = this.take(0);
    this.#fds.shift();
    return fd;
  }

  /** Takes all from `index` on that are not taken yet. */
  takeFrom(index: number): number[] {
    const taken = this.#fds.slice(index).filter((fd) => fd !== null);
    this.#fds.fill(null, index);
    return taken;
  }

  closeRest(): void {
    for (const fd of this.#fds) if (fd !== null) close(fd);
    this.#fds.length = 0;
  }
}

export class ControlServer extends Waiter {
  readonly host: Host;
  readonly handler: RequestHandler;
  readonly #fd: number;
  #connections: number = 0;

  /** @param fd listening */
  constructor(host: Host, fd: number, handler: RequestHandler) {
    super();
    this.host = host;
    this.#fd = fd;
    this.handler = handler;
    host.watch(fd, EPOLLIN, this);
  }

  override onWake(_events: number): void {
    // One connection a call: epoll reports further ones again.
    const fd = syscall(SYS_accept4, this.#fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      if (this.#connections >= CONNECTIONS_MAX) close(fd);
      else {
        this.#connections++;
        new Connection(this, fd);
      }
    }
    this.host.arm(this.#fd, EPOLLIN);
  }

  onClosed(): void {
    this.#connections--;
  }
}

class Connection extends Waiter {
  readonly #server: ControlServer;
  readonly #fd: number;

  constructor(server: ControlServer, fd: number) {
    super();
    this.#server = server;
    this.#fd = fd;
    server.host.watch(fd, EPOLLIN, this);
  }

  override onWake(_events: number): void {
    const buffer = allocBuffer(PACKET_MAX);
    const r = recvFds(this.#fd, buffer, MSG_DONTWAIT);
    if (r === -EAGAIN || r === -EINTR) {
      this.#server.host.arm(this.#fd, EPOLLIN);
      return;
    }
    this.#server.host.unwatch(this.#fd);
    if (typeof r === "number") return this.#close();
    // An empty packet may bring descriptors too.
    const answer = this.#answerTo(buffer.subarray(0, r.len), new RequestFds(r.fds));
    if (answer instanceof Later) answer.awaitBy(this);
    else if (r.len === 0) this.#close();
    else this.finish(answer);
  }

  #answerTo(packet: Uint8Array, fds: RequestFds): object | Later {
    let isAnswered = false;
    try {
      const answer = answerTo(this.#server.handler, packet, fds);
      isAnswered = true;
      return answer;
    } finally {
      fds.closeRest();
      // A bug closes the connection, so that the client sees it and the place is free again.
      if (!isAnswered) this.#close();
    }
  }

  /** Sends the answer and closes the connection. */
  finish(answer: object, fd: number = -1): void {
    this.#answer(answer, fd < 0 ? [] : [fd]);
    this.#close();
  }

  #close(): void {
    close(this.#fd);
    this.#server.onClosed();
  }

  #answer(answer: object, fds: readonly number[]): void {
    const encoded = new TextEncoder().encode(JSON.stringify(answer));
    const data = allocBuffer(encoded.length);
    data.set(encoded);
    sendFds(this.#fd, data, fds, MSG_DONTWAIT);
  }
}

/** The answer to a packet. The caller closes the descriptors that the handler did not take. */
function answerTo(handler: RequestHandler, packet: Uint8Array, fds: RequestFds): object | Later {
  try {
    const result = handler.onRequest(decode(packet, fds), fds);
    return result instanceof Later ? result : { ok: true, ...result };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return refusal(error);
  }
}

/** @throws UserError for a packet that is no request */
function decode(packet: Uint8Array, fds: RequestFds): Request {
  const message = readRequest(new TextDecoder().decode(packet));
  if (message.op !== "memfd") return message;
  const length = message.bytes, memfd = fds.takeFirst();
  try {
    if (length > REQUEST_MAX) throw new UserError(`a request of ${length} bytes is too long`);
    const bytes = allocBuffer(length);
    const n = pread(memfd, addressOf(bytes), length, 0);
    if (n !== length) throw new UserError(`a request of ${length} bytes has ${n}`);
    const request = readRequest(new TextDecoder().decode(bytes));
    if (request.op === "memfd") throw new UserError("a request in a memfd is in a memfd");
    return request;
  } finally {
    close(memfd);
  }
}
