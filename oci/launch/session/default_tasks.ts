/** The limits of sandboxes of libraries, where the caller gives none. */

/** Processes and threads: a fork bomb is no greater, so its end at a deadline takes no longer. */
export const DEFAULT_TASKS = 1024;
