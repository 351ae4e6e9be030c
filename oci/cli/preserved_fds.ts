/** `--preserve-fds`: descriptors of the caller that a guest gets. */

import type { Flags } from "../options/flags.ts";
import type { Options } from "../options/option.ts";
import { usageError } from "../user_error.ts";

/** LIMIT: descriptors from 3 on that a guest gets: as many as one message carries. */
const PRESERVED_MAX = 200;

export const PRESERVE_OPTION = {
  "preserve-fds": {
    value: "N",
    default: "0",
    help: "pass the caller's descriptors 3 to 3 + N - 1 to the container",
  },
} as const satisfies Options;

/** @throws UserError */
export function preservedFds(flags: Flags<typeof PRESERVE_OPTION>): number {
  if (Deno.env.get("LISTEN_PID") === String(Deno.pid)) {
    throw usageError("LISTEN_FDS is set: sockets that listen cannot be passed into a sandbox");
  }
  const text = flags.options["preserve-fds"];
  const count = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (count <= PRESERVED_MAX) return count;
  throw usageError(`--preserve-fds is "${text}", expected a number up to ${PRESERVED_MAX}`);
}
