/**
 * The directory that takes what a container writes with `--overlay=file`. Its path is in the container's record before
 * it is made, so that it goes with the container wherever a command is killed.
 */

import { removeTree } from "./remove_tree.ts";
import { UserError } from "../user_error.ts";

/**
 * For its owner alone, who is root of the container.
 *
 * @param pid a process in the container's user namespace
 * @throws UserError
 */
export function makeOverlayDirectory(path: string, pid: number): void {
  try {
    Deno.mkdirSync(path, { mode: 0o700 });
    if (Deno.uid() === 0) Deno.chownSync(path, rootIn(pid, "uid_map"), rootIn(pid, "gid_map"));
  } catch (error) {
    throw new UserError(`--overlay=file: cannot make ${path}`, undefined, error);
  }
}

/** With all that is in it; fine if it is not there. @throws UserError */
export function removeOverlayDirectory(path: string): void {
  try {
    removeTree(path);
  } catch (error) {
    throw new UserError(`cannot remove what the container wrote, ${path}`, undefined, error);
  }
}

/** The id here of user or group 0 there. */
function rootIn(pid: number, file: "uid_map" | "gid_map"): number {
  for (const line of Deno.readTextFileSync(`/proc/${pid}/${file}`).split("\n")) {
    const [inside, outside] = line.trim().split(/\s+/).map(Number);
    if (inside === 0 && outside !== undefined) return outside;
  }
  return 0;
}
