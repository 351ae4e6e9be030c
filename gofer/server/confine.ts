/**
 * Confines the Gofer before it serves the first byte.
 *
 * This file acts on the whole process: descriptors, the root directory, umask, limits, no_new_privs
 * and the seccomp filter. The launcher makes namespaces; where it made none, the filter forbids the
 * calls that a namespace would confine. Capabilities belong to a thread: they are dropped on each,
 * although this thread does all the work.
 */

import {
  _LINUX_CAPABILITY_VERSION_3 as CAPABILITY_VERSION,
  CAP_CHOWN,
  CAP_DAC_OVERRIDE,
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER,
  CAP_FSETID,
  CAP_LAST_CAP,
  CAP_MKNOD,
  CAP_SETFCAP,
  CapData,
  CapHeader,
} from "../../ffi/abi/capability.ts";
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  F_GETFD,
  FD_CLOEXEC,
  O_CLOEXEC,
  O_DIRECTORY,
  O_PATH,
  O_RDONLY,
  O_RDWR,
} from "../../ffi/abi/fcntl.ts";
import {
  FSCONFIG_CMD_CREATE,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOEXEC,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
} from "../../ffi/abi/mount.ts";
import { PR_CAPBSET_DROP, PR_SET_DUMPABLE } from "../../ffi/abi/prctl.ts";
import { Rlimit, RLIMIT_NOFILE } from "../../ffi/abi/resource.ts";
import * as N from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { errnoName } from "../../ffi/sys/errors.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { callOnOtherThreads } from "../../ffi/sys/thread_calls.ts";
import { probeOpenat2 } from "../backend/host_calls.ts";
import { landlockVersion, restrictFiles, VERSION_MIN } from "./landlock.ts";
import { installFilter } from "./seccomp.ts";
import type { Service } from "./service.ts";

const KEPT_CAPABILITIES = [
  CAP_CHOWN, // owners of new files
  CAP_DAC_OVERRIDE, // the Sentry has checked the guest's permissions
  CAP_DAC_READ_SEARCH,
  CAP_FOWNER, // modes, times and attributes of files of any owner
  CAP_FSETID, // keep set-group-ID bits
  CAP_MKNOD, // whiteouts; devices only by policy
  CAP_SETFCAP, // security.capability
];

/** Raises the limit of open files as far as the host permits; returns the new limit. */
export function raiseFileLimit(): number {
  const at = scratch.areaOffset(0);
  const { dv } = scratch;
  const old = scratch.area(0);
  if (syscall(N.SYS_prlimit64, 0, RLIMIT_NOFILE, 0, old) < 0) return 1024;
  const max = Number(dv.getBigUint64(at + Rlimit.at.max, true));
  dv.setBigUint64(at + Rlimit.at.cur, dv.getBigUint64(at + Rlimit.at.max, true), true);
  syscall(N.SYS_prlimit64, 0, RLIMIT_NOFILE, old, 0);
  return Math.min(max, 2 ** 31);
}

/**
 * Inherited descriptors have no FD_CLOEXEC, as they would not be open otherwise; Deno's own have
 * it.
 */
function isInherited(fd: number): boolean {
  const flags = syscall(N.SYS_fcntl, fd, F_GETFD);
  return flags >= 0 && (flags & FD_CLOEXEC) === 0;
}

/** The target of a descriptor's link in /proc/self/fd; "" for a closed one. */
function targetOf(fd: number): string {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}

/**
 * Closes descriptors that were inherited by accident, and Deno's cache files. Their numbers must
 * not be used again, since Deno would write its cache to the file that got such a number: they
 * become /dev/null. stderr stays.
 */
function dropDescriptors(kept: ReadonlySet<number>): void {
  const numbers = [...Deno.readDirSync("/proc/self/fd")].map((e) => Number(e.name));
  const none = syscall(N.SYS_openat, AT_FDCWD, scratch.cstr("/dev/null"), O_RDWR | O_CLOEXEC, 0);
  for (const fd of numbers) {
    if (kept.has(fd) || fd === 2 || fd === none) continue;
    const target = targetOf(fd);
    if (target === "") continue;
    const isFile = target.startsWith("/") && !target.startsWith("/memfd:");
    if (fd > 2 && isInherited(fd)) syscall(N.SYS_close, fd);
    else if (none >= 0 && (fd <= 1 || isFile)) syscall(N.SYS_dup3, none, fd, O_CLOEXEC);
  }
  if (none >= 0) syscall(N.SYS_close, none);
}

/**
 * Moves the process into an empty directory that no longer has a name, so that no process can put
 * anything there. The working directory becomes /proc/self/fd, from where calls on extended
 * attributes reach files.
 */
function moveRoot(service: Service): string {
  let fd = namelessDirectory();
  if (fd < 0) fd = removedDirectory();
  if (fd < 0) return `an empty root: ${errnoName(fd)}`;
  let r = syscall(N.SYS_fchdir, fd);
  if (r >= 0) r = syscall(N.SYS_chroot, scratch.cstr("."));
  syscall(N.SYS_close, fd);
  const back = syscall(N.SYS_fchdir, service.proc.fd);
  if (back < 0) return `the way to /proc/self/fd: ${errnoName(back)}`;
  service.proc.prefix = "";
  return r < 0 ? `chroot: ${errnoName(r)}` : "";
}

/**
 * A new file system that is mounted nowhere: nothing is left behind at the end of this process.
 * -errno where that is forbidden.
 */
function namelessDirectory(): number {
  const context = syscall(N.SYS_fsopen, scratch.cstr("tmpfs"), FSOPEN_CLOEXEC);
  if (context < 0) return context;
  let r = syscall(N.SYS_fsconfig, context, FSCONFIG_CMD_CREATE, 0, 0, 0);
  const attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC;
  if (r >= 0) r = syscall(N.SYS_fsmount, context, FSMOUNT_CLOEXEC, attributes);
  syscall(N.SYS_close, context);
  return r;
}

/** An empty directory among the temporary files, whose name is removed. -errno */
function removedDirectory(): number {
  let dir = "";
  try {
    dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-" });
  } catch {
    dir = "/proc/self/fdinfo"; // else one that takes no files
  }
  const flags = O_PATH | O_CLOEXEC;
  const fd = syscall(N.SYS_openat, AT_FDCWD, scratch.cstr(dir), flags, 0);
  if (fd >= 0 && dir !== "/proc/self/fdinfo") {
    syscall(N.SYS_unlinkat, AT_FDCWD, scratch.cstr(dir), AT_REMOVEDIR);
  }
  return fd;
}

/**
 * Drops the capabilities that must never be regained, on all threads. Does nothing where they may
 * not be changed, as behind the launcher, which has dropped them.
 */
function boundCapabilities(taskFd: number): string[] {
  for (let cap = 0; cap <= CAP_LAST_CAP; cap++) {
    if (KEPT_CAPABILITIES.includes(cap)) continue;
    const args = [PR_CAPBSET_DROP, cap];
    if (syscall(N.SYS_prctl, PR_CAPBSET_DROP, cap, 0, 0, 0) < 0) return [];
    const problems = callOnOtherThreads(taskFd, N.SYS_prctl, args);
    if (problems.length > 0) return problems.map((line) => `PR_CAPBSET_DROP: ${line}`);
  }
  return [];
}

/**
 * Keeps only the capabilities that serving files needs, of those that this thread has, on all
 * threads.
 */
function dropCapabilities(taskFd: number): string[] {
  const at = scratch.areaOffset(0);
  const data = at + 16;
  const { dv } = scratch;
  dv.setUint32(at + CapHeader.at.version, CAPABILITY_VERSION, true);
  dv.setInt32(at + CapHeader.at.pid, 0, true);
  let r = syscall(N.SYS_capget, scratch.area(0), scratch.area(0) + 16);
  if (r < 0) return [`capget: ${errnoName(r)}`];
  for (let word = 0; word < 2; word++) {
    let keep = 0;
    for (const cap of KEPT_CAPABILITIES) if (cap >> 5 === word) keep |= 1 << (cap & 31);
    const base = data + word * CapData.size;
    const permitted = dv.getUint32(base + CapData.at.permitted, true) & keep;
    dv.setUint32(base + CapData.at.effective, permitted, true);
    dv.setUint32(base + CapData.at.permitted, permitted, true);
    dv.setUint32(base + CapData.at.inheritable, 0, true);
  }
  const args = [scratch.area(0), scratch.area(0) + 16];
  r = syscall(N.SYS_capset, args[0], args[1]);
  if (r < 0) return [`capset: ${errnoName(r)}`];
  return callOnOtherThreads(taskFd, N.SYS_capset, args).map((line) => `capset: ${line}`);
}

/** Restrictions that the host refused, one line each; both lists are empty if all succeeded. */
interface Confinement {
  /** Confinements without a replacement. */
  readonly problems: readonly string[];
  /**
   * Confinements that Landlock replaces, as in every process of an ordinary user (landlock.ts says
   * what it does not cover).
   */
  readonly replaced: readonly string[];
}

/** Resources that the confined service needs besides its own descriptors. */
export interface Kept {
  /** Sockets and eventfds. */
  readonly fds: readonly number[];
  /** One of them, a directory in which a name is removed at the end; -1: none. */
  readonly removing?: number;
  /** One of them is a socket that takes clients. */
  readonly listens?: boolean;
}

/** Confines this process for good. */
export function confine(service: Service, kept: Kept): Confinement {
  const { fds, removing = -1, listens = false } = kept;
  const problems: string[] = [], refused: string[] = [];
  const note = (problem: string, list = problems): void => {
    if (problem !== "") list.push(problem);
  };
  for (const root of service.roots) {
    if (!root.isClone) note(`${root.label} is served without a mount of its own`, refused);
  }
  syscall(N.SYS_umask, 0);
  const served = service.roots.flatMap((root) => [root.fd, ...root.visible?.fds ?? []]);
  dropDescriptors(new Set([...fds, ...served, service.proc.fd, service.emptyFd]));
  const flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
  const task = syscall(N.SYS_openat, AT_FDCWD, scratch.cstr("/proc/self/task"), flags, 0);
  note(moveRoot(service), refused);
  let hasLandlock = false;
  if (task < 0) note(`/proc/self/task: ${errnoName(task)}`);
  else {
    const version = landlockVersion();
    if (version >= VERSION_MIN) {
      const failed = restrictFiles(service.roots, removing, task);
      hasLandlock = failed.length === 0;
      problems.push(...failed);
      // Behind clones and an empty root it is a second confinement, which older hosts do not have.
    } else if (refused.length > 0) note(`landlock: version ${version}, not ${VERSION_MIN}`);
    problems.push(...boundCapabilities(task), ...dropCapabilities(task));
  }
  if (task >= 0) syscall(N.SYS_close, task);
  // Forbids other processes of the same user to trace this one.
  const dumpable = syscall(N.SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (dumpable < 0) note(`PR_SET_DUMPABLE: ${errnoName(dumpable)}`);
  note(installFilter({
    procFd: service.proc.fd,
    pid: syscall(N.SYS_getpid),
    hasOpenat2: probeOpenat2(service.proc.fd),
    listens,
    makesDevices: service.policy.devices,
    roots: service.roots,
  }));
  return hasLandlock
    ? { problems, replaced: refused }
    : { problems: [...refused, ...problems], replaced: [] };
}
