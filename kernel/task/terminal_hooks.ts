/**
 * Answers questions of terminals about processes (fs/devpts/hooks.ts) for the task whose call is
 * served, and handles the terminal's side of the end of a session leader.
 */

import { SI_KERNEL } from "../../ffi/abi/siginfo.ts";
import { SIG_IGN, SIGCONT, SIGHUP } from "../../ffi/abi/signal.ts";
import { RLIMIT_NOFILE } from "../../ffi/abi/resource.ts";
import type {
  ControllingTerminal,
  TerminalHooks,
  TtyGroup,
  TtySession,
} from "../fs/devpts/hooks.ts";
import { hasCap } from "../cred/credentials.ts";
import type { Caller } from "../vfs/caller.ts";
import type { Kernel } from "./kernel_services.ts";
import type { PidNamespace } from "./pid_namespace.ts";
import { isOrphaned } from "../signal/job_control.ts";
import { SigInfo } from "../signal/pending.ts";
import { sendToGroup, sendToProcessGroup } from "../signal/send.ts";
import { ProcessGroup, Session, type ThreadGroup } from "./thread_group.ts";

export class TaskTerminalHooks implements TerminalHooks {
  private readonly kernel: Kernel;

  constructor(kernel: Kernel) {
    this.kernel = kernel;
  }

  private get process(): ThreadGroup | null {
    return this.kernel.current?.group ?? null;
  }

  private get callerPids(): PidNamespace {
    return this.kernel.current?.pids ?? this.kernel.pids;
  }

  caller(): Caller | null {
    return this.kernel.current;
  }
  callerSession(): TtySession | null {
    return this.process?.session ?? null;
  }
  callerGroup(): TtyGroup | null {
    return this.process?.pgrp ?? null;
  }
  callerTerminal(): ControllingTerminal | null {
    const { process } = this;
    return process === null || process.hasLeftTerminal ? null : process.session.terminal;
  }
  isSessionLeader(): boolean {
    const { process } = this;
    return process !== null && process.isSessionLeader;
  }
  isCapable(capability: number): boolean {
    const task = this.kernel.current;
    return task !== null && hasCap(task.cred, capability);
  }
  fdLimit(): number {
    return this.process?.limits.get(RLIMIT_NOFILE) ?? 0;
  }
  isIgnored(signo: number): boolean {
    const task = this.kernel.current;
    if (task === null) return false;
    return task.signals.blocked.has(signo) || task.sighand.of(signo).handler === SIG_IGN;
  }
  isOrphaned(group: TtyGroup): boolean {
    return group instanceof ProcessGroup && isOrphaned(group, null);
  }
  findGroup(pgid: number): TtyGroup | null {
    return this.callerPids.processGroups.get(pgid) ?? null;
  }
  groupNumber(group: TtyGroup): number {
    return group instanceof ProcessGroup ? group.id.numberIn(this.callerPids) : 0;
  }
  sessionNumber(session: TtySession): number {
    return session instanceof Session ? session.numberIn(this.callerPids) : 0;
  }

  signalGroup(group: TtyGroup, signo: number): void {
    if (!(group instanceof ProcessGroup)) return;
    sendToProcessGroup(group, signo, SI_KERNEL);
    // The caller may be a receiver: it handles the signal before it returns, whatever its call's
    // result.
    const task = this.kernel.current;
    if (task !== null && task.group.pgrp === group) task.attention = true;
  }
  signalLeader(session: TtySession, signo: number): void {
    const id = session instanceof Session ? session.id : null;
    const leader = id?.space.groups.get(id.nr);
    if (leader === undefined || leader.session !== session || leader.isExiting) return;
    sendToGroup(leader, new SigInfo(signo, SI_KERNEL));
  }

  leaveTerminal(): void {
    const { process } = this;
    if (process !== null) process.hasLeftTerminal = true;
  }
  joinTerminal(): void {
    const { process } = this;
    if (process !== null) process.hasLeftTerminal = false;
  }
}

/**
 * A process ended. If it led its session, the terminal becomes free and its foreground group gets
 * SIGHUP (disassociate_ctty of Linux).
 */
export function leaveSession(group: ThreadGroup): void {
  const { session } = group;
  if (!group.isSessionLeader) return;
  if (session.terminal !== null) {
    session.terminal.onLeaderExit(session);
    return;
  }
  const hungUp = session.hungUpGroup;
  session.hungUpGroup = null;
  if (!(hungUp instanceof ProcessGroup)) return;
  sendToProcessGroup(hungUp, SIGHUP, SI_KERNEL);
  sendToProcessGroup(hungUp, SIGCONT, SI_KERNEL);
}
