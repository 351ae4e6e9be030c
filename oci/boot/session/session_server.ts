/**
 * The clients of a session (docs/protocol.md): the owner's connection, those that the listening
 * socket accepts, and the sandbox's lifetime. connection.ts has the frames, session.ts what
 * requests share.
 */

import { EPOLLIN } from "../../../ffi/abi/epoll.ts";
import { F_DUPFD_CLOEXEC } from "../../../ffi/abi/fcntl.ts";
import { MSG_DONTWAIT } from "../../../ffi/abi/socket.ts";
import { allocBuffer } from "../../../ffi/sys/cstring.ts";
import { recvFds } from "../../../ffi/sys/fdpass.ts";
import { close, fcntl } from "../../../ffi/sys/files.ts";
import type { Host } from "../../../kernel/core/host.ts";
import { Waiter } from "../../../kernel/core/wait.ts";
import { Timer, type TimerQueue } from "../../../kernel/time/timer.ts";
import type { JsonNode } from "../../json_node.ts";
import { PROTOCOL_VERSION } from "../../protocol/session/frame.ts";
import { LIFETIME_MAX_MS } from "../../protocol/session/limits.ts";
import type { SessionFds, SessionSpec } from "../../protocol/boot_spec.ts";
import type {
  ErrorMessage,
  Op,
  SandboxInfo,
  StatsMessage,
} from "../../protocol/session/messages.ts";
import type { Channel, ChannelPort } from "./channel.ts";
import { Connection, type ConnectionOwner, READ_BYTES } from "./connection.ts";
import type { ProcessInfo } from "../../protocol/control_protocol.ts";
import type { RequestFds } from "../control/control_server.ts";
import { CheckpointChannel, type SavedSandbox } from "./checkpoint_channel.ts";
import { RequestError } from "../../protocol/request_error.ts";
import { ExecChannel } from "./exec_channel.ts";
import { FILE_OPS, openFileChannel } from "./files/open_file_channel.ts";
import { PortChannel } from "./port_channel.ts";
import type { Session } from "./session.ts";
import {
  readSnapshot,
  RollbackChannel,
  type RolledBackSandbox,
  SnapshotChannel,
} from "./snapshot_channels.ts";
import { WaitPortChannel } from "./wait_port_channel.ts";
import {
  AnsweredChannel,
  EventsChannel,
  findInPath,
  signalJob,
  WaitJobChannel,
} from "./simple_requests.ts";

/** LIMIT: clients at a time. */
const CONNECTIONS_MAX = 64;
const NS_A_MS = 1e6;

const OTHER_OPS = [
  "exec",
  "connectPort",
  "waitPort",
  "stats",
  "events",
  "which",
  "jobs",
  "signalJob",
  "waitJob",
  "ps",
  "debug",
  "pause",
  "resume",
  "checkpoint",
  "snapshot",
  "rollback",
  "snapshots",
  "fork",
  "deleteSnapshot",
  "extend",
  "kill",
] as const satisfies readonly Op[];

/** Of requests that were open when the sandbox was rolled back. */
const ROLLED_BACK: ErrorMessage = {
  code: "RolledBack",
  message: "the sandbox was rolled back to an earlier state, and the request has ended",
};

export interface SessionOwner extends RolledBackSandbox, SavedSandbox {
  /** The sandbox is to end. */
  onSessionEnd(): void;
  pause(): void;
  resume(): void;
  stats(): StatsMessage;
  processes(): ProcessInfo[];
  debug(): string;
  /** The sandbox has forks. */
  readonly hasForks: boolean;
  /** Makes a fork of a snapshot: its number. @throws UserError */
  fork(snapshot: number): number;
  /** @throws UserError if there is no fork with this number */
  serverOf(fork: number): SessionServer;
}

export class SessionServer extends Waiter implements ConnectionOwner {
  readonly input: Uint8Array<ArrayBuffer> = allocBuffer(READ_BYTES);
  #session: Session;
  readonly #spec: SessionSpec;
  readonly #owner: SessionOwner;
  readonly #platform: string;
  readonly #connections: Set<Connection> = new Set();
  /** The connection of the process that made the sandbox; null: it is gone, or this is a fork. */
  #first: Connection | null = null;
  readonly #listener: number;
  readonly #deadline: EndTimer;
  readonly #idle: EndTimer;
  /** For the request `kill`, which is answered first. */
  readonly #killed: EndTimer;
  #deadlineMs: number | null = null;
  #hasEnded = false;

  constructor(
    session: Session,
    spec: SessionSpec,
    fds: SessionFds,
    platform: string,
    owner: SessionOwner,
  ) {
    super();
    const { input, output, listener } = fds;
    this.#session = session;
    this.#spec = spec;
    this.#owner = owner;
    this.#platform = platform;
    this.#listener = listener;
    this.#deadline = new EndTimer(this, "the sandbox has reached its time limit");
    this.#idle = new EndTimer(this, "the sandbox was idle for longer than its limit");
    this.#killed = new EndTimer(this, "the sandbox was killed");
    if (listener >= 0) this.host.watch(listener, EPOLLIN, this);
    session.workListener = this;
    if (input < 0) return;
    this.#first = new Connection(this, input, output, true);
    this.#connections.add(this.#first);
  }

  // Those of the kernel that the session has now.

  get host(): Host {
    return this.#session.kernel.host;
  }
  get timers(): TimerQueue {
    return this.#session.kernel.timers;
  }

  /**
   * The session goes on in another kernel. Requests end, but `answered`, and connections stay.
   */
  moveTo(session: Session, answered: ChannelPort): void {
    for (const connection of this.#connections) connection.failRequests(ROLLED_BACK, answered);
    const { timers, host } = this, deadline = this.#deadline;
    const leftNs = deadline.isArmed ? deadline.deadlineNs - host.monotonicNs() : Infinity;
    const isKilled = this.#killed.isArmed;
    timers.disarm(deadline);
    timers.disarm(this.#killed);
    this.#stopIdle();
    for (const connection of this.#connections) connection.leave();
    if (this.#listener >= 0) host.unwatch(this.#listener);
    this.#session.workListener = null;
    this.#session = session;
    session.workListener = this;
    for (const connection of this.#connections) connection.take(this);
    if (this.#listener >= 0) this.host.watch(this.#listener, EPOLLIN, this);
    if (leftNs < Infinity) this.timers.arm(deadline, this.host.monotonicNs() + leftNs);
    if (isKilled) this.timers.arm(this.#killed, 0);
    this.onWorkEnd();
  }

  /** The sandbox is ready: its owner gets HELLO. */
  begin(): void {
    this.#extend(this.#spec.timeoutMs);
    this.#first?.greet(this.#info());
    this.onWorkEnd();
  }

  #info(): SandboxInfo {
    return {
      ...this.#spec.info,
      protocol: PROTOCOL_VERSION,
      platform: this.#platform,
      deadlineMs: this.#deadlineMs,
    };
  }

  /** A client has connected. */
  override onWake(_events: number): void {
    const fd = this.host.accept?.(this.#listener) ?? -1;
    if (fd >= 0) this.#accept(fd);
    this.host.arm(this.#listener, EPOLLIN);
  }

  #accept(fd: number): void {
    const again = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (again < 0 || this.#connections.size >= CONNECTIONS_MAX) {
      close(fd);
      if (again >= 0) close(again);
      return;
    }
    this.#connections.add(new Connection(this, fd, again, false));
  }

  // For connections.

  receive(socket: number, into: Uint8Array<ArrayBuffer>) {
    return recvFds(socket, into, MSG_DONTWAIT);
  }

  greet(hello: JsonNode, connection: Connection): object {
    requireVersion(hello);
    const fork = hello.member("fork");
    if (fork.isAbsent) return this.#info();
    const server = this.#owner.serverOf(fork.integer(1, Number.MAX_SAFE_INTEGER));
    server.#admit(connection);
    this.#connections.delete(connection);
    return server.#info();
  }

  /** A client that the sandbox's server has accepted. @throws UserError */
  #admit(connection: Connection): void {
    if (this.#connections.size >= CONNECTIONS_MAX) {
      throw new RequestError("Limit", `a fork has at most ${CONNECTIONS_MAX} connections`);
    }
    this.#connections.add(connection);
    connection.leave();
    connection.take(this);
  }

  openChannel(port: ChannelPort, request: JsonNode, fds: RequestFds): Channel {
    this.#stopIdle();
    const session = this.#session, op = request.member("op").oneOf([...FILE_OPS, ...OTHER_OPS]);
    switch (op) {
      case "exec":
        return new ExecChannel(session, port, request);
      case "connectPort":
        return new PortChannel(session, port, request);
      case "waitPort":
        return new WaitPortChannel(session, port, request);
      case "stats":
        return new AnsweredChannel(port, this.#owner.stats());
      case "events":
        return new EventsChannel(session, port);
      case "which":
        return new AnsweredChannel(port, findInPath(session, request));
      case "jobs":
        return new AnsweredChannel(port, {
          jobs: [...session.programs.values()].map((program) => program.info),
        });
      case "signalJob":
        return new AnsweredChannel(port, signalJob(session, request));
      case "waitJob":
        return new WaitJobChannel(session, port, request);
      case "ps":
        return new AnsweredChannel(port, { processes: this.#owner.processes() });
      case "debug":
        return new AnsweredChannel(port, { text: this.#owner.debug() });
      case "pause":
        this.#owner.pause();
        return new AnsweredChannel(port, {});
      case "resume":
        this.#owner.resume();
        return new AnsweredChannel(port, {});
      case "checkpoint":
        return new CheckpointChannel(this.#owner, port, request, fds);
      case "snapshot":
        return new SnapshotChannel(this.#owner, port, request);
      case "rollback":
        return new RollbackChannel(this.#owner, port, request);
      case "snapshots":
        return new AnsweredChannel(port, { snapshots: this.#owner.snapshots.list });
      case "fork":
        return new AnsweredChannel(port, { fork: this.#owner.fork(readSnapshot(request)) });
      case "deleteSnapshot":
        this.#owner.snapshots.delete(readSnapshot(request));
        return new AnsweredChannel(port, {});
      case "extend":
        this.#extend(
          request.member("timeoutMs").optional(null, (node) => {
            return node.integer(0, LIFETIME_MAX_MS);
          }),
        );
        return new AnsweredChannel(port, { deadlineMs: this.#deadlineMs });
      case "kill":
        return this.#kill(port);
      default:
        return openFileChannel(session, port, request, op);
    }
  }

  #kill(port: ChannelPort): Channel {
    const channel = new AnsweredChannel(port, {});
    this.timers.arm(this.#killed, 0);
    return channel;
  }

  onClosed(connection: Connection): void {
    this.#connections.delete(connection);
    if (connection !== this.#first) return this.onWorkEnd();
    this.#first = null;
    if (!this.#spec.info.persistent) this.end("the owner of the sandbox is gone");
    else this.onWorkEnd();
  }

  // Lifetime.

  #extend(timeoutMs: number | null): void {
    if (this.#deadline.isArmed) this.timers.disarm(this.#deadline);
    this.#deadlineMs = timeoutMs === null ? null : this.#session.nowMs() + timeoutMs;
    if (timeoutMs === null) return;
    this.timers.arm(this.#deadline, this.#session.kernel.now() + timeoutMs * NS_A_MS);
  }

  #stopIdle(): void {
    if (this.#idle.isArmed) this.timers.disarm(this.#idle);
  }

  /** A request or a program has ended: when there is none, the idle time begins. */
  onWorkEnd(): void {
    const { idleMs } = this.#spec;
    if (idleMs === null || this.#hasEnded || this.#session.programs.size > 0) return;
    if (this.#owner.hasForks) return;
    for (const connection of this.#connections) if (connection.isBusy) return;
    this.timers.arm(this.#idle, this.#session.kernel.now() + idleMs * NS_A_MS);
  }

  /** Ends the sandbox; every client gets the reason. */
  end(reason: string): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    const error = { code: "Gone", message: reason } as const, isFork = this.#listener < 0;
    for (const connection of [...this.#connections]) {
      // The kernel of a fork may have failed: nothing in it is touched.
      if (isFork) connection.failRequests(error, null);
      connection.endWith(error);
      if (isFork) connection.close();
    }
    this.#owner.onSessionEnd();
  }
}

/** @throws UserError if the client speaks another version */
function requireVersion(hello: JsonNode): void {
  const version = hello.member("protocol").integer(0, 0xffff);
  if (version === PROTOCOL_VERSION) return;
  throw new RequestError(
    "Unsupported",
    `the client speaks version ${version} of the protocol, this sandbox ${PROTOCOL_VERSION}`,
  );
}

class EndTimer extends Timer {
  readonly #server: SessionServer;
  readonly #reason: string;

  constructor(server: SessionServer, reason: string) {
    super();
    this.#server = server;
    this.#reason = reason;
  }

  override onExpire(_nowNs: number): void {
    this.#server.end(this.#reason);
  }
}
