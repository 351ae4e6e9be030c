/** `dvisor exec`: runs another process in a container. */

import { ContainerCgroup } from "../../launch/cgroup/container_cgroup.ts";
import { warmUpWith } from "../../launch/cgroup/warm_up.ts";
import { execIn } from "../../container/exec.ts";
import { execProcess } from "../../container/exec_process.ts";
import { findContainer } from "../../container/found_container.ts";
import { Foreground } from "../../container/proxy_wait.ts";
import { warnOf } from "../../container/start.ts";
import { PID_FLAGS, PID_HELP, pidChoice } from "../../container/pid_file.ts";
import { chooseStreams } from "../../container/standard_streams.ts";
import { type Flags, readFlags } from "../../options/flags.ts";
import type { Globals } from "../../options/globals.ts";
import { EXIT_EXEC_FAILED, usageError, UserError } from "../../user_error.ts";
import type { Command } from "../command.ts";
import { preservedFds } from "../preserved_fds.ts";

const HELP = `Usage: dvisor exec [OPTION...] ID COMMAND [ARGUMENT...]
       dvisor exec [OPTION...] --process FILE ID

Runs another process in a container that is running or was created, in the foreground or detached.

Options:
  -p, --process FILE     the process, in the format of process in config.json
  -t, --tty              give the process a terminal of its own
  -d, --detach           do not wait
${PID_HELP}
  --console-socket PATH  UNIX socket that gets the master of its terminal
  -u, --user UID[:GID]   as this user
  -g, --additional-gids GID
                         add a group; may be given several times
  --cwd DIR              working directory
  -e, --env NAME=VALUE   set a variable; may be given several times
  -c, --cap NAME         add a capability; may be given several times
  --no-new-privs         set no_new_privs
  --apparmor PROFILE, --process-label LABEL
                         as apparmorProfile and selinuxLabel of a process in config.json
  --cgroup [CONTROLLER:]PATH
                         control group below the container's; only / is supported
  --preserve-fds N       pass the caller's descriptors 3 to 3 + N - 1
  --ignore-paused        start in a paused container too; the process then waits

Exit codes: the process's own, or 255 when there is none.`;

export const command: Command = {
  help: HELP,
  failureCode: EXIT_EXEC_FAILED,
  run(args, globals) {
    const flags = readFlags(args, {
      strings: [
        ...["process", "console-socket", "user", "cwd", "preserve-fds"],
        ...["apparmor", "process-label"],
        ...PID_FLAGS,
      ],
      lists: ["env", "cap", "additional-gids", "cgroup"],
      booleans: ["tty", "detach", "no-new-privs", "ignore-paused"],
      go: {
        p: "process",
        t: "tty",
        d: "detach",
        u: "user",
        g: "additional-gids",
        e: "env",
        c: "cap",
      },
    });
    const [id, ...rest] = flags.rest;
    if (id === undefined) throw usageError("exec needs an ID; try: dvisor help exec");
    return exec(flags, globals, id, rest);
  },
};

function exec(flags: Flags, globals: Globals, id: string, args: readonly string[]): number {
  const container = findContainer(globals.store, id), { cgroup, init } = container.record;
  if (cgroup !== null) warmUpWith(ContainerCgroup.load(cgroup), init.pid);
  checkGroups(flags.list("cgroup"));
  const { process, consoleSize, warnings } = execProcess(flags, args, container.record.bundle);
  warnOf(warnings, globals);
  const isDetached = flags.has("detach");
  const consoleSocket = flags.string("console-socket") || null;
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
      ignorePaused: flags.has("ignore-paused"),
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
