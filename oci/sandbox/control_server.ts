/**
 * Answers commands about a running sandbox: control_protocol.ts. A connection brings one request and gets one answer; no
 * client is ever waited for. What the requests lead to is their handler's business.
 */

import { EAGAIN, EINTR } from "../../ffi/abi/errno.ts";
import { EPOLLIN } from "../../ffi/abi/epoll.ts";
import { MSG_DONTWAIT, SOCK_CLOEXEC, SOCK_NONBLOCK } from "../../ffi/abi/socket.ts";
import { SYS_accept4 } from "../../ffi/abi/syscall_numbers.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { recvFds, sendFds } from "../../ffi/sys/fdpass.ts";
import { close, pread } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { Host } from "../../kernel/core/host.ts";
import { Waiter } from "../../kernel/core/wait.ts";
import { explain, UserError } from "../user_error.ts";
import { PACKET_MAX, type Request, type RequestInMemfd } from "./control_protocol.ts";

/** LIMIT: commands that are connected at a time. */
const CONNECTIONS_MAX = 256;
/** LIMIT: bytes of a request in a memfd. */
const REQUEST_MAX = 1 << 24;

export interface RequestHandler {
  /**
   * Acts on a request.
   *
   * @returns what the answer has besides `ok`, or a promise of it
   * @throws UserError
   */
  onRequest(request: Request, fds: RequestFds): object | Later;
}

/** An answer that takes its time; the client waits. */
export class Later {
  private connection: Connection | null = null;
  private answer: object | null = null;
  private fd: number = -1;

  /**
   * @param result what the answer has besides `ok`, or the error that it is
   * @param fd goes along, and is closed here; -1: none
   */
  settle(result: object | UserError, fd: number = -1): void {
    this.answer = result instanceof UserError ? refusal(result) : { ok: true, ...result };
    this.fd = fd;
    if (this.connection !== null) this.finish(this.connection, this.answer);
  }

  /** For the connection that waits. */
  awaitBy(connection: Connection): void {
    this.connection = connection;
    if (this.answer !== null) this.finish(connection, this.answer);
  }

  private finish(connection: Connection, answer: object): void {
    connection.finish(answer, this.fd);
    if (this.fd >= 0) close(this.fd);
  }
}

function refusal(error: UserError): object {
  return { ok: false, message: explain(error), code: error.exitCode };
}

/** Descriptors of a request: the handler makes its own what it takes, the others are closed. */
export class RequestFds {
  readonly #fds: (number | null)[];

  constructor(fds: readonly number[]) {
    this.#fds = [...fds];
  }

  /** @throws UserError if there are not that many */
  take(index: number): number {
    const fd = this.#fds[index] ?? null;
    if (fd === null) throw new UserError("the request came without a descriptor");
    this.#fds[index] = null;
    return fd;
  }

  /** All from there on. */
  takeFrom(index: number): number[] {
    return this.#fds.slice(index).map((_, i) => this.take(index + i));
  }

  closeRest(): void {
    for (const fd of this.#fds) if (fd !== null) close(fd);
    this.#fds.length = 0;
  }
}

export class ControlServer extends Waiter {
  readonly host: Host;
  readonly handler: RequestHandler;
  private readonly fd: number;
  private connections: number = 0;

  /** @param fd listening */
  constructor(host: Host, fd: number, handler: RequestHandler) {
    super();
    this.host = host;
    this.fd = fd;
    this.handler = handler;
    host.watch(fd, EPOLLIN, this);
  }

  override onWake(_events: number): void {
    // One at a time: what is left reports at once again.
    const fd = syscall(SYS_accept4, this.fd, 0, 0, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0) {
      if (this.connections >= CONNECTIONS_MAX) close(fd);
      else {
        this.connections++;
        new Connection(this, fd);
      }
    }
    this.host.arm(this.fd, EPOLLIN);
  }

  onClosed(): void {
    this.connections--;
  }
}

class Connection extends Waiter {
  private readonly server: ControlServer;
  private readonly fd: number;

  constructor(server: ControlServer, fd: number) {
    super();
    this.server = server;
    this.fd = fd;
    server.host.watch(fd, EPOLLIN, this);
  }

  override onWake(_events: number): void {
    const buffer = allocBuffer(PACKET_MAX);
    const r = recvFds(this.fd, buffer, MSG_DONTWAIT);
    if (r === -EAGAIN || r === -EINTR) {
      this.server.host.arm(this.fd, EPOLLIN);
      return;
    }
    this.server.host.unwatch(this.fd);
    if (typeof r === "number" || r.len === 0) return this.close();
    const answer = answerTo(this.server.handler, buffer.subarray(0, r.len), r.fds);
    if (answer instanceof Later) answer.awaitBy(this);
    else this.finish(answer);
  }

  /** The answer, and the end. */
  finish(answer: object, fd: number = -1): void {
    this.answer(answer, fd < 0 ? [] : [fd]);
    this.close();
  }

  private close(): void {
    close(this.fd);
    this.server.onClosed();
  }

  private answer(answer: object, fds: readonly number[]): void {
    const encoded = new TextEncoder().encode(JSON.stringify(answer));
    const data = allocBuffer(encoded.length);
    data.set(encoded);
    sendFds(this.fd, data, fds, MSG_DONTWAIT);
  }
}

function answerTo(
  handler: RequestHandler,
  packet: Uint8Array,
  fds: readonly number[],
): object | Later {
  const { request, rest } = decode(packet, fds);
  const given = new RequestFds(rest);
  try {
    const result = handler.onRequest(request, given);
    return result instanceof Later ? result : { ok: true, ...result };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return refusal(error);
  } finally {
    given.closeRest();
  }
}

/** Both ends are this program, of the same version: the shape is not checked again. */
function decode(
  packet: Uint8Array,
  fds: readonly number[],
): { request: Request; rest: readonly number[] } {
  const message: Request | RequestInMemfd = JSON.parse(new TextDecoder().decode(packet));
  if (message.op !== "memfd") return { request: message, rest: fds };
  const [memfd, ...rest] = fds;
  if (memfd === undefined || !(message.bytes > 0 && message.bytes <= REQUEST_MAX)) {
    throw new Error("a request without its memfd");
  }
  const bytes = allocBuffer(message.bytes);
  const n = pread(memfd, addressOf(bytes), bytes.length, 0);
  close(memfd);
  if (n !== bytes.length) throw new Error(`a request of ${bytes.length} bytes has ${n}`);
  return { request: JSON.parse(new TextDecoder().decode(bytes)), rest };
}
