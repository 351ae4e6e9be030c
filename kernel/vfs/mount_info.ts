/**
 * The rows of a mount namespace in /proc/PID/mountinfo (proc_pid_mountinfo(5)) and /proc/PID/mounts
 * (fstab(5)), and the flags of a mount in statfs(2). The text is byte strings, as the kernel's
 * files have it. A row is only made for a mount below the reader's root directory.
 * kernel/proc/fs/mounts_files.ts and statmount(2) call this.
 */

import { ENOMEM } from "../../ffi/abi/errno.ts";
import {
  MS_NOATIME,
  MS_NODEV,
  MS_NODIRATIME,
  MS_NOEXEC,
  MS_NOSUID,
  MS_NOSYMFOLLOW,
  MS_RDONLY,
  MS_RELATIME,
} from "../../ffi/abi/mount.ts";
import { majorOf, minorOf } from "../../ffi/abi/stat.ts";
import {
  ST_NOATIME,
  ST_NODEV,
  ST_NODIRATIME,
  ST_NOEXEC,
  ST_NOSUID,
  ST_RDONLY,
  ST_RELATIME,
  ST_VALID,
} from "../../ffi/abi/statfs.ts";
import { TEXT_MAX } from "../core/quota.ts";
import type { Mount, Path } from "./dentry.ts";
import { MountPaths } from "./mount_paths.ts";
import type { MountNamespace } from "./mounts.ts";
import { dentryText, escapeMountText } from "./pathname.ts";

const OPTIONS: readonly (readonly [number, string])[] = [
  [MS_NOSUID, ",nosuid"],
  [MS_NODEV, ",nodev"],
  [MS_NOEXEC, ",noexec"],
  [MS_NOATIME, ",noatime"],
  [MS_NODIRATIME, ",nodiratime"],
  [MS_RELATIME, ",relatime"],
  [MS_NOSYMFOLLOW, ",nosymfollow"],
];

const ST_NOSYMFOLLOW = 0x2000;
const STATFS_FLAGS: readonly (readonly [number, number])[] = [
  [MS_RDONLY, ST_RDONLY],
  [MS_NOSUID, ST_NOSUID],
  [MS_NODEV, ST_NODEV],
  [MS_NOEXEC, ST_NOEXEC],
  [MS_NOATIME, ST_NOATIME],
  [MS_NODIRATIME, ST_NODIRATIME],
  [MS_RELATIME, ST_RELATIME],
  [MS_NOSYMFOLLOW, ST_NOSYMFOLLOW],
];

/** ST_* of a mount for statfs(2). */
export function statfsFlags(mount: Mount): number {
  let flags = ST_VALID;
  for (const [ms, st] of STATFS_FLAGS) if ((mount.flags & ms) !== 0) flags |= st;
  return mount.fs.readOnly ? flags | ST_RDONLY : flags;
}

function mountOptions(mount: Mount): string {
  let text = (mount.flags & MS_RDONLY) !== 0 ? "ro" : "rw";
  for (const [flag, option] of OPTIONS) if ((mount.flags & flag) !== 0) text += option;
  return text;
}

function superOptions(mount: Mount): string {
  const options = mount.fs.superOptions();
  return (mount.fs.readOnly ? "ro" : "rw") + (options === "" ? "" : "," + options);
}

/** The optional fields of a mountinfo row: peer group, master, unbindable. */
function propagationText(mount: Mount, places: MountPaths): string {
  let text = mount.peers !== null ? ` shared:${mount.peers.id}` : "";
  if (mount.master !== null) {
    text += ` master:${mount.master.id}`;
    const seen = places.masterOf(mount);
    if (seen !== null && seen !== mount.master) text += ` propagate_from:${seen.id}`;
  }
  if (mount.isUnbindable) text += " unbindable";
  return text;
}

/** The path within the file system of the directory that a mount shows as its root. */
export function mountRootText({ fs, root }: Mount): string {
  return fs.rootText(root) ?? dentryText(root);
}

/**
 * All of /proc/PID/mountinfo in one string, for debug reports; -ENOMEM when it is longer than
 * TEXT_MAX.
 */
export function mountInfo(namespace: MountNamespace, root: Path): string | number {
  const places = new MountPaths(root);
  let text = "";
  for (const m of namespace.mounts) {
    text += mountInfoRow(m, places);
    if (text.length > TEXT_MAX) return -ENOMEM;
  }
  return text;
}

/**
 * The row of a mount in /proc/PID/mountinfo, a byte string; "" when the mount cannot be reached
 * from the reader's root.
 */
export function mountInfoRow(m: Mount, places: MountPaths): string {
  const at = places.pathOf(m);
  if (at === null) return "";
  const dev = m.fs.root.dev;
  return `${m.id} ${m.parent?.id ?? m.id} ${majorOf(dev)}:${minorOf(dev)} ` +
    `${escapeMountText(mountRootText(m))} ${escapeMountText(at)} ${mountOptions(m)}` +
    `${propagationText(m, places)} - ${m.fs.type} ${escapeMountText(m.source)} ${
      superOptions(m)
    }\n`;
}

/** The row of a mount in /proc/PID/mounts; "" as for `mountInfoRow`. */
export function mountRow(m: Mount, places: MountPaths): string {
  const at = places.pathOf(m);
  if (at === null) return "";
  const isReadOnly = m.fs.readOnly || (m.flags & MS_RDONLY) !== 0;
  const options = m.fs.superOptions();
  return `${escapeMountText(m.source)} ${escapeMountText(at)} ${m.fs.type} ` +
    `${isReadOnly ? "ro" : "rw"}${mountOptions(m).slice(2)}` +
    `${options === "" ? "" : "," + options} 0 0\n`;
}
