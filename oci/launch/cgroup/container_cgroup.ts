/**
 * The control groups of one container: one in each tree of a v1 host, a single one on v2. They are
 * made at create, found again by their record (JSON in the container's state), and removed at
 * delete.
 *
 * With the systemd driver systemd makes the groups for a transient unit, which needs a process:
 * they exist after `addProcess`. Neighbours: v1_resources.ts and v2_resources.ts set limits,
 * group_directory.ts makes and removes groups, systemd/ talks to systemd.
 */

import { SIGKILL } from "../../../ffi/abi/signal.ts";
import { SYS_kill } from "../../../ffi/abi/syscall_numbers.ts";
import { syscall } from "../../../ffi/sys/native.ts";
import type { SpawnScript } from "../../../ffi/sys/spawn.ts";
import type { Resources } from "../../spec/resources_section.ts";
import { type CgroupRecord, isCgroupRecord } from "../../state/cgroup_record.ts";
import { UserError } from "../../user_error.ts";
import {
  exists,
  isForbidden,
  placeOf,
  readNumber,
  readTable,
  sleepMs,
  writeGroupFile,
} from "./control_files.ts";
import { freezeV1, freezeV2, isFrozenV1, isFrozenV2, thawV1, thawV2 } from "./freezer.ts";
import {
  addTo,
  joinGroup,
  makeGroupV1,
  makeGroupV2,
  processesOf,
  removeGroup,
} from "./group_directory.ts";
import {
  type CgroupOptions,
  makeGroups,
  planForSystemd,
  planInFiles,
  removeQuietly,
} from "./group_plan.ts";
import { type CgroupHost, detectCgroups, detectCgroupsIfThere } from "./hierarchy.ts";
import { type KernelController, type Limits, limitsOf, withoutKernelLimits } from "./limits.ts";
import type { Stats } from "./stats.ts";
import { readStatsV1 } from "./stats_v1.ts";
import { readStatsV2 } from "./stats_v2.ts";
import { type SystemdManager, systemdManager } from "./systemd/manager.ts";
import { unitProperties, type UnitProperty } from "./systemd/properties.ts";
import { V1_WRITERS } from "./v1_resources.ts";
import { applyV2, neededV2 } from "./v2_resources.ts";

/** LIMIT: how long to wait for the end of killed processes, in ms. */
const KILL_MS = 10_000;

export class ContainerCgroup {
  #record: CgroupRecord;
  /** Limits and unit properties that wait for a process: systemd makes no unit without one. */
  #pending: { readonly limits: Limits; readonly properties: readonly UnitProperty[] } | null = null;

  private constructor(record: CgroupRecord) {
    this.#record = record;
  }

  get record(): CgroupRecord {
    return this.#record;
  }

  /**
   * Plans the groups. A caller that stores the record before `make` finds the groups again even if
   * it is killed.
   * @throws UserError
   */
  static plan(options: CgroupOptions): ContainerCgroup {
    const host = hostOf(options);
    return new ContainerCgroup(
      options.driver === "systemd" ? planForSystemd(host, options) : planInFiles(host, options),
    );
  }

  /** `plan` and `make`. @throws UserError */
  static create(options: CgroupOptions): ContainerCgroup {
    return ContainerCgroup.plan(options).make(options);
  }

  /**
   * Makes the planned groups and sets their limits; no process is in them yet.
   *
   * @param options those of the plan
   * @throws UserError; no group is left then
   */
  make(options: CgroupOptions): this {
    const host = hostOf(options);
    const limits = limitsOf(options.resources, options.overhead);
    const { unit, mode } = this.#record;
    if (unit === null) {
      this.#record = {
        ...this.#record,
        paths: makeGroups(host, this.#record.paths, options, limits),
      };
    } else {
      const properties = unitProperties(limits, mode, options.annotations);
      this.#pending = { limits, properties };
    }
    this.#record = { ...this.#record, isMade: true };
    if (unit !== null) return this;
    try {
      this.applyLimits(limits);
    } catch (error) {
      for (const dir of this.directories) removeQuietly(dir);
      throw error;
    }
    return this;
  }

  /**
   * From the member `record` of an earlier object.
   * @throws UserError if it is no such record
   */
  static load(json: unknown): ContainerCgroup {
    if (!isCgroupRecord(json)) {
      throw new UserError("the state of the container's cgroup is damaged");
    }
    return new ContainerCgroup(json);
  }

  /** Each directory once: controllers may share a tree. */
  get directories(): string[] {
    return [...new Set(Object.values(this.record.paths))];
  }

  /** The directory whose `cgroup.procs` lists the container's processes; null if there is none. */
  get mainDirectory(): string | null {
    const { paths, mode } = this.record;
    if (mode === "v2") return paths[""] ?? null;
    return paths["devices"] ?? paths["pids"] ?? this.directories[0] ?? null;
  }

  /** Whether the host has a group for the container's limits of this controller. */
  hostKeeps(controller: KernelController): boolean {
    const { mode, paths, isRootless } = this.record;
    if (!isRootless) return true;
    if (mode !== "v2") return paths[controller] !== undefined;
    const dir = paths[""];
    return dir !== undefined && exists(dir, `${controller}.max`);
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

  /**
   * Adds steps to a launch script by which the child moves itself, before it has threads or memory.
   */
  join(script: SpawnScript): void {
    for (const dir of this.directories) joinGroup(script, dir);
  }

  /**
   * Sets the limits that `resources` has and keeps the others.
   * @throws UserError
   */
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

  /** Host pids, those of subgroups included. Empty if the groups are gone. */
  processes(): number[] {
    const pids = new Set<number>();
    const { mainDirectory } = this;
    if (mainDirectory !== null) { for (const pid of processesOf(mainDirectory)) pids.add(pid); }
    return [...pids].sort((a, b) => a - b);
  }

  /**
   * Kills every process and waits for their end.
   * @returns false if some are still alive
   */
  kill(): boolean {
    if (!this.record.isMade) return true;
    const unified = this.record.paths[""];
    const deadline = performance.now() + KILL_MS;
    for (let wait = 1; performance.now() < deadline; wait = Math.min(2 * wait, 50)) {
      if (unified !== undefined && exists(unified, "cgroup.kill")) {
        writeGroupFile(unified, "cgroup.kill", "1");
      }
      const pids = this.processes();
      if (pids.length === 0) return true;
      for (const pid of pids) syscall(SYS_kill, pid, SIGKILL);
      // On v1 frozen processes die when they are thawed.
      if (this.isFrozen()) this.thaw();
      sleepMs(wait);
    }
    return this.processes().length === 0;
  }

  stats(): Stats {
    const { mode, paths } = this.record;
    return mode === "v2" ? readStatsV2(paths[""] ?? "") : readStatsV1(paths);
  }

  /** Processes of this container that the host's OOM killer has killed. */
  oomCount(): number {
    const { mode, paths } = this.record;
    if (mode === "v2") return readTable(paths[""] ?? "", "memory.events").get("oom_kill") ?? 0;
    return readTable(paths["memory"] ?? "", "memory.oom_control").get("oom_kill") ?? 0;
  }

  /** Bytes that count against the limit on the host. */
  memoryUsage(): number {
    const { mode, paths } = this.record;
    if (mode === "v2") return readNumber(paths[""] ?? "", "memory.current");
    return readNumber(paths["memory"] ?? "", "memory.usage_in_bytes");
  }

  /**
   * Removes the groups and their subgroups.
   * @throws UserError if processes keep them for long
   */
  remove(): void {
    const { unit, isMade } = this.record;
    if (unit !== null && isMade) this.#manager().stopUnit(unit.name);
    let problem: unknown = null;
    for (const dir of this.directories) {
      try {
        if (isMade) removeGroup(dir);
        else removeQuietly(dir, 0);
      } catch (error) {
        problem ??= error;
      }
    }
    if (problem !== null) throw problem;
  }

  #manager(): SystemdManager {
    return systemdManager(this.record.isRootless);
  }

  /** The directory of v2, or an error that names what cannot be done without it. */
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

  /** As `apply`, for limits that include the overhead. */
  applyLimits(all: Limits): void {
    const { mode, paths, isRootless } = this.record;
    const limits = withoutKernelLimits(all, (controller) => !this.hostKeeps(controller));
    if (mode === "v2") {
      const dir = paths[""];
      if (dir !== undefined) return applyV2(dir, limits, isRootless);
      const needed = neededV2(limits);
      if (needed.length === 0) return;
      throw new UserError(`cannot set limits of ${needed.join(", ")}: the container has no cgroup`);
    }
    for (const [name, writer] of Object.entries(V1_WRITERS)) {
      if (!writer.needs(limits)) continue;
      const dir = paths[name];
      // A rootless container cannot have device rules. Its program has no devices of the host
      // anyway.
      if (dir === undefined && isRootless && name === "devices") continue;
      if (dir !== undefined) setV1(name, dir, limits, isRootless);
      else if (!setInOtherTree(name, paths[""], limits)) {
        throw new UserError(
          `${placeOf(`${name}.`)}cannot set limits of ${name}: the container has no such cgroup`,
        );
      }
    }
    if (limits.unified.length > 0) {
      throw new UserError("linux.resources.unified: this host has cgroup v1");
    }
  }
}

function hostOf({ host, isRootless }: CgroupOptions): CgroupHost {
  return host ?? (isRootless ? detectCgroupsIfThere() : detectCgroups());
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
