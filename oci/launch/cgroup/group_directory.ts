/**
 * Makes, fills and removes one group: a directory of a mounted tree. container_cgroup.ts has the
 * set of a container's groups.
 */

import { dirname, join } from "@std/path";
import { AT_FDCWD, O_CLOEXEC, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import { SYS_close, SYS_openat, SYS_write } from "../../../ffi/abi/syscall_numbers.ts";
import { PREV, type SpawnScript } from "../../../ffi/sys/spawn.ts";
import { UserError } from "../../user_error.ts";
import {
  CgroupError,
  childGroups,
  codeOf,
  exists,
  isDirectory,
  isMissing,
  readIfThere,
  sleepMs,
  writeGroupFile,
} from "./control_files.ts";

const PROCS = "cgroup.procs";
/** LIMIT: how long to wait for a group that is still busy, in ms. */
const REMOVE_MS = 3000;

/** A group of v1 and its parents. */
export function makeGroupV1(controller: string, dir: string): void {
  makeDirectory(dir);
  refuseProcesses(dir);
  if (controller === "cpuset") fillCpuset(dir);
}

/**
 * A group of v2 and its parents, which enable their controllers for their children.
 *
 * @param wanted controllers to enable; null: all that exist
 * @param needed controllers that the group must have
 * @param top the mount point; groups below it enable controllers. Without it none does
 */
export function makeGroupV2(
  dir: string,
  wanted: readonly string[] | null,
  needed: readonly string[],
  top?: string,
): void {
  makeDirectory(dir);
  refuseProcesses(dir);
  if (top !== undefined) handDown(top, dir, wanted);
  const type = readIfThere(dir, "cgroup.type");
  if (type !== "" && type !== "domain") {
    throw new UserError(`the cgroup ${dir} is of type "${type}", which cannot hold a container`);
  }
  const has = readIfThere(dir, "cgroup.controllers").split(" ");
  const missing = needed.filter((name) => !has.includes(name));
  if (missing.length === 0) return;
  throw new UserError(
    `the cgroup ${dir} has no controller ${
      missing.join(", ")
    }: something above does not hand it down`,
  );
}

function handDown(top: string, dir: string, wanted: readonly string[] | null): void {
  const below = dir.slice(top.length).split("/").filter((part) => part !== "");
  for (let depth = 0; depth < below.length; depth++) {
    const at = join(top, ...below.slice(0, depth));
    const there = readIfThere(at, "cgroup.controllers").split(" ").filter((c) => c !== "");
    const done = readIfThere(at, "cgroup.subtree_control").split(" ");
    const missing = there.filter((c) => !done.includes(c) && (wanted?.includes(c) ?? true));
    for (const controller of missing) {
      try {
        writeGroupFile(at, "cgroup.subtree_control", `+${controller}`);
      } catch (error) {
        // The check for needed controllers below reports the error.
        if (!(error instanceof CgroupError)) throw error;
      }
    }
  }
}

function makeDirectory(dir: string): void {
  try {
    Deno.mkdirSync(dir, { recursive: true, mode: 0o755 });
  } catch (cause) {
    throw new CgroupError(`cannot make the cgroup ${dir}`, cause);
  }
}

/**
 * A group with foreign processes is refused: they would get this container's limits, and be killed
 * with it.
 */
function refuseProcesses(dir: string): void {
  const pids = readIfThere(dir, PROCS).split("\n").filter((line) => line !== "");
  if (pids.length === 0) return;
  throw new UserError(
    `container's cgroup is not empty: ${pids.length} process(es) found in ${dir}`,
  );
}

/**
 * A new group of cpuset has neither processors nor memory nodes, and takes no process before it has
 * both.
 */
function fillCpuset(dir: string): void {
  for (const name of ["cpuset.cpus", "cpuset.mems"]) fillFromAbove(dir, name);
}

function fillFromAbove(dir: string, name: string): string {
  const value = readIfThere(dir, name);
  if (value !== "") return value;
  const above = dirname(dir);
  if (!exists(above, name)) return "";
  const inherited = fillFromAbove(above, name);
  if (inherited !== "") writeGroupFile(dir, name, inherited);
  return inherited;
}

/**
 * Moves a process into the group.
 * @throws CgroupError
 */
export function addTo(dir: string, pid: number): void {
  for (let tries = 0;; tries++) {
    try {
      return writeGroupFile(dir, PROCS, String(pid));
    } catch (error) {
      // A process that was just started may not be movable yet.
      if (codeOf(error) !== "EINVAL" || tries === 5) throw error;
      sleepMs(30);
    }
  }
}

/** Adds steps to a launch script by which the child moves itself into the group. */
export function joinGroup(script: SpawnScript, dir: string): void {
  script.call(SYS_openat, AT_FDCWD, join(dir, PROCS), O_WRONLY | O_CLOEXEC, 0);
  const fd = PREV(script.length - 1);
  script.call(SYS_write, fd, "0", 1).call(SYS_close, fd);
}

/** Processes of a group and of its subgroups. */
export function processesOf(dir: string): number[] {
  const own = readIfThere(dir, PROCS).split("\n").filter((line) => line !== "").map(Number);
  // 0: a process in a PID namespace that this process cannot see.
  return [
    ...own.filter((pid) => pid > 0),
    ...childGroups(dir).flatMap((n) => processesOf(join(dir, n))),
  ];
}

/**
 * Removes a group and its subgroups.
 *
 * @param waitMs for the last processes to end
 * @throws CgroupError
 */
export function removeGroup(dir: string, waitMs = REMOVE_MS): void {
  const deadline = performance.now() + waitMs;
  for (let wait = 1;; wait = Math.min(2 * wait, 100)) {
    if (!isDirectory(dir)) return;
    try {
      for (const name of childGroups(dir)) removeGroup(join(dir, name), waitMs);
      Deno.removeSync(dir);
      return;
    } catch (cause) {
      if (isMissing(cause)) return;
      const isBusy = codeOf(cause) === "EBUSY";
      if (isBusy && performance.now() < deadline) sleepMs(wait);
      else throw new CgroupError(`cannot remove the cgroup ${dir}`, cause);
    }
  }
}
