/**
 * What a sandbox inherits from the caller of dvisor: arguments, environment and working directory
 * as byte strings, user ids and resource limits.
 *
 * Deno shows arguments as text, and only a part of the environment, so both are read from /proc.
 */

import { RLIMIT_NOFILE } from "../../ffi/abi/resource.ts";
import { SYS_getegid, SYS_geteuid, SYS_getgroups } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { bytesToString, fromText } from "../../kernel/core/bytes.ts";
import type { RlimitSpec } from "../protocol/boot_spec.ts";

/** The NUL-terminated byte strings of a file. */
function readStrings(path: string): string[] {
  const bytes = Deno.readFileSync(path);
  const strings: string[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(0, at);
    const stop = end < 0 ? bytes.length : end;
    strings.push(bytesToString(bytes, at, stop));
    at = stop + 1;
  }
  return strings;
}

/** The environment as execve(2) got it: byte strings. */
export function callerEnvironment(): string[] {
  return readStrings("/proc/self/environ");
}

/**
 * The last arguments of the command line as byte strings.
 *
 * @param args the tail of Deno.args; characters that were not UTF-8 are lost in it
 */
export function exactArguments(args: readonly string[]): string[] {
  if (!args.some((arg) => arg.includes("\ufffd"))) return args.map(fromText);
  return readStrings("/proc/self/cmdline").slice(-args.length);
}

/** The caller's working directory, a byte string; "/" if it is gone. */
export function callerDirectory(): string {
  try {
    return fromText(Deno.cwd());
  } catch {
    return "/";
  }
}

export interface Ids {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

/** LIMIT: groups of the caller. */
const MAX_GROUPS = 16384;

export function callerIds(): Ids {
  const n = syscall(SYS_getgroups, MAX_GROUPS, scratch.area(0));
  const groups: number[] = [];
  for (let i = 0; i < n; i++) {
    groups.push(scratch.dv.getUint32(scratch.areaOffset(0) + 4 * i, true));
  }
  return { uid: syscall(SYS_geteuid), gid: syscall(SYS_getegid), groups };
}

/** LIMIT: fs.nr_open of the sandbox's kernel. */
const OPEN_FILES_MAX = 1 << 20;

/** The lines of /proc/PID/limits, in the order of their numbers (proc_pid_limits(5)). */
const LIMIT_NAMES = [
  "cpu time",
  "file size",
  "data size",
  "stack size",
  "core file size",
  "resident set",
  "processes",
  "open files",
  "locked memory",
  "address space",
  "file locks",
  "pending signals",
  "msgqueue size",
  "nice priority",
  "realtime priority",
  "realtime timeout",
].map((name) => `Max ${name} `);

/**
 * The resource limits that this process was started with, as far as that can be known: the runtime
 * raises its own limit of open files to the hard one before the first line runs, so that is the one
 * of the process that started this one, if it may be read.
 */
export function callerLimits(): RlimitSpec[] {
  const parents = limitsOf(String(Deno.ppid)).find(({ resource }) => resource === RLIMIT_NOFILE);
  return limitsOf("self").map((limit) => {
    if (limit.resource !== RLIMIT_NOFILE) return limit;
    const hard = least(limit.hard, OPEN_FILES_MAX), soft = parents?.soft ?? limit.soft;
    return { resource: RLIMIT_NOFILE, soft: least(soft, hard), hard };
  });
}

function least(soft: number | null, hard: number | null): number | null {
  return soft === null ? hard : hard === null ? soft : Math.min(soft, hard);
}

function limitsOf(pid: string): RlimitSpec[] {
  let text: string;
  try {
    text = Deno.readTextFileSync(`/proc/${pid}/limits`);
  } catch {
    return [];
  }
  const found: RlimitSpec[] = [];
  for (const line of text.split("\n")) {
    const resource = LIMIT_NAMES.findIndex((name) => line.startsWith(name));
    const [soft = "", hard = ""] = line.slice(LIMIT_NAMES[resource]?.length).trim().split(/\s+/);
    if (resource >= 0) found.push({ resource, soft: amount(soft), hard: amount(hard) });
  }
  return found;
}

/** null: unlimited. */
function amount(text: string): number | null {
  return text === "unlimited" ? null : Number(text);
}
