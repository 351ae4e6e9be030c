/**
 * Mount options of fstab(5) and config.json, split into flags of the mount, propagation, and
 * options of the file system.
 *
 * DIFFERS: `rro` and the like do the same as `ro` and the like, because a bind mount is one mount
 * here, whatever is mounted below its source on the host.
 */

import * as M from "../../ffi/abi/mount.ts";

interface MountOptions {
  /** MS_* of mount(2). */
  readonly flags: number;
  /** Changes of propagation, in this order: MS_PRIVATE and its like, with MS_REC or without. */
  readonly propagation: readonly number[];
  /** `tmpcopyup`: a tmpfs begins with what it covers. */
  readonly copiesUp: boolean;
  /** The rest, as mount(2) passes it on: comma-separated. */
  readonly data: string;
}

/** Bits that an option sets, and that it clears. */
type Change = readonly [set: number, clear: number];

/** Those with an `r` in front mean the same for all mounts below. */
const RECURSIVE_OPTIONS: Readonly<Record<string, Change>> = {
  ro: [M.MS_RDONLY, 0],
  rw: [0, M.MS_RDONLY],
  nosuid: [M.MS_NOSUID, 0],
  suid: [0, M.MS_NOSUID],
  nodev: [M.MS_NODEV, 0],
  dev: [0, M.MS_NODEV],
  noexec: [M.MS_NOEXEC, 0],
  exec: [0, M.MS_NOEXEC],
  noatime: [M.MS_NOATIME, M.MS_STRICTATIME],
  atime: [0, M.MS_NOATIME],
  nodiratime: [M.MS_NODIRATIME, 0],
  diratime: [0, M.MS_NODIRATIME],
  relatime: [M.MS_RELATIME, 0],
  norelatime: [0, M.MS_RELATIME],
  strictatime: [M.MS_STRICTATIME, M.MS_NOATIME],
  nostrictatime: [0, M.MS_STRICTATIME],
  nosymfollow: [M.MS_NOSYMFOLLOW, 0],
  symfollow: [0, M.MS_NOSYMFOLLOW],
};

const NONE: Change = [0, 0];

const FLAG_OPTIONS: Readonly<Record<string, Change>> = {
  ...RECURSIVE_OPTIONS,
  ...Object.fromEntries(
    Object.entries(RECURSIVE_OPTIONS).map(([name, change]) => [`r${name}`, change]),
  ),
  defaults: NONE,
  bind: [M.MS_BIND, 0],
  rbind: [M.MS_BIND | M.MS_REC, 0],
  remount: [M.MS_REMOUNT, 0],
  // The Gofer's trees have the ids already.
  idmap: NONE,
  ridmap: NONE,
  // Nothing is buffered between the sandbox and its files.
  sync: NONE,
  async: NONE,
  dirsync: NONE,
  silent: NONE,
  loud: NONE,
  nomand: NONE,
  iversion: NONE,
  noiversion: NONE,
  lazytime: NONE,
  nolazytime: NONE,
  acl: NONE,
};

const PROPAGATION_OPTIONS: Readonly<Record<string, number>> = {
  private: M.MS_PRIVATE,
  rprivate: M.MS_PRIVATE | M.MS_REC,
  slave: M.MS_SLAVE,
  rslave: M.MS_SLAVE | M.MS_REC,
  shared: M.MS_SHARED,
  rshared: M.MS_SHARED | M.MS_REC,
  unbindable: M.MS_UNBINDABLE,
  runbindable: M.MS_UNBINDABLE | M.MS_REC,
};

/** Whether an option is about the mount, and not for its file system. */
export function isFlagOption(option: string): boolean {
  return Object.hasOwn(FLAG_OPTIONS, option);
}

export function isPropagationOption(option: string): boolean {
  return Object.hasOwn(PROPAGATION_OPTIONS, option);
}

/** All options that are not for one file system alone, as `features` lists them. */
export const MOUNT_OPTIONS: readonly string[] = [
  ...Object.keys(FLAG_OPTIONS),
  ...Object.keys(PROPAGATION_OPTIONS),
  "tmpcopyup",
].sort();

export function parseMountOptions(options: readonly string[]): MountOptions {
  let flags = 0, copiesUp = false;
  const data: string[] = [], propagation: number[] = [];
  for (const option of options) {
    const change = isFlagOption(option) ? FLAG_OPTIONS[option] : undefined;
    const spread = isPropagationOption(option) ? PROPAGATION_OPTIONS[option] : undefined;
    if (change !== undefined) flags = (flags & ~change[1]) | change[0];
    else if (spread !== undefined) propagation.push(spread);
    else if (option === "tmpcopyup") copiesUp = true;
    else data.push(option);
  }
  return { flags, propagation, copiesUp, data: data.join(",") };
}
