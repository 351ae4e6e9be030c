/**
 * The clocks of a container: a time namespace in the sandbox's kernel, with the offsets of
 * config.json or of another namespace (time_namespaces(7)).
 */

import { CLOCKS, type TimeOffsets } from "../spec/time_offsets.ts";
import type { LinuxConfig } from "../spec/linux_section.ts";
import { UserError } from "../user_error.ts";
import { namespaceInode } from "./host_namespaces.ts";

/** The path of a process's time namespace; its offsets are in a file beside it. */
const OF_PROCESS = /^(\/proc\/(?:\d+|self)(?:\/task\/\d+)?)\/ns\/time(?:_for_children)?$/;

/**
 * @returns null for the clocks of the host
 * @throws UserError naming the entry whose path is no time namespace, or one whose offsets cannot
 * be read
 */
export function timeOffsetsOf({ namespaces, timeOffsets }: LinuxConfig): TimeOffsets | null {
  const index = namespaces.findIndex(({ type }) => type === "time");
  const entry = namespaces[index];
  if (entry === undefined) return null;
  if (entry.path === null) return timeOffsets ?? { monotonicNs: 0, boottimeNs: 0 };
  const where = `config.json: linux.namespaces[${index}].path: ${entry.path.slice(0, 200)}`;
  const inode = namespaceInode(entry.path);
  if (inode === 0) throw new UserError(`${where}: no such file or directory`);
  if (inode === namespaceInode("/proc/self/ns/time")) return null;
  const process = OF_PROCESS.exec(entry.path)?.[1];
  if (process === undefined || inode !== namespaceInode(`${process}/ns/time_for_children`)) {
    throw new UserError(
      `${where}: the offsets of a time namespace are known by a path such as /proc/PID/ns/time`,
    );
  }
  const theirs = offsetsIn(`${process}/timens_offsets`),
    ours = offsetsIn("/proc/self/timens_offsets");
  return {
    monotonicNs: theirs.monotonicNs - ours.monotonicNs,
    boottimeNs: theirs.boottimeNs - ours.boottimeNs,
  };
}

function offsetsIn(file: string): TimeOffsets {
  const offsets = { monotonicNs: 0, boottimeNs: 0 };
  try {
    for (const line of Deno.readTextFileSync(file).split("\n")) {
      const [clock, seconds, ns] = line.trim().split(/\s+/);
      const member = CLOCKS.get(clock ?? "");
      if (member !== undefined) offsets[member] = Number(seconds) * 1e9 + Number(ns);
    }
  } catch (error) {
    throw new UserError(`cannot read the offsets of a time namespace, ${file}`, undefined, error);
  }
  return offsets;
}
