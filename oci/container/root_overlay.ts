/** `--overlay`: where a container's writes to its root directory go. */

import { usageError, UserError } from "../user_error.ts";
import { removeTree } from "./remove_tree.ts";

export type OverlayMode =
  /** To the host's directory. */
  | { readonly kind: "none" }
  /** Into the memory of the sandbox. */
  | { readonly kind: "memory" }
  /**
   * Into a directory of the host for this container, made in `parent` and removed with the
   * container.
   */
  | { readonly kind: "file"; readonly parent: string };

/** On most hosts this is on a disk; /run, which has the state, is in memory. */
const DEFAULT_PARENT = "/var/tmp";

const OVERLAY_HELP = "none, memory, file, file:DIR";

/**
 * @param text null: the option is absent
 * @throws UserError
 */
export function parseOverlay(text: string | null): OverlayMode {
  switch (text) {
    case null:
    case "none":
      return { kind: "none" };
    case "memory":
      return { kind: "memory" };
    case "file":
      return { kind: "file", parent: DEFAULT_PARENT };
  }
  const parent = /^file:(\/.*)$/s.exec(text)?.[1];
  if (parent !== undefined) return { kind: "file", parent };
  throw usageError(`--overlay is "${text}", expected ${OVERLAY_HELP}, the directory absolute`);
}

/**
 * Makes the directory with mode 0700. Its owner is user 0 of the container.
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

/**
 * Removes the directory with its contents; no error if it does not exist.
 * @throws UserError
 */
export function removeOverlayDirectory(path: string): void {
  try {
    removeTree(path);
  } catch (error) {
    throw new UserError(`cannot remove what the container wrote, ${path}`, undefined, error);
  }
}

/** The id in this namespace of user or group 0 in the process's. */
function rootIn(pid: number, file: "uid_map" | "gid_map"): number {
  for (const line of Deno.readTextFileSync(`/proc/${pid}/${file}`).split("\n")) {
    const [inside, outside] = line.trim().split(/\s+/).map(Number);
    if (inside === 0 && outside !== undefined) return outside;
  }
  return 0;
}
