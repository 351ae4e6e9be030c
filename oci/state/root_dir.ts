/**
 * The default of `--root`, the directory of containers: `/run/dvisor` for root as with runc, and a
 * directory of its own for another user, and for root without the right to write there.
 */

import { ENOENT } from "../../ffi/abi/errno.ts";
import { AT_FDCWD, W_OK } from "../../ffi/abi/fcntl.ts";
import { S_ISVTX } from "../../ffi/abi/stat.ts";
import { SYS_faccessat, SYS_geteuid } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { UserError } from "../user_error.ts";

const NAME = "dvisor", RUN = "/run";
/** Where every user may make a directory: the second is there in containers without the first. */
const SHARED_PLACES = ["/tmp", "/dev/shm"];
const OTHERS_WRITE = 0o022;

/**
 * @param rootless "auto", or the caller's `--rootless`
 * @throws UserError if there is no directory for it
 */
export function defaultRoot(rootless: boolean | "auto"): string {
  const uid = syscall(SYS_geteuid), isRoot = uid === 0;
  const runtimeDir = Deno.env.get("XDG_RUNTIME_DIR") ?? "";
  const isRootless = rootless === "auto" ? !isRoot || isInUserNamespace() : rootless;
  if (isRootless && runtimeDir !== "") return `${runtimeDir}/${NAME}`;
  if (isRootless && !isRoot) return ownDirectory(uid);
  const path = `${RUN}/${NAME}`, r = accessOf(path);
  // Not root's where a container is read-only, or where the host's root is another user.
  const isOwn = r === 0 || r === -ENOENT && accessOf(RUN) === 0;
  return isRoot && !isOwn ? ownDirectory(uid) : path;
}

/** 0 if this process may write the directory, else -errno. */
function accessOf(path: string): number {
  return syscall(SYS_faccessat, AT_FDCWD, scratch.cstr(path), W_OK);
}

/**
 * The directory of a user without XDG_RUNTIME_DIR: in the place of systemd's, or made in a place of
 * all users. No other user can write it.
 *
 * @throws UserError if no place permits that
 */
export function ownDirectory(
  uid: number,
  runtimeDir = `/run/user/${uid}`,
  shared: readonly string[] = SHARED_PLACES,
): string {
  if (isSafe(runtimeDir, uid)) return `${runtimeDir}/${NAME}`;
  for (const place of shared) {
    const path = `${place}/${NAME}-${outsideId(uid)}`;
    try {
      Deno.mkdirSync(path, { mode: 0o700 });
    } catch {
      // It is there, or cannot be made.
    }
    if (isSafe(path, uid) && keepsOwners(place)) return path;
  }
  const places = shared.join(" nor ");
  throw new UserError(
    `XDG_RUNTIME_DIR is not set, and neither ${places} takes a directory: say --root DIR`,
  );
}

/** The user's id outside of this process's user namespace: there each user can be user 0. */
function outsideId(uid: number): number {
  for (const line of Deno.readTextFileSync("/proc/self/uid_map").split("\n")) {
    const [first = NaN, outside = NaN, count = NaN] = line.trim().split(/\s+/).map(Number);
    if (first <= uid && uid < first + count) return outside + uid - first;
  }
  return uid;
}

/** Whether the path is a directory of the user's that no other user can write. */
function isSafe(path: string, uid: number): boolean {
  try {
    const info = Deno.lstatSync(path);
    return info.isDirectory && info.uid === uid &&
      ((info.mode ?? OTHERS_WRITE) & OTHERS_WRITE) === 0;
  } catch {
    return false;
  }
}

/** Whether other users cannot rename what a user has in the directory. */
function keepsOwners(path: string): boolean {
  const mode = Deno.statSync(path).mode ?? OTHERS_WRITE;
  return (mode & OTHERS_WRITE) === 0 || (mode & S_ISVTX) !== 0;
}

/** Whether this process is in a user namespace, where root is another user on the host. */
export function isInUserNamespace(): boolean {
  try {
    return !/^\s*0\s+0\s+4294967295\s*$/.test(Deno.readTextFileSync("/proc/self/uid_map"));
  } catch {
    return false;
  }
}
