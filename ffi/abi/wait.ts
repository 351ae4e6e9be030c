/**
 * Waiting for children: wait4(2), waitid(2), and the status word.
 *
 * From linux/wait.h.
 */

/** Options. */
export const WNOHANG = 1;
export const WUNTRACED = 2;
export const WSTOPPED = 2;
export const WEXITED = 4;
export const WCONTINUED = 8;
export const WNOWAIT = 0x1000000;
export const __WNOTHREAD = 0x20000000;
export const __WALL = 0x40000000;
export const __WCLONE = 0x80000000;

/** `which` of waitid(2). */
export const P_ALL = 0;
export const P_PID = 1;
export const P_PGID = 2;
export const P_PIDFD = 3;

/** Status word of a child that called `exit(code)`. */
export function statusExited(code: number): number {
  return (code & 0xff) << 8;
}

/** Status word of a child killed by a signal. */
export function statusKilled(signo: number, coreDumped: boolean): number {
  return (signo & 0x7f) | (coreDumped ? 0x80 : 0);
}

/** Status word of a stopped child; the ptrace event, if any, is in bits 16 and up. */
export function statusStopped(signo: number, ptraceEvent = 0): number {
  return (ptraceEvent << 16) | ((signo & 0xff) << 8) | 0x7f;
}

/** Status word of a continued child. */
export const STATUS_CONTINUED = 0xffff;

export function wifExited(status: number): boolean {
  return (status & 0x7f) === 0;
}

export function wExitStatus(status: number): number {
  return (status >> 8) & 0xff;
}

export function wifSignaled(status: number): boolean {
  const low = status & 0x7f;
  return low !== 0 && low !== 0x7f;
}

export function wTermSig(status: number): number {
  return status & 0x7f;
}

export function wifStopped(status: number): boolean {
  return (status & 0xff) === 0x7f;
}

export function wStopSig(status: number): number {
  return (status >> 8) & 0xff;
}
