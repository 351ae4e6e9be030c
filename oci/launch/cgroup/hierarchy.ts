/**
 * The control group trees of the host: where they are mounted, and the group of this process in
 * each (cgroups(7)).
 *
 * Three kinds: `v1` (a tree for each controller), `hybrid` (the same, and a v2 tree beside it with
 * processes and few controllers), `v2` (one tree). Read from mountinfo, so trees may be mounted
 * anywhere. Not here: a container's own groups (container_cgroup.ts).
 */

import type { CgroupMode } from "../../state/cgroup_record.ts";
import { UserError } from "../../user_error.ts";

/** One mounted tree. */
export interface CgroupTree {
  readonly mountPoint: string;
  /** The group that is mounted: "/" unless a container runtime has mounted only a part. */
  readonly root: string;
  /** The group of this process, as /proc/self/cgroup names it. */
  readonly own: string;
}

export interface CgroupHost {
  readonly mode: CgroupMode;
  /**
   * Trees of v1 by controller (`memory`), named ones as `name=systemd`. Controllers may share a
   * tree.
   */
  readonly v1: ReadonlyMap<string, CgroupTree>;
  /** The v2 tree, if it is mounted. */
  readonly v2: CgroupTree | null;
}

/**
 * Controllers of v1 in the order in which they are set up. Memory before cpu, because it fails more
 * often.
 */
const V1_CONTROLLERS: readonly string[] = [
  "cpuset",
  "devices",
  "memory",
  "cpu",
  "cpuacct",
  "pids",
  "blkio",
  "hugetlb",
  "net_cls",
  "net_prio",
  "perf_event",
  "freezer",
  "rdma",
  "misc",
  "name=systemd",
];

/**
 * The trees of this host.
 * @throws UserError if none is mounted
 */
export function detectCgroups(): CgroupHost {
  try {
    return parseCgroups(
      Deno.readTextFileSync("/proc/self/mountinfo"),
      Deno.readTextFileSync("/proc/self/cgroup"),
    );
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError("cannot find out about control groups", undefined, error);
  }
}

/** The trees of this host for a caller that can do without: none where none is mounted. */
export function detectCgroupsIfThere(): CgroupHost {
  try {
    return detectCgroups();
  } catch (error) {
    if (error instanceof UserError) return { mode: "v2", v1: new Map(), v2: null };
    throw error;
  }
}

/** Reads the hierarchies from the text of the two files of /proc. */
export function parseCgroups(mountinfo: string, ownGroups: string): CgroupHost {
  const own = parseOwnGroups(ownGroups);
  const v1 = new Map<string, CgroupTree>();
  let v2: CgroupTree | null = null;
  for (const mount of parseMounts(mountinfo)) {
    if (mount.type === "cgroup2") {
      v2 ??= { mountPoint: mount.point, root: mount.root, own: own.get("") ?? "/" };
      continue;
    }
    for (const name of controllersOf(mount.options)) {
      // The first mount counts; bind mounts of a part come later.
      if (v1.has(name) || !own.has(name)) continue;
      v1.set(name, { mountPoint: mount.point, root: mount.root, own: own.get(name) ?? "/" });
    }
  }
  if (v1.size > 0) return { mode: v2 === null ? "v1" : "hybrid", v1, v2 };
  if (v2 !== null) return { mode: "v2", v1, v2 };
  throw new UserError("the host has no control groups mounted; usually they are at /sys/fs/cgroup");
}

/** Group of the process by controller; "" is v2's. */
function parseOwnGroups(text: string): Map<string, string> {
  const own = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (match === null) continue;
    const [, names = "", path = "/"] = match;
    for (const name of names.split(",")) own.set(name, path);
  }
  return own;
}

interface Mount {
  readonly root: string;
  readonly point: string;
  readonly type: string;
  readonly options: string;
}

/** The lines of mountinfo that are control groups: proc_pid_mountinfo(5). */
function* parseMounts(text: string): Generator<Mount> {
  for (const line of text.split("\n")) {
    const [before = "", after = ""] = line.split(" - ", 2);
    const [type = "", , options = ""] = after.split(" ");
    if (type !== "cgroup" && type !== "cgroup2") continue;
    const [, , , root = "/", point = ""] = before.split(" ");
    yield { root: unescapeOctal(root), point: unescapeOctal(point), type, options };
  }
}

/** The controllers among the options of a v1 tree's super block. */
function controllersOf(options: string): string[] {
  return options.split(",").filter((o) => V1_CONTROLLERS.includes(o) || o.startsWith("name="));
}

/** `\040` and the like, as mountinfo writes blanks. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => {
    return String.fromCharCode(parseInt(digits, 8));
  });
}
