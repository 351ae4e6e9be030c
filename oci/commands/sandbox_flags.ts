/** The options that `do` and `run` share: how the sandbox is made and watched. */

import { PLATFORM_NAMES } from "../../platform/names.ts";
import type { FlagNames, Flags } from "../flags.ts";
import { usageError } from "../user_error.ts";
import type { SandboxSettings } from "../launch/foreground.ts";

export const SANDBOX_FLAGS = {
  strings: ["tty", "platform", "debug-log", "network"],
  booleans: ["strace", "require-sandbox"],
} as const satisfies FlagNames;

export const SANDBOX_HELP =
  `  --tty auto|on|off      give the guest a terminal of its own; auto: if stdin and stdout are one
  --platform NAME        ${PLATFORM_NAMES.join(" or ")}; the default is the best that works here
  --network none|host    what the guest has of this machine's network; the default is none of it
  --strace               write every system call to the debug log
  --debug-log FILE       append the debug log to FILE
  --require-sandbox      fail if this host does not permit every part of the confinement`;

export function sandboxSettings(flags: Flags): SandboxSettings {
  if (flags.has("strace") && flags.string("debug-log") === null) {
    throw usageError("--strace needs --debug-log FILE");
  }
  return {
    platform: flags.string("platform") === null ? null : flags.choice("platform", PLATFORM_NAMES),
    tty: flags.choice("tty", ["auto", "on", "off"]),
    network: flags.choice("network", ["none", "host"]),
    strace: flags.has("strace"),
    debugLog: flags.string("debug-log"),
    requireSandbox: flags.has("require-sandbox"),
  };
}
