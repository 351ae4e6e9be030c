/**
 * Takes the host's files away from a running boot process: an empty, read-only directory becomes
 * the root of its mount namespace, and so of every thread in it; the old root is unmounted.
 *
 * A short-lived child does this, so that the boot process never has a capability. See
 * pivot_root(2), setns(2) with a pidfd (Linux 5.8).
 */

import { ESRCH } from "../../ffi/abi/errno.ts";
import { MNT_DETACH, MS_NODEV, MS_NOEXEC, MS_NOSUID, MS_RDONLY } from "../../ffi/abi/mount.ts";
import { CLONE_NEWNS, CLONE_NEWUSER } from "../../ffi/abi/sched.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { SpawnScript } from "../../ffi/sys/spawn.ts";
import { runInChild } from "../host/child_script.ts";
import type { Level } from "./confinement_levels.ts";

/** A directory of every host; the empty one is mounted over it. */
const PLACE = "/proc";

/** Why the host refused. */
interface Refusal {
  readonly message: string;
  /** The boot process has ended. */
  readonly isGone: boolean;
}

/** @returns null, or why the host refused */
export function emptyRoot(pidfd: number, level: Level): Refusal | null {
  if (level === "none") return { message: "it has no mount namespace of its own", isGone: false };
  const script = new SpawnScript();
  script.call(N.SYS_setns, pidfd, CLONE_NEWNS + (level === "user" ? CLONE_NEWUSER : 0));
  const flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
  script.call(N.SYS_mount, "dvisor", PLACE, "tmpfs", flags, "mode=0555,size=4k,nr_inodes=2");
  script.call(N.SYS_chdir, PLACE);
  // The old root is then on top of the new one, and goes with the next call: pivot_root(2), NOTES.
  script.call(N.SYS_pivot_root, ".", ".");
  script.call(N.SYS_umount2, ".", MNT_DETACH);
  script.call(N.SYS_exit_group, 0);
  const error = runInChild(script);
  return error === null ? null : { message: error.message, isGone: error.errno === ESRCH };
}
