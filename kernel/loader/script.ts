/**
 * Parses the first line of a script: `#!interpreter [argument]` (fs/binfmt_script.c). load.ts calls
 * it.
 */

import { ENOEXEC } from "../../ffi/abi/errno.ts";
import { bytesToString } from "../core/bytes.ts";

/** The bytes of a file that decide its format; a longer first line is cut there. */
export const HEAD_BYTES = 256;

interface ScriptLine {
  readonly interpreter: string;
  /** The rest of the line as one argument; null when there is none. */
  readonly argument: string | null;
}

export function isScript(head: Uint8Array): boolean {
  return head[0] === 0x23 && head[1] === 0x21;
}

function isBlank(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x09;
}

/**
 * Parses `head`, which has HEAD_BYTES bytes, zero filled behind the end of the file; -ENOEXEC when
 * it is malformed.
 */
export function parseScript(head: Uint8Array): ScriptLine | number {
  let end = -1;
  for (let i = 2; i < HEAD_BYTES && end < 0; i++) {
    if (head[i] === 0x0a) end = i;
    else if (head[i] === 0) break;
  }
  if (end < 0) {
    // No end of line: at least the whole name must be in `head`.
    const last = HEAD_BYTES - 1;
    const name = skipBlanks(head, 2, last);
    if (name < 0 || terminator(head, name, last) < 0) return -ENOEXEC;
    end = last;
  }
  while (end > 2 && isBlank(head[end - 1])) end--;
  const name = skipBlanks(head, 2, end);
  if (name < 0 || name === end) return -ENOEXEC;
  const nameEnd = terminator(head, name, end);
  const interpreter = textAt(head, name, nameEnd < 0 ? end : nameEnd);
  if (interpreter === "") return -ENOEXEC;
  if (nameEnd < 0 || head[nameEnd] === 0) return { interpreter, argument: null };
  const argument = skipBlanks(head, nameEnd, end);
  if (argument < 0 || argument === end) return { interpreter, argument: null };
  return { interpreter, argument: textAt(head, argument, end) };
}

/** The index of the first byte in [from, to] that is not a blank, or -1. */
function skipBlanks(head: Uint8Array, from: number, to: number): number {
  for (let i = from; i <= to; i++) if (!isBlank(head[i])) return i;
  return -1;
}

/** The index of the first blank or NUL in [from, to], or -1. */
function terminator(head: Uint8Array, from: number, to: number): number {
  for (let i = from; i <= to; i++) if (isBlank(head[i]) || head[i] === 0) return i;
  return -1;
}

/** The bytes [from, to) up to the first NUL. */
function textAt(head: Uint8Array, from: number, to: number): string {
  const nul = head.subarray(from, to).indexOf(0);
  return bytesToString(head, from, nul < 0 ? to : from + nul);
}
