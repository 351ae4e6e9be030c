/**
 * The plan of a container's control groups, as a record that is stored (state/cgroup_record.ts),
 * and how cgroupfs groups are made. container_cgroup.ts uses them.
 */

import type { Resources } from "../../spec/resources_section.ts";
import type { CgroupDriver, CgroupRecord } from "../../state/cgroup_record.ts";
import { isForbidden } from "./control_files.ts";
import { makeGroupV1, makeGroupV2, removeGroup } from "./group_directory.ts";
import { directoryOf, expandSlice, groupPath, scopeName } from "./group_path.ts";
import type { CgroupHost } from "./hierarchy.ts";
import { type Limits, NO_OVERHEAD, type Overhead, withoutKernelLimits } from "./limits.ts";
import { systemdManager } from "./systemd/manager.ts";
import { neededV2 } from "./v2_resources.ts";

export interface CgroupOptions {
  readonly id: string;
  /** `linux.cgroupsPath`; null: a group called `id`. */
  readonly cgroupsPath: string | null;
  readonly resources: Resources;
  readonly driver: CgroupDriver;
  /**
   * Groups that the host forbids are left out, as with runc, where config.json sets no limit in
   * them but those that the kernel of the sandbox keeps.
   */
  readonly isRootless: boolean;
  readonly overhead?: Overhead;
  /** `org.systemd.property.*` annotations: properties of the unit. */
  readonly annotations?: ReadonlyMap<string, string>;
  /** For tests; the host's own otherwise. */
  readonly host?: CgroupHost;
}

/** @throws UserError for paths that make no sense */
export function planInFiles(host: CgroupHost, options: CgroupOptions): CgroupRecord {
  const path = groupPath(options.cgroupsPath, options.id), paths: Record<string, string> = {};
  for (const [name, tree] of host.v1) paths[name] = directoryOf(tree, path, false);
  if (host.v2 !== null) paths[""] = directoryOf(host.v2, path, host.mode === "v2");
  return recordOf(host, options, paths, null);
}

/**
 * @returns the groups that exist then: a rootless container without a cgroupsPath does without
 * forbidden ones
 */
export function makeGroups(
  host: CgroupHost,
  planned: Readonly<Record<string, string>>,
  options: CgroupOptions,
  limits: Limits,
): Record<string, string> {
  const mayLack = options.isRootless && (options.cgroupsPath ?? "") === "";
  const needed = options.isRootless ? withoutKernelLimits(limits, () => true) : limits;
  const paths: Record<string, string> = {};
  try {
    for (const [name, dir] of Object.entries(planned)) {
      try {
        if (name !== "") makeGroupV1(name, dir);
        else makeUnified(host, dir, needed);
        paths[name] = dir;
      } catch (error) {
        if (!mayLack || !isForbidden(error)) throw error;
      }
    }
    return paths;
  } catch (error) {
    for (const dir of Object.values(paths)) removeQuietly(dir);
    throw error;
  }
}

function makeUnified(host: CgroupHost, dir: string, limits: Limits): void {
  const top = host.v2?.mountPoint;
  if (host.mode === "v2") makeGroupV2(dir, null, neededV2(limits), top);
  else makeGroupV2(dir, limits.hugepages.length > 0 ? ["hugetlb"] : [], [], top);
}

/** @param waitMs for processes that end */
export function removeQuietly(dir: string, waitMs?: number): void {
  try {
    removeGroup(dir, waitMs);
  } catch {
    // The existing group belongs to another owner.
  }
}

/** @throws UserError also if there is no systemd */
export function planForSystemd(host: CgroupHost, options: CgroupOptions): CgroupRecord {
  const scope = scopeName(options.cgroupsPath, options.id);
  const slice = scope.slice || (options.isRootless ? "user.slice" : "system.slice");
  // Fails here, before processes are started.
  const base = systemdManager(options.isRootless).controlGroup();
  const parts = [...base.split("/").filter((part) => part !== ""), ...expandSlice(slice)];
  const path = { isAbsolute: true, parts: [...parts, scope.unit] };
  const paths: Record<string, string> = {};
  for (const [name, tree] of host.v1) paths[name] = directoryOf(tree, path, false);
  if (host.v2 !== null) paths[""] = directoryOf(host.v2, path, false);
  return recordOf(host, options, paths, { slice, name: scope.unit });
}

function recordOf(
  host: CgroupHost,
  { driver, isRootless, overhead }: CgroupOptions,
  paths: Record<string, string>,
  unit: CgroupRecord["unit"],
): CgroupRecord {
  const { memoryBytes, pids } = overhead ?? NO_OVERHEAD;
  const kept = { memoryBytes, pids };
  return { driver, mode: host.mode, paths, unit, isRootless, isMade: false, overhead: kept };
}
