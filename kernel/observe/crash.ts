/**
 * Describes what the kernel did when it failed, for the report of a bug. It reads the kernel's own
 * fields only, not user memory or anything that could throw again. kernel/containment.ts calls it.
 */

import { NAMES } from "../../ffi/abi/syscall_numbers.ts";
import { DEAD, HANDLING, type Task } from "../task/task.ts";

const STATES: readonly string[] = [
  "running",
  "ready",
  "blocked",
  "stopped",
  "waiting for its registers",
  "dead",
  "in the kernel",
  "waiting for its registers",
  "going on",
  "a worker of a ring",
  "frozen",
  "standing still for its tracer",
  "waiting for its registers",
];

/** The task that was served, and its call with the arguments. */
export function describeCrash(task: Task | null): string {
  if (task === null) return "while no task was served";
  const comm = printable(task.comm).replaceAll("\n", "?");
  const thread = `thread ${task.tid} of process ${task.group.pid} (${comm})`;
  if (task.state !== HANDLING && task.state !== DEAD) {
    return `for ${thread}, which is ${STATES[task.state]}`;
  }
  if (task.nr < 0) return `in no call of ${thread}`;
  const args: string[] = [];
  for (let i = 0; i < 6; i++) args.push(hex(task.args.words, i));
  const name = NAMES[task.nr] || `call ${task.nr}`;
  return `in ${name}(${args.join(", ")}) of ${thread}, uid ${task.cred.euid}`;
}

/**
 * What was thrown, with its stack if the runtime can make the text of a stack here (where it
 * translates positions, it may need /proc). Names in it may come from a guest.
 */
export function describeFault(cause: unknown, hasStacks: boolean): string {
  if (!(cause instanceof Error)) return printable(String(cause));
  const text = hasStacks ? cause.stack ?? "" : "";
  return printable(text === "" ? `${cause.name}: ${cause.message}` : text);
}

/** Argument `i` from its two halves, with all digits. */
function hex(words: Uint32Array, i: number): string {
  const lo = words[2 * i]!, hi = words[2 * i + 1]!;
  if (hi === 0) return `0x${lo.toString(16)}`;
  return `0x${hi.toString(16)}${lo.toString(16).padStart(8, "0")}`;
}

/** Removes control characters, as a guest's names may be sent to a terminal. */
function printable(name: string): string {
  return name.replace(/[^\x20-\x7e\n]/g, "?");
}
