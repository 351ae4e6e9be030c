/** Ends a child of this process. */

import { SIGKILL } from "../../ffi/abi/signal.ts";
import { SYS_pidfd_send_signal, SYS_wait4 } from "../../ffi/abi/syscall_numbers.ts";
import { __WALL } from "../../ffi/abi/wait.ts";
import { close } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { Spawned } from "../../ffi/sys/spawn.ts";

/** Kills and reaps a child and closes its pidfd. */
export function endChild({ pid, pidfd }: Spawned): void {
  syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, 0, 0);
  syscall(SYS_wait4, pid, 0, __WALL, 0);
  close(pidfd);
}
