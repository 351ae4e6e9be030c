/** `dvisor wait`: waits for the end of a container. */

import { POLLIN } from "../../../ffi/abi/poll.ts";
import { SYS_pidfd_open } from "../../../ffi/abi/syscall_numbers.ts";
import { close, poll } from "../../../ffi/sys/files.ts";
import { syscall } from "../../../ffi/sys/native.ts";
import { findContainer, onlyId } from "../../container/found_container.ts";
import { isAlive } from "../../state/liveness.ts";
import { defineCommand } from "../command.ts";
import { useSandbox } from "../library_sandbox.ts";

/** A sandbox of a library is waited for in pieces, ms. */
const WAIT_MS = 3_600_000;

export const command = defineCommand({
  name: "wait",
  summary: "wait for the end of a container",
  usage: ["ID"],
  operands: ["container"],
  description:
    "Waits until a container has stopped. Only the command that started it gets its exit " +
    "code.",
  options: {},
  isGoStyle: true,
  run(flags, globals) {
    const id = onlyId(flags.rest, "wait");
    const isSandbox = useSandbox(globals, id, (client) => {
      while (client.waitMs(WAIT_MS));
    });
    if (isSandbox) return 0;
    const { init } = findContainer(globals.store, id).record;
    const pidfd = syscall(SYS_pidfd_open, init.pid, 0);
    if (pidfd < 0) return 0;
    // The pidfd is open: a process that gets the pid later would not have the same start time.
    if (isAlive(init)) poll(pidfd, POLLIN, -1);
    close(pidfd);
    return 0;
  },
});
