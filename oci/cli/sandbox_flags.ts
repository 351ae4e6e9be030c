/** The options that `do` and `run` share: how the sandbox is made and watched. */

import { PLATFORM_CHOICES, platformOf } from "../../platform/select/candidates.ts";
import type { FlagNames, Flags } from "../options/flags.ts";
import type { Globals } from "../options/globals.ts";
import type { NetworkMode } from "../protocol/boot_spec.ts";
import {
  CORE_SCHEDULING_MODES,
  processorIsolation,
  SPECULATION_MODES,
} from "../launch/processor_isolation.ts";
import { choose, usageError } from "../user_error.ts";
import type { SandboxSettings } from "../launch/foreground_sandbox.ts";

export const SANDBOX_FLAGS = {
  strings: ["tty", "platform", "debug-log", "network", "speculation", "core-scheduling"],
  booleans: ["strace", "turns", "require-sandbox", "panic-on-bug"],
} as const satisfies FlagNames;

/** @param networkHelp the lines about `--network`, whose choices differ */
function sandboxHelp(networkHelp: string): string {
  return `\
  --tty auto|on|off      give the guest its own terminal; auto: if stdin and stdout are terminals
  --platform NAME        ${PLATFORM_CHOICES.join(", ")}; auto, the default: the best that works here
${networkHelp}
  --strace               write every system call to the debug log
  --turns                write the longest turns of the kernel to the debug log at the end
  --debug-log FILE       append the debug log to FILE
  --speculation host|strict       strict: use every control of the processor's speculation;
                         host, the default: the settings that this host has for all processes
  --core-scheduling auto|on|off   on: no other task runs on the same core's threads;
                         auto, the default: on where this host supports it
  --require-sandbox      fail if this host does not permit every part of the confinement
  --panic-on-bug         a bug in the kernel ends the sandbox, not only the process that hit it`;
}

export const DO_SANDBOX_HELP = sandboxHelp(
  `  --network none|host    the guest's access to this machine's network; none, the default: a
                         loopback of its own`,
);

export const CONTAINER_SANDBOX_HELP = sandboxHelp(
  `  --network auto|none|host
                         none: a loopback of its own; host: that of the container's network
                         namespace; auto, the default: host if that has a link besides lo`,
);

/**
 * Settings from the options after the verb, or else from those in front of it.
 *
 * @param networks the choices, the default first
 * @throws UserError
 */
export function sandboxSettings(
  flags: Flags,
  globals: Globals,
  networks: readonly [NetworkMode, ...NetworkMode[]] = ["none", "host"],
): SandboxSettings {
  const stringOf = (name: "speculation" | "core-scheduling") =>
    flags.string(name) ?? globals.string(name);
  const platform = flags.string("platform") ?? globals.string("platform");
  const debugLog = flags.string("debug-log") ?? globals.string("debug-log");
  const strace = flags.has("strace") || globals.has("strace");
  if (strace && debugLog === null) throw usageError("--strace needs --debug-log FILE");
  const turns = flags.has("turns");
  if (turns && debugLog === null) throw usageError("--turns needs --debug-log FILE");
  return {
    platform: platform === null ? null : platformOf(choose("platform", platform, PLATFORM_CHOICES)),
    tty: flags.choice("tty", ["auto", "on", "off"]),
    network: choose("network", flags.string("network") ?? globals.string("network"), networks),
    strace,
    turns,
    debugLog,
    processor: processorIsolation(
      choose("speculation", stringOf("speculation"), SPECULATION_MODES),
      choose("core-scheduling", stringOf("core-scheduling"), CORE_SCHEDULING_MODES),
    ),
    requireSandbox: flags.has("require-sandbox") || globals.has("require-sandbox"),
    panicOnBug: flags.has("panic-on-bug") || globals.has("panic-on-bug"),
  };
}

/** The network modes of containers, which use the network namespace that they are in. */
export const CONTAINER_NETWORKS: readonly [NetworkMode, ...NetworkMode[]] = [
  "auto",
  "none",
  "loopback",
  "host",
];
