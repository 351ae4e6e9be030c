/**
 * What the host sees as a container's files at /proc/PID/root: its root directory with its bind mounts, in the mount
 * namespace of the process that stands for it. Clients enter that namespace and write there (`podman cp`), and must meet
 * the container, never the host.
 *
 * Done from outside, by a short-lived child, when the container's kernel has made the places for mounts. Whatever names
 * a container's links hold, they lead nowhere else: the old root is gone before they are followed. What is in memory of
 * the sandbox's kernel is an empty read-only directory here. See open_tree(2), move_mount(2), pivot_root(2).
 */

import { AT_FDCWD } from "../../ffi/abi/fcntl.ts";
import {
  MNT_DETACH,
  MOUNT_ATTR_RDONLY,
  MOVE_MOUNT_F_EMPTY_PATH,
  MOVE_MOUNT_T_SYMLINKS,
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_RDONLY,
} from "../../ffi/abi/mount.ts";
import { PR_SET_DUMPABLE } from "../../ffi/abi/prctl.ts";
import { CLONE_NEWNS, CLONE_NEWUSER } from "../../ffi/abi/sched.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { __WALL } from "../../ffi/abi/wait.ts";
import { SyscallError } from "../../ffi/sys/errors.ts";
import { close } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { type PrevResult, spawn, SpawnScript } from "../../ffi/sys/spawn.ts";
import { stringToBytes } from "../../kernel/core/bytes.ts";
import { emptyRoot } from "./empty_root.ts";
import { copyTree, type HostTree } from "./tree_copy.ts";

export interface ShownTree extends HostTree {
  readonly isReadOnly: boolean;
}

export interface ShownMount {
  /** Byte string. */
  readonly destination: string;
  /** "proc": the processes of the namespace. "memory": what the host does not have. */
  readonly tree: ShownTree | "proc" | "memory";
}

export interface ShownRoot {
  readonly root: ShownTree;
  readonly mounts: readonly ShownMount[];
}

/** The namespace's mount of it, which proxy.ts has made. */
const PROC: ShownTree = { path: "/proc", isReadOnly: false };
/** Exists everywhere; the new root is there until it is the root. */
const PLACE = "/proc";

/**
 * @param hasUsers whether its mount namespace belongs to a user namespace of its own
 * @returns why the host refused, or null; if it did, nothing is to be seen there
 */
export function showRoot(pidfd: number, shown: ShownRoot, hasUsers: boolean): string | null {
  // User 0 of other users may not come to the files; an ordinary user can do nothing before being one.
  const plans = hasUsers ? [true, false] : [true];
  let problem = "";
  try {
    for (const isEarly of plans) {
      const refused = attempt(scriptFor(pidfd, shown, hasUsers, isEarly));
      if (refused === null) return null;
      problem = refused;
    }
    const refused = emptyRoot(pidfd, hasUsers ? "user" : "root");
    return refused === null ? problem : `${problem}; ${refused.message}`;
  } finally {
    // A change of users in a child that shares this memory made it undumpable, and /proc/self not ours.
    if (hasUsers) syscall(N.SYS_prctl, PR_SET_DUMPABLE, 1, 0, 0, 0);
  }
}

/** @returns why the host refused, or null */
function attempt(script: SpawnScript): string | null {
  try {
    const child = spawn(script);
    syscall(N.SYS_wait4, child.pid, 0, __WALL, 0);
    close(child.pidfd);
    return null;
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error;
    return error.message;
  }
}

/** @param isEarly whether the host's files are found before it enters */
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
  const trees = shown.mounts.map(({ tree }, i) => {
    return tree === "proc" ? copyOf(PROC) : copies[i] ?? null;
  });
  script.call(N.SYS_move_mount, root, "", AT_FDCWD, PLACE, MOVE_MOUNT_F_EMPTY_PATH);
  script.call(N.SYS_fchdir, root);
  // The old root is then on top of the new one, and goes with the next call: pivot_root(2), NOTES.
  script.call(N.SYS_pivot_root, ".", ".");
  script.call(N.SYS_umount2, ".", MNT_DETACH);
  const how = MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_SYMLINKS;
  shown.mounts.forEach(({ destination }, i) => {
    const at = stringToBytes(destination), tree = trees[i] ?? null;
    // A read-only root has no places for mounts: the container's are in memory.
    if (tree !== null) script.callMayFail(N.SYS_move_mount, tree, "", AT_FDCWD, at, how);
    else hide(script, at);
  });
  return script.call(N.SYS_exit_group, 0);
}

function hide(script: SpawnScript, at: Uint8Array): void {
  const flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  script.callMayFail(N.SYS_mount, "dvisor", at, "tmpfs", flags, "mode=0555,size=4k,nr_inodes=2");
}
