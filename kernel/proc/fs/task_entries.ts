/** The entries of /proc/PID and /proc/PID/task/TID in the order of readdir, with their modes. */

import { S_IFDIR, S_IFLNK, S_IFREG } from "../../../ffi/abi/stat.ts";

/** Whether an entry is in /proc/PID, in task/TID, or in both. */
export const IN_PROCESS = 1, IN_THREAD = 2, IN_BOTH = 3;

/** An entry of a task's directory. */
export interface TaskEntry {
  readonly name: string;
  /** The mode with the file type. */
  readonly mode: number;
  readonly where: number;
}

function file(name: string, permissions: number, where: number = IN_BOTH): TaskEntry {
  return { name, mode: S_IFREG | permissions, where };
}
function dir(name: string, permissions: number, where: number = IN_BOTH): TaskEntry {
  return { name, mode: S_IFDIR | permissions, where };
}
function link(name: string): TaskEntry {
  return { name, mode: S_IFLNK | 0o777, where: IN_BOTH };
}

export const TASK_ENTRIES: readonly TaskEntry[] = [
  dir("task", 0o555, IN_PROCESS),
  dir("fd", 0o500),
  dir("map_files", 0o500, IN_PROCESS),
  dir("fdinfo", 0o555),
  dir("ns", 0o511),
  dir("net", 0o555),
  dir("attr", 0o555),
  file("environ", 0o400),
  file("auxv", 0o400),
  file("status", 0o444),
  file("personality", 0o400),
  file("limits", 0o444),
  file("comm", 0o644),
  file("syscall", 0o400),
  file("cmdline", 0o444),
  file("stat", 0o444),
  file("statm", 0o444),
  file("maps", 0o444),
  file("children", 0o444, IN_THREAD),
  file("mem", 0o600),
  link("cwd"),
  link("root"),
  link("exe"),
  file("mounts", 0o444),
  file("mountinfo", 0o444),
  file("mountstats", 0o400, IN_PROCESS),
  file("smaps", 0o444),
  file("numa_maps", 0o444),
  file("smaps_rollup", 0o444),
  file("pagemap", 0o400),
  file("wchan", 0o444),
  file("schedstat", 0o444),
  file("cpuset", 0o444),
  file("cgroup", 0o444),
  file("oom_score", 0o444),
  file("oom_adj", 0o644),
  file("oom_score_adj", 0o644),
  file("loginuid", 0o644),
  file("sessionid", 0o444),
  file("coredump_filter", 0o644, IN_PROCESS),
  file("io", 0o400),
  file("uid_map", 0o644),
  file("gid_map", 0o644),
  file("projid_map", 0o644),
  file("setgroups", 0o644),
  file("timens_offsets", 0o644, IN_PROCESS),
  file("timers", 0o444, IN_PROCESS),
  file("timerslack_ns", 0o666, IN_PROCESS),
  file("ksm_merging_pages", 0o400),
  file("ksm_stat", 0o400),
];
