/**
 * Prepares stdin, stdout and stderr for a sandbox.
 *
 * The kernel must never block in a read or write of one of them. Pipes and terminals are opened
 * again, so that the new open file has O_NONBLOCK and the caller's does not, because other
 * processes share that one. Regular files are passed as they are, because their position is shared.
 */

import { O_ACCMODE } from "../../ffi/abi/fcntl.ts";
import * as F from "../../ffi/abi/fcntl.ts";
import { S_IFCHR, S_IFIFO, S_IFMT, Stat } from "../../ffi/abi/stat.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { close, dup, dup3, fcntl, fstat, openat } from "../../ffi/sys/files.ts";

/** A descriptor of the same file for the sandbox; -1 if `fd` is closed. */
export function stdioFor(fd: number): number {
  const flags = fcntl(fd, F.F_GETFL);
  if (flags < 0 || fstat(fd, scratch.area(0)) < 0) return -1;
  const mode = scratch.dv.getUint32(scratch.areaOffset(0) + Stat.at.mode, true);
  const type = mode & S_IFMT;
  if (type === S_IFIFO || type === S_IFCHR) {
    const own = (flags & O_ACCMODE) | F.O_NONBLOCK | F.O_NOCTTY | F.O_CLOEXEC;
    const again = openat(F.AT_FDCWD, `/proc/self/fd/${fd}`, own);
    if (again >= 0) return again;
  }
  return dup(fd);
}

/**
 * Closes the caller's stdin and stdout once the sandbox has its own, so that the peer of a pipe
 * sees when the guest closes it. stderr stays open for messages unless `withErrors`.
 */
export function releaseStdio(withErrors: boolean = false): void {
  const none = openat(F.AT_FDCWD, "/dev/null", F.O_RDWR | F.O_CLOEXEC);
  if (none < 0) return;
  for (const fd of withErrors ? [0, 1, 2] : [0, 1]) dup3(none, fd, 0);
  close(none);
}
