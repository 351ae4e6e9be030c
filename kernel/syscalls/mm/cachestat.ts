/**
 * cachestat(2): the cached pages of a file. Pages of tmpfs are always cached and never dirty.
 *
 * DIFFERS: files of the host count as cached and clean, because the kernel cannot see their pages.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { EBADF, EFAULT, EINVAL, EPERM } from "../../../ffi/abi/errno.ts";
import { O_PATH } from "../../../ffi/abi/fcntl.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { MAY_WRITE, ownsOrCapable } from "../../cred/permission.ts";
import type { Task } from "../../task/task.ts";
import { inodePermission } from "../../vfs/access.ts";
import type { OpenFile } from "../../vfs/open_file.ts";

const RESULT_BYTES = 40;
const result = new Uint8Array(RESULT_BYTES);
const view = new DataView(result.buffer);

export function sysCachestat(t: Task, a: SyscallArgs): number {
  const file = t.files.get(a.i32(0)), range = a.u64(1), out = a.u64(2);
  if (file === null || (file.flags & O_PATH) !== 0) return -EBADF;
  const offset = t.mm.load64(range), len = t.mm.load64(range + 8);
  if (offset < 0 || len < 0) return -EFAULT;
  if (!mayKnow(t, file)) return -EPERM;
  if (a.u32(3) !== 0) return -EINVAL;
  const from = Math.floor(offset / PAGE_SIZE);
  const last = len === 0 ? Infinity : Math.floor((offset + len - 1) / PAGE_SIZE);
  result.fill(0);
  if (last >= from) view.setBigUint64(0, BigInt(file.cachedPages(from, last + 1)), true);
  return t.mm.copyOut(out, result, 0, RESULT_BYTES) < 0 ? -EFAULT : 0;
}

/** Only a task that may write the file may see which pages are cached for others. */
function mayKnow(t: Task, file: OpenFile): boolean {
  return file.canWrite || ownsOrCapable(file.inode, t.cred) ||
    inodePermission(file.inode, MAY_WRITE, t.cred) === 0;
}
