/**
 * The Gofer's only loop: waits for sockets, and lets connections read, handle and write. One
 * thread, no promises.
 *
 * With one connection and no listener, the sandbox's case, it waits in recv itself, which saves a
 * second call for each request; with more it waits in epoll.
 */

import { EAGAIN, EINTR, EMFILE, ENFILE } from "../../ffi/abi/errno.ts";
import { EPOLLIN, EPOLLOUT } from "../../ffi/abi/epoll.ts";
import { POLLIN, POLLOUT } from "../../ffi/abi/poll.ts";
import { MSG_DONTWAIT, SOCK_CLOEXEC } from "../../ffi/abi/socket.ts";
import { SYS_accept4 } from "../../ffi/abi/syscall_numbers.ts";
import { Epoll } from "../../ffi/sys/epoll.ts";
import { poll } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { closeFd, dupFd } from "../backend/host_calls.ts";
import { Connection } from "./connection.ts";
import { prepareTcp } from "./listen.ts";
import type { Service } from "./service.ts";

/** LIMIT: connections at one time; more are closed at once. */
const CONNECTIONS_MAX = 256;
/** Epoll tokens that are not connections, which have their fd's number. */
const LISTENER = 0xffffffff;
const STOP = 0xfffffffe;

export class GoferServer {
  readonly service: Service;
  /** Failed non-blocking reads before the single-connection loop goes to sleep. */
  spins = 0;
  readonly #connections = new Map<number, Connection>();
  #only: Connection | null = null;
  #epoll: Epoll | null = null;
  #listener = -1;
  #isUnixListener = false;
  /**
   * A spare descriptor, given up when there is none left, so that a client can be accepted and
   * closed.
   */
  #reserve = -1;
  readonly #report: (line: string) => void;

  /** `report` gets one line about each client that broke the protocol. */
  constructor(service: Service, report: (line: string) => void = () => {}) {
    this.service = service;
    this.#report = report;
  }

  /** Whether there is a connection or a listener left. */
  get isDone(): boolean {
    return this.#listener < 0 && this.#connections.size === 0;
  }

  /**
   * Serves a connected stream socket and owns it from now on. `isUnix`: it can carry descriptors.
   */
  addConnection(fd: number, isUnix: boolean): void {
    const c = new Connection(fd, this.service, isUnix);
    this.#connections.set(fd, c);
    this.#only = this.#connections.size === 1 && this.#listener < 0 ? c : null;
    if (this.#only === null) this.#watchAll();
  }

  /**
   * Accepts clients on a listening socket, until one of `stopFds` (eventfds of signals) becomes
   * readable.
   */
  listen(fd: number, isUnix: boolean, stopFds: readonly number[] = []): void {
    this.#listener = fd;
    this.#isUnixListener = isUnix;
    this.#reserve = dupFd(fd);
    this.#only = null;
    this.#watchAll();
    this.#epoll?.add(fd, EPOLLIN, LISTENER);
    for (const stop of stopFds) this.#epoll?.add(stop, EPOLLIN, STOP);
  }

  #watchAll(): void {
    if (this.#epoll === null) this.#epoll = new Epoll();
    for (const fd of this.#connections.keys()) this.#epoll.add(fd, EPOLLIN, fd); // EEXIST is fine
  }

  /** Serves until the last connection ends and nothing listens. */
  run(): void {
    while (!this.isDone) this.step(-1);
  }

  /** Serves for at most `ms`. */
  runFor(ms: number): void {
    const end = performance.now() + ms;
    for (let left = ms; left > 0 && !this.isDone; left = end - performance.now()) {
      this.step(Math.ceil(left));
    }
  }

  /** One round: waits up to `timeoutMs` (-1: for ever) and serves what is ready. */
  step(timeoutMs: number): void {
    if (this.#only !== null) this.#stepOnly(this.#only, timeoutMs);
    else this.#stepMany(timeoutMs);
  }

  #stepOnly(c: Connection, timeoutMs: number): void { // HOT
    if (c.isBlocked) {
      if (poll(c.socket.fd, POLLOUT, timeoutMs) > 0) c.resume();
    } else {
      let isIdle = true;
      for (let i = this.spins; isIdle && i > 0; i--) isIdle = !c.receive(MSG_DONTWAIT);
      // A blocking socket waits in recv, one call; a non-blocking one, or a limited wait, takes a
      // poll.
      if (isIdle && timeoutMs < 0) isIdle = !c.receive(0);
      if (isIdle && poll(c.socket.fd, POLLIN, timeoutMs) > 0) c.receive(MSG_DONTWAIT);
    }
    if (c.isClosed) this.#forget(c);
  }

  #stepMany(timeoutMs: number): void {
    const epoll = this.#epoll;
    if (epoll === null) return;
    const n = epoll.wait(timeoutMs);
    for (let i = 0; i < n; i++) {
      const token = epoll.token(i);
      if (token === STOP) return this.close();
      if (token === LISTENER) {
        this.#accept(epoll);
        continue;
      }
      const c = this.#connections.get(token);
      if (c === undefined) continue;
      const wasBlocked = c.isBlocked;
      if (wasBlocked) c.resume();
      else c.receive(MSG_DONTWAIT);
      if (c.isClosed) this.#forget(c);
      else if (c.isBlocked !== wasBlocked) {
        epoll.mod(token, c.isBlocked ? EPOLLOUT : EPOLLIN, token);
      }
    }
  }

  #accept(epoll: Epoll): void {
    const fd = syscall(SYS_accept4, this.#listener, 0, 0, SOCK_CLOEXEC);
    if (fd === -EAGAIN || fd === -EINTR) return;
    if (fd === -EMFILE || fd === -ENFILE) return this.#sendAway();
    if (fd < 0) return this.#report(`a client could not be accepted: errno ${-fd}`);
    if (this.#connections.size >= CONNECTIONS_MAX) {
      closeFd(fd);
      return this.#report(`a client was refused: ${CONNECTIONS_MAX} are connected`);
    }
    if (!this.#isUnixListener) prepareTcp(fd);
    this.#connections.set(fd, new Connection(fd, this.service, this.#isUnixListener));
    epoll.add(fd, EPOLLIN, fd);
  }

  /** Without this a waiting client would wake the loop again and again. */
  #sendAway(): void {
    if (this.#reserve >= 0) closeFd(this.#reserve);
    const fd = syscall(SYS_accept4, this.#listener, 0, 0, SOCK_CLOEXEC);
    if (fd >= 0) closeFd(fd);
    this.#reserve = dupFd(this.#listener);
    this.#report("a client was refused: this process has no descriptor left");
  }

  /** The descriptor of a closed connection leaves epoll by itself. */
  #forget(c: Connection): void {
    this.#connections.delete(c.socket.fd);
    if (this.#only === c) this.#only = null;
    if (c.complaint !== "") this.#report(`a client broke the protocol: ${c.complaint}`);
  }

  /** Ends every connection. */
  close(): void {
    for (const c of this.#connections.values()) c.close();
    this.#connections.clear();
    this.#only = null;
    if (this.#listener >= 0) closeFd(this.#listener);
    this.#listener = -1;
    if (this.#reserve >= 0) closeFd(this.#reserve);
    this.#reserve = -1;
    this.#epoll?.close();
    this.#epoll = null;
  }
}
