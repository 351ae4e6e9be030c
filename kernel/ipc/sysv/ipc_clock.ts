/** The time and the process that IPC objects record for their use. The kernel implements it. */

export interface IpcClock {
  /** CLOCK_REALTIME, seconds. */
  nowSec(): number;
  /** The process whose call is served. */
  currentPid(): number;
}
