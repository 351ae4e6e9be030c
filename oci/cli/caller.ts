/**
 * What a sandbox inherits from the caller of dvisor: arguments, environment and working directory
 * as byte strings, and user ids.
 *
 * Deno shows arguments as text, and only a part of the environment, so both are read from /proc.
 */

import { SYS_getegid, SYS_geteuid, SYS_getgroups } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { bytesToString, fromText } from "../../kernel/core/bytes.ts";

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
