/** Text of /proc/PID/syscall: the call that a thread waits in (proc_pid_syscall(5)). */

import { BLOCKED, DEAD, FROZEN, HANDLING, STOPPED, type Task, TRACED } from "../task/task.ts";

export function callText(task: Task | null): string {
  if (task === null || task.state === DEAD) return "-1 0x0 0x0\n";
  const { state, args, ctx } = task, isInCall = state === BLOCKED || state === HANDLING;
  const registers = `${hex(ctx.rsp)} ${hex(ctx.rip)}\n`;
  if (state === STOPPED || state === TRACED || state === FROZEN) return `-1 ${registers}`;
  if (!isInCall || task.nr < 0) return "running\n";
  let text = String(task.nr);
  for (let i = 0; i < 6; i++) {
    const low = BigInt(args.words[2 * i]!), high = BigInt(args.words[2 * i + 1]!);
    text += ` 0x${(high << 32n | low).toString(16)}`;
  }
  return `${text} ${registers}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
