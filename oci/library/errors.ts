/**
 * Errors of the library: a class and a `code` for each kind, and a message that names the thing and
 * says what to do. The sandbox sends an `ErrorMessage`; `errorOf` makes the exception of it.
 */

import type { ErrorMessage } from "../protocol/session/messages.ts";

/** More about an error than its message. */
export interface ErrorDetails {
  /** The path in the sandbox, or of the host, that the error is about. */
  readonly path?: string | undefined;
  /** The name of the kernel's error number, as `ENOENT`. */
  readonly errno?: string | undefined;
  readonly cause?: unknown;
}

/**
 * A failure of a sandbox or of a request to it. Every other class of errors is one of these.
 *
 * ```ts
 * import { NotFoundError, Sandbox, SandboxError } from "../../mod.ts";
 *
 * await using box = await Sandbox.create();
 * try {
 *   await box.fs.readTextFile("/no/such/file");
 * } catch (error) {
 *   if (!(error instanceof NotFoundError)) throw error;
 *   console.log(error instanceof SandboxError, error.code, error.path, error.errno);
 *   // true NotFound /no/such/file ENOENT
 * }
 * ```
 */
export class SandboxError extends Error {
  override readonly name: string = "SandboxError";
  /** The kind: "NotFound", "Gone", ... */
  readonly code: string;
  readonly path: string | undefined;
  readonly errno: string | undefined;

  constructor(code: string, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? {} : { cause: details.cause });
    this.code = code;
    this.path = details.path;
    this.errno = details.errno;
  }
}

/** A file, a program, a user or a sandbox that does not exist. */
export class NotFoundError extends SandboxError {
  override readonly name = "NotFoundError";
  constructor(message: string, details?: ErrorDetails) {
    super("NotFound", message, details);
  }
}

export class AlreadyExistsError extends SandboxError {
  override readonly name = "AlreadyExistsError";
  constructor(message: string, details?: ErrorDetails) {
    super("AlreadyExists", message, details);
  }
}

/** The user, in the sandbox or on the host, may not do it. */
export class PermissionError extends SandboxError {
  override readonly name = "PermissionError";
  constructor(message: string, details?: ErrorDetails) {
    super("PermissionDenied", message, details);
  }
}

export class NotADirectoryError extends SandboxError {
  override readonly name = "NotADirectoryError";
  constructor(message: string, details?: ErrorDetails) {
    super("NotADirectory", message, details);
  }
}

export class IsADirectoryError extends SandboxError {
  override readonly name = "IsADirectoryError";
  constructor(message: string, details?: ErrorDetails) {
    super("IsADirectory", message, details);
  }
}

export class NotEmptyError extends SandboxError {
  override readonly name = "NotEmptyError";
  constructor(message: string, details?: ErrorDetails) {
    super("NotEmpty", message, details);
  }
}

/** An option or argument that is wrong; the message names it. */
export class InvalidArgumentError extends SandboxError {
  override readonly name = "InvalidArgumentError";
  constructor(message: string, details?: ErrorDetails) {
    super("InvalidArgument", message, details);
  }
}

/** A limit of the sandbox was reached: its disk, memory, processes or open requests. */
export class LimitError extends SandboxError {
  override readonly name = "LimitError";
  constructor(message: string, details?: ErrorDetails) {
    super("Limit", message, details);
  }
}

/** This sandbox, host or version has no such thing. */
export class UnsupportedError extends SandboxError {
  override readonly name = "UnsupportedError";
  constructor(message: string, details?: ErrorDetails) {
    super("Unsupported", message, details);
  }
}

/** The sandbox has ended, or the connection to it is closed. */
export class SandboxGoneError extends SandboxError {
  override readonly name = "SandboxGoneError";
  constructor(message: string, details?: ErrorDetails) {
    super("Gone", message, details);
  }
}

/** A request that was open when its sandbox was rolled back. */
export class RolledBackError extends SandboxError {
  override readonly name = "RolledBackError";
  constructor(message: string, details?: ErrorDetails) {
    super("RolledBack", message, details);
  }
}

/**
 * A sandbox that did not start or end in time, or a port on which nothing listens in time. A
 * program's time limit is no error: see `reason`.
 */
export class TimeoutError extends SandboxError {
  override readonly name = "TimeoutError";
  constructor(message: string, details?: ErrorDetails) {
    super("Timeout", message, details);
  }
}

type ErrorClass = new (message: string, details?: ErrorDetails) => SandboxError;

const CLASSES: Readonly<Record<string, ErrorClass>> = {
  NotFound: NotFoundError,
  AlreadyExists: AlreadyExistsError,
  PermissionDenied: PermissionError,
  NotADirectory: NotADirectoryError,
  IsADirectory: IsADirectoryError,
  NotEmpty: NotEmptyError,
  InvalidArgument: InvalidArgumentError,
  Limit: LimitError,
  Timeout: TimeoutError,
  Unsupported: UnsupportedError,
  Gone: SandboxGoneError,
  RolledBack: RolledBackError,
};

/** The kinds of failed calls of the host; others are `Failed`. The sandbox has its own table. */
const HOST_CODES: Readonly<Record<string, string>> = {
  ENOENT: "NotFound",
  ENOTDIR: "NotADirectory",
  EISDIR: "IsADirectory",
  ENOTEMPTY: "NotEmpty",
  EEXIST: "AlreadyExists",
  EADDRINUSE: "AlreadyExists",
  EACCES: "PermissionDenied",
  EPERM: "PermissionDenied",
  EROFS: "PermissionDenied",
  ENAMETOOLONG: "InvalidArgument",
  EINVAL: "InvalidArgument",
  ELOOP: "InvalidArgument",
  ENOSPC: "Limit",
  EDQUOT: "Limit",
  EFBIG: "Limit",
  ENOMEM: "Limit",
  EMFILE: "Limit",
  ENFILE: "Limit",
  EAGAIN: "Limit",
  EOPNOTSUPP: "Unsupported",
  ENOSYS: "Unsupported",
};

const HOST_WORDS: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist",
  EISDIR: "it is a directory",
  ENOTDIR: "a part of the path is no directory",
  EEXIST: "it exists already",
  EADDRINUSE: "the port is taken; without hostPort a free one is used",
  EACCES: "this user may not",
  EPERM: "this user may not",
  EROFS: "the file system is mounted read-only",
  ELOOP: "it is a symbolic link, or the path has too many of them",
  ENOSPC: "the disk is full",
};

/**
 * The exception of a failed call of the host.
 * @param what as "cannot read /path"
 */
export function hostError(what: string, errno: string, details: ErrorDetails): SandboxError {
  const words = Object.hasOwn(HOST_WORDS, errno) ? `${HOST_WORDS[errno]} (${errno})` : errno;
  const code = Object.hasOwn(HOST_CODES, errno) ? HOST_CODES[errno] ?? "Failed" : "Failed";
  return errorOfCode(code, `${what}: ${words}`, { ...details, errno });
}

function errorOfCode(code: string, text: string, details: ErrorDetails): SandboxError {
  const known = Object.hasOwn(CLASSES, code) ? CLASSES[code] : undefined;
  return known === undefined ? new SandboxError(code, text, details) : new known(text, details);
}

/** What is said of a failed call, in place of the kernel's words. */
const EXPLANATIONS: Readonly<Record<string, string>> = {
  ENOENT: "it does not exist",
  EEXIST: "it exists already",
  EACCES: "the user may not do that; the option `user` chooses another one",
  EPERM: "the user may not do that; the option `user` chooses another one",
  ENOTDIR: "a part of the path is no directory",
  EISDIR: "it is a directory",
  ENOTEMPTY: "the directory is not empty; the option `recursive` removes what is in it too",
  ENOSPC: "the disk of the sandbox is full; `diskBytes` of `Sandbox.create` is its size",
  ENOMEM: "the memory of the sandbox is used up; `memoryBytes` of `Sandbox.create` is its size",
  EROFS: "it is on a file system that is mounted read-only",
  ELOOP: "the path has too many symbolic links",
  ENAMETOOLONG: "the path or a name in it is too long",
};

/** Verbs of requests that make a file: what does not exist is a directory above it. */
const MAKES: readonly string[] = ["write", "make", "link"];
const NO_PARENT =
  "a directory of the path does not exist (ENOENT); the option `recursive` makes it";

/** What a request does, for messages: a verb, and the path or name that it is about. */
export interface Doing {
  readonly verb: string;
  readonly subject?: string;
}

/** The exception of an error that the sandbox sent, about a request or about itself. */
export function errorOf(error: ErrorMessage, doing: Doing | null): SandboxError {
  const { code, message, errno } = error, path = error.path ?? doing?.subject;
  const make = (text: string): SandboxError => errorOfCode(code, text, { path, errno });
  if (doing === null) return make(message);
  const what = doing.subject === undefined ? doing.verb : `${doing.verb} ${doing.subject}`;
  if (code === "Gone" || code === "RolledBack") return make(`cannot ${what}: ${message}`);
  const explained = explanation(error, doing);
  // The sandbox may have named the request and the path itself.
  if (explained === undefined && message.startsWith("cannot ")) return make(message);
  const other = path === doing.subject || path === undefined ? "" : `${path}: `;
  return make(`cannot ${what}: ${other}${explained ?? message}`);
}

function explanation({ code, errno, path }: ErrorMessage, doing: Doing): string | undefined {
  const isProgram = doing.verb === "run" && (path === undefined || path === doing.subject);
  if (isProgram && code === "NotFound") {
    return "there is no such program in the sandbox (ENOENT); give an absolute path, or the " +
      "folder of it in PATH of the option `env`";
  }
  if (isProgram && code === "PermissionDenied") return "it is no executable file (EACCES)";
  if (errno === "ENOENT" && MAKES.includes(doing.verb)) return NO_PARENT;
  if (errno === undefined || !Object.hasOwn(EXPLANATIONS, errno)) return undefined;
  return `${EXPLANATIONS[errno]} (${errno})`;
}
