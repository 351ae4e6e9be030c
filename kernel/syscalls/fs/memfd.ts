/** memfd_create(2). The file is tmpfs's (fs/tmpfs/memfd.ts). */

import { EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import { MFD_CLOEXEC } from "../../../ffi/abi/fcntl.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { MFD_NAME_MAX } from "../../fs/tmpfs/memfd.ts";
import { RLIMIT_NOFILE } from "../../task/limits.ts";
import type { Task } from "../../task/task.ts";

export function sysMemfdCreate(t: Task, a: SyscallArgs): number {
  const flags = a.u32(1);
  const name = t.mm.cstring(a.u64(0), MFD_NAME_MAX + 1);
  if (typeof name === "number") return name === -EFAULT ? -EFAULT : -EINVAL;
  const file = t.kernel.memfds.create(name, flags, t.cred);
  if (typeof file === "number") return file;
  const limit = t.group.limits.get(RLIMIT_NOFILE);
  const fd = t.files.install(file, (flags & MFD_CLOEXEC) !== 0, limit);
  if (fd < 0) file.drop();
  return fd;
}
