/** The record of a container's control groups (JSON), which launch/cgroup/ makes and removes. */

/** The host's trees of groups: one for each controller, these and a v2 tree, or one v2 tree. */
export type CgroupMode = "v1" | "hybrid" | "v2";

export type CgroupDriver = "cgroupfs" | "systemd";

export interface CgroupRecord {
  readonly driver: CgroupDriver;
  readonly mode: CgroupMode;
  /** Directories by v1 controller; "" is v2's. */
  readonly paths: Readonly<Record<string, string>>;
  /** The unit of systemd; null with the other driver. */
  readonly unit: { readonly slice: string; readonly name: string } | null;
  readonly isRootless: boolean;
  /** False: only planned, or not known to be made. Then the group may belong to another owner. */
  readonly isMade: boolean;
  readonly overhead: { readonly memoryBytes: number; readonly pids: number };
}

/** Checks enough of the shape to find damage: only this program writes the record. */
export function isCgroupRecord(json: unknown): json is CgroupRecord {
  return typeof json === "object" && json !== null && "driver" in json && "mode" in json &&
    "paths" in json && typeof json.paths === "object" && json.paths !== null &&
    Object.values(json.paths).every((path) => typeof path === "string") && "overhead" in json;
}
