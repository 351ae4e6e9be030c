/**
 * The client's log, `--log FILE`: one line a message, as text or as JSON in runc's shape. Clients
 * show the last error in it. Errors are printed on stderr as well.
 */

import type { Globals } from "./globals.ts";
import { shownJson, shownLines } from "../shown_text.ts";

/** LIMIT: characters of a message. Some quote text of a client, a guest or its kernel. */
export const MESSAGE_CHARS = 4096;

type LogLevel = "error" | "warning" | "info" | "debug";

/** One line of the log. */
export function logLine(
  format: "text" | "json",
  level: LogLevel,
  message: string,
  time: Date,
  id: string | null,
): string {
  const msg = message.slice(0, MESSAGE_CHARS);
  const stamp = time.toISOString().replace(/\.\d+Z$/, "Z");
  if (format === "json") {
    return shownJson(JSON.stringify({ ...(id === null ? {} : { id }), level, msg, time: stamp }));
  }
  const about = id === null ? "" : ` id=${id}`;
  return `time="${stamp}" level=${level} msg=${shownJson(JSON.stringify(msg))}${about}`;
}

/**
 * Appends to `--log`. A line that cannot be written is dropped, because the command must not fail
 * for it.
 */
export function writeLog(
  globals: Globals,
  level: LogLevel,
  msg: string,
  id: string | null = null,
): void {
  const { log } = globals;
  if (log === null || level === "debug" && !globals.options.debug) return;
  try {
    const line = logLine(globals.options["log-format"], level, msg, new Date(), id);
    Deno.writeTextFileSync(log, `${line}\n`, { append: true, mode: 0o600 });
  } catch {
    // The line is dropped, see above.
  }
}

/** Writes warnings to the client's log, and prints them unless the caller wants none. */
export function warnOf(warnings: readonly string[], globals: Globals): void {
  for (const warning of warnings) {
    if (!globals.options.quiet) console.error(shownLines(`dvisor: ${warning}`));
    writeLog(globals, "warning", warning);
  }
}
