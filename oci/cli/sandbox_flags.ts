/** Reads the options that `do` and `run` share (options/sandbox_options.ts). */

import { platformOf } from "../../platform/select/candidates.ts";
import type { Flags } from "../options/flags.ts";
import type { Globals } from "../options/globals.ts";
import { checkChoice } from "../options/option.ts";
import type { SANDBOX_OPTIONS } from "../options/sandbox_options.ts";
import { processorIsolation } from "../launch/processor_isolation.ts";
import { isConfined } from "../host/privileges.ts";
import { usageError } from "../user_error.ts";
import type { SandboxSettings } from "../launch/foreground_sandbox.ts";

/**
 * Settings from the options after the verb, or else from those in front of it.
 *
 * @param network of networkOf
 * @throws UserError
 */
export function sandboxSettings(
  flags: Flags<typeof SANDBOX_OPTIONS>,
  globals: Globals,
  network: SandboxSettings["network"],
): SandboxSettings {
  const own = flags.options, front = globals.options;
  const either = <N extends "platform" | "speculation" | "core-scheduling">(name: N) =>
    flags.given.has(name) ? own[name] : front[name];
  const debugLog = own["debug-log"] ?? front["debug-log"];
  const strace = own.strace || front.strace;
  if (strace && debugLog === null) throw usageError("--strace needs --debug-log FILE");
  if (own.turns && debugLog === null) throw usageError("--turns needs --debug-log FILE");
  return {
    platform: platformOf(either("platform")),
    tty: own.tty,
    network,
    strace,
    turns: own.turns,
    debugLog,
    processor: processorIsolation(either("speculation"), either("core-scheduling")),
    requireSandbox: own["require-sandbox"] || front["require-sandbox"],
    panicOnBug: own["panic-on-bug"] || front["panic-on-bug"],
    // In a container the caller cannot change what is missing: docs/nested.md says what that is.
    isQuiet: own.quiet || front.quiet || isConfined(),
  };
}

/** The options in front of the verb, with `--quiet` behind it. */
export function withQuiet(globals: Globals, flags: Flags<typeof SANDBOX_OPTIONS>): Globals {
  return flags.options.quiet ? globals.with(new Map([["quiet", "true"]])) : globals;
}

/**
 * `--network` after the verb, or else in front of it, where it has the modes of all verbs.
 *
 * @throws UserError for a mode that this verb does not have
 */
export function networkOf<T extends string>(
  flags: Pick<Flags, "given"> & { readonly options: { readonly network: T } },
  globals: Globals,
  { choices }: { readonly choices: readonly T[] },
): T {
  const asked = flags.given.has("network") ? null : globals.given("network");
  return asked === null ? flags.options.network : checkChoice("network", asked, choices);
}
