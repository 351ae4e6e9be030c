/**
 * The program of process 1 in a session's sandbox. kernel/idle_process.ts keeps it from running; it
 * is a program that would do nothing.
 */

import { writeExecutable } from "../../../ffi/asm/elf_executable.ts";
import { startIdle } from "../../../kernel/idle_process.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import type { Container } from "../../../kernel/task/container.ts";
import type { Task } from "../../../kernel/task/task.ts";
import { UserError } from "../../user_error.ts";

const TEXT = 0x400000;

/** `sleep: mov eax, SYS_pause; syscall; jmp sleep`: the assembler would be a part of the kernel. */
const CODE = new Uint8Array([0xb8, 34, 0, 0, 0, 0x0f, 0x05, 0xeb, 0xf7]);

function idleProgram(): Uint8Array<ArrayBuffer> {
  return writeExecutable(TEXT, [
    { vaddr: TEXT, bytes: CODE, read: true, write: false, exec: true },
  ]);
}

/** Starts process 1 of a container that has no process. */
export function startIdleProcess(kernel: SandboxKernel, container: Container): Task {
  const task = startIdle(kernel, container, idleProgram());
  if ("errno" in task) throw new UserError(`process 1 cannot start: errno ${task.errno}`);
  return task;
}
