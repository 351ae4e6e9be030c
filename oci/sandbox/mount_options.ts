/** Mount options as in fstab(5), taken apart: flags of the mount, and what is for the file system itself. */

import * as M from "../../ffi/abi/mount.ts";

export interface MountOptions {
  /** MS_* of mount(2). */
  readonly flags: number;
  /** The rest, as mount(2) passes it on: comma-separated. */
  readonly data: string;
}

/** Bits that an option sets, and that it clears. */
const FLAG_OPTIONS: Readonly<Record<string, readonly [set: number, clear: number]>> = {
  defaults: [0, 0],
  ro: [M.MS_RDONLY, 0],
  rw: [0, M.MS_RDONLY],
  nosuid: [M.MS_NOSUID, 0],
  suid: [0, M.MS_NOSUID],
  nodev: [M.MS_NODEV, 0],
  dev: [0, M.MS_NODEV],
  noexec: [M.MS_NOEXEC, 0],
  exec: [0, M.MS_NOEXEC],
  noatime: [M.MS_NOATIME, 0],
  atime: [0, M.MS_NOATIME],
  nodiratime: [M.MS_NODIRATIME, 0],
  diratime: [0, M.MS_NODIRATIME],
  relatime: [M.MS_RELATIME, 0],
  norelatime: [0, M.MS_RELATIME],
  strictatime: [M.MS_STRICTATIME, 0],
  nostrictatime: [0, M.MS_STRICTATIME],
  nosymfollow: [M.MS_NOSYMFOLLOW, 0],
  symfollow: [0, M.MS_NOSYMFOLLOW],
  // Nothing is buffered between the sandbox and its files, nor is there anybody that mounts could spread to.
  sync: [0, 0],
  async: [0, 0],
  dirsync: [0, 0],
  silent: [0, 0],
  loud: [0, 0],
  bind: [M.MS_BIND, 0],
  rbind: [M.MS_BIND | M.MS_REC, 0],
  private: [0, 0],
  rprivate: [0, 0],
  slave: [0, 0],
  rslave: [0, 0],
  shared: [0, 0],
  rshared: [0, 0],
  unbindable: [0, 0],
  runbindable: [0, 0],
};

/** Whether an option is about the mount, and not for its file system. */
export function isFlagOption(option: string): boolean {
  return Object.hasOwn(FLAG_OPTIONS, option);
}

export function parseMountOptions(options: readonly string[]): MountOptions {
  let flags = 0;
  const data: string[] = [];
  for (const option of options) {
    const change = isFlagOption(option) ? FLAG_OPTIONS[option] : undefined;
    if (change === undefined) data.push(option);
    else flags = (flags & ~change[1]) | change[0];
  }
  return { flags, data: data.join(",") };
}
