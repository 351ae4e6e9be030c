/** Opens regular files alone: an open of another kind may wait, or change what others see. */

import { EISDIR, ENOENT } from "../../../../ffi/abi/errno.ts";
import {
  AT_FDCWD,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_NOCTTY,
  O_NONBLOCK,
} from "../../../../ffi/abi/fcntl.ts";
import { isDirectory, isRegular } from "../../../../kernel/vfs/access.ts";
import { BLOCK } from "../../../../kernel/core/result.ts";
import { openAt } from "../../../../kernel/vfs/open.ts";
import type { OpenFile } from "../../../../kernel/vfs/open_file.ts";
import { statAt } from "../../../../kernel/vfs/status.ts";
import type { ErrorMessage } from "../../../protocol/session/messages.ts";
import { callError, pathError } from "../call_errors.ts";
import type { RequestCaller } from "./request_caller.ts";

/** The file is a device, a FIFO or a socket. */
const NOT_REGULAR = -5000;

/** A new description with one reference, -errno, NOT_REGULAR, or BLOCK. */
export function openRegular(
  caller: RequestCaller,
  path: string,
  flags: number,
  mode: number,
): OpenFile | number {
  const file = openOnce(caller, path, flags, mode);
  if (file !== BLOCK) caller.progress.reset();
  return file;
}

function openOnce(
  caller: RequestCaller,
  path: string,
  flags: number,
  mode: number,
): OpenFile | number {
  const may = (flags & O_EXCL) !== 0 ? 0 : mayOpen(caller, path, flags);
  if (may < 0) return may;
  const quietly = flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
  const file = openAt(caller, AT_FDCWD, path, quietly, mode);
  if (typeof file === "number" || isRegular(file.inode)) return file;
  // The host has put another file there.
  file.drop();
  return NOT_REGULAR;
}

function mayOpen(caller: RequestCaller, path: string, flags: number): number {
  const inode = statAt(caller, AT_FDCWD, path, 0);
  if (typeof inode === "number") {
    return inode === -ENOENT && (flags & O_CREAT) !== 0 ? 0 : inode;
  }
  if (isRegular(inode)) return 0;
  return isDirectory(inode) ? -EISDIR : NOT_REGULAR;
}

/** The message for an error of `openRegular`. */
export function openError(what: string, path: string, r: number): ErrorMessage {
  return r === NOT_REGULAR
    ? pathError("InvalidArgument", what, path, "it is no regular file")
    : callError(what, path, r);
}
