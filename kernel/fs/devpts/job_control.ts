/**
 * Job control: which process groups may use a terminal, which session it controls, and hang-ups
 * (drivers/tty/tty_jobctrl.c of Linux). The files and ioctls of terminals call this.
 */

import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import { EIO, EPERM, ERESTARTSYS } from "../../../ffi/abi/errno.ts";
import { SIGCONT, SIGHUP, SIGTTIN } from "../../../ffi/abi/signal.ts";
import type { TtySession } from "./hooks.ts";
import type { Terminal } from "./terminal.ts";
import { TerminalSettings } from "./termios.ts";

/**
 * Checks an operation that only the foreground group may do: a process of a background group is
 * stopped by `signo` (-ERESTARTSYS) or gets -EIO; 0 for all other processes.
 */
export function checkForeground(terminal: Terminal, signo: number): number {
  const { hooks, foreground } = terminal;
  if (foreground === null || hooks.callerTerminal() !== terminal) return 0;
  const group = hooks.callerGroup();
  if (group === null || group === foreground) return 0;
  if (hooks.isIgnored(signo)) return signo === SIGTTIN ? -EIO : 0;
  if (hooks.isOrphaned(group)) return -EIO;
  hooks.signalGroup(group, signo);
  return -ERESTARTSYS;
}

/** open(2) without O_NOCTTY: gives the terminal, if it is free, to a session leader without one. */
export function acquireAtOpen(terminal: Terminal): void {
  const { hooks } = terminal;
  if (terminal.session !== null || !hooks.isSessionLeader()) return;
  if (hooks.callerTerminal() === null) setSession(terminal);
}

/** TIOCSCTTY. */
export function setControlling(terminal: Terminal, steal: boolean, canRead: boolean): number {
  const { hooks } = terminal;
  const session = hooks.callerSession();
  if (session === null) return -EPERM;
  if (hooks.isSessionLeader() && session === terminal.session) return 0;
  if (!hooks.isSessionLeader() || hooks.callerTerminal() !== null) return -EPERM;
  if (terminal.session !== null) {
    if (!steal || !hooks.isCapable(CAP_SYS_ADMIN)) return -EPERM;
    terminal.session.terminal = null;
  }
  if (!canRead && !hooks.isCapable(CAP_SYS_ADMIN)) return -EPERM;
  setSession(terminal);
  return 0;
}

function setSession(terminal: Terminal): void {
  const { hooks } = terminal;
  const session = hooks.callerSession();
  if (session === null) return;
  terminal.session = session;
  terminal.foreground = hooks.callerGroup();
  session.terminal = terminal;
  session.hungUpGroup = null;
  hooks.joinTerminal();
}

/**
 * TIOCNOTTY: called by the session's leader, the whole session loses the terminal; else only the
 * calling process.
 */
export function disassociate(terminal: Terminal): void {
  const { hooks, session, foreground } = terminal;
  if (!hooks.isSessionLeader() || session === null) {
    hooks.leaveTerminal();
    return;
  }
  if (foreground !== null) {
    hooks.signalGroup(foreground, SIGHUP);
    hooks.signalGroup(foreground, SIGCONT);
  }
  clearSession(terminal, session);
}

export function onLeaderExit(terminal: Terminal, session: TtySession): void {
  if (terminal.session !== session) {
    session.terminal = null;
    return;
  }
  if (terminal.foreground !== null) terminal.hooks.signalGroup(terminal.foreground, SIGHUP);
  clearSession(terminal, session);
}

function clearSession(terminal: Terminal, session: TtySession): void {
  session.terminal = null;
  terminal.session = null;
  terminal.foreground = null;
}

/**
 * Hangs the terminal up (the master was closed, TIOCVHANGUP): I/O on open slaves fails, the session
 * loses the terminal, and its leader is signalled.
 */
export function hangUp(terminal: Terminal): void {
  const { session, foreground, hooks } = terminal;
  terminal.generation++;
  if (session !== null) {
    session.hungUpGroup = foreground;
    clearSession(terminal, session);
    hooks.signalLeader(session, SIGHUP);
    hooks.signalLeader(session, SIGCONT);
  }
  terminal.line.flush();
  terminal.setSettings(new TerminalSettings());
  terminal.wakeSlaves();
}
