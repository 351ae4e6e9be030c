/**
 * The text of system call arguments in --strace, by the types of the rows in syscalls/table.ts.
 * strace.ts calls it.
 */

import * as fcntl from "../../ffi/abi/fcntl.ts";
import { PATH_MAX } from "../../ffi/abi/fs.ts";
import * as mman from "../../ffi/abi/mman.ts";
import { bytesToString } from "../core/bytes.ts";
import type { Task } from "../task/task.ts";

/** LIMIT: bytes of a string or buffer that are shown. */
const MAX_SHOWN = 32;

const PROT: readonly (readonly [string, number])[] = [
  ["PROT_READ", 1],
  ["PROT_WRITE", 2],
  ["PROT_EXEC", 4],
];
const MAP: readonly (readonly [string, number])[] = [
  ["MAP_SHARED", mman.MAP_SHARED],
  ["MAP_PRIVATE", mman.MAP_PRIVATE],
  ["MAP_FIXED", mman.MAP_FIXED],
  ["MAP_ANONYMOUS", mman.MAP_ANONYMOUS],
  ["MAP_NORESERVE", mman.MAP_NORESERVE],
  ["MAP_STACK", mman.MAP_STACK],
  ["MAP_POPULATE", mman.MAP_POPULATE],
  ["MAP_FIXED_NOREPLACE", mman.MAP_FIXED_NOREPLACE],
];
const OPEN: readonly (readonly [string, number])[] = [
  ["O_CREAT", fcntl.O_CREAT],
  ["O_EXCL", fcntl.O_EXCL],
  ["O_TRUNC", fcntl.O_TRUNC],
  ["O_APPEND", fcntl.O_APPEND],
  ["O_NONBLOCK", fcntl.O_NONBLOCK],
  ["O_DIRECTORY", fcntl.O_DIRECTORY],
  ["O_NOFOLLOW", fcntl.O_NOFOLLOW],
  ["O_CLOEXEC", fcntl.O_CLOEXEC],
  ["O_PATH", fcntl.O_PATH],
];
const ACCESS: readonly string[] = ["O_RDONLY", "O_WRONLY", "O_RDWR", "O_ACCMODE"];

/** Whether an argument is an output, which is shown when the call has ended. */
export function isOutput(type: string): boolean {
  return type === "out";
}

/** The text of argument `i` at the start of the call. */
export function formatArgument(t: Task, types: readonly string[], i: number): string {
  const a = t.args;
  switch (types[i]) {
    case "fd":
    case "int":
    case "pid":
    case "uid":
    case "clock":
    case "whence":
    case "fcntl":
    case "sig":
      return String(a.i32(i));
    case "uint":
      return String(a.u32(i));
    case "long":
    case "off":
      return String(a.i64(i));
    case "size":
    case "ulong":
      return String(a.u64(i));
    case "dirfd":
      return a.i32(i) === fcntl.AT_FDCWD ? "AT_FDCWD" : String(a.i32(i));
    case "mode":
      return `0${a.u32(i).toString(8)}`;
    case "path":
    case "str":
      return stringAt(t, a.u64(i));
    case "buf":
      return bytesAt(t, a.u64(i), a.u64(i + 1));
    case "out":
      return "...";
    case "mmapprot":
      return bits(a.u32(i), PROT, "PROT_NONE");
    case "mmapflags":
      return bits(a.u32(i), MAP, "0");
    case "openflags":
      return openFlags(a.u32(i));
    case "timespec":
      return timespecAt(t, a.u64(i));
    case "argv":
      return argvAt(t, a.u64(i));
    default:
      return a.u64(i) === 0 && types[i] !== "hex" ? "NULL" : `0x${a.u64(i).toString(16)}`;
  }
}

/** The text of an output argument at the end of the call. */
export function formatAfter(
  t: Task,
  _types: readonly string[],
  i: number,
  result: number,
): string {
  return result > 0 ? bytesAt(t, t.args.u64(i), result) : hex(t.args.u64(i));
}

function hex(value: number): string {
  return value === 0 ? "NULL" : `0x${value.toString(16)}`;
}

function bits(
  value: number,
  names: readonly (readonly [string, number])[],
  none: string,
): string {
  const found: string[] = [];
  let rest = value;
  for (const [name, bit] of names) {
    if ((rest & bit) !== bit) continue;
    found.push(name);
    rest &= ~bit;
  }
  if (rest !== 0) found.push(`0x${(rest >>> 0).toString(16)}`);
  return found.length === 0 ? none : found.join("|");
}

function openFlags(flags: number): string {
  const access = ACCESS[flags & fcntl.O_ACCMODE]!;
  const rest = flags & ~fcntl.O_ACCMODE;
  return rest === 0 ? access : `${access}|${bits(rest, OPEN, "0")}`;
}

function stringAt(t: Task, addr: number): string {
  if (addr === 0) return "NULL";
  const text = t.mm.cstring(addr, PATH_MAX);
  return typeof text === "string" ? quote(text, text.length) : hex(addr);
}

function bytesAt(t: Task, addr: number, len: number): string {
  const n = Math.min(len, MAX_SHOWN), u8 = new Uint8Array(n);
  if (addr === 0 || t.mm.copyIn(u8, 0, addr, n) < 0) return hex(addr);
  return quote(bytesToString(u8, 0, n), len);
}

function quote(text: string, fullLength: number): string {
  let out = '"';
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 10) out += "\\n";
    else if (c === 9) out += "\\t";
    else if (c === 13) out += "\\r";
    else if (c === 34 || c === 92) out += `\\${text[i]}`;
    else if (c < 32 || c > 126) out += `\\${c.toString(8)}`;
    else out += text[i];
  }
  return `${out}"${fullLength > text.length ? "..." : ""}`;
}

function timespecAt(t: Task, addr: number): string {
  if (addr === 0) return "NULL";
  const sec = t.mm.load64(addr), nsec = t.mm.load64(addr + 8);
  return sec < 0 || nsec < 0 ? hex(addr) : `{tv_sec=${sec}, tv_nsec=${nsec}}`;
}

/** LIMIT: entries of argv that are shown. */
const MAX_ARGV = 16;

function argvAt(t: Task, addr: number): string {
  if (addr === 0) return "NULL";
  const shown: string[] = [];
  for (let i = 0; i < MAX_ARGV; i++) {
    const p = t.mm.load64(addr + 8 * i);
    if (p === 0) return `[${shown.join(", ")}]`;
    if (p < 0) break;
    shown.push(stringAt(t, p));
  }
  return `[${shown.join(", ")}, ...]`;
}
