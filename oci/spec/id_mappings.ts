/** Id mappings of a user namespace, or of a mount whose files have other ids than on disk. */

import type { JsonNode } from "../json_node.ts";

export interface IdMapping {
  readonly containerId: number;
  readonly hostId: number;
  readonly size: number;
}

/** How the ids of a mount's files are translated (mount_setattr(2), "ID-mapped mounts"). */
export interface MountIds {
  /** From those on disk (containerId) to the host's; null: as in the container's user namespace. */
  readonly mappings: {
    readonly uidMappings: readonly IdMapping[];
    readonly gidMappings: readonly IdMapping[];
  } | null;
  /** Of mounts below it too. */
  readonly isRecursive: boolean;
}

const UINT32_MAX = 2 ** 32 - 1;

export function readMappings(node: JsonNode): IdMapping[] {
  return node.items().map((item) => ({
    containerId: item.member("containerID").optional(0, (n) => n.integer(0, UINT32_MAX)),
    hostId: item.member("hostID").optional(0, (n) => n.integer(0, UINT32_MAX)),
    size: item.member("size").integer(1, UINT32_MAX),
  }));
}

/** Of an entry of `mounts`; null: its files have the ids that they have on disk. */
export function readMountIds(mount: JsonNode): MountIds | null {
  const words = mount.member("options").strings();
  const uids = mount.member("uidMappings"), gids = mount.member("gidMappings");
  const uidMappings = readMappings(uids), gidMappings = readMappings(gids);
  if (uidMappings.length === 0 && gidMappings.length > 0) {
    uids.fail("is missing, and gidMappings is there");
  }
  if (gidMappings.length === 0 && uidMappings.length > 0) {
    gids.fail("is missing, and uidMappings is there");
  }
  const hasMappings = uidMappings.length > 0;
  if (!hasMappings && !words.includes("idmap") && !words.includes("ridmap")) return null;
  return {
    mappings: hasMappings ? { uidMappings, gidMappings } : null,
    isRecursive: words.lastIndexOf("ridmap") > words.lastIndexOf("idmap"),
  };
}
