/** pipe(2), pipe2(2). */

import { RLIMIT_NOFILE } from "../../../ffi/abi/resource.ts";
import { EFAULT, EINVAL } from "../../../ffi/abi/errno.ts";
import { O_CLOEXEC, O_DIRECT, O_NONBLOCK, O_RDONLY, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import { S_IFIFO } from "../../../ffi/abi/stat.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { Pipe, PipeFile } from "../../ipc/pipe.ts";
import type { Task } from "../../task/task.ts";
import type { OpenFile } from "../../vfs/open_file.ts";

export function sysPipe(t: Task, a: SyscallArgs): number {
  return makePipe(t, a.u64(0), 0);
}

/** pipe2(2). Unknown flag bits fail; they are never ignored. */
export function sysPipe2(t: Task, a: SyscallArgs): number {
  const flags = a.i32(1);
  if (flags & ~(O_CLOEXEC | O_NONBLOCK | O_DIRECT)) return -EINVAL;
  return makePipe(t, a.u64(0), flags);
}

function makePipe(t: Task, addr: number, flags: number): number {
  const inode = t.kernel.anon.pipes.makeInode(S_IFIFO | 0o600);
  inode.uid = t.cred.fsuid;
  inode.gid = t.cred.fsgid;
  const pipe = new Pipe(t.kernel.memory.frames, inode);
  // The target of /proc/PID/fd/N, where FifoOpener finds it.
  inode.special = pipe;
  const readEnd = new PipeFile(t.account, pipe, O_RDONLY | (flags & O_NONBLOCK));
  const writeEnd = new PipeFile(t.account, pipe, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)));
  return installPair(t, addr, readEnd, writeEnd, (flags & O_CLOEXEC) !== 0);
}

/**
 * Installs descriptors for two files and stores them at `addr`; after an error both files are
 * released.
 */
export function installPair(
  t: Task,
  addr: number,
  first: OpenFile,
  second: OpenFile,
  cloexec: boolean,
): number {
  const limit = t.group.limits.get(RLIMIT_NOFILE);
  const a = t.files.install(first, cloexec, limit);
  if (a < 0) {
    first.drop();
    second.drop();
    return a;
  }
  const b = t.files.install(second, cloexec, limit);
  if (b < 0) {
    t.files.close(a);
    second.drop();
    return b;
  }
  if (t.mm.store32(addr, a) < 0 || t.mm.store32(addr + 4, b) < 0) {
    t.files.close(a);
    t.files.close(b);
    return -EFAULT;
  }
  return 0;
}
