/** Text of /proc/PID/timers: the POSIX timers of a process (proc_pid_timers(5)). */

import { SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD_ID } from "../../ffi/abi/siginfo.ts";
import type { PidNamespace } from "../task/pid_namespace.ts";
import type { ThreadGroup } from "../task/thread_group.ts";

/** The newest first. */
export function timersText(group: ThreadGroup, pids: PidNamespace): string {
  let text = "";
  for (const { id, clock, event } of [...group.timers.posix.values()].reverse()) {
    const { notify, shownSignal, valueLo, valueHi, thread } = event;
    const value = hex(valueHi) + hex(valueLo), kind = notify & ~SIGEV_THREAD_ID;
    const name = kind === SIGEV_SIGNAL ? "signal" : kind === SIGEV_NONE ? "none" : "thread";
    const whose = thread === null ? "pid" : "tid";
    text += `ID: ${id}\nsignal: ${shownSignal}/${value}\n` +
      `notify: ${name}/${whose}.${(thread ?? group).id.numberIn(pids)}\nClockID: ${clock}\n`;
  }
  return text;
}

function hex(word: number): string {
  return word.toString(16).padStart(8, "0");
}
