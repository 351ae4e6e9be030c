/** Messages about a container's files, with the words that clients search for. */

import * as E from "../ffi/abi/errno.ts";
import { errnoName } from "../ffi/sys/errors.ts";
import { toText } from "../kernel/core/bytes.ts";
import { UserError } from "./user_error.ts";

/** Docker and containerd choose exit codes by these words. */
const WORDS: ReadonlyMap<number, string> = new Map([
  [E.ENOENT, "no such file or directory"],
  [E.EACCES, "permission denied"],
  [E.EPERM, "operation not permitted"],
  [E.ENOTDIR, "not a directory"],
  [E.EISDIR, "is a directory"],
  [E.EINVAL, "invalid argument"],
  [E.EROFS, "read-only file system"],
  [E.ELOOP, "too many levels of symbolic links"],
  [E.ENOSPC, "no space left on device"],
  [E.ENODEV, "no such device"],
  [E.ENAMETOOLONG, "file name too long"],
  [E.EEXIST, "file exists"],
  [E.ENOTEMPTY, "directory not empty"],
  [E.EBUSY, "device or resource busy"],
  [E.EXDEV, "invalid cross-device link"],
  [E.EFBIG, "file too large"],
  [E.EDQUOT, "disk quota exceeded"],
  [E.EIO, "input/output error"],
  [E.ETXTBSY, "text file busy"],
  [E.EAGAIN, "resource temporarily unavailable"],
]);

/** LIMIT: characters of a path that a message shows. */
const SHOWN = 200;

/** A path for a message; the end of a long one is cut off. */
export function shownPath(path: string): string {
  return path.length <= SHOWN ? path : `${path.slice(0, SHOWN)}...`;
}

/** The text of strerror(3), for positive and negative numbers. */
export function errnoText(errno: number): string {
  return WORDS.get(Math.abs(errno)) ?? errnoName(errno);
}

/** A call about a file that failed. */
export class FileError extends UserError {
  /** Positive. */
  readonly errno: number;
  /** Text for people. */
  readonly path: string;

  constructor(message: string, errno: number, path: string) {
    super(message);
    this.errno = errno;
    this.path = path;
  }
}

/**
 * @param what as "cannot mount"
 * @param path a byte string
 * @param jsonPath the place in config.json, or null
 */
export function cannot(
  what: string,
  path: string,
  errno: number,
  jsonPath: string | null = null,
): FileError {
  const where = jsonPath === null ? "" : `config.json: ${jsonPath}: `,
    shown = shownPath(toText(path));
  return new FileError(`${where}${what} ${shown}: ${errnoText(errno)}`, Math.abs(errno), shown);
}
