/**
 * PID namespaces (pid_namespaces(7)). Ids of tasks, processes, process groups and sessions are one
 * number space in each namespace. Every task also has a number in each namespace around its own.
 */

import { TASKS } from "../core/quota.ts";
import { CAP_CHECKPOINT_RESTORE, CAP_SYS_ADMIN } from "../../ffi/abi/capability.ts";
import { EEXIST, EINVAL, ENOMEM, EPERM } from "../../ffi/abi/errno.ts";
import { type Credentials, hasCapIn } from "../cred/credentials.ts";
import { Pid, PID_MAX, PidSpace } from "../cred/pid.ts";
import { INITIAL_USER_NAMESPACE, type UserNamespace } from "../cred/user_namespace.ts";
import type { ProcViewer } from "../proc/fs/source.ts";
import type { Inode } from "../vfs/inode.ts";
import type { Task } from "./task.ts";
import type { ProcessGroup, Session, ThreadGroup } from "./thread_group.ts";

/** LIMIT: MAX_PID_NS_LEVEL. */
export const PID_NAMESPACE_LEVELS = 32;
/** First number that is used again after PID_MAX. */
const FIRST_REUSED = 300;

/** The identity of a task, process, process group or session. */
export class TaskPid extends Pid<PidNamespace> {
  /** Its inode of pidfs, shared by all its pidfds; null until the first. */
  inode: Inode | null = null;
}

export class PidNamespace extends PidSpace {
  override readonly outer: PidNamespace | null;
  readonly tasks: Map<number, Task> = new Map();
  /** Processes, zombies included, in the order of their places. */
  readonly groups: Map<number, ThreadGroup> = new Map();
  readonly processGroups: Map<number, ProcessGroup> = new Map();
  readonly sessions: Map<number, Session> = new Map();
  /** File systems that show its processes. */
  readonly viewers: Set<ProcViewer> = new Set();
  /**
   * Its process 1, which adopts orphans; its end ends all others. Null before it exists and after
   * its end.
   */
  init: ThreadGroup | null = null;
  /** Init is ending or has ended: no task can be born here. */
  isEnding: boolean = false;
  private last: number = 0;
  private lastPlace: number = 0;

  constructor(outer: PidNamespace | null = null, owner: UserNamespace = INITIAL_USER_NAMESPACE) {
    super(outer, owner);
    this.outer = outer;
  }

  /** The last number that was allocated; the search for the next one starts behind it. */
  get lastId(): number {
    return this.last;
  }
  set lastId(nr: number) {
    this.last = nr;
  }

  /** A new identity, or null: no number is free. */
  allocate(): TaskPid | null {
    const id = allocateIn(this, [], null);
    return typeof id === "number" ? null : id;
  }

  /**
   * clone3(2)'s set_tid: identity with the wanted numbers, the innermost namespace first; outer
   * namespaces choose. -EEXIST; -EINVAL (more numbers than namespaces, or an invalid number; the
   * first one in a namespace is 1); -EPERM where `cred` may not choose in a namespace; -ENOMEM.
   */
  allocateAs(wanted: readonly number[], cred: Credentials): TaskPid | number {
    return wanted.length > this.level + 1 ? -EINVAL : allocateIn(this, wanted, cred);
  }

  /** Of the first namespace: the place of a new process among all processes. */
  nextPlace(): number {
    return ++this.lastPlace;
  }

  /** The next free number, or -1. */
  next(): number {
    if (this.init === null && !this.isEnding) this.last = 0;
    for (let n = 0; n < PID_MAX; n++) {
      this.last = this.last + 1 >= PID_MAX ? FIRST_REUSED : this.last + 1;
      if (this.isFree(this.last)) return this.last;
    }
    return -1;
  }

  isFree(id: number): boolean {
    return !this.tasks.has(id) && !this.groups.has(id) && !this.processGroups.has(id) &&
      !this.sessions.has(id);
  }

  /**
   * The live task with this id. The id of a process means its leader, or another task when the
   * leader has ended.
   */
  taskOf(id: number): Task | null {
    return this.tasks.get(id) ?? this.groups.get(id)?.tasks[0] ?? null;
  }
}

function allocateIn(
  pids: PidNamespace,
  wanted: readonly number[],
  cred: Credentials | null,
): TaskPid | number {
  const numbers = new Array<number>(pids.level + 1);
  let i = 0;
  for (let ns: PidNamespace | null = pids; ns !== null; ns = ns.outer, i++) {
    const nr = wanted[i] ?? ns.next();
    if (i < wanted.length) {
      if (nr < 1 || nr >= PID_MAX || (nr !== 1 && ns.init === null)) return -EINVAL;
      if (cred !== null && !mayChooseIn(ns, cred)) return -EPERM;
      if (!ns.isFree(nr)) return -EEXIST;
    }
    if (nr < 0) return -ENOMEM;
    numbers[ns.level] = nr;
  }
  return new TaskPid(pids, numbers);
}

function mayChooseIn(ns: PidNamespace, cred: Credentials): boolean {
  const owner = ns.owner ?? INITIAL_USER_NAMESPACE;
  return hasCapIn(cred, owner, CAP_CHECKPOINT_RESTORE) || hasCapIn(cred, owner, CAP_SYS_ADMIN);
}

/** Makes the task findable by its numbers. */
export function enrollTask(task: Task): void {
  const { numbers } = task.id;
  for (let ns: PidNamespace | null = task.pids; ns !== null; ns = ns.outer) {
    ns.tasks.set(numbers[ns.level]!, task);
  }
  TASKS.add(1, task.group.account);
}

export function dismissTask(task: Task): void {
  const { numbers } = task.id;
  for (let ns: PidNamespace | null = task.pids; ns !== null; ns = ns.outer) {
    ns.tasks.delete(numbers[ns.level]!);
  }
  TASKS.give(1, task.group.account);
}

/** As `enrollTask`, for a process. The first process of a namespace is its init. */
export function enrollGroup(group: ThreadGroup): void {
  const { numbers, space } = group.id;
  for (let ns: PidNamespace | null = space; ns !== null; ns = ns.outer) {
    ns.groups.set(numbers[ns.level]!, group);
    if (ns.outer === null) group.place = ns.nextPlace();
  }
  if (group.pid === 1) space.init = group;
}

export function dismissGroup(group: ThreadGroup): void {
  const { numbers, space } = group.id;
  for (let ns: PidNamespace | null = space; ns !== null; ns = ns.outer) {
    ns.groups.delete(numbers[ns.level]!);
    for (const viewer of ns.viewers) viewer.onGone(numbers[ns.level]!);
  }
}

export function enrollProcessGroup(pgrp: ProcessGroup): void {
  const { numbers, space } = pgrp.id;
  for (let ns: PidNamespace | null = space; ns !== null; ns = ns.outer) {
    ns.processGroups.set(numbers[ns.level]!, pgrp);
  }
}

export function dismissProcessGroup(pgrp: ProcessGroup): void {
  const { numbers, space } = pgrp.id;
  for (let ns: PidNamespace | null = space; ns !== null; ns = ns.outer) {
    ns.processGroups.delete(numbers[ns.level]!);
  }
}

/** Makes a session findable. A session whose leader is outside of all namespaces has no number. */
export function enrollSession(session: Session): void {
  if (session.id === null) return;
  const { numbers, space } = session.id;
  for (let ns: PidNamespace | null = space; ns !== null; ns = ns.outer) {
    ns.sessions.set(numbers[ns.level]!, session);
  }
}

export function dismissSession(session: Session): void {
  if (session.id === null) return;
  const { numbers, space } = session.id;
  for (let ns: PidNamespace | null = space; ns !== null; ns = ns.outer) {
    ns.sessions.delete(numbers[ns.level]!);
  }
}

/**
 * The number of a task's process in the first namespace, for records whose reader is not known yet.
 */
export function kernelPid(task: Task): number {
  return task.group.id.numbers[0]!;
}

/** The number that `task` sees for a process recorded by its number in the first namespace. */
export function shownPid(task: Task, recorded: number): number {
  return numberOf(recorded, task.kernel.pids, task.pids);
}

/**
 * Translates a recorded number of the first namespace to another one. DIFFERS: an ended process has
 * no number (0) except in the first.
 */
export function numberOf(recorded: number, first: PidNamespace, ns: PidNamespace): number {
  return ns === first ? recorded : first.groups.get(recorded)?.id.numberIn(ns) ?? 0;
}
