/** How a guest's end becomes the exit code of dvisor: as a shell does it. */

import { wExitStatus, wifExited, wTermSig } from "../../ffi/abi/wait.ts";

const SIGNAL_BASE = 128;

/** @param status of wait(2) */
export function exitCodeOf(status: number): number {
  return wifExited(status) ? wExitStatus(status) : SIGNAL_BASE + wTermSig(status);
}
