/** `dvisor exec`: runs another process in a container. */

import { ContainerCgroup } from "../../launch/cgroup/container_cgroup.ts";
import { warmUpWith } from "../../launch/cgroup/warm_up.ts";
import { execIn } from "../../container/exec.ts";
import { execProcess, PROCESS_OPTIONS } from "../../container/exec_process.ts";
import { findContainer } from "../../container/found_container.ts";
import { Foreground } from "../../container/proxy_wait.ts";
import { warnOf } from "../../options/client_log.ts";
import { PID_OPTIONS, pidChoice } from "../../container/pid_file.ts";
import { chooseStreams } from "../../container/standard_streams.ts";
import type { Flags } from "../../options/flags.ts";
import type { Globals } from "../../options/globals.ts";
import type { Options } from "../../options/option.ts";
import { EXIT_EXEC_FAILED, usageError, UserError } from "../../user_error.ts";
import { defineCommand } from "../command.ts";
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

export const command = defineCommand({
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
    const [id, ...rest] = flags.rest;
    if (id === undefined) throw usageError("exec needs an ID; try: dvisor help exec");
    return exec(flags, globals, id, rest);
  },
});

function exec(
  flags: Flags<typeof OPTIONS>,
  globals: Globals,
  id: string,
  args: readonly string[],
): number {
  const container = findContainer(globals.store, id), { cgroup, init } = container.record;
  if (cgroup !== null) warmUpWith(ContainerCgroup.load(cgroup), init.pid);
  checkGroups(flags.options.cgroup);
  const { process, consoleSize, warnings } = execProcess(flags, args, container.record.bundle);
  warnOf(warnings, globals);
  const isDetached = flags.options.detach;
  const consoleSocket = flags.options["console-socket"] || null;
  const streams = chooseStreams({
    wantsTerminal: process.terminal,
    consoleSocket,
    consoleSize,
    isForeground: !isDetached,
    preserved: preservedFds(flags),
  });
  const foreground = isDetached ? null : new Foreground(process.terminal && consoleSocket === null);
  try {
    const proxy = execIn({
      container,
      process: { ...process, consoleSize: process.terminal ? consoleSize ?? streams.size : null },
      streams,
      pidChoice: pidChoice(flags),
      ignorePaused: flags.options["ignore-paused"],
    });
    if (foreground === null) return 0;
    const code = foreground.wait(proxy), { report } = container;
    if (report !== null) warnOf([`the kernel of ${id} has failed: see ${report}`], globals);
    return code;
  } finally {
    foreground?.restore();
  }
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
