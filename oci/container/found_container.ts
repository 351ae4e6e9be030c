/** A container that a verb was called for: its record, its current status, and its sandbox. */

import { hasCrashed, logPath } from "./crash_report.ts";
import { answerOf, ask, sendRequest } from "./control_client.ts";
import { attachTo } from "../launch/session/attached_client.ts";
import { sandboxDirectory } from "../launch/session/socket_directory.ts";
import { statusOf } from "../state/liveness.ts";
import type { ContainerRecord, Status } from "../state/record.ts";
import { checkId, type ContainerDir, type StateStore } from "../state/store.ts";
import { usageError, UserError } from "../user_error.ts";
import type { Answers, Request } from "../protocol/control_protocol.ts";

export class FoundContainer {
  readonly store: StateStore;
  readonly dir: ContainerDir;
  readonly record: ContainerRecord;
  readonly status: Status;

  constructor(store: StateStore, dir: ContainerDir, record: ContainerRecord) {
    this.store = store;
    this.dir = dir;
    this.record = record;
    this.status = statusNow(store, record);
  }

  /** Host path of the report of its kernel's failure; null if it has not failed. */
  get report(): string | null {
    const sandbox = this.store.dir(this.record.sandboxId);
    return hasCrashed(sandbox) ? logPath(sandbox) : null;
  }

  /**
   * Sends a request to the sandbox of the container, and waits for its answer.
   * @throws UserError
   */
  ask<R extends Request>(request: R, fds: readonly number[] = []): Answers[R["op"]] {
    return this.send(request, fds)();
  }

  /**
   * Sends a request to the sandbox of the container.
   * @returns what waits for its answer, once
   * @throws UserError
   */
  send<R extends Request>(request: R, fds: readonly number[] = []): () => Answers[R["op"]] {
    const sent = this.#explained(() => {
      return sendRequest(this.store.dir(this.record.sandboxId), request, fds);
    });
    return () => this.#explained(() => answerOf(sent));
  }

  #explained<T>(act: () => T): T {
    try {
      return act();
    } catch (error) {
      const { report } = this;
      if (!(error instanceof UserError) || report === null) throw error;
      throw new UserError(`${error.message}: its kernel has failed: see ${report}`, error.exitCode);
    }
  }
}

/** LIMIT: how long to wait for a sandbox's answer about a status, in ms. */
const STATUS_MS = 2000;

/** The current status of a container. */
export function statusNow(store: StateStore, record: ContainerRecord): Status {
  const known = statusOf(record);
  if (!record.isChanging || known === "stopped" || known === "creating") return known;
  const { id, sandboxId } = record;
  try {
    return ask(store.dir(sandboxId), { op: "state", id }, [], STATUS_MS).status;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return statusOf(record);
  }
}

/** @throws UserError if there is no such container */
export function findContainer(store: StateStore, id: string): FoundContainer {
  if (!store.dir(id).exists && isSandbox(store, id)) {
    throw new UserError(
      `${id} is a sandbox of a library and no container: Sandbox.connect("${id}") of the library ` +
        "does this, and dvisor state, ps, kill, wait, events, pause, resume and debug work on it",
    );
  }
  const { dir, record } = store.load(id);
  return new FoundContainer(store, dir, record);
}

/** Whether there is a sandbox of a library beside the containers of this root directory. */
function isSandbox({ root }: StateStore, id: string): boolean {
  const directory = sandboxDirectory(false);
  if (directory !== `${root}-sandboxes`) return false;
  const found = attachTo(id);
  found?.client.close();
  return found !== null;
}

/** The only argument of a verb. @throws UserError */
export function onlyId(rest: readonly string[], verb: string): string {
  const [id] = rest;
  if (id === undefined) throw usageError(`${verb} needs an ID; try: dvisor help ${verb}`);
  return checkId(id);
}
