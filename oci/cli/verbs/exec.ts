/**
 * `dvisor exec`: runs another process in a container. This part of the binary runs it in the
 * foreground, and evaluates the part of proxied_exec.ts for the rest.
 */

import { execInForeground } from "../../container/exec_foreground.ts";
import { execProcess, PROCESS_OPTIONS } from "../../container/exec_process.ts";
import type { ExecPlan } from "../../container/exec_request.ts";
import { findContainer, type FoundContainer } from "../../container/found_container.ts";
import { isChosen, PID_OPTIONS, pidChoice } from "../../container/pid_file.ts";
import { ownStreams, type Streams } from "../../container/standard_streams.ts";
import { warnOf } from "../../options/client_log.ts";
import type { Flags } from "../../options/flags.ts";
import type { Globals } from "../../options/globals.ts";
import type { Options } from "../../options/option.ts";
import { runPart } from "../../parts.ts";
import type { TerminalSize } from "../../host/terminal.ts";
import { EXIT_EXEC_FAILED, usageError, UserError } from "../../user_error.ts";
import { type Command, defineCommand } from "../command.ts";
import { PRESERVE_OPTION, preservedFds } from "../preserved_fds.ts";

const OPTIONS = {
  ...PROCESS_OPTIONS,
  detach: { short: "d", help: "do not wait" },
  ...PID_OPTIONS,
  "console-socket": { value: "PATH", help: "UNIX socket that gets the master of its terminal" },
  cgroup: {
    value: "[CONTROLLER:]PATH",
    repeats: true,
    help: "control group below the container's; only / is supported",
  },
  ...PRESERVE_OPTION,
  "ignore-paused": { help: "start in a paused container too; the process then waits" },
} as const satisfies Options;

/** A command line of `exec`. */
export interface ExecCall {
  readonly flags: Flags<typeof OPTIONS>;
  readonly globals: Globals;
  readonly id: string;
  /** The command; none with `--process`. */
  readonly args: readonly string[];
}

/** @param withProxy runs a call for which the command is not enough on the host */
export function defineExec(withProxy: (call: ExecCall) => number | Promise<number>): Command {
  return defineCommand({
    name: "exec",
    summary: "run another process in a container",
    usage: ["[OPTION...] ID COMMAND [ARGUMENT...]", "[OPTION...] --process FILE ID"],
    operands: ["container", "command"],
    description: "Runs another process in a container that is running or was created, in the " +
      "foreground or detached.",
    options: OPTIONS,
    exitCodes: "the process's own, or 255 when there is none.",
    isGoStyle: true,
    failureCode: EXIT_EXEC_FAILED,
    run(flags, globals) {
      const [id, ...args] = flags.rest;
      if (id === undefined) throw usageError("exec needs an ID; try: dvisor help exec");
      const call = { flags, globals, id, args };
      return needsProxy(call) ? withProxy(call) : inForeground(call);
    },
  });
}

export const command = defineExec(() => runPart("proxied exec").then(() => EXIT_EXEC_FAILED));

/**
 * Whether the caller wants another process on the host, or the signals of a terminal, which the
 * command itself cannot have.
 */
function needsProxy({ flags }: ExecCall): boolean {
  const { detach, "console-socket": consoleSocket } = flags.options;
  return detach || isChosen(pidChoice(flags)) || (consoleSocket || null) !== null;
}

function inForeground(call: ExecCall): never {
  const container = findContainer(call.globals.store, call.id);
  const preserved = preservedFds(call.flags);
  return execInForeground(planOf(call, container, (isTerminal) => {
    return ownStreams(isTerminal, preserved);
  }));
}

/** @throws UserError */
export function planOf(
  { flags, globals, args }: ExecCall,
  container: FoundContainer,
  streamsOf: (isTerminal: boolean, size: TerminalSize | null) => Streams,
): ExecPlan {
  checkGroups(flags.options.cgroup);
  const { process, consoleSize, warnings } = execProcess(flags, args, container.record.bundle);
  warnOf(warnings, globals);
  const streams = streamsOf(process.terminal, consoleSize);
  return {
    container,
    process: { ...process, consoleSize: process.terminal ? consoleSize ?? streams.size : null },
    streams,
    ignorePaused: flags.options["ignore-paused"],
  };
}

/** @throws UserError for other groups than the container's own */
function checkGroups(wanted: readonly string[]): void {
  for (const text of wanted) {
    const parts = text.split(":"), path = parts.at(-1) ?? "";
    if (parts.length > 2) throw usageError(`invalid --cgroup argument: ${text}`);
    if (parts.length === 1 && wanted.length > 1) {
      throw usageError(`invalid --cgroup argument: ${text} (missing <controller>: prefix)`);
    }
    if (/^[./]?\/*$/.test(path)) continue;
    const why = "all processes of a sandbox are in the container's own group";
    throw new UserError(`--cgroup ${text} is not supported: ${why}`);
  }
}
