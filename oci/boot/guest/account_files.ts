/**
 * The files of the guest that name its users: passwd(5) and group(5). The guest may write them, so
 * they are read as what they are: some bytes. A line is found by one pass over them, which makes no
 * strings: 128 KiB of newlines would be as many lines.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { AT_FDCWD, O_RDONLY } from "../../../ffi/abi/fcntl.ts";
import { copyToBuffer } from "../../../ffi/mem/native_memory.ts";
import { bytesToString, stringToBytes } from "../../../kernel/core/bytes.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { KernelCursor } from "../../../kernel/mm/cursor.ts";
import { isRegular } from "../../../kernel/vfs/access.ts";
import type { Caller } from "../../../kernel/vfs/caller.ts";
import { openAt } from "../../../kernel/vfs/open.ts";
import { statAt } from "../../../kernel/vfs/status.ts";

export const PASSWD = "/etc/passwd", GROUP = "/etc/group";
/** LIMIT: pages of a file that are searched; the pass over them takes a millisecond. */
const PAGES = 32;
/** LIMIT: bytes of a field that is read. */
const FIELD_BYTES = 4096;
const NEWLINE = 10, COLON = 58, COMMA = 44;

/** Lines of fields between colons. A line is known by where it starts; -1 is none. */
export class AccountFile {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The first line, from the one that starts at `from`, whose field `index` is `value`. */
  lineWith(index: number, value: string, from = 0): number {
    return this.#find(index, stringToBytes(value), COLON, from);
  }

  /** As `lineWith`, for a value among those of the field that have commas between them. */
  lineListing(index: number, value: string, from = 0): number {
    return this.#find(index, stringToBytes(value), COMMA, from);
  }

  /** The start of the line behind a line. */
  after(line: number): number {
    const end = this.#bytes.indexOf(NEWLINE, line);
    return end < 0 ? this.#bytes.length : end + 1;
  }

  /** A field as a byte string; "" if the line has none or a very long one. */
  field(line: number, index: number): string {
    const bytes = this.#bytes;
    let at = line;
    for (let left = index; left > 0; at++) {
      const byte = bytes[at] ?? NEWLINE;
      if (byte === NEWLINE) return "";
      if (byte === COLON) left--;
    }
    let end = at;
    while (end < bytes.length && bytes[end] !== NEWLINE && bytes[end] !== COLON) end++;
    return end - at > FIELD_BYTES ? "" : bytesToString(bytes, at, end);
  }

  #find(index: number, value: Uint8Array, separator: number, from: number): number {
    const bytes = this.#bytes, { length } = bytes;
    let line = from, field = 0, start = from;
    for (let at = from; at <= length; at++) {
      const byte = at < length ? bytes[at] : NEWLINE;
      if (byte !== NEWLINE && byte !== COLON && byte !== separator) continue;
      if (field === index && at - start === value.length && this.#isAt(start, value)) return line;
      start = at + 1;
      if (byte === COLON) field++;
      else if (byte === NEWLINE) field = 0;
      if (byte === NEWLINE) line = start;
    }
    return -1;
  }

  #isAt(start: number, value: Uint8Array): boolean {
    for (let i = 0; i < value.length; i++) if (this.#bytes[start + i] !== value[i]) return false;
    return true;
  }
}

/** A file that the caller can read; one without lines if it is no regular file. */
export function readAccounts(kernel: SandboxKernel, caller: Caller, path: string): AccountFile {
  return new AccountFile(readBytes(kernel, caller, path));
}

function readBytes(kernel: SandboxKernel, caller: Caller, path: string): Uint8Array {
  const none = new Uint8Array(0), inode = statAt(caller, AT_FDCWD, path, 0);
  if (typeof inode === "number" || !isRegular(inode)) return none;
  const file = openAt(caller, AT_FDCWD, path, O_RDONLY, 0);
  if (typeof file === "number") return none;
  const { frames } = kernel.memory, frame = frames.alloc(PAGES);
  let bytes = none;
  if (frame >= 0) {
    const address = frames.arena.base + frame, cursor = new KernelCursor();
    const n = file.read(cursor.set(address, PAGES * PAGE_SIZE), 0);
    bytes = new Uint8Array(Math.max(0, n));
    copyToBuffer(bytes, 0, address, bytes.length);
    frames.release(frame, PAGES);
  }
  file.drop();
  return bytes;
}
