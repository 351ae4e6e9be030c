/** `--overlay`: where what a container writes to its root directory goes. */

import { usageError } from "../user_error.ts";

export type OverlayMode =
  /** Through to the host. */
  | { readonly kind: "none" }
  /** Into the memory of the sandbox. */
  | { readonly kind: "memory" }
  /** Into a directory of the host that is the container's own, made in `parent` and removed with it. */
  | { readonly kind: "file"; readonly parent: string };

/** On most hosts a disk; /run, where the state is, is memory. */
const DEFAULT_PARENT = "/var/tmp";

export const OVERLAY_HELP = "none, memory, file, file:DIR";

/** @param text null: not said @throws UserError */
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
