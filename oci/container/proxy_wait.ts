/**
 * Waits for a proxy (launch/proxy_process.ts) as `run` and `exec` do in the foreground: forwards
 * signals and terminal sizes to it, and restores the terminal at the end.
 */

import { Pollfd, POLLIN } from "../../ffi/abi/poll.ts";
import { SYS_kill, SYS_poll, SYS_wait4 } from "../../ffi/abi/syscall_numbers.ts";
import { __WALL } from "../../ffi/abi/wait.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { read } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { signalToEventfd } from "../../ffi/sys/signals.ts";
import type { Spawned } from "../../ffi/sys/spawn.ts";
import { RawTerminal } from "../host/terminal.ts";
import { forwardedSignals } from "../launch/command_signals.ts";
import { exitCodeOf } from "../protocol/launcher_channel.ts";

export class Foreground {
  readonly #terminal: RawTerminal | null;
  /** signal -> its eventfd. */
  readonly #signals = new Map<number, number>();

  /**
   * From now on signals are kept for the proxy. If the proxy gets this process's terminal, that
   * changes to raw mode.
   */
  constructor(hasTerminal: boolean) {
    this.#terminal = hasTerminal ? new RawTerminal(0) : null;
    for (const signo of forwardedSignals(hasTerminal)) {
      this.#signals.set(signo, signalToEventfd(signo));
    }
    this.#terminal?.enter();
  }

  /** Waits for the end. @returns the exit code as a shell has it */
  wait({ pid, pidfd }: Spawned): number {
    try {
      while (!this.#pollOnce(pid, pidfd));
      syscall(SYS_wait4, pid, scratch.area(0), __WALL, 0);
      return exitCodeOf(scratch.dv.getInt32(scratch.areaOffset(0), true));
    } finally {
      this.restore();
    }
  }

  restore(): void {
    this.#terminal?.restore();
  }

  /** True at the end of the process. */
  #pollOnce(pid: number, pidfd: number): boolean {
    const watched = [...this.#signals], base = scratch.areaOffset(0);
    const fdAt = (i: number): number => base + i * Pollfd.size;
    [pidfd, ...watched.map(([, fd]) => fd)].forEach((fd, i) => {
      scratch.dv.setInt32(fdAt(i) + Pollfd.at.fd, fd, true);
      scratch.dv.setInt16(fdAt(i) + Pollfd.at.events, POLLIN, true);
      scratch.dv.setInt16(fdAt(i) + Pollfd.at.revents, 0, true);
    });
    if (syscall(SYS_poll, scratch.area(0), watched.length + 1, -1) <= 0) return false;
    const isReady = (i: number): boolean =>
      scratch.dv.getInt16(fdAt(i) + Pollfd.at.revents, true) !== 0;
    if (isReady(0)) return true;
    const came = watched.filter((_, i) => isReady(i + 1));
    for (const [signo, fd] of came) {
      read(fd, scratch.area(1), 8);
      syscall(SYS_kill, pid, signo);
    }
    return false;
  }
}
