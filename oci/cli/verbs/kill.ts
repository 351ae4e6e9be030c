/** `dvisor kill`: sends a signal to a container. */

import * as S from "../../../ffi/abi/signal.ts";
import { SYS_pidfd_open, SYS_pidfd_send_signal } from "../../../ffi/abi/syscall_numbers.ts";
import { close } from "../../../ffi/sys/files.ts";
import { syscall } from "../../../ffi/sys/native.ts";
import { findContainer, type FoundContainer } from "../../container/found_container.ts";
import type { AttachedClient } from "../../launch/session/attached_client.ts";
import { parseSignal } from "../signal_text.ts";
import { isAlive } from "../../state/liveness.ts";
import type { ProcessId } from "../../state/record.ts";
import { EXIT_FAILURE, usageError, UserError } from "../../user_error.ts";
import { defineCommand } from "../command.ts";
import { useSandbox } from "../library_sandbox.ts";

export const command = defineCommand({
  name: "kill",
  summary: "send a signal to a container",
  usage: ["[OPTION...] ID [SIGNAL]"],
  operands: ["container", ["TERM", "KILL", "INT", "HUP", "QUIT", "USR1", "USR2", "STOP", "CONT"]],
  description: "Sends a signal, by number or name, to the first process of a container; the " +
    "default is TERM. 0 only checks whether the process exists. A sandbox of a library ends by " +
    "TERM, INT, HUP and KILL; with --all, signals go to its programs.",
  options: { all: { short: "a", help: "to all processes of the container" } },
  isGoStyle: true,
  failureCode: EXIT_FAILURE,
  run(flags, globals) {
    const [id, name = ""] = flags.rest;
    if (id === undefined) throw usageError("kill needs an ID; try: dvisor help kill");
    const signo = parseSignal(name || "TERM"), { all } = flags.options;
    const isSandbox = useSandbox(globals, id, (client) => killSandbox(client, id, signo, all));
    if (!isSandbox) killContainer(findContainer(globals.store, id), signo, all);
    return 0;
  },
});

/** Signals that would end the first process of a container end the sandbox. */
const ENDING = [S.SIGTERM, S.SIGKILL, S.SIGINT, S.SIGHUP];

function killSandbox(client: AttachedClient, id: string, signo: number, all: boolean): void {
  if (signo === 0) return;
  if (!all && ENDING.includes(signo)) {
    client.ask({ op: "kill" });
    return;
  }
  if (!all) {
    const how = "TERM, INT, HUP and KILL end it, and with --all each signal goes to its programs";
    throw new UserError(`${id} is a sandbox of a library, which has no first process: ${how}`);
  }
  for (const program of client.ask({ op: "jobs" }).member("jobs").items()) {
    const job = program.member("job").integer(1, Number.MAX_SAFE_INTEGER);
    client.ask({ op: "signalJob", job, signal: signo });
  }
}

function killContainer(found: FoundContainer, signo: number, all: boolean): void {
  const { record, status } = found;
  if (status === "stopped") {
    // The container has no process any more.
    if (all) return;
    throw new UserError("container not running");
  }
  // A sandbox whose control socket is dead ends when its waiter ends.
  if (signo === 0) return;
  if (signo === S.SIGKILL) killProcess(record.init);
  else found.ask({ op: "signal", id: record.id, signo, all });
}

/** Kills the proxy, which ends everything that it stands for. */
function killProcess(process: ProcessId): void {
  const pidfd = syscall(SYS_pidfd_open, process.pid, 0);
  if (pidfd < 0) return;
  if (isAlive(process)) syscall(SYS_pidfd_send_signal, pidfd, S.SIGKILL, 0, 0);
  close(pidfd);
}
