/**
 * The files of a container that the host sees at /proc/PID/root of the proxy: the root directory
 * with its bind mounts, in the proxy's mount namespace. Clients enter that namespace and write
 * there (`podman cp`), and must reach files of the container only.
 *
 * A short-lived child builds it when the container's kernel has made the mount points. The old root
 * is gone before any path is followed, so links of the container lead nowhere else. Files in memory
 * of the sandbox's kernel are an empty read-only directory here. See open_tree(2), move_mount(2),
 * pivot_root(2).
 */

import { AT_FDCWD } from "../../ffi/abi/fcntl.ts";
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MNT_DETACH,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_SYMLINKS,
} from "../../ffi/abi/mount.ts";
import { PR_SET_DUMPABLE } from "../../ffi/abi/prctl.ts";
import { S_IFREG } from "../../ffi/abi/stat.ts";
import { CLONE_NEWNS, CLONE_NEWUSER } from "../../ffi/abi/sched.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { PREV, type PrevResult, SpawnScript } from "../../ffi/sys/spawn.ts";
import { stringToBytes } from "../../kernel/core/bytes.ts";
import { runInChild } from "../host/child_script.ts";
import { emptyRoot } from "./empty_root.ts";
import { copyTree, type HostTree, setAttributes } from "./tree_copy.ts";

interface ShownTree extends HostTree {
  readonly isReadOnly: boolean;
}

export interface ShownMount {
  /** Byte string. */
  readonly destination: string;
  /** "proc": the processes of the namespace. "memory": files that only the sandbox's kernel has. */
  readonly tree: ShownTree | "proc" | "memory";
}

export interface ShownRoot {
  readonly root: ShownTree;
  readonly mounts: readonly ShownMount[];
}

/** The mount of /proc that proxy_process.ts has made in the namespace. */
const PROC: ShownTree = { path: "/proc", isReadOnly: false };
/** A directory of every host: the new root is mounted there first. */
const PLACE = "/proc";

/**
 * @param hasUsers whether the mount namespace belongs to a user namespace of its own
 * @returns why the host refused, or null; after a refusal the proxy shows no files
 */
export function showRoot(pidfd: number, shown: ShownRoot, hasUsers: boolean): string | null {
  // User 0 of another user namespace may not reach the files; an ordinary user can do nothing
  // before it is user 0.
  const plans = hasUsers ? [true, false] : [true];
  let problem = "";
  try {
    for (const isEarly of plans) {
      const error = runInChild(scriptFor(pidfd, shown, hasUsers, isEarly));
      if (error === null) return null;
      problem = error.message;
    }
    const refused = emptyRoot(pidfd, hasUsers ? "user" : "root");
    return refused === null ? problem : `${problem}; ${refused.message}`;
  } finally {
    // A child that shares this memory has changed its user, which made this process undumpable and
    // /proc/self another user's.
    if (hasUsers) syscall(N.SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
  }
}

/** @param isEarly whether the host's files are opened before the child enters the namespaces */
function scriptFor(
  pidfd: number,
  shown: ShownRoot,
  hasUsers: boolean,
  isEarly: boolean,
): SpawnScript {
  const script = new SpawnScript();
  const enter = () => {
    script.call(N.SYS_setns, pidfd, CLONE_NEWNS + (hasUsers ? CLONE_NEWUSER : 0));
  };
  const copyOf = (tree: ShownTree): PrevResult => {
    return copyTree(script, tree, tree.isReadOnly ? MOUNT_ATTR_RDONLY : 0);
  };
  if (!isEarly) enter();
  const root = copyOf(shown.root);
  const copies = shown.mounts.map(({ tree }) => typeof tree === "string" ? null : copyOf(tree));
  if (isEarly) enter();
  const trees = shown.mounts.map(({ tree, destination }, i) => {
    if (tree === "memory") return emptyTree(script, destination, shown.mounts.slice(i + 1));
    return copies[i] ?? copyOf(PROC);
  });
  script.call(N.SYS_move_mount, root, "", AT_FDCWD, PLACE, MOVE_MOUNT_F_EMPTY_PATH);
  script.call(N.SYS_fchdir, root);
  // The old root is then on top of the new one, and goes with the next call: pivot_root(2), NOTES.
  script.call(N.SYS_pivot_root, ".", ".");
  script.call(N.SYS_umount2, ".", MNT_DETACH);
  const how = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS;
  trees.forEach((tree, i) => {
    const at = stringToBytes(shown.mounts[i]?.destination ?? "/");
    // A read-only root has no mount points of its own: the kernel of the sandbox has made them in
    // memory.
    script.callMayFail(N.SYS_move_mount, tree, "", AT_FDCWD, at, how);
  });
  return script.call(N.SYS_exit_group, 0);
}

/** An empty directory with mount points in it: a descriptor of its mount. */
function emptyTree(script: SpawnScript, at: string, mounts: readonly ShownMount[]): PrevResult {
  script.call(N.SYS_fsopen, "tmpfs", FSOPEN_CLOEXEC);
  const context = PREV(script.length - 1);
  script.call(N.SYS_fsconfig, context, FSCONFIG_SET_STRING, "source", "dvisor", 0);
  script.call(N.SYS_fsconfig, context, FSCONFIG_SET_STRING, "mode", "0555", 0);
  script.call(N.SYS_fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
  script.call(N.SYS_fsmount, context, FSMOUNT_CLOEXEC, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
  const tree = PREV(script.length - 1);
  for (const { destination, tree: inner } of mounts) {
    if (destination.startsWith(`${at}/`)) {
      makePlace(script, tree, destination.slice(at.length + 1), isFile(inner));
    }
  }
  setAttributes(script, tree, MOUNT_ATTR_RDONLY);
  return tree;
}

/** @param path relative to the mount */
function makePlace(script: SpawnScript, tree: PrevResult, path: string, isFile: boolean): void {
  const names = path.split("/");
  names.forEach((_, i) => {
    const at = stringToBytes(names.slice(0, i + 1).join("/"));
    if (!isFile || i < names.length - 1) script.callMayFail(N.SYS_mkdirat, tree, at, 0o755);
    else script.callMayFail(N.SYS_mknodat, tree, at, S_IFREG | 0o444, 0);
  });
}

function isFile(tree: ShownMount["tree"]): boolean {
  return typeof tree !== "string" && !Deno.statSync(tree.path).isDirectory;
}
