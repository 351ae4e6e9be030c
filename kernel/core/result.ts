/**
 * What a system-call handler may return besides a result >= 0 and -errno (1..4095).
 *
 * BLOCK: the handler linked its task to what it waits for and wants to run again from its saved arguments.
 * The restart codes are Linux's own (include/linux/errno.h): resolved in one place, `task/restart`.
 */

/** The task waits; the same handler runs again when it is woken. */
export const BLOCK = -4096;
/** The handler replaced the registers or ended the task: there is no result to store. */
export const NO_REPLY = -4097;
/** There is no result: the registers in the context are the state to go on with (sigreturn, exec, a fault). */
export const IN_GUEST = -4098;

/** Of checks that come before a handler: it is to run. Never a handler's result. */
export const GO_ON = -4099;

/** The task stands still for its tracer, and goes on where that stop says. */
export const IN_STOP = -4100;

export const ERESTARTSYS = 512;
export const ERESTARTNOINTR = 513;
export const ERESTARTNOHAND = 514;
export const ERESTART_RESTARTBLOCK = 516;

/** True for -errno (and the restart codes), false for results and BLOCK. */
export function isErr(r: number): boolean {
  return r < 0 && r > BLOCK;
}
