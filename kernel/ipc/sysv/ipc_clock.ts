/** What IPC objects note of their use: when, and by whom. The kernel implements it. */

export interface IpcClock {
  /** CLOCK_REALTIME, seconds. */
  nowSec(): number;
  /** Process of the call that is being served. */
  currentPid(): number;
}
