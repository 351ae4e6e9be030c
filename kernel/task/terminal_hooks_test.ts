import { assertEquals } from "@std/assert";
import { SIG_DFL, SIG_IGN, SIGCONT, SIGHUP, SIGTTIN, SIGTTOU } from "../../ffi/abi/signal.ts";
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { EIO, ENOTTY, EPERM, ESRCH } from "../../ffi/abi/errno.ts";
import { TIOCGPGRP, TIOCGSID, TIOCNOTTY, TIOCSCTTY, TIOCSPGRP } from "../../ffi/abi/ioctl.ts";
import { ECHO, ICANON, VMIN, VTIME } from "../../ffi/abi/termios.ts";
import { rootCredentials } from "../cred/credentials.ts";
import { DevptsFs } from "../fs/devpts/devpts_fs.ts";
import { SlaveFile } from "../fs/devpts/slave_file.ts";
import type { Terminal } from "../fs/devpts/terminal.ts";
import { TerminalSettings } from "../fs/devpts/termios.ts";
import { DATA, GONE, LabKernel, WAITS } from "../testing/task_lab.ts";
import type { Task } from "./task.ts";
import { TaskTerminalHooks } from "./terminal_hooks.ts";

/** fd of the terminal in every process of a lab. */
const TTY = 0;
const HANDLER = 0x6000;
const TENTH_NS = 100_000_000;

interface Lab {
  readonly kernel: LabKernel;
  /** Init, outside of the session; the session's leader; a job of the leader's in its own group. */
  readonly init: Task;
  readonly shell: Task;
  readonly job: Task;
  readonly terminal: Terminal;
}

function fork(kernel: LabKernel, task: Task): Task {
  const child = kernel.pids.tasks.get(Number(kernel.call(task, "fork")));
  if (child === undefined) throw new Error("no child");
  return child;
}

function withSession(test: (lab: Lab) => void): void {
  const kernel = new LabKernel(), init = kernel.start();
  const options = { uid: -1, gid: -1, mode: 0o620, ptmxMode: 0o666, max: 8 };
  const fs = new DevptsFs(kernel.vfs, new TaskTerminalHooks(kernel), options);
  const inode = fs.allocate(rootCredentials());
  if (typeof inode === "number") throw new Error("no terminal");
  const file = new SlaveFile(TEST_ACCOUNT, inode, 2, inode.terminal, kernel.host);
  init.files.install(file, false, 10);
  const shell = fork(kernel, init);
  kernel.call(shell, "setsid");
  assertEquals(kernel.call(shell, "ioctl", TTY, TIOCSCTTY, 0), 0);
  const job = fork(kernel, shell);
  kernel.call(job, "setpgid", 0, 0);
  test({ kernel, init, shell, job, terminal: inode.terminal });
  kernel.close();
}

function setForeground(kernel: LabKernel, task: Task, pgid: number): number | string {
  task.mm.store32(DATA, pgid);
  return kernel.call(task, "ioctl", TTY, TIOCSPGRP, DATA);
}

function type(terminal: Terminal, text: string): void {
  const bytes = new TextEncoder().encode(text);
  terminal.typeInput(bytes, bytes.length);
}

function makeRaw(terminal: Terminal, min: number, time: number): void {
  const next = new TerminalSettings();
  next.lflag &= ~(ICANON | ECHO);
  next.cc[VMIN] = min;
  next.cc[VTIME] = time;
  terminal.setSettings(next);
}

Deno.test("a session finds its terminal, and another session gets ENOTTY for it", () =>
  withSession(({ kernel, init, shell, job }) => {
    assertEquals(kernel.call(job, "ioctl", TTY, TIOCGPGRP, DATA), 0);
    assertEquals(job.mm.load32(DATA), shell.pid);
    assertEquals(kernel.call(job, "ioctl", TTY, TIOCGSID, DATA), 0);
    assertEquals(job.mm.load32(DATA), shell.pid);
    assertEquals(kernel.call(init, "ioctl", TTY, TIOCGPGRP, DATA), -ENOTTY);
    assertEquals(kernel.call(job, "ioctl", TTY, TIOCSCTTY, 0), -EPERM);
    assertEquals(setForeground(kernel, shell, 9999), -ESRCH);
    assertEquals(setForeground(kernel, shell, init.pid), -EPERM);
    assertEquals(setForeground(kernel, init, init.pid), -ENOTTY);
  }));

Deno.test("a background read stops, and goes on in the foreground", () =>
  withSession(({ kernel, shell, job, terminal }) => {
    assertEquals(kernel.call(job, "read", TTY, DATA, 10), GONE);
    assertEquals([job.group.isStopped, job.group.stopSignal], [true, SIGTTIN]);
    assertEquals(setForeground(kernel, shell, job.pid), 0);
    kernel.call(shell, "kill", job.pid, SIGCONT);
    assertEquals(kernel.outcome(job), WAITS);
    type(terminal, "hello\n");
    kernel.settle();
    assertEquals(kernel.outcome(job), 6);
  }));

Deno.test("a background read is EIO for a process that ignores SIGTTIN, and for orphans", () =>
  withSession(({ kernel, shell, job }) => {
    job.sighand.of(SIGTTIN).handler = SIG_IGN;
    assertEquals(kernel.call(job, "read", TTY, DATA, 10), -EIO);
    job.sighand.of(SIGTTIN).handler = SIG_DFL;
    kernel.call(shell, "setpgid", 0, 0);
    const other = fork(kernel, shell), orphan = fork(kernel, other);
    kernel.call(orphan, "setpgid", 0, 0);
    kernel.call(other, "exit_group", 0);
    assertEquals(kernel.call(orphan, "read", TTY, DATA, 10), -EIO);
  }));

Deno.test("a group in the background takes the foreground only with SIGTTOU ignored", () =>
  withSession(({ kernel, job, terminal }) => {
    job.sighand.of(SIGTTOU).handler = SIG_IGN;
    assertEquals(setForeground(kernel, job, job.pid), 0);
    assertEquals(terminal.foregroundPgid, job.pid);
  }));

Deno.test("^C ends the foreground job and no other", () =>
  withSession(({ kernel, init, shell, job, terminal }) => {
    setForeground(kernel, shell, job.pid);
    kernel.call(job, "pause");
    type(terminal, "\x03");
    kernel.settle();
    const states = [init, shell, job].map((t) => t.group.isExiting);
    assertEquals(states, [false, false, true]);
  }));

Deno.test("the leader's end: SIGHUP for the foreground, and the session has no terminal", () =>
  withSession(({ kernel, shell, job, terminal }) => {
    setForeground(kernel, shell, job.pid);
    job.sighand.of(SIGHUP).handler = HANDLER;
    job.signals.blocked.add(SIGHUP);
    kernel.call(shell, "exit_group", 0);
    assertEquals(job.group.pending.set.has(SIGHUP), true);
    assertEquals([terminal.session, terminal.foreground], [null, null]);
    assertEquals(kernel.call(job, "ioctl", TTY, TIOCGPGRP, DATA), -ENOTTY);
  }));

Deno.test("a closed master: SIGHUP for the leader, and at its end for the foreground", () =>
  withSession(({ kernel, shell, job, terminal }) => {
    setForeground(kernel, shell, job.pid);
    for (const task of [shell, job]) {
      task.sighand.of(SIGHUP).handler = HANDLER;
      task.signals.blocked.add(SIGHUP);
    }
    terminal.masterClosed();
    assertEquals(shell.group.pending.set.has(SIGHUP), true);
    assertEquals(job.group.pending.set.has(SIGHUP), false);
    kernel.call(shell, "exit_group", 0);
    assertEquals(job.group.pending.set.has(SIGHUP), true);
  }));

Deno.test("a process gives up the terminal for itself and its later children alone", () =>
  withSession(({ kernel, shell, job }) => {
    assertEquals(kernel.call(job, "ioctl", TTY, TIOCNOTTY, 0), 0);
    assertEquals(kernel.call(job, "ioctl", TTY, TIOCNOTTY, 0), -ENOTTY);
    assertEquals(kernel.call(fork(kernel, job), "ioctl", TTY, TIOCGPGRP, DATA), -ENOTTY);
    assertEquals(kernel.call(shell, "ioctl", TTY, TIOCGPGRP, DATA), 0);
  }));

Deno.test("VTIME without VMIN bounds the whole read", () =>
  withSession(({ kernel, shell, terminal }) => {
    makeRaw(terminal, 0, 3);
    assertEquals(kernel.call(shell, "read", TTY, DATA, 10), WAITS);
    kernel.pass(4 * TENTH_NS);
    assertEquals(kernel.outcome(shell), 0);
    assertEquals(kernel.call(shell, "read", TTY, DATA, 10), WAITS);
    type(terminal, "ab");
    kernel.settle();
    assertEquals(kernel.outcome(shell), 2);
  }));

Deno.test("VTIME with VMIN runs from byte to byte, and not before the first", () =>
  withSession(({ kernel, shell, terminal }) => {
    makeRaw(terminal, 4, 2);
    assertEquals(kernel.call(shell, "read", TTY, DATA, 10), WAITS);
    kernel.pass(50 * TENTH_NS);
    type(terminal, "a");
    kernel.settle();
    kernel.pass(TENTH_NS);
    type(terminal, "b");
    kernel.settle();
    kernel.pass(1.5 * TENTH_NS);
    assertEquals(kernel.outcome(shell), WAITS);
    kernel.pass(TENTH_NS);
    assertEquals(kernel.outcome(shell), 2);
  }));
