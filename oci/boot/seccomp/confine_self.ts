/**
 * What the boot process does to itself: closes descriptors that it got by accident, becomes
 * undumpable, and installs the seccomp filter. Where it lacks namespaces, Landlock replaces them.
 * The launcher sets namespaces, ids and capabilities (launch/sentry_process.ts).
 */

import {
  AT_FDCWD,
  F_GETFD,
  FD_CLOEXEC,
  O_CLOEXEC,
  O_DIRECTORY,
  O_RDONLY,
  O_RDWR,
} from "../../../ffi/abi/fcntl.ts";
import { PR_SET_DUMPABLE } from "../../../ffi/abi/prctl.ts";
import { SYS_dup3, SYS_getpid, SYS_prctl } from "../../../ffi/abi/syscall_numbers.ts";
import { errnoName } from "../../../ffi/sys/errors.ts";
import { close, fcntl, openat } from "../../../ffi/sys/files.ts";
import { syscall } from "../../../ffi/sys/native.ts";
import type { PlatformName } from "../../../platform/select/candidates.ts";
import { forbidFiles, keepSignalsInside } from "../../../gofer/server/landlock.ts";
import { installFilter } from "./seccomp_filter.ts";

/** The target of /proc/self/fd/`fd`; "" for a closed descriptor. */
function targetOf(fd: number): string {
  try {
    return Deno.readLinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return "";
  }
}

/**
 * Called at the start, before there are files of guests. Closes inherited descriptors from
 * `keptBelow` on. Deno's cache files get /dev/null in their place, so that Deno does not write to a
 * file that gets their number later.
 */
export function dropDescriptors(keptBelow: number): void {
  const numbers = [...Deno.readDirSync("/proc/self/fd")].map((entry) => Number(entry.name));
  const none = openat(AT_FDCWD, "/dev/null", O_RDWR | O_CLOEXEC);
  for (const fd of numbers) {
    if (fd < keptBelow || fd === none) continue;
    const flags = fcntl(fd, F_GETFD);
    if (flags < 0) continue;
    const target = targetOf(fd);
    if ((flags & FD_CLOEXEC) === 0) close(fd);
    else if (none >= 0 && target.startsWith("/") && !/^\/(memfd:|dev\/)/.test(target)) {
      syscall(SYS_dup3, none, fd, O_CLOEXEC);
    }
  }
  if (none >= 0) close(none);
}

/**
 * The last step before guests run.
 * @param network with host networking
 * @returns what the host did not permit, a line each
 */
export function confineSelf(platform: PlatformName, network: boolean): string[] {
  const problems: string[] = [];
  // No process of the same user may trace this one or read its memory.
  const dumpable = syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (dumpable < 0) problems.push(`PR_SET_DUMPABLE: ${errnoName(dumpable)}`);
  if (hasRoot()) problems.push(...closeRoot(network));
  const refused = installFilter(platform, network);
  if (refused !== null) problems.push(refused);
  return problems;
}

/** Whether the launcher could not take the root directory away, for want of namespaces. */
function hasRoot(): boolean {
  for (const _ of Deno.readDirSync("/")) return true;
  return false;
}

/** Landlock in place of an empty root directory: a second confinement behind the filter. */
function closeRoot(network: boolean): string[] {
  return onAllThreads((task) => forbidFiles(task, network));
}

/**
 * Called before this process has children. Without a PID namespace of its own it could signal other
 * processes of its user.
 *
 * @returns what the host did not permit, a line each
 */
export function confineSignals(): string[] {
  return syscall(SYS_getpid) === 1 ? [] : onAllThreads(keepSignalsInside);
}

/** @param confine gets the directory of this process's threads */
function onAllThreads(confine: (task: number) => string[]): string[] {
  const task = openat(AT_FDCWD, "/proc/self/task", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (task < 0) return [`/proc/self/task: ${errnoName(task)}`];
  try {
    return confine(task);
  } finally {
    close(task);
  }
}
