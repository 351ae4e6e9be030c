/**
 * Opens the file that an O_PATH descriptor holds: only regular files and directories, with exactly
 * the requested access.
 */

import { EACCES, EINVAL, EISDIR, ELOOP, ENXIO, EROFS } from "../../ffi/abi/errno.ts";
import * as F from "../../ffi/abi/fcntl.ts";
import { S_IFDIR, S_IFLNK, S_IFREG } from "../../ffi/abi/stat.ts";
import type { ProcFd } from "./host_calls.ts";

/** Flags that change how the host opens. */
const KEPT = F.O_ACCMODE | F.O_TRUNC | F.O_APPEND | F.O_SYNC | F.O_DIRECT | F.O_NOATIME |
  F.O_DIRECTORY;
/** Flags without effect for an existing file that a fid names. */
const DROPPED = F.O_CREAT | F.O_EXCL | F.O_NOCTTY | F.O_NONBLOCK | F.FASYNC | F.O_LARGEFILE |
  F.O_NOFOLLOW | F.O_CLOEXEC;

/**
 * The host flags for a request's, or -EINVAL for bits or an access mode that Linux does not define.
 */
export function hostFlags(flags: number): number {
  if ((flags & ~(KEPT | DROPPED)) !== 0) return -EINVAL;
  if ((flags & F.O_ACCMODE) === F.O_ACCMODE) return -EINVAL;
  return flags & KEPT;
}

/** Whether an open with these flags may change the file. */
function isWriting(flags: number): boolean {
  return (flags & F.O_ACCMODE) !== F.O_RDONLY || (flags & F.O_TRUNC) !== 0;
}

/**
 * Whether the host may append for an open file. DIFFERS: not for one that is also open for reading.
 * A caching Linux client opens files for both when its program only appends, and then writes back
 * whole pages at their offsets, which the host would append (Linux below 6.19). The client's
 * offsets are used then; they are right for that client alone.
 */
function mayAppend(flags: number): boolean {
  return (flags & F.O_ACCMODE) === F.O_WRONLY;
}

/**
 * The host flags of a file that stays in this process, without O_DIRECT: the buffers here are not
 * aligned.
 */
export function ownFlags(flags: number): number {
  return flags & ~(F.O_DIRECT | (mayAppend(flags) ? 0 : F.O_APPEND));
}

/**
 * Opens the file behind an O_PATH descriptor. `type` is its S_IF* (fixed with the descriptor, so no
 * race can turn it into a device). Errors: ENXIO for devices, FIFOs and sockets, ELOOP for
 * symlinks, EROFS, or the host's.
 */
export function openHeld(
  fd: number,
  type: number,
  flags: number,
  isReadOnly: boolean,
  proc: ProcFd,
): number {
  const host = hostFlags(flags);
  if (host < 0) return host;
  if (type === S_IFLNK) return -ELOOP;
  if (type !== S_IFREG && type !== S_IFDIR) return -ENXIO;
  if (isWriting(host)) {
    if (type === S_IFDIR) return -EISDIR;
    if (isReadOnly) return -EROFS;
  }
  return proc.reopen(fd, host);
}

/**
 * openHeld for a descriptor that leaves the process: no O_APPEND, which would override pwrite's
 * offset.
 */
export function openToDonate(
  fd: number,
  type: number,
  flags: number,
  isReadOnly: boolean,
  mayDonateDirectories: boolean,
  proc: ProcFd,
): number {
  if (type === S_IFDIR && !mayDonateDirectories) return -EACCES;
  return openHeld(fd, type, flags & ~F.O_APPEND, isReadOnly, proc);
}
