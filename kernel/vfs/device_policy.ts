/**
 * The rules of device control groups: which devices a caller may open and create, besides the mode
 * of the file. kernel/cgroup/devices.ts implements DevicePolicy; open.ts, create.ts and status.ts
 * check it.
 */

import {
  BPF_DEVCG_ACC_READ,
  BPF_DEVCG_ACC_WRITE,
  BPF_DEVCG_DEV_BLOCK,
  BPF_DEVCG_DEV_CHAR,
} from "../../ffi/abi/bpf.ts";
import { EPERM } from "../../ffi/abi/errno.ts";
import { S_IFBLK, S_IFCHR, S_IFMT } from "../../ffi/abi/stat.ts";
import { MAY_READ, MAY_WRITE } from "../cred/permission.ts";
import type { Caller } from "./caller.ts";
import type { Inode } from "./inode.ts";

export interface DevicePolicy {
  /** Whether `caller` may use a device. `kind` and `access` are BPF_DEVCG_*. */
  allows(caller: Caller, kind: number, rdev: number, access: number): boolean;
}

/** Checks an open or access(2) of a device: 0 or -EPERM; 0 for all other files. */
export function mayUseDevice(caller: Caller, { mode, rdev }: Inode, mask: number): number {
  const read = (mask & MAY_READ) !== 0 ? BPF_DEVCG_ACC_READ : 0;
  const write = (mask & MAY_WRITE) !== 0 ? BPF_DEVCG_ACC_WRITE : 0;
  return checkDevice(caller, mode, rdev, read | write);
}

/** Checks the use of a device: 0 or -EPERM; 0 for all other files. */
export function checkDevice(caller: Caller, mode: number, rdev: number, access: number): number {
  const { devicePolicy } = caller.fs.namespace.vfs, type = mode & S_IFMT;
  if (devicePolicy === null || (type !== S_IFCHR && type !== S_IFBLK)) return 0;
  const kind = type === S_IFCHR ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK;
  return devicePolicy.allows(caller, kind, rdev, access) ? 0 : -EPERM;
}
