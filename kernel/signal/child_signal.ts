/** The siginfo of a child's change of state for its parent or tracer: sigaction(2), "SIGCHLD". */

import { CLD_DUMPED, CLD_EXITED, CLD_KILLED } from "../../ffi/abi/siginfo.ts";
import { USER_HZ } from "../../ffi/abi/time.ts";
import { wExitStatus, wifExited, wTermSig } from "../../ffi/abi/wait.ts";
import { groupSystemNs, groupUserNs } from "../task/cpu_clock.ts";
import type { ThreadGroup } from "../task/thread_group.ts";
import { SigInfo } from "./pending.ts";

const TICK_NS = 1e9 / USER_HZ;

/** CLD_* of a wait status. */
export function exitCode(status: number): number {
  if (wifExited(status)) return CLD_EXITED;
  return (status & 0x80) !== 0 ? CLD_DUMPED : CLD_KILLED;
}

/** si_status of a wait status: exit code or signal number. */
export function exitValue(status: number): number {
  return wifExited(status) ? wExitStatus(status) : wTermSig(status);
}

/**
 * Makes the siginfo for `to`, the parent or a tracer. `code` is CLD_*; `status` an exit code or a
 * signal number.
 */
export function childSignal(
  child: ThreadGroup,
  to: ThreadGroup,
  sig: number,
  code: number,
  status: number,
): SigInfo {
  const info = new SigInfo(sig, code);
  info.pid = child.id.numberIn(to.pids);
  const reader = to.leader ?? to.tasks[0];
  info.uid = reader?.cred.userNs.shownUid(child.lastUid) ?? 0;
  info.status = status;
  info.utimeTicks = Math.floor(groupUserNs(child) / TICK_NS);
  info.stimeTicks = Math.floor(groupSystemNs(child) / TICK_NS);
  return info;
}
