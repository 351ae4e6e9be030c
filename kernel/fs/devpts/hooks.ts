/**
 * What terminals need of processes, which file systems may not import: sessions, process groups, signals, and who is
 * calling. The task side implements it (task/terminal_hooks.ts).
 */

import type { Caller } from "../../vfs/caller.ts";

/** A session, as far as its terminal is concerned. */
export interface TtySession {
  /** Its controlling terminal. */
  terminal: ControllingTerminal | null;
  /** Foreground group of a terminal that was hung up: it hears of the leader's end. */
  hungUpGroup: TtyGroup | null;
}

export interface TtyGroup {
  readonly session: TtySession;
}

/** What a session and /proc need of a controlling terminal; Terminal is it. */
export interface ControllingTerminal {
  /** Device number in stat's encoding. */
  readonly rdev: number;
  /** tpgid of /proc/PID/stat, as the caller sees it: 0 when nobody is in the foreground. */
  readonly foregroundPgid: number;
  /** The session's leader ended: the foreground group is told, and the terminal is free again. */
  onLeaderExit(session: TtySession): void;
  /** vhangup(2): the line is gone. */
  hangUp(): void;
}

export interface TerminalHooks {
  /** The process whose call runs now; null: none does (the kernel itself acts). */
  caller(): Caller | null;
  callerSession(): TtySession | null;
  callerGroup(): TtyGroup | null;
  /** The caller's controlling terminal. */
  callerTerminal(): ControllingTerminal | null;
  isSessionLeader(): boolean;
  isCapable(capability: number): boolean;
  /** RLIMIT_NOFILE. */
  fdLimit(): number;
  /** The caller blocks or ignores a signal. */
  isIgnored(signo: number): boolean;
  isOrphaned(group: TtyGroup): boolean;
  /** By the number that the caller has for it. */
  findGroup(pgid: number): TtyGroup | null;
  /** Numbers as the caller sees them; 0: it does not. */
  groupNumber(group: TtyGroup): number;
  sessionNumber(session: TtySession): number;
  /** As by kill_pgrp with the kernel as the sender. */
  signalGroup(group: TtyGroup, signo: number): void;
  /** To the session's leader, if it lives. */
  signalLeader(session: TtySession, signo: number): void;
  /** The calling process alone has no controlling terminal any more (TIOCNOTTY). */
  leaveTerminal(): void;
  /** The calling process has the terminal of its session (again). */
  joinTerminal(): void;
}
