/** Tests of job_control.ts: sessions, the foreground group, hang-ups. */

import { SIGTTIN, SIGTTOU } from "../../../ffi/abi/signal.ts";
import { assertEquals } from "@std/assert";
import { EAGAIN, EIO, EPERM, ERESTARTSYS } from "../../../ffi/abi/errno.ts";
import { TOSTOP } from "../../../ffi/abi/termios.ts";
import { acquireAtOpen, checkForeground, disassociate, setControlling } from "./job_control.ts";
import { resize } from "./terminal_ioctl.ts";
import { TerminalLab, TestSession } from "./terminal_testing.ts";

/** Makes session 10 with its leader in the foreground of the terminal, and a job 20. */
function session() {
  const lab = new TerminalLab(), { hooks, terminal } = lab;
  const own = new TestSession(10);
  const shell = hooks.newGroup(10, own), job = hooks.newGroup(20, own);
  hooks.group = shell;
  acquireAtOpen(terminal);
  return { lab, hooks, terminal, own, shell, job };
}

Deno.test("a session leader without a terminal gets a free one at open", () => {
  const { terminal, own, shell, hooks } = session();
  assertEquals([terminal.session, terminal.foreground, own.terminal], [own, shell, terminal]);
  const other = new TestSession(30);
  hooks.group = hooks.newGroup(30, other);
  acquireAtOpen(terminal);
  assertEquals(terminal.session, own);
  hooks.group = hooks.newGroup(31, other);
  const second = new TerminalLab();
  acquireAtOpen(second.terminal);
  assertEquals(second.terminal.session, null);
});

Deno.test("TIOCSCTTY: leaders only, free terminals only, or by an administrator", () => {
  const { terminal, own, hooks, job } = session();
  assertEquals(setControlling(terminal, false, true), 0);
  hooks.group = job;
  assertEquals(setControlling(terminal, false, true), -EPERM);
  const other = new TestSession(30);
  hooks.group = hooks.newGroup(30, other);
  assertEquals(setControlling(terminal, false, true), -EPERM);
  assertEquals(setControlling(terminal, true, true), -EPERM);
  hooks.isRoot = true;
  assertEquals(setControlling(terminal, true, true), 0);
  assertEquals([own.terminal, other.terminal, terminal.session], [null, terminal, other]);
});

Deno.test("the background is stopped when it reads, and when it writes with TOSTOP", () => {
  const { lab, hooks, job } = session();
  hooks.group = job;
  assertEquals(lab.read(), -ERESTARTSYS);
  assertEquals(hooks.sent, ["20:21"]);
  assertEquals(lab.write("a"), 1);
  lab.set((s) => s.lflag |= TOSTOP);
  assertEquals(lab.write("a"), -ERESTARTSYS);
  assertEquals(hooks.sent, ["20:21", "20:22"]);
});

Deno.test("ignoring the stop means EIO for reads; orphans get EIO for both", () => {
  const { terminal, hooks, job } = session();
  hooks.group = job;
  hooks.ignored.add(SIGTTIN).add(SIGTTOU);
  assertEquals(checkForeground(terminal, SIGTTIN), -EIO);
  assertEquals(checkForeground(terminal, SIGTTOU), 0);
  hooks.ignored.clear();
  job.isOrphaned = true;
  assertEquals(checkForeground(terminal, SIGTTIN), -EIO);
  assertEquals(checkForeground(terminal, SIGTTOU), -EIO);
  assertEquals(hooks.sent, []);
});

Deno.test("a terminal that is not the caller's own has no background", () => {
  const { lab, hooks } = session();
  hooks.group = hooks.newGroup(40, new TestSession(40));
  assertEquals(lab.read(), -EAGAIN);
});

Deno.test("the leader releases the terminal for the session, others for themselves", () => {
  const { terminal, hooks, own, shell, job } = session();
  terminal.foreground = job;
  hooks.group = job;
  disassociate(terminal);
  assertEquals([hooks.hasLeft, own.terminal], [true, terminal]);
  hooks.hasLeft = false;
  hooks.group = shell;
  disassociate(terminal);
  assertEquals(hooks.sent, ["20:1", "20:18"]);
  assertEquals([own.terminal, terminal.session, terminal.foreground], [null, null, null]);
});

Deno.test("the end of the leader: the foreground gets SIGHUP, and the terminal is free", () => {
  const { terminal, hooks, own, job } = session();
  terminal.foreground = job;
  terminal.onLeaderExit(own);
  assertEquals(hooks.sent, ["20:1"]);
  assertEquals([own.terminal, terminal.session, terminal.foregroundPgid], [null, null, 0]);
});

Deno.test("a closed master: the leader gets SIGHUP, the foreground at the leader's end", () => {
  const { terminal, hooks, own, job } = session();
  terminal.foreground = job;
  terminal.masterClosed();
  assertEquals(hooks.sent, ["leader 10:1", "leader 10:18"]);
  assertEquals([own.terminal, own.hungUpGroup], [null, job]);
});

Deno.test("the foreground gets SIGWINCH for another window size, not for the same one", () => {
  const { terminal, hooks, job } = session();
  terminal.foreground = job;
  resize(terminal, 24, 80, 0, 0);
  resize(terminal, 24, 80, 0, 0);
  resize(terminal, 24, 81, 0, 0);
  assertEquals(hooks.sent, ["20:28", "20:28"]);
});
