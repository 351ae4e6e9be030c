/**
 * A port of the guest's loopback on a port of the host: the launcher made the listening socket,
 * each connection to it becomes one inside (loopback_connection.ts), and bytes pass both ways. A
 * guest cannot tell such a connection from a local one. How many there are: relay_table.ts.
 */

import { EAGAIN, EINTR } from "../../../ffi/abi/errno.ts";
import { EPOLLIN, EPOLLOUT } from "../../../ffi/abi/epoll.ts";
import { F_DUPFD_CLOEXEC } from "../../../ffi/abi/fcntl.ts";
import { SHUT_WR } from "../../../ffi/abi/socket.ts";
import { addressOf, allocBuffer } from "../../../ffi/sys/cstring.ts";
import { close, fcntl } from "../../../ffi/sys/files.ts";
import type { Host } from "../../../kernel/core/host.ts";
import { Waiter } from "../../../kernel/core/wait.ts";
import type { Socket } from "../../../kernel/net/socket.ts";
import type { Container } from "../../../kernel/task/container.ts";
import { Timer, type TimerQueue } from "../../../kernel/time/timer.ts";
import { LoopbackConnection, type LoopbackListener } from "./loopback_connection.ts";
import { IDLE_NS, RelayTable } from "./relay_table.ts";

/** LIMIT: bytes of one read or write. */
const PIECE_BYTES = 64 << 10;
/** LIMIT: pieces to the host in one turn. */
const PIECES_A_TURN = 4;
/** LIMIT: bytes from the host that the guest has not taken. */
const WINDOW_BYTES = 64 << 10;
/** Buffers that are kept for the next output. */
const BUFFERS_KEPT = 4;

interface PortOptions {
  readonly host: Host;
  readonly timers: TimerQueue;
  readonly container: Container;
  /** Listening. */
  readonly fd: number;
  /** In the guest. */
  readonly port: number;
  /** Connections at a time. */
  readonly max: number;
}

export class PublishedPort extends Waiter {
  readonly host: Host;
  readonly container: Container;
  /** In the guest. */
  readonly port: number;
  /** For one read at a time. */
  readonly input: Uint8Array<ArrayBuffer> = allocBuffer(PIECE_BYTES);
  /** Of its connections. */
  readonly sockets: Set<Socket> = new Set();
  readonly #timers: TimerQueue;
  readonly #fd: number;
  readonly #relays: RelayTable<PortRelay>;
  readonly #room: RoomTimer = new RoomTimer(this);
  readonly #buffers: Uint8Array<ArrayBuffer>[] = [];

  constructor({ host, timers, container, fd, port, max }: PortOptions) {
    super();
    this.host = host;
    this.container = container;
    this.port = port;
    this.#timers = timers;
    this.#fd = fd;
    this.#relays = new RelayTable(max);
    host.watch(fd, EPOLLIN, this);
  }

  /** A client waits. */
  override onWake(_events: number): void {
    const { host } = this;
    if (this.#relays.isFull && !this.#makeRoom()) return;
    const fd = host.accept?.(this.#fd) ?? -1;
    if (fd >= 0) this.#accept(fd);
    host.arm(this.#fd, EPOLLIN);
  }

  /** Closes the idlest connection; false: it has not been idle for long enough. */
  #makeRoom(): boolean {
    const { idlest } = this.#relays;
    if (idlest === null) return true;
    const roomNs = idlest.lastNs + IDLE_NS;
    if (roomNs > this.host.monotonicNs()) {
      this.#timers.arm(this.#room, roomNs);
      return false;
    }
    idlest.close();
    return true;
  }

  #accept(fd: number): void {
    const again = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (again < 0) return void close(fd);
    const relay = new PortRelay(this, fd, again);
    if (!relay.isClosed) this.#relays.add(relay);
  }

  /** There may be room for a client that waits. */
  lookAgain(): void {
    this.host.arm(this.#fd, EPOLLIN);
  }

  onClosed(relay: PortRelay): void {
    const wasFull = this.#relays.isFull;
    this.#relays.remove(relay);
    if (wasFull) this.lookAgain();
  }

  takeBuffer(): Uint8Array<ArrayBuffer> {
    return this.#buffers.pop() ?? allocBuffer(PIECE_BYTES);
  }

  giveBuffer(buffer: Uint8Array<ArrayBuffer>): void {
    if (this.#buffers.length < BUFFERS_KEPT) this.#buffers.push(buffer);
  }
}

/** A client waits for a connection to be idle for long enough. */
class RoomTimer extends Timer {
  readonly #port: PublishedPort;

  constructor(port: PublishedPort) {
    super();
    this.#port = port;
  }

  override onExpire(): void {
    this.#port.lookAgain();
  }
}

/** One connection. A descriptor has one watch, so the socket has two. */
class PortRelay extends Waiter implements LoopbackListener {
  readonly #owner: PublishedPort;
  readonly #inFd: number;
  readonly #outFd: number;
  readonly #connection: LoopbackConnection;
  readonly #writable: Writable;
  /** CLOCK_MONOTONIC of the last traffic, in either direction. */
  lastNs: number;
  /** Bytes from `at` to `end` are not written yet; null: none. */
  #output: Uint8Array<ArrayBuffer> | null = null;
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
    this.lastNs = owner.host.monotonicNs();
    this.#writable = new Writable(this);
    this.#connection = new LoopbackConnection(owner.container, owner.port, this, owner.sockets);
    owner.host.watch(inFd, EPOLLIN, this);
    owner.host.watch(outFd, 0, this.#writable);
    this.#connection.open();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** The host's client has sent something, or its end. */
  override onWake(_events: number): void {
    const { host, input } = this.#owner;
    if (this.#isClosed) return;
    const n = host.read(this.#inFd, addressOf(input), PIECE_BYTES);
    if (n > 0) {
      this.lastNs = host.monotonicNs();
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
      const output = this.#output ?? this.#fill();
      if (output === null) return;
      const n = host.write(this.#outFd, addressOf(output) + this.#at, this.#end - this.#at);
      if (n === -EAGAIN) break;
      if (n < 0 && n !== -EINTR) return this.close();
      if (n > 0) this.#onWritten(n, output);
    }
    this.#isAwaitingRoom = true;
    host.arm(this.#outFd, EPOLLOUT);
  }

  #onWritten(bytes: number, output: Uint8Array<ArrayBuffer>): void {
    this.lastNs = this.#owner.host.monotonicNs();
    this.#at += bytes;
    if (this.#at < this.#end) return;
    this.#output = null;
    this.#owner.giveBuffer(output);
  }

  /** Reads a piece; null if there is none now, or no more. */
  #fill(): Uint8Array<ArrayBuffer> | null {
    const output = this.#owner.takeBuffer();
    const n = this.#connection.read(addressOf(output), PIECE_BYTES);
    if (n > 0) {
      this.#at = 0;
      this.#end = n;
      return this.#output = output;
    }
    this.#owner.giveBuffer(output);
    if (n < 0) {
      this.#isOutputEnded = true;
      this.#owner.host.shutdown?.(this.#outFd, SHUT_WR);
      this.#finish();
    }
    return null;
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
    this.#owner.onClosed(this);
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
