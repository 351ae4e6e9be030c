/**
 * The request that starts another process in a container. Its waiter is a proxy (exec_proxy.ts) or
 * the command itself (exec_foreground.ts).
 */

import { close } from "../../ffi/sys/files.ts";
import type { ProcessSpec } from "../protocol/boot_spec.ts";
import { isAlive } from "../state/liveness.ts";
import { UserError } from "../user_error.ts";
import type { FoundContainer } from "./found_container.ts";
import type { Streams } from "./standard_streams.ts";

export interface ExecPlan {
  readonly container: FoundContainer;
  readonly process: ProcessSpec;
  readonly streams: Streams;
  readonly ignorePaused: boolean;
}

interface ExecWaiter {
  /** Of the waiter. */
  readonly hostPid: number;
  /** The sandbox's end of the control pair, which is closed here. */
  readonly socket: number;
  /** The process goes on if the waiter is killed. */
  readonly isOutlived: boolean;
}

/**
 * Asks for the process.
 *
 * @returns what waits until the process is started
 * @throws UserError, as what it returns does
 */
export function requestExec(plan: ExecPlan, waiter: ExecWaiter): () => unknown {
  const { container, process, streams, ignorePaused } = plan, { id } = container.record;
  const stdio = streams.takeStdio();
  try {
    const { hostPid, isOutlived } = waiter, [stdin, stdout, stderr, ...further] = stdio;
    const fds = [stdin, stdout, stderr, waiter.socket, ...further];
    return container.send({ op: "exec", id, process, hostPid, isOutlived, ignorePaused }, fds);
  } finally {
    for (const fd of [...stdio, waiter.socket]) if (fd > 2) close(fd);
  }
}

/** @throws UserError if no process can be started in the container */
export function refuseUnlessRunning({ container, ignorePaused }: ExecPlan): void {
  const { status } = container;
  if (status === "paused" && !ignorePaused) {
    throw new UserError("cannot exec in a paused container (use --ignore-paused to override)");
  }
  if (status === "stopped" || status === "creating") {
    const { report } = container;
    const why = report === null ? "" : `: its kernel has failed: see ${report}`;
    throw new UserError(`cannot exec in a stopped container: container not running${why}`);
  }
}

/**
 * What to throw for an error of an `exec`.
 *
 * @param isOfHost the error may come of the container's end
 */
export function execError({ container }: ExecPlan, error: unknown, isOfHost: boolean): unknown {
  if (!isOfHost || isAlive(container.record.init)) return error;
  return new UserError("container not running: it has ended meanwhile", undefined, error);
}
