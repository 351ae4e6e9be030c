/**
 * Verbs for a sandbox of a library, which is no container: it has no record and no directory, only
 * the socket of the session protocol. An id is that of a container if there is one.
 */

import type { Globals } from "../options/globals.ts";
import { checkId } from "../state/store.ts";
import type { ListedState } from "../container/oci_state.ts";
import {
  type AttachedClient,
  attachTo,
  type ListedSandbox,
} from "../launch/session/attached_client.ts";
import { OCI_VERSION } from "../version.ts";

/**
 * Calls `use` with a client of the sandbox.
 * @returns false if there is none of that id
 * @throws UserError
 */
export function useSandbox(
  globals: Globals,
  id: string,
  use: (client: AttachedClient, info: ListedSandbox) => void,
): boolean {
  // Another root directory has no sandboxes of libraries.
  if (globals.given("root") !== null || globals.store.dir(checkId(id)).exists) return false;
  const found = attachTo(id);
  if (found === null) return false;
  try {
    use(found.client, found.info);
  } finally {
    found.client.close();
  }
  return true;
}

/** A sandbox of a library in the words of a container: its socket stands for the bundle. */
export function sandboxState({ id, pid, path, createdMs, labels }: ListedSandbox): ListedState {
  return {
    ociVersion: OCI_VERSION,
    id,
    pid,
    status: "running",
    bundle: path,
    rootfs: "",
    created: new Date(createdMs).toISOString(),
    annotations: labels,
    owner: "",
  };
}
