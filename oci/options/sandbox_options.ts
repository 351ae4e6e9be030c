/**
 * The table of the options about a sandbox: how it is made and watched. `do`, `run` and `create`
 * have them behind the verb, and most may stand in front of it (global_options.ts).
 */

import { PLATFORM_CHOICES } from "../../platform/select/candidates.ts";
import type { Options } from "./option.ts";

export const SANDBOX_OPTIONS = {
  tty: {
    choices: ["auto", "on", "off"],
    default: "auto",
    help: "give the guest its own terminal; auto: if stdin and stdout are terminals",
  },
  platform: {
    value: "NAME",
    choices: PLATFORM_CHOICES,
    default: "auto",
    help: "how guest code runs; auto: the best that works here",
  },
  strace: { help: "write every system call to the debug log" },
  turns: { help: "write the longest turns of the kernel to the debug log at the end" },
  "debug-log": { value: "FILE", help: "append the debug log to FILE" },
  speculation: {
    choices: ["host", "strict"],
    default: "host",
    help: "strict: use every control of the processor's speculation; host: the settings that " +
      "this host has for all processes",
  },
  "core-scheduling": {
    choices: ["auto", "on", "off"],
    default: "auto",
    help: "on: no other task runs on the same core's threads; auto: on where this host supports it",
  },
  "require-sandbox": {
    help: "fail if this host does not permit every part of the confinement",
  },
  "panic-on-bug": {
    help: "a bug in the kernel ends the sandbox, not only the process that hit it",
  },
  quiet: { help: "print no warnings, only errors" },
} as const satisfies Options;

/** How texts of a verb show its options about the sandbox. */
export const SANDBOX_SECTION = {
  "Options about the sandbox": ["network", ...Object.keys(SANDBOX_OPTIONS)],
};

/** `--network` of `do`. */
export const DO_NETWORK = {
  choices: ["none", "host"],
  default: "none",
  help: "the guest's access to this machine's network; none: a loopback of its own",
} as const;

/** `--network` of containers, which use the network namespace that they are in. */
export const CONTAINER_NETWORK = {
  choices: ["auto", "none", "loopback", "host"],
  default: "auto",
  help: "none, loopback: a loopback of its own; host: that of the container's network namespace; " +
    "auto: host if that has a link besides lo",
} as const;
