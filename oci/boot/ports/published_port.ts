/**
 * A port of the guest's loopback on a port of the host: the launcher made the listening socket,
 * each connection to it becomes one inside (loopback_connection.ts), and bytes pass both ways. A
 * guest cannot tell such a connection from a local one.
 */

import { EAGAIN, EINTR } from "../../../ffi/abi/errno.ts";
import { EPOLLIN, EPOLLOUT } from "../../../ffi/abi/epoll.ts";
import { F_DUPFD_CLOEXEC } from "../../../ffi/abi/fcntl.ts";
import { SHUT_WR } from "../../../ffi/abi/socket.ts";
import { addressOf, allocBuffer } from "../../../ffi/sys/cstring.ts";
import { close, fcntl } from "../../../ffi/sys/files.ts";
import type { Host } from "../../../kernel/core/host.ts";
import { Waiter } from "../../../kernel/core/wait.ts";
import type { Container } from "../../../kernel/task/container.ts";
import { LoopbackConnection, type LoopbackListener } from "./loopback_connection.ts";

/** LIMIT: connections of a port at a time; further ones wait in the host's queue. */
const RELAYS_MAX = 256;
/** LIMIT: bytes of one read or write. */
const PIECE_BYTES = 64 << 10;
/** LIMIT: pieces to the host in one turn. */
const PIECES_A_TURN = 4;
/** LIMIT: bytes from the host that the guest has not taken. */
const WINDOW_BYTES = 256 << 10;

export class PublishedPort extends Waiter {
  readonly host: Host;
  readonly container: Container;
  /** In the guest. */
  readonly port: number;
  /** For one read at a time. */
  readonly input: Uint8Array<ArrayBuffer> = allocBuffer(PIECE_BYTES);
  readonly #fd: number;
  #relays = 0;

  /** @param fd listening */
  constructor(host: Host, container: Container, fd: number, port: number) {
    super();
    this.host = host;
    this.container = container;
    this.port = port;
    this.#fd = fd;
    host.watch(fd, EPOLLIN, this);
  }

  override onWake(_events: number): void {
    const fd = this.host.accept?.(this.#fd) ?? -1;
    if (fd >= 0) this.#accept(fd);
    if (this.#relays < RELAYS_MAX) this.host.arm(this.#fd, EPOLLIN);
  }

  #accept(fd: number): void {
    const again = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (again < 0) return void close(fd);
    this.#relays++;
    new PortRelay(this, fd, again);
  }

  onClosed(): void {
    if (this.#relays-- === RELAYS_MAX) this.host.arm(this.#fd, EPOLLIN);
  }
}

/** One connection. A descriptor has one watch, so the socket has two. */
class PortRelay extends Waiter implements LoopbackListener {
  readonly #owner: PublishedPort;
  readonly #inFd: number;
  readonly #outFd: number;
  readonly #connection: LoopbackConnection;
  readonly #writable: Writable;
  readonly #output: Uint8Array<ArrayBuffer> = allocBuffer(PIECE_BYTES);
  /** Bytes of `output` from `at` to `end` are not written yet. */
  #at = 0;
  #end = 0;
  /** Bytes from the host that the guest has not taken. */
  #pendingBytes = 0;
  #isReadingPaused = false;
  #isAwaitingRoom = false;
  #isInputEnded = false;
  #isOutputEnded = false;
  #isClosed = false;

  constructor(owner: PublishedPort, inFd: number, outFd: number) {
    super();
    this.#owner = owner;
    this.#inFd = inFd;
    this.#outFd = outFd;
    this.#writable = new Writable(this);
    this.#connection = new LoopbackConnection(owner.container, owner.port, this);
    owner.host.watch(inFd, EPOLLIN, this);
    owner.host.watch(outFd, 0, this.#writable);
    this.#connection.open();
  }

  /** The host's client has sent something, or its end. */
  override onWake(_events: number): void {
    const { host, input } = this.#owner;
    if (this.#isClosed) return;
    const n = host.read(this.#inFd, addressOf(input), PIECE_BYTES);
    if (n > 0) {
      this.#pendingBytes += n;
      this.#connection.write(input.subarray(0, n));
    } else if (n === 0) return this.#connection.endInput();
    else if (n !== -EAGAIN && n !== -EINTR) return this.close();
    if (this.#isClosed) return;
    this.#isReadingPaused = this.#pendingBytes > WINDOW_BYTES;
    if (!this.#isReadingPaused) host.arm(this.#inFd, EPOLLIN);
  }

  onTaken(bytes: number): void {
    this.#pendingBytes -= bytes;
    if (!this.#isReadingPaused || this.#pendingBytes > WINDOW_BYTES) return;
    this.#isReadingPaused = false;
    this.#owner.host.arm(this.#inFd, EPOLLIN);
  }

  onInputEnd(): void {
    this.#isInputEnded = true;
    this.#finish();
  }

  /** No program listens: the host's client sees a connection that is closed at once. */
  onRefused(_error: number): void {
    this.close();
  }

  onReadable(): void {
    if (!this.#isAwaitingRoom) this.pump();
  }

  onWritable(): void {
    this.#isAwaitingRoom = false;
    this.pump();
  }

  /** Moves bytes of the guest to the host. */
  pump(): void {
    const { host } = this.#owner;
    for (let i = 0; i < PIECES_A_TURN; i++) {
      if (this.#isClosed || this.#isOutputEnded) return;
      if (this.#at === this.#end && !this.#fill()) return;
      const address = addressOf(this.#output) + this.#at;
      const n = host.write(this.#outFd, address, this.#end - this.#at);
      if (n === -EAGAIN) break;
      if (n < 0 && n !== -EINTR) return this.close();
      if (n > 0) this.#at += n;
    }
    this.#isAwaitingRoom = true;
    host.arm(this.#outFd, EPOLLOUT);
  }

  /** Reads a piece; false if there is none now, or no more. */
  #fill(): boolean {
    const n = this.#connection.read(addressOf(this.#output), PIECE_BYTES);
    this.#at = 0;
    this.#end = Math.max(0, n);
    if (n >= 0) return n > 0;
    this.#isOutputEnded = true;
    this.#owner.host.shutdown?.(this.#outFd, SHUT_WR);
    this.#finish();
    return false;
  }

  #finish(): void {
    if (this.#isInputEnded && this.#isOutputEnded) this.close();
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    const { host } = this.#owner;
    this.#connection.close();
    for (const fd of [this.#inFd, this.#outFd]) {
      host.unwatch(fd);
      host.close(fd);
    }
    this.#owner.onClosed();
  }
}

/** The host's socket has room again. */
class Writable extends Waiter {
  readonly #relay: PortRelay;

  constructor(relay: PortRelay) {
    super();
    this.#relay = relay;
  }

  override onWake(_events: number): void {
    this.#relay.onWritable();
  }
}
