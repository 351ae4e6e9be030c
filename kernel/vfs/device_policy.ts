/**
 * Which devices a caller may open and make, besides what modes say: control groups with programs
 * (kernel/cgroup/devices.ts).
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
  /** @param kind and `access`: BPF_DEVCG_* */
  allows(caller: Caller, kind: number, rdev: number, access: number): boolean;
}

/** A device is opened, or access(2) asks: 0 or -EPERM. Other files are nobody's affair here. */
export function mayUseDevice(caller: Caller, { mode, rdev }: Inode, mask: number): number {
  const read = (mask & MAY_READ) !== 0 ? BPF_DEVCG_ACC_READ : 0;
  const write = (mask & MAY_WRITE) !== 0 ? BPF_DEVCG_ACC_WRITE : 0;
  return checkDevice(caller, mode, rdev, read | write);
}

/** 0 or -EPERM. */
export function checkDevice(caller: Caller, mode: number, rdev: number, access: number): number {
  const { devicePolicy } = caller.fs.namespace.vfs, type = mode & S_IFMT;
  if (devicePolicy === null || (type !== S_IFCHR && type !== S_IFBLK)) return 0;
  const kind = type === S_IFCHR ? BPF_DEVCG_DEV_CHAR : BPF_DEVCG_DEV_BLOCK;
  return devicePolicy.allows(caller, kind, rdev, access) ? 0 : -EPERM;
}
