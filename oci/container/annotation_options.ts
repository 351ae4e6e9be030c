/**
 * Options of a sandbox that a pod sets by annotations, `dev.dvisor.NAME`: the options that a
 * cluster's users may choose. They replace those of the runtime's configuration. No option that
 * weakens the host is among them. Debug logs take space on the host: annotations switch them only
 * with --allow-annotated-logs (annotated_log.ts).
 */

import { DEFAULT_PLATFORMS } from "../../platform/select/candidates.ts";
import type { Globals, OptionName } from "../options/globals.ts";
import { EXIT_USAGE, UserError } from "../user_error.ts";
import { makeAnnotatedLog } from "./annotated_log.ts";

const PREFIX = "dev.dvisor.";
/** Options of debug logs. */
const LOGS: readonly string[] = ["strace", "debug-log"];

/** The values that annotations may choose, by option. */
const CHOICES: Readonly<Record<string, readonly string[]>> = {
  // No kvm: it opens the host's KVM to the pod, and leaves limits of further containers to the
  // kernel.
  platform: [...DEFAULT_PLATFORMS, "auto"],
  // In the network namespace that the container has in any case.
  network: ["auto", "none"],
  overlay: ["none", "memory", "file"],
  strace: ["true", "false"],
  "debug-log": ["true", "false"],
};

/**
 * @param id of the container: names its debug log
 * @throws UserError for an unknown option, and for one that the runtime's configuration does not
 * allow
 */
export function annotatedGlobals(
  globals: Globals,
  annotations: ReadonlyMap<string, string>,
  id: string,
): Globals {
  const chosen = new Map<OptionName, string>();
  let wantsLog = false;
  for (const [key, value] of annotations) {
    if (!key.startsWith(PREFIX)) continue;
    const name = key.slice(PREFIX.length);
    const choices = Object.hasOwn(CHOICES, name) ? CHOICES[name] : undefined;
    if (choices === undefined) {
      fail(key, `is no option; there are ${Object.keys(CHOICES).join(", ")}`);
    }
    const isConfigured = name === "platform" && value === globals.given("platform");
    if (!choices.includes(value) && !isConfigured) {
      fail(key, `is ${JSON.stringify(value)}, expected ${choices.join(", ")}`);
    }
    if (LOGS.includes(name) && !globals.options["allow-annotated-logs"]) {
      fail(key, "is not allowed: the runtime is configured without --allow-annotated-logs");
    }
    if (name === "debug-log") wantsLog ||= value === "true";
    else if (name === "strace") {
      chosen.set("strace", value);
      wantsLog ||= value === "true" && globals.options["debug-log"] === null;
    } else if (name === "overlay" && value === "file" && hasDirectory(globals)) {
      // The pod does not choose the directory.
      continue;
    } else if (name === "platform" || name === "network" || name === "overlay") {
      chosen.set(name, value);
    }
  }
  if (wantsLog) chosen.set("debug-log", makeAnnotatedLog(id));
  return chosen.size === 0 ? globals : globals.with(chosen);
}

function hasDirectory(globals: Globals): boolean {
  return globals.options.overlay?.startsWith("file") ?? false;
}

function fail(key: string, problem: string): never {
  throw new UserError(`config.json: annotations: ${key.slice(0, 100)} ${problem}`, EXIT_USAGE);
}
