/** Errors of calls of the kernel as messages of a session. */

import { PATH_MAX } from "../../../ffi/abi/fs.ts";
import { errnoName } from "../../../ffi/sys/errors.ts";
import { errnoText, shownPath } from "../../file_error.ts";
import { codeOfErrno } from "../../protocol/request_error.ts";
import type { ErrorCode, ErrorMessage } from "../../protocol/session/messages.ts";

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
    code: codeOfErrno(number),
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
