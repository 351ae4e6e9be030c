/**
 * Errors of host system calls: names of errno values, and an Error for code that is not on a hot
 * path.
 *
 * The kernel of a sandbox passes `-errno` as a number and does not use this.
 */

import { ERRNO_NAMES, MAX_ERRNO } from "../abi/errno.ts";

/** `"ENOENT"` for 2 and for -2; `"errno 999"` for a number without a name. */
export function errnoName(errno: number): string {
  const name = ERRNO_NAMES[Math.abs(errno)];
  return name === undefined || name === "-" ? `errno ${Math.abs(errno)}` : name;
}

/** Whether a raw result is an error. */
export function isErr(result: number): boolean {
  return result < 0 && result >= -MAX_ERRNO;
}

/** A host system call that failed. */
export class SyscallError extends Error {
  override readonly name: string = "SyscallError";
  /** Positive. */
  readonly errno: number;
  /** The failed call, as `openat "/etc/passwd"`: the call's name first. */
  readonly syscallName: string;

  constructor(syscallName: string, errno: number) {
    super(`${syscallName}: ${errnoName(errno)}`);
    this.errno = Math.abs(errno);
    this.syscallName = syscallName;
  }
}

/**
 * Returns the result if it is not an error.
 *
 * @param what for the message: the call's name, and its object if that helps
 * @throws SyscallError if the result is `-errno`
 */
export function check(result: number, what: string): number {
  if (isErr(result)) throw new SyscallError(what, result);
  return result;
}
