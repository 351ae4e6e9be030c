/**
 * Starts early what the first move of a process into a control group waits for.
 *
 * Such a move locks out forks on the whole host, for which Linux waits 5 to 15 ms when no process
 * was moved lately. A thread moves this process to where it is already, which changes nothing,
 * while the command goes on. The real move some milliseconds later finds the wait begun or over.
 * Where the move is not permitted nothing is lost.
 */

import { join, relative } from "@std/path";
import { AT_FDCWD, O_CLOEXEC, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import { SYS_write } from "../../../ffi/abi/syscall_numbers.ts";
import { addressOf, allocBuffer } from "../../../ffi/sys/cstring.ts";
import { openat } from "../../../ffi/sys/files.ts";
import { HelperPool } from "../../../ffi/sys/helper_threads.ts";
import type { ContainerCgroup } from "./container_cgroup.ts";
import { detectCgroups } from "./hierarchy.ts";

/** The memory that the thread uses, for as long as it may run. */
let kept: { readonly pool: HelperPool; readonly text: Uint8Array } | null = null;

/**
 * Called before a command makes a control group: moves this process to where it is. Once in a
 * process.
 */
export function warmUpMoves(): void {
  try {
    const { v1, v2 } = detectCgroups();
    const tree = v2 ?? [...v1.values()][0];
    if (tree !== undefined) move(join(tree.mountPoint, relative(tree.root, tree.own)), Deno.pid);
  } catch {
    // Where there are no control groups, the code that needs them reports it.
  }
}

/** Warms up the code with another process, which is in a group. */
export function warmUpWith(group: ContainerCgroup, pid: number): void {
  if (group.mainDirectory !== null) move(group.mainDirectory, pid);
}

function move(dir: string, pid: number): void {
  const fd = openat(AT_FDCWD, join(dir, "cgroup.procs"), O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  const digits = new TextEncoder().encode(String(pid)), text = allocBuffer(digits.length);
  text.set(digits);
  kept = { pool: new HelperPool(1), text };
  kept.pool.submit(SYS_write, fd, addressOf(text), text.length, 0, 0, 0, 0);
}
