/** Errors of calls of the kernel as messages of a session: the only table of errno to code. */

import * as E from "../../../ffi/abi/errno.ts";
import { PATH_MAX } from "../../../ffi/abi/fs.ts";
import { errnoName } from "../../../ffi/sys/errors.ts";
import { errnoText, shownPath } from "../../file_error.ts";
import type { ErrorCode, ErrorMessage } from "../../protocol/session/messages.ts";

/** Other numbers are `Failed`. */
const CODES: ReadonlyMap<number, ErrorCode> = new Map([
  [E.ENOENT, "NotFound"],
  [E.EEXIST, "AlreadyExists"],
  [E.EACCES, "PermissionDenied"],
  [E.EPERM, "PermissionDenied"],
  [E.EROFS, "PermissionDenied"],
  [E.ENOTDIR, "NotADirectory"],
  [E.EISDIR, "IsADirectory"],
  [E.ENOTEMPTY, "NotEmpty"],
  [E.EINVAL, "InvalidArgument"],
  [E.ENAMETOOLONG, "InvalidArgument"],
  [E.ELOOP, "InvalidArgument"],
  [E.ENOSPC, "Limit"],
  [E.EDQUOT, "Limit"],
  [E.EFBIG, "Limit"],
  [E.ENOMEM, "Limit"],
  [E.EMFILE, "Limit"],
  [E.ENFILE, "Limit"],
  [E.EMLINK, "Limit"],
  [E.EOPNOTSUPP, "Unsupported"],
  [E.ENOSYS, "Unsupported"],
]);

/**
 * The message of a call that failed.
 *
 * @param what as "cannot read"
 * @param path the text of a path in messages
 * @param errno positive or negative
 * @param rest of the call, as " to /other"
 */
export function callError(
  what: string,
  path: string,
  errno: number,
  rest: string = "",
): ErrorMessage {
  const number = Math.abs(errno);
  return {
    code: CODES.get(number) ?? "Failed",
    message: `${what} ${shownPath(path)}${rest}: ${errnoText(number)}`,
    errno: errnoName(number),
    path: sentPath(path),
  };
}

/** The message of a request that cannot be done with the file at `path`. */
export function pathError(
  code: ErrorCode,
  what: string,
  path: string,
  why: string,
): ErrorMessage {
  return { code, message: `${what} ${shownPath(path)}: ${why}`, path: sentPath(path) };
}

/** A message has bounded size, whatever the request named. */
function sentPath(path: string): string {
  return path.length <= PATH_MAX ? path : shownPath(path);
}
