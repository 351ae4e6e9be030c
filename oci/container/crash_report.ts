/**
 * Messages of a container's processes go to a file in its state directory. When its kernel has
 * failed that file is the report, with the reason and the last calls of its guests, and stays when
 * the container goes: its beginning does, and only the newest reports do.
 */

import { dirname, join } from "@std/path";
import { keepNewest } from "../state/kept_files.ts";
import type { ContainerDir } from "../state/store.ts";

const LOG = "sandbox.log";
const REPORT = ".crash";
/** How a report begins: boot.ts writes it. */
const MARK = "this is a bug in dvisor";
/** LIMIT: bytes of a report, and of a log that are looked at. */
export const REPORT_BYTES = 1 << 16;
/** LIMIT: reports beside the containers of one root. */
export const REPORTS = 16;

/** Where a container's processes write. */
export function logPath(dir: ContainerDir): string {
  return join(dir.path, LOG);
}

/** Whether the kernel of the container has failed. */
export function hasCrashed(dir: ContainerDir): boolean {
  try {
    return beginningOf(logPath(dir)).includes(MARK);
  } catch {
    return false;
  }
}

/**
 * Keeps the report of a container that is about to be removed.
 * @returns its path, or null if there is none
 */
export function keepReport(dir: ContainerDir): string | null {
  if (!hasCrashed(dir)) return null;
  const log = logPath(dir), kept = dir.path + REPORT;
  try {
    if (Deno.statSync(log).size > REPORT_BYTES) Deno.truncateSync(log, REPORT_BYTES);
    Deno.renameSync(log, kept);
    keepNewest(dirname(dir.path), REPORT, REPORTS - 1, kept);
    return kept;
  } catch {
    return null;
  }
}

/** What a failing kernel, or one that an attacker runs, has written may be of any length. */
function beginningOf(path: string): string {
  using file = Deno.openSync(path);
  const bytes = new Uint8Array(REPORT_BYTES);
  let length = 0;
  for (let n: number | null = 1; n !== null && n > 0; length += n ?? 0) {
    n = file.readSync(bytes.subarray(length));
  }
  return new TextDecoder().decode(bytes.subarray(0, length));
}
