/** `--preserve-fds`: descriptors of the caller that a guest gets. */

import type { Flags } from "../options/flags.ts";
import { usageError } from "../user_error.ts";

/** LIMIT: descriptors from 3 on that a guest gets: as many as one message carries. */
const PRESERVED_MAX = 200;

/** @throws UserError */
export function preservedFds(flags: Flags): number {
  if (Deno.env.get("LISTEN_PID") === String(Deno.pid)) {
    throw usageError("LISTEN_FDS is set: sockets that listen cannot be passed into a sandbox");
  }
  const text = flags.string("preserve-fds") ?? "0";
  const count = /^\d{1,9}$/.test(text) ? Number(text) : NaN;
  if (count <= PRESERVED_MAX) return count;
  throw usageError(`--preserve-fds is "${text}", expected a number up to ${PRESERVED_MAX}`);
}
