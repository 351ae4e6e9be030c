/**
 * The guest's standard files: host descriptors that the launcher gave. Not here: a terminal of the guest's own
 * (console/).
 */

import { F_GETFL, O_ACCMODE, O_APPEND } from "../../ffi/abi/fcntl.ts";
import { fcntl } from "../../ffi/sys/files.ts";
import { adoptHostFd } from "../../kernel/fs/hostfd/adopt.ts";
import { HostFdFs } from "../../kernel/fs/hostfd/host_inode.ts";
import type { SandboxKernel } from "../../kernel/kernel.ts";
import type { OpenFile } from "../../kernel/vfs/open_file.ts";
import type { BootSpec } from "./boot_spec.ts";

/** Files 0, 1 and 2; they own the descriptors, and belong to the user of the first process. */
export function openStdio(kernel: SandboxKernel, spec: BootSpec): OpenFile[] {
  const { uid, gid } = spec.process;
  const fs = new HostFdFs(kernel.host, kernel.memory.bounce);
  return spec.fds.stdio.map((fd) => {
    const flags = fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND);
    return adoptHostFd(fs, fd, flags, uid, gid);
  });
}
