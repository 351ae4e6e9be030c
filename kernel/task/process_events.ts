/**
 * Reports events of processes to the netlink connector (net/netlink/proc_connector.ts). Without a
 * listener each event costs one test. Numbers are those of the first PID namespace.
 */

import * as C from "../../ffi/abi/connector.ts";
import type { Credentials } from "../cred/credentials.ts";
import type { Task } from "./task.ts";
import type { ThreadGroup } from "./thread_group.ts";

function hasListener({ kernel }: Task): boolean {
  return kernel.namespaces.net.connector?.hasListeners === true;
}

function sendEvent(task: Task, what: number, words: readonly number[], exitCode = 0): void {
  task.kernel.namespaces.net.connector?.tell(what, words, exitCode);
}

function groupNumber(group: ThreadGroup | null | undefined): number {
  return group?.id.numbers[0] ?? 0;
}
function idsOf(task: Task): [pid: number, tgid: number] {
  return [task.id.numbers[0] ?? 0, groupNumber(task.group)];
}
/** The process that is notified of the end, as a thread and as a process. */
function parentOf({ group: { parent } }: Task): [pid: number, tgid: number] {
  return [groupNumber(parent), groupNumber(parent)];
}

/** A task was made. The parent of a thread is its process's parent. */
export function tellFork(child: Task): void {
  if (hasListener(child)) {
    sendEvent(child, C.PROC_EVENT_FORK, [...parentOf(child), ...idsOf(child)]);
  }
}

export function tellExec(task: Task): void {
  if (hasListener(task)) sendEvent(task, C.PROC_EVENT_EXEC, idsOf(task));
}

/** A real, effective, saved or file system id of the user or of the group changed. */
export function tellIds(task: Task, old: Credentials): void {
  if (!hasListener(task)) return;
  const { cred } = task;
  const isUser = old.uid !== cred.uid || old.euid !== cred.euid || old.suid !== cred.suid ||
    old.fsuid !== cred.fsuid;
  const isGroup = old.gid !== cred.gid || old.egid !== cred.egid || old.sgid !== cred.sgid ||
    old.fsgid !== cred.fsgid;
  if (isUser) sendEvent(task, C.PROC_EVENT_UID, [...idsOf(task), cred.uid, cred.euid]);
  if (isGroup) sendEvent(task, C.PROC_EVENT_GID, [...idsOf(task), cred.gid, cred.egid]);
}

export function tellSession(task: Task): void {
  const leader = task.group.leader ?? task;
  if (hasListener(task)) sendEvent(task, C.PROC_EVENT_SID, idsOf(leader));
}

/** A process traces the task from now on, or none does. */
export function tellTracing(task: Task, tracer: ThreadGroup | null): void {
  if (!hasListener(task)) return;
  const by = groupNumber(tracer);
  sendEvent(task, C.PROC_EVENT_PTRACE, [...idsOf(task), by, by]);
}

/** The task's name changed, not by execve(2). */
export function tellName(task: Task): void {
  if (!hasListener(task)) return;
  const name = task.comm.padEnd(16, "\0"), words: number[] = [];
  for (let at = 0; at < 16; at += 4) {
    let word = 0;
    for (let i = 3; i >= 0; i--) word = word * 256 + name.charCodeAt(at + i);
    words.push(word);
  }
  sendEvent(task, C.PROC_EVENT_COMM, [...idsOf(task), ...words]);
}

/** A signal that dumps core ends the task's process. */
export function tellCoreDump(task: Task): void {
  if (hasListener(task)) {
    sendEvent(task, C.PROC_EVENT_COREDUMP, [...idsOf(task), ...parentOf(task)]);
  }
}

/** The task ended; `status` is its wait(2) status. */
export function tellExit(task: Task, status: number): void {
  if (!hasListener(task)) return;
  const signal = task === task.group.leader ? task.group.exitSignal : -1;
  const words = [...idsOf(task), status, signal >>> 0, ...parentOf(task)];
  sendEvent(task, C.PROC_EVENT_EXIT, words, status);
}
