/** Freezes and thaws every process of a group: the freezer of v1, `cgroup.freeze` of v2. */

import { UserError } from "../../user_error.ts";
import { readGroupFile, readIfThere, readTable, sleepMs, writeGroupFile } from "./control_files.ts";

const STATE = "freezer.state";
/** LIMIT: how long processes may take to stop. */
const FREEZE_MS = 5000;

/** @throws UserError */
export function freezeV1(dir: string): void {
  const deadline = performance.now() + FREEZE_MS;
  for (let tries = 1; performance.now() < deadline; tries++) {
    writeGroupFile(dir, STATE, "FROZEN");
    if (tries % 25 === 0) sleepMs(10);
    if (readGroupFile(dir, STATE) === "FROZEN") return;
    // A process that forks during the freeze can keep the group in FREEZING: a short thaw lets it
    // finish.
    if (tries % 50 === 0) {
      writeGroupFile(dir, STATE, "THAWED");
      sleepMs(1);
    }
  }
  writeGroupFile(dir, STATE, "THAWED");
  throw new UserError(`the processes in ${dir} did not stop within ${FREEZE_MS / 1000} s`);
}

export function thawV1(dir: string): void {
  writeGroupFile(dir, STATE, "THAWED");
}

export function isFrozenV1(dir: string): boolean {
  return readIfThere(dir, STATE) !== "THAWED" && readIfThere(dir, STATE) !== "";
}

/** @throws UserError */
export function freezeV2(dir: string): void {
  writeGroupFile(dir, "cgroup.freeze", "1");
  const deadline = performance.now() + FREEZE_MS;
  for (let wait = 1; performance.now() < deadline; wait = Math.min(2 * wait, 50)) {
    if (readTable(dir, "cgroup.events").get("frozen") === 1) return;
    sleepMs(wait);
  }
  writeGroupFile(dir, "cgroup.freeze", "0");
  throw new UserError(`the processes in ${dir} did not stop within ${FREEZE_MS / 1000} s`);
}

export function thawV2(dir: string): void {
  writeGroupFile(dir, "cgroup.freeze", "0");
}

export function isFrozenV2(dir: string): boolean {
  return readIfThere(dir, "cgroup.freeze") === "1";
}
