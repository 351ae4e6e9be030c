/** execve(2), execveat(2): the file, the strings, in Linux's order of errors. The rest: task/exec.ts. */

import { E2BIG, EFAULT, EINVAL, ENAMETOOLONG } from "../../../ffi/abi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../../ffi/abi/fcntl.ts";
import { PATH_MAX } from "../../../ffi/abi/fs.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { continueExec, execProgram, isExecPending } from "../../task/exec.ts";
import type { Task } from "../../task/task.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { openExec } from "../../vfs/open.ts";

/** LIMIT of Linux: bytes of one string with its NUL (MAX_ARG_STRLEN). */
const MAX_STRING = 131072;
/** LIMIT: bytes of all strings and pointers that are read before the loader counts them (ARG_MAX at most). */
const MAX_BYTES = 8 << 20;

export function sysExecve(t: Task, a: SyscallArgs): number {
  return exec(t, AT_FDCWD, a.u64(0), a.u64(1), a.u64(2), 0);
}

export function sysExecveat(t: Task, a: SyscallArgs): number {
  return exec(t, a.i32(0), a.u64(1), a.u64(2), a.u64(3), a.u32(4));
}

function exec(
  t: Task,
  dirfd: number,
  pathAddr: number,
  argvAddr: number,
  envpAddr: number,
  flags: number,
): number {
  if (isExecPending(t)) return continueExec(t);
  const text = t.mm.cstring(pathAddr, PATH_MAX);
  if (typeof text === "number") return text;
  if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) !== 0) return -EINVAL;
  const follow = (flags & AT_SYMLINK_NOFOLLOW) === 0;
  const file = openExec(t, dirfd, text, follow, (flags & AT_EMPTY_PATH) !== 0);
  if (typeof file === "number") return file;
  try {
    return execFile(t, file, dirfd, text, argvAddr, envpAddr);
  } finally {
    file.drop();
  }
}

function execFile(
  t: Task,
  file: OpenFile,
  dirfd: number,
  text: string,
  argvAddr: number,
  envpAddr: number,
): number {
  const argv = strings(t, argvAddr);
  if (typeof argv === "number") return argv;
  const envp = strings(t, envpAddr);
  if (typeof envp === "number") return envp;
  const isByFd = dirfd !== AT_FDCWD && !text.startsWith("/");
  return execProgram(t, {
    file,
    path: isByFd ? `/dev/fd/${dirfd}${text === "" ? "" : `/${text}`}` : text,
    argv,
    envp,
    isPathGone: isByFd && t.files.isCloexec(dirfd),
    personality: t.personality,
  });
}

/** A vector of strings that ends with a null pointer; a null vector is an empty one. */
function strings(t: Task, addr: number): string[] | number {
  const list: string[] = [];
  if (addr === 0) return list;
  for (let at = addr, left = MAX_BYTES;; at += 8) {
    const pointer = t.mm.load64(at);
    if (pointer < 0) return -EFAULT;
    if (pointer === 0) return list;
    const s = t.mm.cstring(pointer, MAX_STRING);
    if (typeof s === "number") return s === -ENAMETOOLONG ? -E2BIG : s;
    left -= s.length + 9;
    if (left < 0) return -E2BIG;
    list.push(s);
  }
}
