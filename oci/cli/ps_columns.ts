/**
 * The columns of `ps`, chosen by options after the id as in ps(1). The processes and their values
 * come from the sandbox's kernel.
 */

import type { ProcessInfo } from "../protocol/control_protocol.ts";
import { usageError } from "../user_error.ts";

export interface Column {
  readonly header: string;
  value(process: ProcessInfo): string;
}

const column = (header: string, value: (p: ProcessInfo) => string | number): Column => ({
  header,
  value: (process) => String(value(process)),
});

/** Columns by the names of ps(1). */
const COLUMNS: Readonly<Record<string, Column>> = {
  uid: column("UID", (p) => p.uid),
  // The number, because only the container has names of its users.
  user: column("USER", (p) => p.uid),
  euid: column("EUID", (p) => p.uid),
  pid: column("PID", (p) => p.pid),
  ppid: column("PPID", (p) => p.ppid),
  nlwp: column("NLWP", (p) => p.threads),
  thcount: column("THCNT", (p) => p.threads),
  etime: column("ELAPSED", (p) => elapsed(seconds(p))),
  etimes: column("ELAPSED", seconds),
  comm: column("COMMAND", (p) => p.command),
  ucmd: column("CMD", (p) => p.command),
};

const DEFAULT: readonly Column[] = [
  column("UID", (p) => p.uid),
  column("PID", (p) => p.pid),
  column("PPID", (p) => p.ppid),
  column("THREADS", (p) => p.threads),
  column("AGE", (p) => `${seconds(p)}s`),
  column("COMMAND", (p) => p.command),
];

/** Option letters that choose processes, or the table that is the default. */
const PLAIN = /^-?[eAfawxul]+$/;
const WITH_LIST = /^(?:-[eAfawxl]*|[awx]*)o(.*)$/s;

/**
 * @param options the words after the id
 * @throws UserError for an option of ps(1) that is not supported
 */
export function columnsOf(options: readonly string[]): readonly Column[] {
  const chosen: Column[] = [];
  for (let i = 0; i < options.length; i++) {
    const word = options[i] ?? "";
    if (PLAIN.test(word)) continue;
    const list = /^--format=(.*)$/s.exec(word)?.[1] ?? WITH_LIST.exec(word)?.[1] ??
      (word === "--format" ? "" : null);
    if (list === null) {
      throw usageError(`ps has no option ${word.slice(0, 40)}; of ps(1) it has -e, -f and -o`);
    }
    const names = list === "" ? options[++i] : list;
    if (names === undefined) throw usageError(`ps: ${word} needs a list of columns`);
    chosen.push(...names.split(/[, ]+/).filter((name) => name !== "").map(columnOf));
  }
  return chosen.length === 0 ? DEFAULT : chosen;
}

/** `pid`, or with a header of the caller's choice `pid=NUMBER`. */
function columnOf(text: string): Column {
  const [name = "", header] = text.split("=", 2);
  const found = Object.hasOwn(COLUMNS, name) ? COLUMNS[name] : undefined;
  if (found === undefined) {
    const known = Object.keys(COLUMNS).join(", ");
    throw usageError(`ps has no column "${name.slice(0, 40)}", expected ${known}`);
  }
  return header === undefined ? found : { ...found, header };
}

function seconds({ ageMs }: ProcessInfo): number {
  return Math.floor(ageMs / 1000);
}

/** `[[days-]hours:]minutes:seconds` */
function elapsed(total: number): string {
  const two = (n: number) => String(n).padStart(2, "0");
  const days = Math.floor(total / 86_400), hours = Math.floor(total / 3600) % 24;
  const short = `${two(Math.floor(total / 60) % 60)}:${two(total % 60)}`;
  if (days > 0) return `${days}-${two(hours)}:${short}`;
  return hours > 0 ? `${two(hours)}:${short}` : short;
}
