/**
 * What connects a guest process with the host: its standard files and its terminal. A snapshot
 * takes them along, and the descriptors of a restored process's new start take the places of the
 * old ones.
 */

import { close } from "../../../ffi/sys/files.ts";
import { Console } from "../../../kernel/console.ts";
import type { MasterFile } from "../../../kernel/fs/devpts/master_file.ts";
import type { HostFdInode } from "../../../kernel/fs/hostfd/host_inode.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import type { GuestFds, ProcessSpec } from "../../protocol/boot_spec.ts";
import { UserError } from "../../user_error.ts";
import { TerminalBridge } from "./terminal_bridge.ts";

export interface GuestStreams {
  /** By places in `GuestFds`; null: the guest has no file for that descriptor of the host. */
  readonly inodes: readonly (HostFdInode | null)[];
  /** The master of the terminal that the process was started with; null: it has none. */
  readonly master: MasterFile | null;
}

/** Of a process that nothing connects with the host. */
export const NO_STREAMS: GuestStreams = { inodes: [], master: null };

/**
 * Connects a restored process with the host.
 *
 * @param stdio host descriptors, which the guest owns from then on, even if this fails
 * @returns the bridge of the terminal, or null
 * @throws UserError if the new start has a terminal and the process has not, or the reverse
 */
export function connectStreams(
  kernel: SandboxKernel,
  { inodes, master }: GuestStreams,
  stdio: GuestFds,
  { terminal, consoleSize }: Pick<ProcessSpec, "terminal" | "consoleSize">,
): TerminalBridge | null {
  if (terminal !== (master !== null)) {
    for (const fd of stdio) close(fd);
    throw new UserError(
      master === null
        ? "process.terminal is true, and the process in the snapshot has no terminal"
        : "process.terminal is false, and the process in the snapshot has a terminal",
    );
  }
  stdio.forEach((fd, i) => {
    if (master === null || i > 1) connect(inodes[i] ?? null, fd);
  });
  if (master === null) return null;
  if (consoleSize !== null) master.resize(consoleSize.rows, consoleSize.columns);
  const console = Console.over(kernel.terminals, master);
  return new TerminalBridge(kernel.host, console, stdio[0], stdio[1]);
}

/** A file that the guest has closed needs no descriptor. */
function connect(inode: HostFdInode | null, fd: number): void {
  if (inode === null || inode.files.size === 0) close(fd);
  else inode.connect(fd);
}
