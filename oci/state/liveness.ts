/**
 * Whether a process of a record is still alive. A pid is reused after its process has gone, so the
 * start time is compared too. See proc_pid_stat(5).
 */

import { SIGKILL } from "../../ffi/abi/signal.ts";
import { POLLIN } from "../../ffi/abi/poll.ts";
import { SYS_pidfd_open, SYS_pidfd_send_signal } from "../../ffi/abi/syscall_numbers.ts";
import { close, poll } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { type ContainerRecord, NO_PROCESS, type ProcessId, type Status } from "./record.ts";

interface Stat {
  readonly state: string;
  readonly start: number;
}

/** State and start time from the text of /proc/PID/stat; the name in it may hold anything. */
export function parseStat(text: string): Stat | null {
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const start = Number(fields[19]);
  return Number.isInteger(start) ? { state: fields[0] ?? "", start } : null;
}

function statOf(pid: number): Stat | null {
  try {
    return parseStat(Deno.readTextFileSync(`/proc/${pid}/stat`));
  } catch {
    return null;
  }
}

/** The process as a record has it; null if it is gone. */
export function processId(pid: number): ProcessId {
  const stat = pid > 0 ? statOf(pid) : null;
  return stat === null ? NO_PROCESS : { pid, start: stat.start };
}

/** Whether the process is alive; a zombie is not. */
export function isAlive({ pid, start }: ProcessId): boolean {
  const stat = pid > 0 ? statOf(pid) : null;
  return stat !== null && stat.start === start && stat.state !== "Z" && stat.state !== "X";
}

/** The current status of a record. */
export function statusOf(record: ContainerRecord): Status {
  if (record.status === "creating") return isAlive(record.creator) ? "creating" : "stopped";
  return record.status !== "stopped" && isAlive(record.init) ? record.status : "stopped";
}

/**
 * Kills the process and waits for its end, unless the pid is another process's.
 * @returns whether it is gone within `timeoutMs`
 */
export function endProcess(process: ProcessId, timeoutMs: number): boolean {
  if (process.pid <= 0) return true;
  const pidfd = syscall(SYS_pidfd_open, process.pid, 0);
  if (pidfd < 0) return true;
  // From here on the number cannot go to another one without being seen.
  const isIt = isAlive(process);
  if (isIt) syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, 0, 0);
  const isGone = !isIt || poll(pidfd, POLLIN, timeoutMs) > 0;
  close(pidfd);
  return isGone;
}
