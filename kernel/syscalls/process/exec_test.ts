/** execve(2) with long lists: read and written in slices, and ended only by SIGKILL. */

import { assert, assertEquals } from "@std/assert";
import { SIGKILL, SIGWINCH } from "../../../ffi/abi/signal.ts";
import { ENOMEM } from "../../../ffi/abi/errno.ts";
import { AT_FDCWD, O_CREAT, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import {
  CLONE_FILES,
  CLONE_FS,
  CLONE_SIGHAND,
  CLONE_THREAD,
  CLONE_VM,
} from "../../../ffi/abi/sched.ts";
import { writeExecutable } from "../../../ffi/asm/elf_executable.ts";
import { TEXT_BYTES } from "../../core/quota.ts";
import { TURN_BYTES, TURN_STRINGS } from "../../loader/string_list.ts";
import { DATA, GONE, LabKernel, STACK_TOP, WAITS } from "../../testing/task_lab.ts";
import { PendingExec } from "../../task/pending_exec.ts";
import type { Task } from "../../task/task.ts";

const PATH = DATA, STRING = DATA + 0x100, FILE = DATA + 0x1000, VECTOR = DATA + 0x4000;
const STACK = STACK_TOP - 0x800;
/** Turns that a call takes at most. */
const LIMIT = 1000;

/** A child of init with a program "/prog" and a vector of `count` times `text`. */
function prepare(kernel: LabKernel, text: string, count: number): Task {
  const init = kernel.start(), { mm } = init;
  const code = { vaddr: 0x401000, bytes: new Uint8Array(5), read: true, write: false, exec: true };
  const program = new Uint8Array(writeExecutable(0x401000, [code]));
  const bytes = new TextEncoder().encode("/prog");
  mm.copyOut(PATH, bytes, 0, bytes.length);
  mm.copyOut(FILE, program, 0, program.length);
  const fd = Number(kernel.call(init, "openat", AT_FDCWD, PATH, O_CREAT | O_WRONLY, 0o755));
  assertEquals(kernel.call(init, "write", fd, FILE, program.length), program.length);
  kernel.call(init, "close", fd);
  const string = new TextEncoder().encode(text + "\0");
  mm.copyOut(STRING, string, 0, string.length);
  for (let i = 0; i < count; i++) mm.store64(VECTOR + 8 * i, STRING);
  return kernel.pids.tasks.get(Number(kernel.call(init, "fork")))!;
}

/** Lets the call take its turns until its memory is another: how many there were. */
function finish(kernel: LabKernel, task: Task): number {
  const { mm } = task;
  for (let turns = 1; turns < LIMIT; turns++) {
    if (task.mm !== mm) return turns;
    kernel.pass(0);
  }
  throw new Error("the call does not end");
}

/** The arguments that the program finds. */
function argumentsOf({ mm }: Task): string[] {
  const { stackStart } = mm.program, found: string[] = [];
  for (let i = mm.load64(stackStart); i > 0; i--) {
    found.push(String(mm.cstring(mm.load64(stackStart + 8 * (found.length + 1)), 1 << 17)));
  }
  return found;
}

Deno.test("a turn of execve reads and writes so many strings", () => {
  const kernel = new LabKernel(), count = 20_000;
  const task = prepare(kernel, "word", count);
  kernel.call(task, "execve", PATH, VECTOR, 0);
  const slices = Math.ceil(count / TURN_STRINGS);
  const turns = finish(kernel, task);
  assert(turns >= 2 * slices - 2 && turns <= 2 * slices + 2, `${turns} turns`);
  assertEquals(argumentsOf(task), new Array<string>(count).fill("word"));
  kernel.close();
});

Deno.test("strings that execve keeps are charged until the program's first call", () => {
  const kernel = new LabKernel(), task = prepare(kernel, "x".repeat(10_000), 200);
  const { root } = kernel.accounts, before = TEXT_BYTES.countOf(root);
  const room = root.bytesMax;
  kernel.call(task, "execve", PATH, VECTOR, 0);
  root.bytesMax = root.bytes + 1_000_000;
  kernel.pass(0);
  assert(TEXT_BYTES.countOf(root) > before + 100_000);
  for (let i = 0; i < LIMIT && task.nr >= 0; i++) kernel.pass(0);
  assertEquals(kernel.outcome(task), -ENOMEM);
  kernel.call(task, "getpid");
  assertEquals(TEXT_BYTES.countOf(root), before);
  root.bytesMax = room;
  kernel.call(task, "execve", PATH, VECTOR, 0);
  finish(kernel, task);
  kernel.call(task, "getpid");
  assertEquals(TEXT_BYTES.countOf(root), before);
  kernel.close();
});

Deno.test("a turn of execve reads and writes so many bytes", () => {
  const kernel = new LabKernel(), text = "x".repeat(10_000), count = 200;
  const task = prepare(kernel, text, count);
  kernel.call(task, "execve", PATH, VECTOR, 0);
  const slices = Math.ceil(count / Math.ceil(TURN_BYTES / text.length)),
    turns = finish(kernel, task);
  assert(turns >= 2 * slices - 2 && turns <= 2 * slices + 2, `${turns} turns`);
  assertEquals(argumentsOf(task), new Array<string>(count).fill(text));
  kernel.close();
});

/** The program is there, and a part of its strings is written. */
function startWriting(kernel: LabKernel, task: Task): void {
  kernel.call(task, "execve", PATH, VECTOR, 0);
  for (let turns = 0; !(task.progress.object instanceof PendingExec); turns++) {
    assert(turns < LIMIT);
    kernel.pass(0);
  }
}

Deno.test("a signal does not end the writing, SIGKILL does", () => {
  for (const isFatal of [false, true]) {
    const kernel = new LabKernel(), task = prepare(kernel, "word", 20_000);
    const init = kernel.pids.init!.leader!, used = kernel.memory.frames.usedBytes;
    task.sighand.of(SIGWINCH).handler = 0x5000;
    startWriting(kernel, task);
    assertEquals(kernel.call(init, "kill", task.pid, isFatal ? SIGKILL : SIGWINCH), 0);
    kernel.pass(0);
    if (isFatal) {
      assertEquals([kernel.outcome(task), task.group.execTask], [GONE, null]);
      assert(kernel.memory.frames.usedBytes <= used);
    } else {
      assertEquals(kernel.outcome(task), WAITS);
      finish(kernel, task);
      assertEquals(argumentsOf(task).length, 20_000);
    }
    kernel.close();
  }
});

Deno.test("an execve of another thread waits while one writes, and ends with its thread", () => {
  const kernel = new LabKernel(), task = prepare(kernel, "word", 20_000);
  const flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD;
  const other = kernel.pids.tasks.get(Number(kernel.call(task, "clone", flags, STACK)))!;
  startWriting(kernel, task);
  assertEquals(kernel.call(other, "execve", PATH, 0, 0), WAITS);
  assertEquals(other.progress.object instanceof PendingExec, false);
  finish(kernel, task);
  assertEquals([kernel.outcome(other), task.group.tasks.length], [GONE, 1]);
  assertEquals([task.group.execTask, argumentsOf(task).length], [null, 20_000]);
  kernel.close();
});
