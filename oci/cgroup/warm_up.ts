/**
 * Begins what the first move of a process into a control group waits for.
 *
 * Such a move locks out forks on the whole host, for which Linux waits 5 to 15 ms when nobody has moved a process lately.
 * A thread asks for a move that changes nothing (this process to where it is), while this one goes on: the real move, some
 * milliseconds later, finds the wait begun or over. Where it is not allowed nothing is lost.
 */

import { join, relative } from "@std/path";
import { AT_FDCWD, O_CLOEXEC, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import { SYS_write } from "../../ffi/abi/syscall_numbers.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { openat } from "../../ffi/sys/files.ts";
import { HelperPool } from "../../ffi/sys/helper_threads.ts";
import { detectCgroups } from "./hierarchy.ts";

/** What the thread works with, for as long as it may run. */
let kept: { readonly pool: HelperPool; readonly pid: Uint8Array } | null = null;

/** Once in a process. */
export function warmUpMoves(): void {
  const path = ownProcs();
  const fd = path === null ? -1 : openat(AT_FDCWD, path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  const text = new TextEncoder().encode(String(Deno.pid));
  const pid = allocBuffer(text.length);
  pid.set(text);
  kept = { pool: new HelperPool(1), pid };
  kept.pool.submit(SYS_write, fd, addressOf(pid), pid.length, 0, 0, 0, 0);
}

/** The list of processes of a group that this one is in; null where none can be seen. */
function ownProcs(): string | null {
  try {
    const { v1, v2 } = detectCgroups();
    const tree = v2 ?? [...v1.values()][0];
    if (tree === undefined) return null;
    return join(tree.mountPoint, relative(tree.root, tree.own), "cgroup.procs");
  } catch {
    return null;
  }
}
