/**
 * How large debug logs get: for the processes that open them and the one that writes
 * (boot/debug_log.ts).
 */

/** LIMIT: bytes of a file that the command line names. */
export const NAMED_LOG_BYTES = 2 ** 30;
/** LIMIT: bytes of a file that annotations of a container ask for. */
export const ANNOTATED_LOG_BYTES = 16 * 2 ** 20;
