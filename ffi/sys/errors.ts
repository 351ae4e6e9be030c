/**
 * Errors of host system calls: names of errno values, and an Error for code that is not on a hot
 * path.
 *
 * The kernel of a sandbox passes `-errno` around as a number and does not use this.
 */

import { ERRNO_NAMES, MAX_ERRNO } from "../abi/errno.ts";

/** `"ENOENT"` for 2 and for -2; `"errno 999"` for what has no name. */
export function errnoName(errno: number): string {
  const name = ERRNO_NAMES[Math.abs(errno)];
  return name === undefined || name === "-" ? `errno ${Math.abs(errno)}` : name;
}

/** True if a raw result means an error. */
export function isErr(result: number): boolean {
  return result < 0 && result >= -MAX_ERRNO;
}

/** A host system call that failed. */
export class SyscallError extends Error {
  override readonly name: string = "SyscallError";
  /** Positive. */
  readonly errno: number;
  /** What was tried, as `openat "/etc/passwd"`: the call's name first. */
  readonly syscallName: string;

  constructor(syscallName: string, errno: number) {
    super(`${syscallName}: ${errnoName(errno)}`);
    this.errno = Math.abs(errno);
    this.syscallName = syscallName;
  }
}

/**
 * Passes a result on.
 *
 * @param what for the message: the call's name, and if it helps its object
 * @throws SyscallError if the result is `-errno`
 */
export function check(result: number, what: string): number {
  if (isErr(result)) throw new SyscallError(what, result);
  return result;
}
