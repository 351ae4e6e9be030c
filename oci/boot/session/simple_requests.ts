/** Requests of a session that are answered at once, or by one event later. */

import { AT_FDCWD } from "../../../ffi/abi/fcntl.ts";
import { ContainerCaller, findProgram } from "../../../kernel/init.ts";
import { openExec } from "../../../kernel/vfs/open.ts";
import { JsonNode } from "../../json_node.ts";
import type { ReadyEvent, SandboxEvent } from "../../protocol/session/messages.ts";
import { signalNumber } from "../../protocol/session/signals.ts";
import { Channel, type ChannelPort, EVENT_BYTES } from "./channel.ts";
import { bytesOfWire, wireOf } from "../../protocol/wire_text.ts";
import { RequestError } from "../../protocol/request_error.ts";
import type { JobWaiter, Program } from "./program.ts";
import type { EventListener, Session } from "./session.ts";

/** A request that was answered when it was opened. */
export class AnsweredChannel extends Channel {
  constructor(port: ChannelPort, answer: object) {
    super(port);
    port.result(answer);
  }

  override onGone(): void {}
}

/** @throws UserError if there is no such job */
function jobOf(session: Session, node: JsonNode): Program {
  const id = node.member("job").integer(1, Number.MAX_SAFE_INTEGER);
  const program = session.programs.get(id);
  if (program === undefined) throw new RequestError("NotFound", `there is no job ${id}`);
  return program;
}

/** @throws UserError if it is no signal */
export function readSignal(node: JsonNode): number {
  return signalNumber(node.value) ?? node.expected("a signal as SIGTERM, or its number");
}

export function signalJob(session: Session, request: JsonNode): object {
  const program = jobOf(session, request);
  program.signalAll(readSignal(request.member("signal")));
  return {};
}

/** `which`: the executable file that a name means for the programs of a user. @throws UserError */
export function findInPath(session: Session, request: JsonNode): object {
  const { cred, process } = session.userOf(request.member("user"));
  const name = bytesOfWire(request.member("name").string());
  const caller = new ContainerCaller(session.container, cred, 0);
  try {
    const path = findProgram(caller, name, process.env);
    const file = typeof path === "number" ? path : openExec(caller, AT_FDCWD, path, true, false);
    if (typeof file !== "number") file.drop();
    return { path: typeof path === "number" || typeof file === "number" ? null : wireOf(path) };
  } finally {
    caller.files.drop();
    caller.fs.drop();
  }
}

/** Waits for the end of a job; one that has ended is no error. */
export class WaitJobChannel extends Channel implements JobWaiter {
  readonly #program: Program | null;

  constructor(session: Session, port: ChannelPort, request: JsonNode) {
    super(port);
    const id = request.member("job").integer(1, Number.MAX_SAFE_INTEGER);
    this.#program = session.programs.get(id) ?? null;
    if (this.#program === null) port.result({});
    else this.#program.waiters.add(this);
  }

  onJobEnd(): void {
    this.port.result({});
  }

  override onControl(): void {
    this.onGone();
    this.port.result({});
  }

  override onGone(): void {
    this.#program?.waiters.delete(this);
  }
}

/** What happens in the sandbox. Events that the client does not read are counted, not kept. */
export class EventsChannel extends Channel implements EventListener {
  readonly #session: Session;
  #lost = 0;

  constructor(session: Session, port: ChannelPort) {
    super(port);
    this.#session = session;
    session.listeners.add(this);
    port.event({ ready: true } satisfies ReadyEvent);
  }

  override get isPassive(): boolean {
    return true;
  }

  onEvent(event: SandboxEvent): void {
    if (this.port.eventBytes > EVENT_BYTES) this.#lost++;
    else this.port.event(event);
  }

  override onEventsSent(): void {
    if (this.#lost === 0) return;
    this.port.event({ kind: "lost", count: this.#lost, timeMs: this.#session.nowMs() });
    this.#lost = 0;
  }

  override onControl(): void {
    this.onGone();
    this.port.result({});
  }

  override onGone(): void {
    this.#session.listeners.delete(this);
  }
}
