/** /proc/PID/limits: proc_pid_limits(5). */

import type { ProcTask } from "./source.ts";

/** Rows by RLIMIT_*, in the order of the file. */
const ROWS: readonly (readonly [string, string])[] = [
  ["Max cpu time", "seconds"],
  ["Max file size", "bytes"],
  ["Max data size", "bytes"],
  ["Max stack size", "bytes"],
  ["Max core file size", "bytes"],
  ["Max resident set", "bytes"],
  ["Max processes", "processes"],
  ["Max open files", "files"],
  ["Max locked memory", "bytes"],
  ["Max address space", "bytes"],
  ["Max file locks", "locks"],
  ["Max pending signals", "signals"],
  ["Max msgqueue size", "bytes"],
  ["Max nice priority", ""],
  ["Max realtime priority", ""],
  ["Max realtime timeout", "us"],
];

/** The text of /proc/PID/limits. */
export function limitsText({ limits }: ProcTask): string {
  let text = columns("Limit", "Soft Limit", "Hard Limit") + "Units     \n";
  for (const [which, [name, unit]] of ROWS.entries()) {
    const soft = limitText(limits.soft[which]), hard = limitText(limits.hard[which]);
    text += columns(name, soft, hard) + (unit === "" ? "" : unit.padEnd(10)) + "\n";
  }
  return text;
}

function columns(name: string, soft: string, hard: string): string {
  return `${name.padEnd(25)} ${soft.padEnd(20)} ${hard.padEnd(20)} `;
}

function limitText(value: number | undefined): string {
  return value === undefined || value === Infinity ? "unlimited" : String(value);
}
