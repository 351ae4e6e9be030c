/**
 * HOME of a container's process: from the container's /etc/passwd where the environment has none,
 * as with runc.
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

const PASSWD = "/etc/passwd";
/** LIMIT: bytes of the file that are searched. */
const PAGES = 64;
const DEFAULT_HOME = "/";

/** The environment with a HOME. Byte strings. */
export function withHome(
  kernel: SandboxKernel,
  caller: Caller,
  env: readonly string[],
  uid: number,
): readonly string[] {
  if (env.some((entry) => entry.startsWith("HOME=") && entry !== "HOME=")) return env;
  const home = homeIn(readPasswd(kernel, caller), uid);
  return [...env.filter((entry) => entry !== "HOME="), `HOME=${home}`];
}

/** The home directory of a user in the text of a passwd(5) file; "/" for an unknown user. */
export function homeIn(passwd: string, uid: number): string {
  for (const line of passwd.split("\n")) {
    const fields = line.split(":");
    const home = fields[5];
    if (fields[2] !== String(uid) || home === undefined || home === "") continue;
    // No string of an environment has a NUL.
    if (!home.includes("\0")) return home;
  }
  return DEFAULT_HOME;
}

function readPasswd(kernel: SandboxKernel, caller: Caller): string {
  const inode = statAt(caller, AT_FDCWD, PASSWD, 0);
  if (typeof inode === "number" || !isRegular(inode)) return "";
  const file = openAt(caller, AT_FDCWD, PASSWD, O_RDONLY, 0);
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
