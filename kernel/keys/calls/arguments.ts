/**
 * Reads the arguments of calls on keys from user memory: names of types, descriptions, contents.
 */

import { EFAULT, EINVAL, ENAMETOOLONG, EPERM } from "../../../ffi/abi/errno.ts";
import type { Task } from "../../task/task.ts";

/** Bytes of a type's name and of any other string, each with its NUL. */
const TYPE_LENGTH = 32, STRING_LENGTH = 4096;

/** Reads the name of a type; names that begin with a dot are the kernel's own (-EPERM). */
export function typeName(t: Task, addr: number): string | number {
  const name = boundedString(t, addr, TYPE_LENGTH);
  if (typeof name === "number") return name;
  if (name === "") return -EINVAL;
  return name.startsWith(".") ? -EPERM : name;
}

/** Reads a type, description or callout text: the text, -EFAULT, or -EINVAL if it is too long. */
export function keyString(t: Task, addr: number): string | number {
  return boundedString(t, addr, STRING_LENGTH);
}

function boundedString(t: Task, addr: number, max: number): string | number {
  const text = t.mm.cstring(addr, max);
  return text === -ENAMETOOLONG ? -EINVAL : text;
}

/** Reads contents of `len` bytes; the caller has bounded `len`. */
export function contents(t: Task, addr: number, len: number): Uint8Array<ArrayBuffer> | number {
  const bytes = new Uint8Array(len);
  return len > 0 && t.mm.copyIn(bytes, 0, addr, len) !== 0 ? -EFAULT : bytes;
}
