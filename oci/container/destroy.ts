/**
 * Removes a container in any state: its processes, its cgroup, its record. It also works on the
 * leftovers of a killed command, and may run more than once.
 */

import { ContainerCgroup } from "../launch/cgroup/container_cgroup.ts";
import { keepReport } from "./crash_report.ts";
import { removeOverlayDirectory } from "./root_overlay.ts";
import { ask } from "./control_client.ts";
import { endProcess } from "../state/liveness.ts";
import type { ContainerRecord } from "../state/record.ts";
import { ContainerDir } from "../state/store.ts";
import { UserError } from "../user_error.ts";
import { dirname } from "@std/path";

/** How long a killed process may take to end, in ms. */
const END_MS = 10_000;

interface Destroyed {
  /** The container's record, if there was one. */
  readonly record: ContainerRecord | null;
  /** Host path of the report of its kernel's failure, or null. */
  readonly report: string | null;
}

/** @throws UserError if a process does not end; the record then stays */
export function destroyContainer(dir: ContainerDir): Destroyed {
  const record = readRecord(dir);
  if (record !== null) {
    endAll(dir, record);
    removeCgroup(record);
    if (record.upper) removeOverlayDirectory(record.upper);
  }
  const report = keepReport(dir);
  dir.remove();
  return { record, report };
}

/** A damaged record counts as none. */
function readRecord(dir: ContainerDir): ContainerRecord | null {
  try {
    return dir.read();
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

/** Ends the command that is making the container, if there is one. */
export function endCreator(dir: ContainerDir): void {
  const record = readRecord(dir);
  if (record?.status === "creating") end(record.creator, "the command that makes it");
}

/** Ends all processes that the record names. */
export function endProcesses(dir: ContainerDir): void {
  const record = readRecord(dir);
  if (record !== null) endAll(dir, record);
}

function endAll(dir: ContainerDir, record: ContainerRecord): void {
  const { creator, init, sentry, gofer, sandboxId, id } = record;
  // A command must not end itself.
  if (creator.pid !== Deno.pid) end(creator, "the command that makes it");
  end(init, "the process that stands for it");
  if (sandboxId === id) end(sentry, "the kernel of its sandbox");
  else waitUntilSandboxLeft(new ContainerDir(dirname(dir.path), sandboxId), id);
  end(gofer, "its file server");
}

function end(process: ContainerRecord["init"], what: string): void {
  if (!endProcess(process, END_MS)) {
    throw new UserError(`${what} (process ${process.pid}) does not end`);
  }
}

/** Waits until the sandbox has noticed the end of the container. */
function waitUntilSandboxLeft(sandbox: ContainerDir, id: string): void {
  if (!sandbox.exists) return;
  try {
    ask(sandbox, { op: "destroy", id });
  } catch (error) {
    // The sandbox has ended, or the container is gone from it.
    if (!(error instanceof UserError)) throw error;
  }
}

/**
 * Kills what is left in the groups first: an `exec` that hangs, or a process that the sandbox left.
 */
function removeCgroup({ cgroup }: ContainerRecord): void {
  if (cgroup === null) return;
  const group = ContainerCgroup.load(cgroup);
  if (!group.kill()) throw new UserError("processes in the container's cgroup do not end");
  group.remove();
}
