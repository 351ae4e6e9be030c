/**
 * The guest's standard files over host descriptors that the launcher gave. Not here: a terminal of the guest's own
 * (console/).
 */

import { F_GETFL, O_ACCMODE, O_APPEND } from "../../ffi/abi/fcntl.ts";
import { fcntl } from "../../ffi/sys/files.ts";
import { adoptHostFd } from "../../kernel/fs/hostfd/adopt.ts";
import { HostFdFs } from "../../kernel/fs/hostfd/host_inode.ts";
import type { SandboxKernel } from "../../kernel/kernel.ts";
import type { OpenFile } from "../../kernel/vfs/open_file.ts";
import type { BootSpec } from "./boot_spec.ts";

export class StdioFiles {
  private readonly fs: HostFdFs;
  private readonly spec: BootSpec;

  constructor(kernel: SandboxKernel, spec: BootSpec) {
    this.fs = new HostFdFs(kernel.host, kernel.memory.bounce);
    this.spec = spec;
  }

  /** File 0, 1 or 2; it owns the descriptor, and belongs to the user of the first process. */
  open(index: 0 | 1 | 2): OpenFile {
    const fd = this.spec.fds.stdio[index], { uid, gid } = this.spec.process;
    const flags = fcntl(fd, F_GETFL) & (O_ACCMODE | O_APPEND);
    return adoptHostFd(this.fs, fd, flags, uid, gid);
  }
}
