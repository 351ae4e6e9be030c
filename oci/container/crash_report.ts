/**
 * What the processes of a container say goes to a file in its state directory. When its kernel has failed that file is the
 * report, with the reason and the last calls of its guests, and stays when the container goes.
 */

import { join } from "@std/path";
import type { ContainerDir } from "../state/store.ts";

const LOG = "sandbox.log";
/** How a report begins: boot.ts writes it. */
const MARK = "this is a bug in dvisor";
/** LIMIT: bytes that are looked at. */
const SHOWN = 1 << 16;

/** Where a container's processes write. */
export function logPath(dir: ContainerDir): string {
  return join(dir.path, LOG);
}

/** Whether the kernel of the container has failed. */
export function hasCrashed(dir: ContainerDir): boolean {
  try {
    return Deno.readTextFileSync(logPath(dir)).slice(0, SHOWN).includes(MARK);
  } catch {
    return false;
  }
}

/** Keeps the report of a container that is going to be removed. @returns its path, or null if there is none */
export function keepReport(dir: ContainerDir): string | null {
  if (!hasCrashed(dir)) return null;
  const kept = `${dir.path}.crash`;
  try {
    Deno.renameSync(logPath(dir), kept);
    return kept;
  } catch {
    return null;
  }
}
