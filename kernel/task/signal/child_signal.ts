/** The siginfo that tells a parent what became of its child: sigaction(2), "SIGCHLD". */

import { USER_HZ } from "../../../ffi/abi/time.ts";
import { groupSystemNs, groupUserNs } from "../cpu_clock.ts";
import type { ThreadGroup } from "../thread_group.ts";
import { SigInfo } from "./pending.ts";

const TICK_NS = 1e9 / USER_HZ;

/** `code` is CLD_*; `status` an exit code or a signal number. */
export function childSignal(
  child: ThreadGroup,
  sig: number,
  code: number,
  status: number,
): SigInfo {
  const info = new SigInfo(sig, code);
  info.pid = child.parent === null ? 0 : child.id.numberIn(child.parent.pids);
  const reader = child.parent?.leader ?? child.parent?.tasks[0];
  info.uid = reader?.cred.userNs.shownUid(child.lastUid) ?? 0;
  info.status = status;
  info.utimeTicks = Math.floor(groupUserNs(child) / TICK_NS);
  info.stimeTicks = Math.floor(groupSystemNs(child) / TICK_NS);
  return info;
}
