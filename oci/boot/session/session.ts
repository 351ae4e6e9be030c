/**
 * What the requests of a session share: the kernel, the sandbox's container and defaults, and its
 * programs. Neighbours: session_server.ts (clients, lifetime), exec_channel.ts (programs).
 */

import { credentialsOf } from "../guest/identity.ts";
import type { Credentials } from "../../../kernel/cred/credentials.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import type { Container } from "../../../kernel/task/container.ts";
import { withVariables } from "../../environment.ts";
import { JsonNode } from "../../json_node.ts";
import type { ProcessSpec } from "../../protocol/boot_spec.ts";
import type { SandboxEvent, UserName } from "../../protocol/session/messages.ts";
import { changedPaths } from "./files/overlay_changes.ts";
import { resolveUser } from "./user_names.ts";
import type { SavedSession } from "../snapshot/guest_records.ts";
import type { Socket } from "../../../kernel/net/socket.ts";
import { Program } from "./program.ts";

/** A listener for what happens in the sandbox (EventsChannel). */
export interface EventListener {
  onEvent(event: SandboxEvent): void;
}

interface WorkListener {
  /** A request or a program has ended. */
  onWorkEnd(): void;
}

/** The user of a request, with the variables that go with it. */
export interface RequestUser {
  readonly cred: Credentials;
  /** The spec's process with the ids of the user. */
  readonly process: ProcessSpec;
}

export class Session {
  readonly kernel: SandboxKernel;
  readonly container: Container;
  /** The user, environment, directory and limits that programs have by default. */
  readonly defaults: ProcessSpec;
  /** Jobs that run, by number. */
  readonly programs: Map<number, Program> = new Map();
  readonly listeners: Set<EventListener> = new Set();
  /** Places for mounts that were made in the root's overlay; byte strings. */
  readonly ownPaths: ReadonlySet<string>;
  /** Sockets of connections to ports of the guest. */
  readonly sockets: Set<Socket> = new Set();
  workListener: WorkListener | null = null;
  #lastJob = 0;

  /**
   * @param defaults of programs
   * @param user the user of programs, if it is not that of `defaults`
   * @param saved what a snapshot has of the session; null: it begins
   * @throws UserError for a user that the sandbox does not have
   */
  constructor(
    kernel: SandboxKernel,
    container: Container,
    defaults: ProcessSpec,
    user: UserName | null,
    saved: SavedSession | null = null,
  ) {
    this.kernel = kernel;
    this.container = container;
    this.ownPaths = saved?.ownPaths ??
      changedPaths(container.mounts.root.fs, container.accounts.all);
    this.defaults = defaults;
    this.defaults = this.#withUser(new JsonNode("the sandbox", "user", user ?? defaults));
    if (saved !== null) this.#adopt(saved);
  }

  /** The channels of clients are closed: what hangs on one ends, and detached jobs go on. */
  #adopt({ lastJob, programs, sockets }: SavedSession): void {
    this.#lastJob = lastJob;
    for (const socket of sockets) socket.drop();
    for (const program of programs) Program.adopt(this, program);
  }

  /** What a snapshot keeps of it. */
  save(startNs: number): SavedSession {
    return {
      startNs,
      ownPaths: new Set(this.ownPaths),
      lastJob: this.#lastJob,
      programs: [...this.programs.values()].map((program) => program.save()),
      sockets: [...this.sockets],
    };
  }

  /** A number for a new job. */
  nextJob(): number {
    return ++this.#lastJob;
  }

  emit(event: SandboxEvent): void {
    for (const listener of this.listeners) listener.onEvent(event);
  }

  /** Milliseconds since 1970. */
  nowMs(): number {
    const { host } = this.kernel;
    return host.realtimeSec() * 1000 + Math.floor(host.realtimeNsec() / 1e6);
  }

  /** @throws UserError for a user that the sandbox does not have */
  userOf(node: JsonNode): RequestUser {
    const process = node.isAbsent ? this.defaults : this.#withUser(node);
    return { process, cred: credentialsOf(process) };
  }

  #withUser(node: JsonNode): ProcessSpec {
    const { uid, gid, groups, home } = resolveUser(this.kernel, this.container, node);
    const env = withVariables(this.defaults.env, [`HOME=${home ?? "/"}`]);
    return { ...this.defaults, uid, gid, additionalGids: groups, env };
  }
}
