/** Tests of the launcher: real children, failing steps, signals, and nothing left behind. */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { ECHILD, ENOENT, ENOEXEC, EPERM } from "../abi/errno.ts";
import { AT_FDCWD, MFD_CLOEXEC, O_CLOEXEC, O_RDONLY } from "../abi/fcntl.ts";
import { CLONE_NEWUTS, CLONE_THREAD } from "../abi/sched.ts";
import { SIGKILL, SIGPIPE, SIGUSR1 } from "../abi/signal.ts";
import {
  SYS_chdir,
  SYS_close,
  SYS_dup2,
  SYS_dup3,
  SYS_exit_group,
  SYS_fcntl,
  SYS_getpid,
  SYS_kill,
  SYS_openat,
  SYS_sethostname,
  SYS_wait4,
} from "../abi/syscall_numbers.ts";
import { POLLIN } from "../abi/poll.ts";
import { wExitStatus, wifExited, wifSignaled, WNOHANG, wTermSig } from "../abi/wait.ts";
import { scratch } from "./cstring.ts";
import { check, SyscallError } from "./errors.ts";
import { close, memfdCreate, pipe, poll, read } from "./files.ts";
import { syscall } from "./native.ts";
import { signalToEventfd } from "./signals.ts";
import { PREV, spawn, type Spawned, SpawnError, SpawnScript } from "./spawn.ts";

/** Waits for a child and returns its status word. */
function wait(child: Spawned): number {
  assertEquals(poll(child.pidfd, POLLIN, 10_000) & POLLIN, POLLIN, "the child did not end");
  check(syscall(SYS_wait4, child.pid, scratch.area(2), 0, 0), "wait4");
  close(child.pidfd);
  return scratch.dv.getInt32(scratch.areaOffset(2), true);
}

function exitStatus(child: Spawned): number {
  const status = wait(child);
  assert(wifExited(status), `ended with status word ${status}`);
  return wExitStatus(status);
}

/** Runs a shell command in a child whose standard output is a pipe; returns its output. */
function shell(command: string, prepare: (script: SpawnScript) => void = () => {}): string {
  const ends = pipe(O_CLOEXEC);
  assert(typeof ends !== "number");
  const script = new SpawnScript().call(SYS_dup2, ends[1], 1);
  prepare(script);
  script.exec("/bin/sh", ["sh", "-c", command], ["PATH=/usr/bin:/bin", "GREETING=hello there"]);
  const child = spawn(script);
  close(ends[1]);
  let text = "";
  for (;;) {
    const n = check(read(ends[0], scratch.area(2), 65536), "read");
    if (n === 0) break;
    const at = scratch.areaOffset(2);
    text += new TextDecoder().decode(scratch.u8.slice(at, at + n));
  }
  close(ends[0]);
  assertEquals(exitStatus(child), 0);
  return text;
}

/** Looks several times for children: Deno reaps its own a moment later. */
const TRIES = 1000;

/** No child is left, dead or alive. */
function assertNoChildren(): void {
  let found = 0;
  for (let i = 0; i < TRIES && found >= 0; i++) found = syscall(SYS_wait4, -1, 0, WNOHANG, 0);
  assertEquals(found, -ECHILD);
}

function openFds(): number {
  return Array.from(Deno.readDirSync("/proc/self/fd")).length;
}

Deno.test("spawn() executes a program with arguments and environment", () => {
  assertEquals(exitStatus(spawn(new SpawnScript().exec("/bin/true", ["true"], []))), 0);
  assertEquals(exitStatus(spawn(new SpawnScript().exec("/bin/false", ["false"], []))), 1);
  assertEquals(shell('echo "$GREETING" "$0" $#'), "hello there sh 0\n");
  assertNoChildren();
});

Deno.test("PREV() passes the result of an earlier step on", () => {
  const out = shell("cat; pwd", (script) => {
    const first = script.length;
    script.call(SYS_openat, AT_FDCWD, "/proc/version", O_RDONLY | O_CLOEXEC, 0);
    script.call(SYS_fcntl, PREV(first), 0, 100).call(SYS_dup2, PREV(first + 1), 0);
    script.call(SYS_chdir, "/usr");
  });
  assert(out.startsWith("Linux version ") && out.endsWith("\n/usr\n"), out);
  assertThrows(() => new SpawnScript().call(SYS_close, PREV(0)), RangeError, "PREV(0)");
});

Deno.test("execFd() executes the file of a descriptor", () => {
  const script = new SpawnScript().call(SYS_openat, AT_FDCWD, "/bin/true", O_RDONLY | O_CLOEXEC, 0);
  assertEquals(exitStatus(spawn(script.execFd(PREV(0), ["anything"], []))), 0);
  const fd = check(memfdCreate("program", MFD_CLOEXEC), "memfd_create");
  const bytes = Deno.readFileSync("/bin/true");
  Deno.writeFileSync(`/proc/self/fd/${fd}`, bytes);
  assertEquals(exitStatus(spawn(new SpawnScript().execFd(fd, ["memfd"], []))), 0);
  close(fd);
});

Deno.test("a failing step is named, the child is reaped, nothing is left open", () => {
  const before = openFds();
  const script = new SpawnScript().callMayFail(SYS_close, 12345).call(SYS_chdir, "/not/there");
  const failure = assertThrows(
    () => spawn(script.exec("/bin/true", ["true"], [])),
    SpawnError,
    'step 1 chdir "/not/there": ENOENT',
  );
  assert(failure instanceof SpawnError);
  assertEquals([failure.step, failure.errno], [1, ENOENT]);
  assertThrows(() => spawn(new SpawnScript().exec("/etc/passwd", ["x"], [])), SpawnError, "EACCES");
  const none = assertThrows(
    () => spawn(new SpawnScript().call(SYS_getpid)),
    SpawnError,
    "without exec",
  );
  assert(none instanceof SpawnError);
  assertEquals([none.step, none.errno], [1, ENOEXEC]);
  assertThrows(() => spawn(new SpawnScript(), CLONE_THREAD), SyscallError, "clone: EINVAL");
  assertNoChildren();
  assertEquals(openFds(), before);
});

Deno.test("a script may end by itself, and can be used again", () => {
  const script = new SpawnScript().call(SYS_exit_group, 42);
  assertEquals([exitStatus(spawn(script)), exitStatus(spawn(script))], [42, 42]);
});

Deno.test("signals wait until the program runs, caught ones are at their defaults", () => {
  const fd = signalToEventfd(SIGUSR1);
  // Sent to itself while blocked: it takes its default action when exec() unblocks it, and does not
  // reach our eventfd.
  const script = new SpawnScript().call(SYS_getpid).call(SYS_kill, PREV(0), SIGUSR1);
  const status = wait(spawn(script.exec("/bin/sleep", ["sleep", "100"], [])));
  assert(wifSignaled(status));
  assertEquals([wTermSig(status), poll(fd, POLLIN, 0)], [SIGUSR1, 0]);
  const masks = shell("grep -E '^Sig(Blk|Ign)' /proc/self/status");
  const value = (name: string) => Number(`0x${new RegExp(`${name}:\\s*(\\w+)`).exec(masks)?.[1]}`);
  assertEquals(value("SigBlk"), 0);
  assertEquals(value("SigIgn") & (1 << (SIGPIPE - 1)), 0);
});

Deno.test("the parent keeps its signal mask, its handlers and its memory", () => {
  const mask = () => /SigBlk:.*/.exec(Deno.readTextFileSync("/proc/thread-self/status"))?.[0];
  const before = mask();
  exitStatus(spawn(new SpawnScript().exec("/bin/true", ["true"], [])));
  assertEquals(mask(), before);
  const fd = signalToEventfd(SIGUSR1);
  Deno.kill(Deno.pid, "SIGUSR1");
  assertEquals(poll(fd, POLLIN, 5000), POLLIN);
  assertEquals(read(fd, scratch.area(0), 8), 8);
});

Deno.test("the child can be stopped through its pid, and its pidfd reports the end", () => {
  const child = spawn(new SpawnScript().exec("/bin/sleep", ["sleep", "100"], []));
  assertEquals(poll(child.pidfd, POLLIN, 0), 0);
  check(syscall(SYS_kill, child.pid, SIGKILL), "kill");
  const status = wait(child);
  assertEquals([wifSignaled(status), wTermSig(status)], [true, SIGKILL]);
});

Deno.test("a child in a name space of its own leaves ours alone", () => {
  const before = Deno.hostname();
  let child: Spawned;
  try {
    const script = new SpawnScript().call(SYS_sethostname, "elsewhere", 9);
    child = spawn(script.exec("/bin/true", ["true"], []), CLONE_NEWUTS);
  } catch (error) {
    assert(
      error instanceof SyscallError && error.errno === EPERM,
      "needs CAP_SYS_ADMIN or fails so",
    );
    return;
  }
  assertEquals([exitStatus(child), Deno.hostname()], [0, before]);
});

Deno.test("long lists and odd strings arrive whole", () => {
  const many = Array.from({ length: 5000 }, (_, i) => `argument ${i}`);
  const ends = pipe(O_CLOEXEC);
  assert(typeof ends !== "number");
  const script = new SpawnScript().call(SYS_dup3, ends[1], 1, 0);
  script.exec("/bin/sh", ["sh", "-c", 'shift 4999; printf "%s|%s" $# "$1"', "sh", ...many], []);
  assertEquals(exitStatus(spawn(script)), 0);
  const n = read(ends[0], scratch.area(2), 100);
  const at = scratch.areaOffset(2);
  assertEquals(new TextDecoder().decode(scratch.u8.slice(at, at + n)), "1|argument 4999");
  for (const fd of ends) close(fd);
  const odd = new SpawnScript();
  assertThrows(() => spawn(odd.exec("/bin/true\0x", [], [])), RangeError, "NUL");
  assertThrows(() => new SpawnScript().call(SYS_openat, 2 ** 53), RangeError);
  assertThrows(() => new SpawnScript().call(SYS_openat, 1, 2, 3, 4, 5, 6, 7), RangeError);
});
