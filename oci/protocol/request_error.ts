/** Errors that clients of a session get: their codes, and the only table of errno to code. */

import * as E from "../../ffi/abi/errno.ts";
import { errnoName } from "../../ffi/sys/errors.ts";
import { FileError } from "../file_error.ts";
import {
  EXIT_FAILURE,
  EXIT_NOT_EXECUTABLE,
  EXIT_NOT_FOUND,
  EXIT_USAGE,
  explain,
  UserError,
} from "../user_error.ts";
import type { ErrorCode, ErrorMessage } from "./session/messages.ts";

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
  [E.E2BIG, "Limit"],
  [E.ENOEXEC, "Unsupported"],
  [E.EOPNOTSUPP, "Unsupported"],
  [E.ENOSYS, "Unsupported"],
]);

/** A refused request, or a sandbox that cannot be made. */
export class RequestError extends UserError {
  readonly code: ErrorCode;
  /** As `ENOENT`; "": no call of the kernel has failed. */
  readonly errno: string;
  /** The path that it is about; "": none. */
  readonly path: string;

  constructor(
    code: ErrorCode,
    message: string,
    errno: string = "",
    path: string = "",
    exitCode: number = EXIT_FAILURE,
  ) {
    super(message, exitCode);
    this.code = code;
    this.errno = errno;
    this.path = path;
  }
}

/** @param errno positive or negative */
export function codeOfErrno(errno: number): ErrorCode {
  return CODES.get(Math.abs(errno)) ?? "Failed";
}

/** The message for the client. */
export function errorOf(error: unknown): ErrorMessage {
  const message = explain(error);
  if (error instanceof FileError) {
    const { errno, path } = error;
    return { code: codeOfErrno(errno), message, errno: errnoName(errno), path };
  }
  if (!(error instanceof RequestError)) {
    return { code: error instanceof UserError ? codeOf(error.exitCode) : "Failed", message };
  }
  const { code, errno, path } = error;
  return {
    code,
    message,
    ...(errno === "" ? {} : { errno }),
    ...(path === "" ? {} : { path }),
  };
}

function codeOf(exitCode: number): ErrorCode {
  switch (exitCode) {
    case EXIT_USAGE:
      return "InvalidArgument";
    case EXIT_NOT_FOUND:
      return "NotFound";
    case EXIT_NOT_EXECUTABLE:
      return "PermissionDenied";
    default:
      return "Failed";
  }
}
