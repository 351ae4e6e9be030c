/**
 * The control groups of one container: one in each tree of a v1 host, one altogether on v2. Made at create, found again
 * by its record (plain JSON in the container's state), removed at delete.
 *
 * With the systemd driver the groups are made by systemd for a transient unit, which needs a process: they are there from
 * `addProcess` on. Neighbours: v1_resources.ts and v2_resources.ts set limits, group_files.ts makes and removes groups,
 * systemd/ talks to systemd.
 */

import { SIGKILL } from "../../ffi/abi/signal.ts";
import { SYS_kill } from "../../ffi/abi/syscall_numbers.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { SpawnScript } from "../../ffi/sys/spawn.ts";
import type { Resources } from "../spec/resources_section.ts";
import { UserError } from "../user_error.ts";
import { exists, isForbidden, readNumber, readTable, sleepMs, writeGroupFile } from "./files.ts";
import { freezeV1, freezeV2, isFrozenV1, isFrozenV2, thawV1, thawV2 } from "./freezer.ts";
import {
  addTo,
  joinGroup,
  makeGroupV1,
  makeGroupV2,
  processesOf,
  removeGroup,
} from "./group_files.ts";
import { directoryOf, expandSlice, groupPath, scopeName } from "./group_path.ts";
import { type CgroupHost, type CgroupMode, detectCgroups } from "./hierarchy.ts";
import { type Limits, limitsOf, NO_OVERHEAD, type Overhead } from "./limits.ts";
import type { Stats } from "./stats.ts";
import { readStatsV1 } from "./stats_v1.ts";
import { readStatsV2 } from "./stats_v2.ts";
import { type SystemdManager, systemdManager } from "./systemd/manager.ts";
import { unitProperties, type UnitProperty } from "./systemd/properties.ts";
import { V1_WRITERS } from "./v1_resources.ts";
import { applyV2, neededV2 } from "./v2_resources.ts";

export type CgroupDriver = "cgroupfs" | "systemd";

/** What is kept of it: JSON. */
export interface CgroupRecord {
  readonly driver: CgroupDriver;
  readonly mode: CgroupMode;
  /** Directories by v1 controller; "" is v2's. */
  readonly paths: Readonly<Record<string, string>>;
  /** Of systemd; null with the other driver. */
  readonly unit: { readonly slice: string; readonly name: string } | null;
  readonly isRootless: boolean;
  readonly overhead: { readonly memoryBytes: number; readonly pids: number };
}

export interface CgroupOptions {
  readonly id: string;
  /** `linux.cgroupsPath`; null: a group called `id`. */
  readonly cgroupsPath: string | null;
  readonly resources: Resources;
  readonly driver: CgroupDriver;
  /** Then groups that the host forbids are done without where nothing is asked of them, as runc does it. */
  readonly isRootless: boolean;
  readonly overhead?: Overhead;
  /** `org.systemd.property.*` annotations: properties of the unit. */
  readonly annotations?: ReadonlyMap<string, string>;
  /** For tests; the host's own otherwise. */
  readonly host?: CgroupHost;
}

/** LIMIT: how long the end of killed processes is waited for. */
const KILL_MS = 10_000;

export class ContainerCgroup {
  readonly record: CgroupRecord;
  /** What systemd is told, and the limits, until there is a process to make a unit for. */
  #pending: { readonly limits: Limits; readonly properties: readonly UnitProperty[] } | null = null;

  private constructor(record: CgroupRecord) {
    this.record = record;
  }

  /** Makes the groups and sets their limits; there is no process in them yet. @throws UserError */
  static create(options: CgroupOptions): ContainerCgroup {
    const host = options.host ?? detectCgroups();
    const limits = limitsOf(options.resources, options.overhead);
    return options.driver === "systemd"
      ? createForSystemd(host, options, limits)
      : createInFiles(host, options, limits);
  }

  /** From what `record` was. @throws UserError if it was not */
  static load(json: unknown): ContainerCgroup {
    if (!isCgroupRecord(json)) {
      throw new UserError("the state of the container's cgroup is damaged");
    }
    return new ContainerCgroup(json);
  }

  /** For the two that make one. */
  static of(record: CgroupRecord): ContainerCgroup {
    return new ContainerCgroup(record);
  }

  /** Leaves the rest to the first `addProcess`. */
  postpone(limits: Limits, properties: readonly UnitProperty[]): this {
    this.#pending = { limits, properties };
    return this;
  }

  /** Each directory once: controllers may share a tree. */
  get directories(): string[] {
    return [...new Set(Object.values(this.record.paths))];
  }

  /** The directory whose `cgroup.procs` names the container's processes; null if it has none. */
  get mainDirectory(): string | null {
    const { paths, mode } = this.record;
    if (mode === "v2") return paths[""] ?? null;
    return paths["devices"] ?? paths["pids"] ?? this.directories[0] ?? null;
  }

  /** Moves a process into the groups. @throws UserError */
  addProcess(pid: number): void {
    const { unit } = this.record;
    if (unit !== null && this.#pending !== null) {
      const { limits, properties } = this.#pending;
      this.#pending = null;
      this.#manager().startUnit(unit, pid, properties);
      this.#makeRest(limits);
    }
    for (const dir of this.directories) {
      try {
        addTo(dir, pid);
      } catch (error) {
        if (!this.record.isRootless || !isForbidden(error)) throw error;
      }
    }
  }

  /** Adds steps to a launch script: the child moves itself, before it has threads or memory of its own. */
  join(script: SpawnScript): void {
    for (const dir of this.directories) joinGroup(script, dir);
  }

  /** Sets what is asked for and leaves the rest. @throws UserError */
  apply(resources: Resources): void {
    const limits = limitsOf(resources, this.record.overhead);
    const { unit, mode } = this.record;
    if (unit !== null) this.#manager().setProperties(unit.name, unitProperties(limits, mode));
    this.applyLimits(limits);
  }

  /** Stops every process of the container. @throws UserError if it cannot be done in time */
  freeze(): void {
    const { mode, paths } = this.record;
    if (mode === "v2") freezeV2(this.#need(""));
    else if (paths["freezer"] !== undefined) freezeV1(paths["freezer"]);
    else freezeV2(this.#need("", "freezer"));
  }

  thaw(): void {
    const { mode, paths } = this.record;
    if (mode === "v2") thawV2(this.#need(""));
    else if (paths["freezer"] !== undefined) thawV1(paths["freezer"]);
    else thawV2(this.#need("", "freezer"));
  }

  isFrozen(): boolean {
    const { mode, paths } = this.record;
    const v1 = mode === "v2" ? undefined : paths["freezer"];
    const v2 = paths[""];
    if (v1 !== undefined) return isFrozenV1(v1);
    return v2 !== undefined && isFrozenV2(v2);
  }

  /** Host pids, of groups beneath too. Empty if the groups are gone. */
  processes(): number[] {
    const pids = new Set<number>();
    const { mainDirectory } = this;
    if (mainDirectory !== null) { for (const pid of processesOf(mainDirectory)) pids.add(pid); }
    return [...pids].sort((a, b) => a - b);
  }

  /** Kills every process and waits for the end of them all. @returns false if some still live */
  kill(): boolean {
    const unified = this.record.paths[""];
    const deadline = performance.now() + KILL_MS;
    for (let wait = 1; performance.now() < deadline; wait = Math.min(2 * wait, 50)) {
      if (unified !== undefined && exists(unified, "cgroup.kill")) {
        writeGroupFile(unified, "cgroup.kill", "1");
      }
      const pids = this.processes();
      if (pids.length === 0) return true;
      for (const pid of pids) syscall(SYS_kill, pid, SIGKILL);
      // The frozen of v1 die when they thaw.
      if (this.isFrozen()) this.thaw();
      sleepMs(wait);
    }
    return this.processes().length === 0;
  }

  stats(): Stats {
    const { mode, paths } = this.record;
    return mode === "v2" ? readStatsV2(paths[""] ?? "") : readStatsV1(paths);
  }

  /** Processes that the host's OOM killer took from this container. */
  oomCount(): number {
    const { mode, paths } = this.record;
    if (mode === "v2") return readTable(paths[""] ?? "", "memory.events").get("oom_kill") ?? 0;
    return readTable(paths["memory"] ?? "", "memory.oom_control").get("oom_kill") ?? 0;
  }

  /** Bytes that the host counts against the limit now. */
  memoryUsage(): number {
    const { mode, paths } = this.record;
    if (mode === "v2") return readNumber(paths[""] ?? "", "memory.current");
    return readNumber(paths["memory"] ?? "", "memory.usage_in_bytes");
  }

  /** Removes the groups and what is beneath them. @throws UserError if processes keep them for long */
  remove(): void {
    const { unit } = this.record;
    if (unit !== null) this.#manager().stopUnit(unit.name);
    let problem: unknown = null;
    for (const dir of this.directories) {
      try {
        removeGroup(dir);
      } catch (error) {
        problem ??= error;
      }
    }
    if (problem !== null) throw problem;
  }

  #manager(): SystemdManager {
    return systemdManager(this.record.isRootless);
  }

  /** Directory of v2, or an error that says what cannot be done. */
  #need(name: string, what = name): string {
    const dir = this.record.paths[name];
    if (dir === undefined) {
      throw new UserError(`the container has no cgroup to ${what || "freeze"}`);
    }
    return dir;
  }

  /** systemd has made the groups of the controllers that it uses. */
  #makeRest(limits: Limits): void {
    const { mode, paths } = this.record;
    if (mode === "v2") makeGroupV2(paths[""] ?? "", [], neededV2(limits));
    else for (const [name, dir] of Object.entries(paths)) makeGroupV1(name, dir);
    this.applyLimits(limits);
  }

  /** The same as `apply`, for limits that have the overhead in them. */
  applyLimits(limits: Limits): void {
    const { mode, paths, isRootless } = this.record;
    if (mode === "v2") {
      const dir = paths[""];
      if (dir !== undefined) return applyV2(dir, limits);
      const needed = neededV2(limits);
      if (needed.length === 0) return;
      throw new UserError(`cannot set limits of ${needed.join(", ")}: the container has no cgroup`);
    }
    for (const [name, writer] of Object.entries(V1_WRITERS)) {
      if (!writer.needs(limits)) continue;
      const dir = paths[name];
      // A rootless container cannot have device rules; its program has no devices of the host anyway.
      if (dir === undefined && isRootless && name === "devices") continue;
      if (dir !== undefined) setV1(name, dir, limits, isRootless);
      else if (!setInOtherTree(name, paths[""], limits)) {
        throw new UserError(`cannot set limits of ${name}: the container has no such cgroup`);
      }
    }
    if (limits.unified.length > 0) {
      throw new UserError("linux.resources.unified: this host has cgroup v1");
    }
  }
}

function setV1(name: string, dir: string, limits: Limits, isRootless: boolean): void {
  try {
    V1_WRITERS[name]?.apply(dir, limits);
  } catch (error) {
    if (!(isRootless && name === "devices" && isForbidden(error))) throw error;
  }
}

/** On a hybrid host v2 may have the controller that v1 lacks. */
function setInOtherTree(name: string, unified: string | undefined, limits: Limits): boolean {
  if (name !== "hugetlb" || unified === undefined) return false;
  const [size] = limits.hugepages;
  if (size === undefined || !exists(unified, `hugetlb.${size.pageSize}.max`)) return false;
  applyV2(unified, { ...limitsOf(NOTHING), hugepages: limits.hugepages });
  return true;
}

const NOTHING: Resources = {
  devices: [],
  memory: null,
  cpu: null,
  pidsLimit: null,
  blockIO: null,
  hugepageLimits: [],
  network: null,
  rdma: [],
  unified: [],
};

function createInFiles(host: CgroupHost, options: CgroupOptions, limits: Limits): ContainerCgroup {
  const path = groupPath(options.cgroupsPath, options.id);
  const mayLack = options.isRootless && (options.cgroupsPath ?? "") === "";
  const paths: Record<string, string> = {};
  const made: string[] = [];
  const cgroup = ContainerCgroup.of(recordOf(host, options, paths, null));
  const make = (name: string, dir: string, how: () => void) => {
    try {
      paths[name] = dir;
      how();
      made.push(dir);
    } catch (error) {
      delete paths[name];
      if (!mayLack || !isForbidden(error)) throw error;
    }
  };
  try {
    for (const [name, tree] of host.v1) {
      const dir = directoryOf(tree, path, false);
      make(name, dir, () => makeGroupV1(name, dir));
    }
    if (host.v2 !== null) {
      const dir = directoryOf(host.v2, path, host.mode === "v2");
      const needed = host.mode === "v2" ? neededV2(limits) : [];
      const wanted = limits.hugepages.length > 0 ? ["hugetlb"] : [];
      const available = host.mode === "v2" ? null : wanted;
      make("", dir, () => makeGroupV2(dir, available, needed, host.v2?.mountPoint));
    }
    cgroup.applyLimits(limits);
    return cgroup;
  } catch (error) {
    for (const dir of made) removeQuietly(dir);
    throw error;
  }
}

function removeQuietly(dir: string): void {
  try {
    removeGroup(dir);
  } catch {
    // What stands in the way is the error that is thrown on.
  }
}

function createForSystemd(
  host: CgroupHost,
  options: CgroupOptions,
  limits: Limits,
): ContainerCgroup {
  const scope = scopeName(options.cgroupsPath, options.id);
  const slice = scope.slice || (options.isRootless ? "user.slice" : "system.slice");
  // Fails here, and not when processes have been started already.
  const base = systemdManager(options.isRootless).controlGroup();
  const parts = [...base.split("/").filter((part) => part !== ""), ...expandSlice(slice)];
  const path = { isAbsolute: true, parts: [...parts, scope.unit] };
  const paths: Record<string, string> = {};
  for (const [name, tree] of host.v1) paths[name] = directoryOf(tree, path, false);
  if (host.v2 !== null) paths[""] = directoryOf(host.v2, path, false);
  const record = recordOf(host, options, paths, { slice, name: scope.unit });
  const properties = unitProperties(limits, host.mode, options.annotations);
  return ContainerCgroup.of(record).postpone(limits, properties);
}

function recordOf(
  host: CgroupHost,
  { driver, isRootless, overhead }: CgroupOptions,
  paths: Record<string, string>,
  unit: CgroupRecord["unit"],
): CgroupRecord {
  const { memoryBytes, pids } = overhead ?? NO_OVERHEAD;
  return { driver, mode: host.mode, paths, unit, isRootless, overhead: { memoryBytes, pids } };
}

/** Written by this program alone: enough of its shape to tell damage. */
function isCgroupRecord(json: unknown): json is CgroupRecord {
  return typeof json === "object" && json !== null && "driver" in json && "mode" in json &&
    "paths" in json && typeof json.paths === "object" && json.paths !== null &&
    Object.values(json.paths).every((path) => typeof path === "string") && "overhead" in json;
}
