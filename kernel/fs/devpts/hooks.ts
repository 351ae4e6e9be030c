/**
 * What terminals need of processes: sessions, process groups, signals, and the caller. File systems
 * may not import the task layer, which implements these interfaces (task/terminal_hooks.ts).
 */

import type { Caller } from "../../vfs/caller.ts";

/** The part of a session that terminals use. */
export interface TtySession {
  /** Its controlling terminal. */
  terminal: ControllingTerminal | null;
  /** The foreground group of a terminal that was hung up: it gets signals at the leader's end. */
  hungUpGroup: TtyGroup | null;
}

export interface TtyGroup {
  readonly session: TtySession;
}

/** The part of a terminal that sessions and /proc use; Terminal implements it. */
export interface ControllingTerminal {
  /** The device number in stat's encoding. */
  readonly rdev: number;
  /** tpgid of /proc/PID/stat, as the caller sees it: 0 when there is no foreground group. */
  readonly foregroundPgid: number;
  /**
   * The session's leader ended: the foreground group is signalled, and the terminal becomes free.
   */
  onLeaderExit(session: TtySession): void;
  /** vhangup(2). */
  hangUp(): void;
}

export interface TerminalHooks {
  /** The process whose call runs now; null when the kernel itself acts. */
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
  /** Finds a group by the number that the caller sees. */
  findGroup(pgid: number): TtyGroup | null;
  /** Numbers as the caller sees them; 0 when it cannot see the group or session. */
  groupNumber(group: TtyGroup): number;
  sessionNumber(session: TtySession): number;
  /** Signals a group, with the kernel as the sender (kill_pgrp). */
  signalGroup(group: TtyGroup, signo: number): void;
  /** Signals the session's leader, if it lives. */
  signalLeader(session: TtySession, signo: number): void;
  /** The calling process alone loses the controlling terminal (TIOCNOTTY). */
  leaveTerminal(): void;
  /** Gives the calling process the terminal of its session again. */
  joinTerminal(): void;
}
