/**
 * execve(2), execveat(2): opens the file and reads the strings, with Linux's order of errors. The
 * rest: task/exec.ts.
 */

import { E2BIG, EFAULT, EINVAL, ENAMETOOLONG, ENOMEM } from "../../../ffi/abi/errno.ts";
import { AT_EMPTY_PATH, AT_FDCWD, AT_SYMLINK_NOFOLLOW } from "../../../ffi/abi/fcntl.ts";
import { PATH_MAX } from "../../../ffi/abi/fs.ts";
import { BLOCK } from "../../core/result.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import {
  MAX_STRING,
  PieceBuilder,
  StringList,
  type StringPiece,
} from "../../loader/string_list.ts";
import { continueExec, execProgram, isExecPending } from "../../task/exec.ts";
import { awaitExec } from "../../ptrace/access.ts";
import type { Task } from "../../task/task.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { openExec } from "../../vfs/open.ts";

/**
 * LIMIT: bytes of all strings and pointers that are read before the loader counts them (at most
 * ARG_MAX).
 */
const MAX_BYTES = 8 << 20;
/** Bytes of a piece in the kernel's heap beside its content. */
const PIECE_BYTES = 300;

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
  // The path is looked up again when all strings are read.
  if (error !== 0) return error === BLOCK ? readOn(t, lists) : error;
  const other = awaitExec(t, t.group);
  t.progress.object = lists;
  if (other !== 0) return other;
  const isByFd = dirfd !== AT_FDCWD && !text.startsWith("/");
  return execProgram(t, {
    file,
    path: isByFd ? `/dev/fd/${dirfd}${text === "" ? "" : `/${text}`}` : text,
    argv: new StringList(lists.argv.pieces),
    envp: new StringList(lists.envp.pieces),
    isPathGone: isByFd && t.files.isCloexec(dirfd),
    personality: t.personality,
  });
}

/** Reads the rest of the strings in another turn: only the end of the task interrupts. */
function readOn(t: Task, lists: StringLists): number {
  t.progress.object = lists;
  t.uninterruptible = true;
  return t.yieldTurn();
}

/** The arguments and the environment of the new program. */
export class StringLists {
  readonly argv: ListReader;
  readonly envp: ListReader;

  constructor(argvAddr: number, envpAddr: number) {
    this.argv = new ListReader(argvAddr);
    this.envp = new ListReader(envpAddr);
  }

  /** Reads a piece: 0 when all are read, BLOCK, or -errno. */
  read(t: Task): number {
    const r = this.argv.isRead ? 0 : this.argv.read(t);
    return r !== 0 || this.envp.isRead ? r : this.envp.read(t);
  }
}

/** Reads a vector of strings that ends with a null pointer. A null vector is an empty one. */
export class ListReader {
  readonly pieces: StringPiece[] = [];
  /** Address of the next pointer; 0: the end was reached. */
  private at: number;
  /** Bytes that the list may still take. */
  private left: number = MAX_BYTES;

  constructor(at: number) {
    this.at = at;
  }

  get isRead(): boolean {
    return this.at === 0;
  }

  /** Reads a piece: 0 when all are read, BLOCK, or -errno. */
  read(t: Task): number {
    const piece = new PieceBuilder();
    while (!piece.isFull) {
      const pointer = t.mm.load64(this.at);
      if (pointer < 0) return -EFAULT;
      if (pointer === 0) {
        this.at = 0;
        break;
      }
      const bytes = readString(t, pointer, piece);
      if (bytes < 0) return bytes;
      this.left -= bytes + 8;
      if (this.left < 0) return -E2BIG;
      this.at += 8;
    }
    // Charged with the room behind the strings, until the program runs.
    if (!t.progress.keepBytes(PIECE_BYTES + piece.room.length, t.account)) return -ENOMEM;
    this.pieces.push(piece.take());
    return this.isRead ? 0 : BLOCK;
  }
}

/** Adds the string at `pointer`: its bytes with the NUL, or -errno. */
function readString(t: Task, pointer: number, piece: PieceBuilder): number {
  const length = t.mm.stringLength(pointer, MAX_STRING);
  if (length < 0) return length === -ENAMETOOLONG ? -E2BIG : length;
  const from = piece.reserve(length + 1), { room } = piece;
  if (t.mm.copyIn(room, from, pointer, length) < 0) return -EFAULT;
  room[from + length] = 0;
  // Another thread may have shortened the string meanwhile.
  const bytes = room.indexOf(0, from) + 1 - from;
  piece.add(bytes);
  return bytes;
}
