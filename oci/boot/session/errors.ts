/** Errors of a session's requests as the client gets them. */

import {
  EXIT_NOT_EXECUTABLE,
  EXIT_NOT_FOUND,
  EXIT_USAGE,
  explain,
  UserError,
} from "../../user_error.ts";
import type { ErrorCode, ErrorMessage } from "../../protocol/session/messages.ts";

/** A refused request. */
export class RequestError extends UserError {
  readonly code: ErrorCode;
  /** As `ENOENT`; "": no call of the kernel has failed. */
  readonly errno: string;
  /** The path in the sandbox that it is about; "": none. */
  readonly path: string;

  constructor(code: ErrorCode, message: string, errno: string = "", path: string = "") {
    super(message);
    this.code = code;
    this.errno = errno;
    this.path = path;
  }
}

export function errorOf(error: UserError): ErrorMessage {
  const message = explain(error);
  if (!(error instanceof RequestError)) return { code: codeOf(error.exitCode), message };
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
