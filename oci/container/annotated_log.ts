/**
 * Debug logs that annotations of containers ask for: files in a directory that only its owner can
 * enter. They outlive their containers; when there are too many the oldest are removed.
 * protocol/boot_spec.ts has their size.
 *
 * Neighbours: annotation_options.ts, which decides whether there is one.
 */

import { join } from "@std/path";
import { ANNOTATED_LOG_BYTES, NAMED_LOG_BYTES } from "../protocol/boot_spec.ts";
import { keepNewest } from "../state/kept_files.ts";
import { UserError } from "../user_error.ts";

const DIRECTORY = "/var/log/dvisor";
const SUFFIX = ".log";
/** LIMIT: files. With the size in protocol/boot_spec.ts they take half a gigabyte at most. */
export const ANNOTATED_LOGS = 32;

/**
 * Removes old logs and makes one for a container.
 * @returns its path
 * @throws UserError
 */
export function makeAnnotatedLog(id: string, directory = DIRECTORY): string {
  const path = join(directory, id + SUFFIX);
  try {
    Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
    keepNewest(directory, SUFFIX, ANNOTATED_LOGS - 1, path);
    return path;
  } catch (error) {
    throw new UserError(`cannot keep debug logs in ${directory}`, undefined, error);
  }
}

/** The largest size of a debug log, by its path; null has the size of a named one. */
export function sizeOfLog(path: string | null): number {
  return path?.startsWith(`${DIRECTORY}/`) === true ? ANNOTATED_LOG_BYTES : NAMED_LOG_BYTES;
}
