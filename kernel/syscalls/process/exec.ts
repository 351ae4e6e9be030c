/** execve(2), execveat(2): the file, the strings, in Linux's order of errors. The rest: task/exec.ts. */

import { E2BIG, EFAULT, EINVAL, ENAMETOOLONG } from "../../../ffi/abi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../../ffi/abi/fcntl.ts";
import { PATH_MAX } from "../../../ffi/abi/fs.ts";
import { BLOCK } from "../../core/result.ts";
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
  const lists = t.progress.object instanceof StringLists
    ? t.progress.object
    : new StringLists(argvAddr, envpAddr);
  const error = lists.read(t);
  // Whatever the path means when all strings are there is what runs.
  if (error !== 0) return error === BLOCK ? readOn(t, lists) : error;
  const { argv, envp } = lists;
  t.progress.object = null;
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

/** The rest of the strings in another turn: only the end of the task interrupts it. */
function readOn(t: Task, lists: StringLists): number {
  t.progress.object = lists;
  t.uninterruptible = true;
  return t.yieldTurn();
}

/** LIMIT: strings and bytes of them that are read in one turn of the loop. */
const TURN_STRINGS = 2048, TURN_BYTES = 1 << 17;

/**
 * The arguments and the environment: vectors of strings that end with a null pointer. A null vector
 * is an empty one.
 */
class StringLists {
  readonly argv: string[] = [];
  readonly envp: string[] = [];
  /** Where the next pointers are; 0: there are no more. */
  private argvAt: number;
  private envpAt: number;
  /** Bytes that each list may have still. */
  private argvLeft: number = MAX_BYTES;
  private envpLeft: number = MAX_BYTES;

  constructor(argvAddr: number, envpAddr: number) {
    this.argvAt = argvAddr;
    this.envpAt = envpAddr;
  }

  /** Some of them: 0 when all are there, BLOCK, or -errno. */
  read(t: Task): number {
    let bytes = TURN_BYTES;
    for (let n = TURN_STRINGS; n > 0 && bytes > 0; n--) {
      const isArgument = this.argvAt !== 0, at = isArgument ? this.argvAt : this.envpAt;
      if (at === 0) return 0;
      const s = readString(t, at);
      if (typeof s === "number") return s;
      this.step(isArgument, s === null ? 0 : at + 8);
      if (s === null) continue;
      bytes -= s.length;
      const left = isArgument ? (this.argvLeft -= s.length + 9) : (this.envpLeft -= s.length + 9);
      if (left < 0) return -E2BIG;
      (isArgument ? this.argv : this.envp).push(s);
    }
    return this.argvAt === 0 && this.envpAt === 0 ? 0 : BLOCK;
  }

  private step(isArgument: boolean, next: number): void {
    if (isArgument) this.argvAt = next;
    else this.envpAt = next;
  }
}

/** The string that the pointer at `at` points to, null for a null pointer, or -errno. */
function readString(t: Task, at: number): string | number | null {
  const pointer = t.mm.load64(at);
  if (pointer < 0) return -EFAULT;
  if (pointer === 0) return null;
  const s = t.mm.cstring(pointer, MAX_STRING);
  return s === -ENAMETOOLONG ? -E2BIG : s;
}
