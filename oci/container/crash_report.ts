/**
 * Messages of a container's processes go to a file in its state directory. When its kernel fails,
 * that file is the report, with the reason and the last calls of its guests. The beginning of a
 * report is kept after the container is removed; only the newest reports are kept.
 */

import { dirname, join } from "@std/path";
import { keepNewest } from "../state/kept_files.ts";
import type { ContainerDir } from "../state/store.ts";

const LOG = "sandbox.log";
const REPORT = ".crash";
/** The first words of a report, which boot/boot.ts writes. */
const MARK = "this is a bug in dvisor";
/** LIMIT: bytes of a report, and of a log that is searched. */
export const REPORT_BYTES = 1 << 16;
/** LIMIT: reports beside the containers of one root. */
export const REPORTS = 16;

/** The file that a container's processes write messages to. */
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

/** The text of a failing kernel, or of an attacker in it, may have any length. */
function beginningOf(path: string): string {
  using file = Deno.openSync(path);
  const bytes = new Uint8Array(REPORT_BYTES);
  let length = 0;
  for (let n: number | null = 1; n !== null && n > 0; length += n ?? 0) {
    n = file.readSync(bytes.subarray(length));
  }
  return new TextDecoder().decode(bytes.subarray(0, length));
}
