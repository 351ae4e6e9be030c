/** Texts of /proc/PID/syscall and timers (proc_pid_syscall(5), proc_pid_timers(5)). */

import { SIGEV_NONE, SIGEV_SIGNAL, SIGEV_THREAD_ID } from "../../ffi/abi/siginfo.ts";
import type { PidNamespace } from "../task/pid_namespace.ts";
import type { ThreadGroup } from "../task/thread_group.ts";
import { BLOCKED, DEAD, FROZEN, HANDLING, STOPPED, type Task, TRACED } from "../task/task.ts";

/** The call that a thread waits in, with its arguments; else "running", or -1 outside of a call. */
export function callText(task: Task | null): string {
  if (task === null || task.state === DEAD) return "-1 0x0 0x0\n";
  const { state, args, ctx } = task, isInCall = state === BLOCKED || state === HANDLING;
  const registers = `${hex(ctx.rsp)} ${hex(ctx.rip)}\n`;
  if (state === STOPPED || state === TRACED || state === FROZEN) return `-1 ${registers}`;
  if (!isInCall || task.nr < 0) return "running\n";
  let text = String(task.nr);
  for (let i = 0; i < 6; i++) {
    const low = BigInt(args.words[2 * i]!), high = BigInt(args.words[2 * i + 1]!);
    text += ` 0x${(high << 32n | low).toString(16)}`;
  }
  return `${text} ${registers}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

/** The POSIX timers of a process, the newest first. */
export function timersText(group: ThreadGroup, pids: PidNamespace): string {
  let text = "";
  for (const { id, clock, event } of [...group.timers.posix.values()].reverse()) {
    const { notify, shownSignal, valueLo, valueHi, thread } = event;
    const value = hexWord(valueHi) + hexWord(valueLo), kind = notify & ~SIGEV_THREAD_ID;
    const name = kind === SIGEV_SIGNAL ? "signal" : kind === SIGEV_NONE ? "none" : "thread";
    const whose = thread === null ? "pid" : "tid";
    text += `ID: ${id}\nsignal: ${shownSignal}/${value}\n` +
      `notify: ${name}/${whose}.${(thread ?? group).id.numberIn(pids)}\nClockID: ${clock}\n`;
  }
  return text;
}

function hexWord(word: number): string {
  return word.toString(16).padStart(8, "0");
}
