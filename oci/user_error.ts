/**
 * Errors of the caller or of the host: they end the program with one line on stderr and an exit
 * code. Any other error is a bug of dvisor and is printed with its stack.
 *
 * Exit codes are those of a shell: the guest's own, 128 + N for a signal, and the ones below. Verbs
 * that runc has fail with runc's codes, whatever the error (`Command.failureCode`).
 */

/** The host or the sandbox failed. */
export const EXIT_FAILURE = 1;
/** The command line or config.json makes no sense. */
export const EXIT_USAGE = 2;
/** The command was found and cannot be executed. */
export const EXIT_NOT_EXECUTABLE = 126;
/** There is no such command. */
export const EXIT_NOT_FOUND = 127;
/** Of `exec`, as runc has it: hardly the code of the process itself. */
export const EXIT_EXEC_FAILED = 255;

export class UserError extends Error {
  override readonly name = "UserError";
  readonly exitCode: number;

  constructor(message: string, exitCode: number = EXIT_FAILURE, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.exitCode = exitCode;
  }
}

/** A command line that makes no sense. */
export function usageError(message: string): UserError {
  return new UserError(message, EXIT_USAGE);
}

/** One line for people: the message and its causes. */
export function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : `: ${explain(error.cause)}`;
  return error.message + cause;
}
