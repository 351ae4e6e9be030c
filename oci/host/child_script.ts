/**
 * Runs a launch script in a short-lived child, because its steps (joining namespaces, changing the
 * user) must not change this process.
 */

import { SYS_wait4 } from "../../ffi/abi/syscall_numbers.ts";
import { __WALL } from "../../ffi/abi/wait.ts";
import { SyscallError } from "../../ffi/sys/errors.ts";
import { close } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { spawn, type SpawnScript } from "../../ffi/sys/spawn.ts";

/**
 * Runs the script and waits for the child's end.
 *
 * @param cloneFlags CLONE_NEW*: namespaces of the child
 * @returns the error of the step that failed, or null
 */
export function runInChild(script: SpawnScript, cloneFlags = 0): SyscallError | null {
  try {
    const child = spawn(script, cloneFlags);
    syscall(SYS_wait4, child.pid, 0, __WALL, 0);
    close(child.pidfd);
    return null;
  } catch (error) {
    if (error instanceof SyscallError) return error;
    throw error;
  }
}
