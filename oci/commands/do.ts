/** `dvisor do`: runs a command in a sandbox over this machine's files. */

import { readFlags } from "../flags.ts";
import { PLATFORM_NAMES } from "../../platform/registry.ts";
import { callerDirectory, callerEnvironment, callerIds, exactArguments } from "../caller.ts";
import { exitCodeOf } from "../launch/exit_code.ts";
import { runSandbox } from "../launch/sandbox.ts";
import { usageError } from "../user_error.ts";
import type { Command } from "./command.ts";

export const command: Command = {
  help: "",
  run(args) {
    const flags = readFlags(args, {
      strings: ["root", "cwd", "user", "hostname", "tty", "platform", "debug-log"],
      lists: ["env", "volume"],
      booleans: ["rw", "strace", "require-sandbox"],
    });
    if (flags.rest.length === 0) throw usageError("do needs a command");
    const ids = callerIds();
    const status = runSandbox({
      spec: {
        platform: flags.string("platform") === null
          ? null
          : flags.choice("platform", PLATFORM_NAMES),
        hostname: "dvisor",
        process: {
          args: exactArguments(flags.rest),
          env: callerEnvironment(),
          cwd: callerDirectory(),
          uid: ids.uid,
          gid: ids.gid,
          additionalGids: ids.groups,
          terminal: false,
          consoleSize: null,
          capabilities: null,
          noNewPrivileges: false,
          rlimits: [],
          umask: 0o22,
        },
        root: { goferAttach: "0", readonly: false, overlay: "memory" },
        mounts: [],
        strace: false,
        requireSandbox: flags.has("require-sandbox"),
        memoryBytes: 4 * 2 ** 30,
        cpus: 2,
      },
      roots: [{ path: "/", isReadOnly: true }],
      stdio: [0, 1, 2],
      debugLog: -1,
      forward: [1, 2, 3, 15],
      onResize: null,
    });
    return exitCodeOf(status);
  },
};
