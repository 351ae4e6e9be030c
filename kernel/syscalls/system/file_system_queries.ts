/**
 * Old queries about file systems: sysfs(2) for their types, ustat(2) for one by its device number.
 */

import { PATH_MAX } from "../../../ffi/abi/fs.ts";
import { EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { stringToBytes } from "../../core/bytes.ts";
import type { Task } from "../../task/task.ts";
import { emptyStatFs } from "../../vfs/inode.ts";

const FIND = 1, NAME = 2, COUNT = 3;
/** Bytes of `struct ustat` (linux/types.h), and offsets in it. */
const USTAT_SIZE = 32;
const FREE_BLOCKS = 0, FREE_INODES = 8;

/** sysfs(2). */
export function sysSysfs(t: Task, a: SyscallArgs): number {
  const names = t.kernel.fsTypes.names();
  switch (a.i32(0)) {
    case FIND: {
      const name = t.mm.cstring(a.u64(1), PATH_MAX);
      if (typeof name === "number") return name;
      const index = names.indexOf(name);
      return index < 0 ? -EINVAL : index;
    }
    case NAME: {
      const name = names[a.u32(1)];
      if (name === undefined) return -EINVAL;
      const bytes = stringToBytes(`${name}\0`);
      return t.mm.copyOut(a.u64(2), bytes, 0, bytes.length) === 0 ? 0 : -EFAULT;
    }
    case COUNT:
      return names.length;
    default:
      return -EINVAL;
  }
}

/** ustat(2). */
export function sysUstat(t: Task, a: SyscallArgs): number {
  const dev = a.u32(0), { scratch } = t.kernel;
  for (const { fs } of t.fs.namespace.mounts) {
    if (fs.dev !== dev) continue;
    const found = emptyStatFs(), r = fs.statfs(found);
    if (r < 0) return r;
    scratch.clear(USTAT_SIZE);
    scratch.dv.setUint32(FREE_BLOCKS, found.blocksFree % 2 ** 32, true);
    scratch.setU53(FREE_INODES, found.filesFree);
    return t.mm.copyOut(a.u64(1), scratch.u8, 0, USTAT_SIZE) === 0 ? 0 : -EFAULT;
  }
  return -EINVAL;
}
