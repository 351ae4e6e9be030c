/**
 * Parts of launch scripts: the raw system calls between clone and exec of a child.
 *
 * Credentials belong to threads, and a Deno process has several threads before its first line of
 * JavaScript. So every change of credentials is made here, while the child has one thread.
 * Neighbours: ffi/sys/spawn.ts runs a script; launch/sentry_process.ts and launch/gofer_process.ts
 * put the parts together.
 */

import {
  _LINUX_CAPABILITY_VERSION_3 as CAPABILITY_VERSION,
  CAP_LAST_CAP,
  CAP_SYS_ADMIN,
  CapData,
  CapHeader,
} from "../../ffi/abi/capability.ts";
import {
  AT_FDCWD,
  CLOSE_RANGE_CLOEXEC,
  F_DUPFD_CLOEXEC,
  O_CLOEXEC,
  O_RDWR,
  O_WRONLY,
} from "../../ffi/abi/fcntl.ts";
import {
  MS_NODEV,
  MS_NOEXEC,
  MS_NOSUID,
  MS_PRIVATE,
  MS_REC,
  MS_SLAVE,
} from "../../ffi/abi/mount.ts";
import {
  PR_CAP_AMBIENT,
  PR_CAP_AMBIENT_RAISE,
  PR_CAPBSET_DROP,
  PR_SET_KEEPCAPS,
  PR_SET_NO_NEW_PRIVS,
  PR_SET_PDEATHSIG,
} from "../../ffi/abi/prctl.ts";
import { CLONE_NEWNET, CLONE_NEWUSER } from "../../ffi/abi/sched.ts";
import { Rlimit, RLIMIT_CORE, RLIMIT_FSIZE, RLIMIT_NOFILE } from "../../ffi/abi/resource.ts";
import { SIGKILL } from "../../ffi/abi/signal.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { PREV, type PrevResult, type SpawnScript } from "../../ffi/sys/spawn.ts";

const UINT_MAX = 0xffffffff;

/** A session of its own: signals and job control of the caller's terminal do not reach it. */
export function ownSession(script: SpawnScript): void {
  script.call(N.SYS_setsid).call(N.SYS_chdir, "/");
}

/**
 * `fds[i]` becomes descriptor i, -1 becomes /dev/null; everything else is closed at exec. A step
 * that comes after it uses copies that `aside` made, because the numbers of `fds` are replaced.
 */
export function descriptors(script: SpawnScript, fds: readonly (number | PrevResult)[]): void {
  const copies = fds.map((fd) => {
    if (typeof fd !== "number" || fd >= 0) return aside(script, fd, fds);
    script.call(N.SYS_openat, AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC, 0);
    return PREV(script.length - 1);
  });
  copies.forEach((from, to) => script.call(N.SYS_dup3, from, to, 0));
  script.callMayFail(N.SYS_close_range, fds.length, UINT_MAX, CLOSE_RANGE_CLOEXEC);
}

/** A copy of `fd`, closed at exec, with a number that `descriptors` does not replace. */
export function aside(
  script: SpawnScript,
  fd: number | PrevResult,
  fds: readonly unknown[],
): PrevResult {
  script.call(N.SYS_fcntl, fd, F_DUPFD_CLOEXEC, fds.length);
  return PREV(script.length - 1);
}

/**
 * Raises the limits of open files and of file size to the host's maximum, because guest memory is
 * one file. No core files, because they would contain guest memory.
 */
export function limits(script: SpawnScript): void {
  for (const limit of [RLIMIT_NOFILE, RLIMIT_FSIZE]) {
    const old = scratch.areaOffset(0);
    if (syscall(N.SYS_prlimit64, 0, limit, 0, scratch.area(0)) !== 0) continue;
    const raised = scratch.u8.slice(old, old + Rlimit.size);
    raised.copyWithin(Rlimit.at.cur, Rlimit.at.max, Rlimit.at.max + 8);
    script.callMayFail(N.SYS_prlimit64, 0, limit, raised, 0);
  }
  script.callMayFail(N.SYS_prlimit64, 0, RLIMIT_CORE, new Uint8Array(Rlimit.size), 0);
}

/**
 * Mounts of the child do not spread to the host. Mounts of the host do not spread to the child,
 * unless it follows them. /proc shows the new PID namespace where the host permits it.
 */
export function ownMounts(script: SpawnScript, follows = false): void {
  script.call(N.SYS_mount, "none", "/", 0, MS_REC + (follows ? MS_SLAVE : MS_PRIVATE), 0);
  const flags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  script.callMayFail(N.SYS_mount, "proc", "/proc", "proc", flags, 0);
}

/**
 * Enters a user namespace that this process has power over, after a change of user that
 * keepPermitted preceded. The user stays the same for the host. All capabilities count in that
 * namespace only, and must be dropped.
 */
export function enterUsers(script: SpawnScript, users: number | PrevResult): void {
  setCapabilities(script, [CAP_SYS_ADMIN], false);
  script.call(N.SYS_setns, users, CLONE_NEWUSER);
}

/** User 0 of an existing user namespace, with new namespaces (CLONE_NEW*) that belong to it. */
export function becomeRootOf(script: SpawnScript, users: number, namespaces: number): void {
  script.call(N.SYS_setns, users, CLONE_NEWUSER);
  script.callMayFail(N.SYS_setgroups, 0, 0);
  script.call(N.SYS_setresgid, 0, 0, 0).call(N.SYS_setresuid, 0, 0, 0);
  script.call(N.SYS_unshare, namespaces);
}

/** In a new user namespace: maps the caller's ids to themselves, and no others. */
export function mapOwnIds(script: SpawnScript, uid: number, gid: number): void {
  writeFile(script, "/proc/self/setgroups", "deny");
  writeFile(script, "/proc/self/uid_map", `${uid} ${uid} 1`);
  writeFile(script, "/proc/self/gid_map", `${gid} ${gid} 1`);
}

function writeFile(script: SpawnScript, path: string, text: string): void {
  script.call(N.SYS_openat, AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
  const fd = PREV(script.length - 1);
  script.call(N.SYS_write, fd, text, text.length).call(N.SYS_close, fd);
}

/** Removes all capabilities but `kept` from the bounding set, so that no exec can add them. */
export function boundCapabilities(script: SpawnScript, kept: readonly number[]): void {
  for (let cap = 0; cap <= CAP_LAST_CAP; cap++) {
    if (!kept.includes(cap)) script.callMayFail(N.SYS_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0);
  }
}

/**
 * For programs that root starts: they begin with `kept` and `passing`. Once a program drops
 * `passing`, nothing brings it back, because it is inherited and not in the bounding set. See
 * capabilities(7), "Transformation of capabilities during execve".
 *
 * @param hasAll as in a user namespace that was just entered; else what this process has
 */
export function boundWithPassing(
  script: SpawnScript,
  kept: readonly number[],
  passing: readonly number[],
  hasAll = false,
): void {
  const header = new Uint8Array(CapHeader.size), data = new Uint8Array(2 * CapData.size);
  new DataView(header.buffer).setUint32(CapHeader.at.version, CAPABILITY_VERSION, true);
  const area = scratch.areaOffset(0), dataAt = CapHeader.size;
  scratch.u8.set(header, area);
  if (syscall(N.SYS_capget, scratch.area(0), scratch.area(0) + dataAt) < 0) return;
  data.set(scratch.u8.subarray(area + dataAt, area + dataAt + data.length));
  const view = new DataView(data.buffer), { at } = CapData;
  for (let word = 0; hasAll && word < 2; word++) {
    const base = word * CapData.size, bits = word === 0 ? 0xffffffff : 2 ** (CAP_LAST_CAP - 31) - 1;
    for (const field of [at.effective, at.permitted]) view.setUint32(base + field, bits, true);
  }
  const wanted = [0, 0];
  for (const cap of [...kept, ...passing]) {
    wanted[cap >> 5] = (wanted[cap >> 5] ?? 0) | (1 << (cap & 31));
  }
  wanted.forEach((bits, word) => {
    const base = word * CapData.size;
    view.setUint32(base + at.inheritable, view.getUint32(base + at.permitted, true) & bits, true);
  });
  script.call(N.SYS_capset, header, data);
  boundCapabilities(script, kept);
}

/** Keeps capabilities permitted over the change of user that follows. */
export function keepPermitted(script: SpawnScript): void {
  script.call(N.SYS_prctl, PR_SET_KEEPCAPS, 1, 0, 0, 0);
}

/** Changes to another user and drops supplementary groups. */
export function becomeUser(script: SpawnScript, uid: number, gid: number): void {
  script.call(N.SYS_setgroups, 0, 0);
  script.call(N.SYS_setresgid, gid, gid, gid).call(N.SYS_setresuid, uid, uid, uid);
}

/**
 * Drops all capabilities but `kept`, which survive exec. The others are out of the bounding set, so
 * exec adds none.
 */
export function dropCapabilities(script: SpawnScript, kept: readonly number[] = []): void {
  setCapabilities(script, kept, true);
  for (const cap of kept) {
    script.call(N.SYS_prctl, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0);
  }
}

function setCapabilities(
  script: SpawnScript,
  wanted: readonly number[],
  isInheritable: boolean,
): void {
  const header = new Uint8Array(CapHeader.size), data = new Uint8Array(2 * CapData.size);
  new DataView(header.buffer).setUint32(CapHeader.at.version, CAPABILITY_VERSION, true);
  const view = new DataView(data.buffer), { at } = CapData;
  for (const cap of wanted) {
    const word = (cap >> 5) * CapData.size;
    for (const field of [at.effective, at.permitted, ...(isInheritable ? [at.inheritable] : [])]) {
      view.setUint32(word + field, view.getUint32(word + field, true) | (1 << (cap & 31)), true);
    }
  }
  script.call(N.SYS_capset, header, data);
}

/** No new privileges by exec. */
export function noNewPrivileges(script: SpawnScript): void {
  script.call(N.SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/** Drops all privileges, for a program that needs none of the host. */
export function dropAllPrivileges(script: SpawnScript): void {
  boundCapabilities(script, []);
  dropCapabilities(script);
  noNewPrivileges(script);
}

/** Kills the child when the launcher dies. Must come after changes of ids, which reset it. */
export function tieToParent(script: SpawnScript): void {
  script.call(N.SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
}

/** Enters another network namespace, before ids and capabilities change. */
export function enterNetwork(script: SpawnScript, namespace: number): void {
  script.call(N.SYS_setns, namespace, CLONE_NEWNET);
}
