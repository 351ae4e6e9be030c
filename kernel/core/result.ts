/**
 * What a system call handler may return besides a result >= 0 and -errno (1..4095).
 * syscalls/dispatch.ts acts on these values.
 *
 * BLOCK: the handler linked its task to wait queues, and runs again from its saved arguments after
 * a wake-up. The restart codes are Linux's own (include/linux/errno.h); task/return_to_user.ts
 * resolves them.
 */

/** The task waits; the same handler runs again when it is woken. */
export const BLOCK = -4096;
/** The handler replaced the registers or ended the task: there is no result to store. */
export const NO_REPLY = -4097;
/**
 * There is no result: the thread continues with the registers in its context (sigreturn, exec, a
 * fault).
 */
export const IN_GUEST = -4098;

/** Only from checks in front of a handler: the handler runs. Never a handler's result. */
export const GO_ON = -4099;

/** The task is stopped for its tracer, and continues where that stop says. */
export const IN_STOP = -4100;

/**
 * Only from a change of a file system: it goes on in another turn of the loop, where it is called
 * again. Never a handler's result.
 */
export const NEEDS_TURN = -4101;
