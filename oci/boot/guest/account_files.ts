/**
 * The files of the guest that name its users: passwd(5) and group(5). The guest may write them, so
 * they are read as what they are: some text.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { AT_FDCWD, O_RDONLY } from "../../../ffi/abi/fcntl.ts";
import { copyToBuffer } from "../../../ffi/mem/native_memory.ts";
import { bytesToString } from "../../../kernel/core/bytes.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { KernelCursor } from "../../../kernel/mm/cursor.ts";
import { isRegular } from "../../../kernel/vfs/access.ts";
import type { Caller } from "../../../kernel/vfs/caller.ts";
import { openAt } from "../../../kernel/vfs/open.ts";
import { statAt } from "../../../kernel/vfs/status.ts";

export const PASSWD = "/etc/passwd", GROUP = "/etc/group";
/** LIMIT: pages of a file that are searched. */
const PAGES = 64;

/** The fields of the lines of a file that the caller can read; none if it is no regular file. */
export function accountLines(kernel: SandboxKernel, caller: Caller, path: string): string[][] {
  return fieldsOf(readText(kernel, caller, path));
}

/** The fields of each line. */
export function fieldsOf(text: string): string[][] {
  return text.split("\n").map((line) => line.split(":"));
}

function readText(kernel: SandboxKernel, caller: Caller, path: string): string {
  const inode = statAt(caller, AT_FDCWD, path, 0);
  if (typeof inode === "number" || !isRegular(inode)) return "";
  const file = openAt(caller, AT_FDCWD, path, O_RDONLY, 0);
  if (typeof file === "number") return "";
  const { frames } = kernel.memory, frame = frames.alloc(PAGES);
  let text = "";
  if (frame >= 0) {
    const address = frames.arena.base + frame, cursor = new KernelCursor();
    const n = file.read(cursor.set(address, PAGES * PAGE_SIZE), 0);
    const bytes = new Uint8Array(Math.max(0, n));
    copyToBuffer(bytes, 0, address, bytes.length);
    text = bytesToString(bytes, 0, bytes.length);
    frames.release(frame, PAGES);
  }
  file.drop();
  return text;
}
