/**
 * The table of the options in front of the verb; globals.ts reads them. parts.ts loads it to find
 * the verb, before any part.
 */

import { type Options, takesValue } from "./option.ts";
import { CONTAINER_NETWORK, SANDBOX_OPTIONS } from "./sandbox_options.ts";

/** `--tcp` of `checkpoint` and `restore`, also in front of the verb. */
export const TCP_OPTION = {
  choices: ["refuse", "reset"],
  default: "refuse",
  help: "connections with the host's network in checkpoints: refuse: an error that names one; " +
    "reset: the guest sees them reset",
} as const;

/** `--changed-files` of `restore`, also in front of the verb. */
export const CHANGED_FILES_OPTION = {
  choices: ["refuse", "accept"],
  default: "refuse",
  help: "files of the host that are not as they were at the checkpoint: refuse: an error that " +
    "names them; accept: the guest sees what is there now",
} as const;

/** Options that stand only in front of the verb. */
export const RUNTIME_OPTIONS = {
  version: { short: "v", help: "show the version" },
  help: { short: "h", help: "show this" },
  root: {
    value: "DIR",
    help: "directory with the state of containers; the default is /run/dvisor, and for an " +
      "ordinary user $XDG_RUNTIME_DIR/dvisor, or else one of its own in /run/user, /tmp or /dev/shm",
  },
  log: { value: "FILE", help: "append messages to FILE too" },
  "log-format": { choices: ["text", "json"], default: "text", help: "format of that file" },
  debug: { help: "write debug messages to it as well" },
  "systemd-cgroup": { help: "systemd makes the control groups of containers" },
  rootless: {
    choices: ["auto", "true", "false"],
    default: "auto",
    help: "whether the default of --root is an ordinary user's",
  },
  criu: { value: "PATH", help: "no effect: dvisor saves containers itself" },
  tcp: TCP_OPTION,
  "changed-files": CHANGED_FILES_OPTION,
  overlay: {
    value: "none|memory|file|file:DIR",
    help: "where writes of a container to its root directory go: to that directory (none, the " +
      "default), to memory, or to a new directory below DIR, which is removed with the container",
  },
  "host-uds": {
    choices: ["none", "open", "create", "all"],
    default: "none",
    help: "sockets and FIFOs of volumes: none: the sandbox's own; open: the guest opens the " +
      "host's; create: the host opens the guest's; all: both",
  },
  "allow-annotated-logs": { help: "annotations of a container may switch on its debug log" },
} as const satisfies Options;

const { platform, strace, speculation } = SANDBOX_OPTIONS;

/** Options about the sandbox that may stand in front of the verb too. */
export const SHARED_OPTIONS = {
  platform,
  network: CONTAINER_NETWORK,
  strace,
  "debug-log": SANDBOX_OPTIONS["debug-log"],
  speculation,
  "core-scheduling": SANDBOX_OPTIONS["core-scheduling"],
  "require-sandbox": SANDBOX_OPTIONS["require-sandbox"],
  "panic-on-bug": SANDBOX_OPTIONS["panic-on-bug"],
  quiet: SANDBOX_OPTIONS.quiet,
} as const satisfies Options;

export const GLOBAL_OPTIONS = { ...RUNTIME_OPTIONS, ...SHARED_OPTIONS } as const;

/**
 * The first word that is neither an option nor an option's value, and "help" for `--help` in front
 * of it; undefined if there is none. For a command line that is not valid it may be any word.
 */
export function verbOf(args: readonly string[]): string | undefined {
  const options: Options = GLOBAL_OPTIONS;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? "";
    if (!arg.startsWith("-")) return arg;
    const name = arg.replace(/^--?/, "");
    if (name === "help" || name === "h") return "help";
    if (Object.hasOwn(options, name) && takesValue(options[name]!)) i++;
  }
  return undefined;
}
