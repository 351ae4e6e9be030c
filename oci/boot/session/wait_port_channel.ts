/**
 * The request `waitPort`: answered when a program listens on a port of the guest's loopback. Each
 * listen(2) in the network namespace is a reason to try a connection, which is closed at once.
 */

import { ECONNREFUSED } from "../../../ffi/abi/errno.ts";
import { errnoName } from "../../../ffi/sys/errors.ts";
import { Waiter } from "../../../kernel/core/wait.ts";
import { Timer } from "../../../kernel/time/timer.ts";
import type { JsonNode } from "../../json_node.ts";
import { codeOfErrno } from "../../protocol/request_error.ts";
import { LoopbackConnection, type LoopbackListener } from "../ports/loopback_connection.ts";
import { Channel, type ChannelPort } from "./channel.ts";
import { PORT_MAX } from "./port_channel.ts";
import type { Session } from "./session.ts";

const NS_A_MS = 1e6;
/** LIMIT: ms that a client may wait: a day. */
const WAIT_MAX_MS = 86_400_000;

export class WaitPortChannel extends Channel implements LoopbackListener {
  readonly #session: Session;
  readonly #number: number;
  readonly #waitMs: number;
  readonly #listens: ListenWaiter;
  readonly #attempt: StepTimer;
  readonly #deadline: StepTimer;
  #connection: LoopbackConnection | null = null;

  /** @throws UserError */
  constructor(session: Session, port: ChannelPort, request: JsonNode) {
    super(port);
    this.#session = session;
    this.#number = request.member("port").integer(1, PORT_MAX);
    this.#waitMs = request.member("timeoutMs").integer(0, WAIT_MAX_MS);
    this.#listens = new ListenWaiter(this);
    this.#attempt = new StepTimer(() => this.#try());
    this.#deadline = new StepTimer(() => this.#giveUp());
    const { kernel, container } = session;
    container.ns.net.listens.add(this.#listens, 0);
    kernel.timers.arm(this.#deadline, kernel.now() + this.#waitMs * NS_A_MS);
    this.onListen();
  }

  /** A socket listens. The attempt follows in a turn of its own, not in the guest's call. */
  onListen(): void {
    if (!this.#attempt.isArmed) this.#session.kernel.timers.arm(this.#attempt, 0);
  }

  #try(): void {
    this.#connection?.close();
    const { container, sockets } = this.#session;
    this.#connection = new LoopbackConnection(container, this.#number, this, sockets);
    this.#connection.open();
  }

  /** The connection is there. */
  onReadable(): void {
    this.#release();
    this.port.result({});
  }

  onRefused(error: number): void {
    if (error === -ECONNREFUSED) return;
    this.#release();
    const errno = errnoName(error), message = `cannot connect to port ${this.#number}: ${errno}`;
    this.port.fail({ code: codeOfErrno(error), message, errno });
  }

  onTaken(_bytes: number): void {}
  onInputEnd(): void {}

  #giveUp(): void {
    this.#release();
    const message = `no program listens on port ${this.#number} after ${this.#waitMs} ms`;
    this.port.fail({ code: "Timeout", message });
  }

  #release(): void {
    const { timers } = this.#session.kernel;
    this.#listens.unlink();
    for (const timer of [this.#attempt, this.#deadline]) if (timer.isArmed) timers.disarm(timer);
    this.#connection?.close();
    this.#connection = null;
  }

  override onControl(): void {
    this.#release();
    this.port.result({});
  }
  override onGone(): void {
    this.#release();
  }
}

class ListenWaiter extends Waiter {
  readonly #channel: WaitPortChannel;

  constructor(channel: WaitPortChannel) {
    super();
    this.#channel = channel;
  }

  override onWake(_events: number): void {
    this.#channel.onListen();
  }
}

class StepTimer extends Timer {
  readonly #step: () => void;

  constructor(step: () => void) {
    super();
    this.#step = step;
  }

  override onExpire(_nowNs: number): void {
    this.#step();
  }
}
