/** name_to_handle_at(2), open_by_handle_at(2). The table: vfs/file_handles.ts. */

import {
  EBADF,
  EFAULT,
  EINVAL,
  EOPNOTSUPP,
  EOVERFLOW,
  EPERM,
  ESTALE,
} from "../../../ffi/abi/errno.ts";
import { CAP_DAC_READ_SEARCH } from "../../../ffi/abi/capability.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_HANDLE_FID,
  AT_HANDLE_MNT_ID_UNIQUE,
  AT_SYMLINK_FOLLOW,
  FileHandle,
  MAX_HANDLE_SZ,
  O_CLOEXEC,
} from "../../../ffi/abi/fcntl.ts";
import { MNT_UNIQUE_ID_OFFSET } from "../../../ffi/abi/statmount.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { hasCapIn } from "../../cred/credentials.ts";
import { INITIAL_USER_NAMESPACE } from "../../cred/user_namespace.ts";
import type { Task } from "../../task/task.ts";
import { type Mount, Path } from "../../vfs/dentry.ts";
import { FILEID_INO32_GEN, HANDLE_BYTES, HANDLE_MARK } from "../../vfs/file_handles.ts";
import { openByHandle } from "../../vfs/open.ts";
import { installNew } from "../io/install.ts";
import { findAt } from "./arguments.ts";

/** File systems whose files can be opened by handle. */
export const EXPORTING: readonly string[] = ["tmpfs", "devtmpfs", "overlay", "9p"];
const { at } = FileHandle;

export function sysNameToHandleAt(t: Task, a: SyscallArgs): number {
  const flags = a.i32(4),
    known = AT_SYMLINK_FOLLOW | AT_EMPTY_PATH | AT_HANDLE_FID |
      AT_HANDLE_MNT_ID_UNIQUE;
  if ((flags & ~known) !== 0) return -EINVAL;
  const path = findAt(t, a.i32(0), a.u64(1), {
    follows: (flags & AT_SYMLINK_FOLLOW) !== 0,
    mayBeEmpty: (flags & AT_EMPTY_PATH) !== 0,
  });
  // Pipes and sockets have no path.
  if (path === -EBADF && t.files.getAny(a.i32(0)) !== null) return -EOPNOTSUPP;
  if (typeof path === "number") return path;
  if (!EXPORTING.includes(path.dentry.fs.type)) return -EOPNOTSUPP;
  const { u8, dv } = t.kernel.scratch, handle = a.u64(2);
  if (t.mm.copyIn(u8, 0, handle, FileHandle.size) !== 0) return -EFAULT;
  const room = dv.getUint32(at.handleBytes, true);
  if (room > MAX_HANDLE_SZ) return -EINVAL;
  const r = putMountId(t, path.mount, (flags & AT_HANDLE_MNT_ID_UNIQUE) !== 0, a.u64(3));
  if (r < 0) return r;
  const fits = room >= HANDLE_BYTES, { handles } = t.fs.namespace.vfs;
  dv.setUint32(at.handleBytes, HANDLE_BYTES, true);
  if (fits) {
    dv.setInt32(at.handleType, FILEID_INO32_GEN, true);
    dv.setUint32(FileHandle.size, handles.numberOf(path.dentry), true);
    dv.setUint32(FileHandle.size + 4, HANDLE_MARK, true);
  }
  const size = fits ? FileHandle.size + HANDLE_BYTES : FileHandle.size;
  if (t.mm.copyOut(handle, u8, 0, size) !== 0) return -EFAULT;
  return fits ? 0 : -EOVERFLOW;
}

function putMountId(t: Task, mount: Mount, isUnique: boolean, addr: number): number {
  const r = isUnique
    ? t.mm.store64(addr, MNT_UNIQUE_ID_OFFSET + mount.id)
    : t.mm.store32(addr, mount.id);
  return r < 0 ? -EFAULT : 0;
}

export function sysOpenByHandleAt(t: Task, a: SyscallArgs): number {
  if (!hasCapIn(t.cred, INITIAL_USER_NAMESPACE, CAP_DAC_READ_SEARCH)) return -EPERM;
  const { u8, dv } = t.kernel.scratch, addr = a.u64(1), flags = a.u32(2);
  if (t.mm.copyIn(u8, 0, addr, FileHandle.size) !== 0) return -EFAULT;
  const bytes = dv.getUint32(at.handleBytes, true), type = dv.getInt32(at.handleType, true);
  if (bytes === 0 || bytes > MAX_HANDLE_SZ) return -EINVAL;
  const mount = mountAt(t, a.i32(0));
  if (typeof mount === "number") return mount;
  if (t.mm.copyIn(u8, 0, addr + FileHandle.size, bytes) !== 0) return -EFAULT;
  const isOurs = type === FILEID_INO32_GEN && bytes === HANDLE_BYTES &&
    dv.getUint32(4, true) === HANDLE_MARK;
  if (!isOurs) return -ESTALE;
  const { vfs } = t.fs.namespace;
  const dentry = vfs.handles.find(dv.getUint32(0, true), vfs.dentries);
  if (typeof dentry === "number") return dentry;
  if (!mount.root.isAncestorOf(dentry)) return -ESTALE;
  const file = openByHandle(t, new Path(mount, dentry), flags);
  if (typeof file === "number") return file;
  return installNew(t, file, (flags & O_CLOEXEC) !== 0);
}

/** The mount of an open file, or of the working directory. */
function mountAt(t: Task, fd: number): Mount | number {
  if (fd === AT_FDCWD) return t.fs.cwd.mount;
  return t.files.getAny(fd)?.path?.mount ?? -EBADF;
}
