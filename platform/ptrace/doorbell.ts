/**
 * SIGCHLD as the doorbell of stopped threads. It is off while the Sentry is awake, since a signal
 * for each stop doubles the cost of a call.
 *
 * The host sends SIGCHLD for stops only without SA_NOCLDSTOP, which is cleared for a sleep and set
 * again after it. Neighbour: `ptrace_platform.ts`. Source: sigaction(2).
 */

import { SA_NOCLDSTOP, Sigaction, SIGCHLD, SIGSET_SIZE } from "../../ffi/abi/signal.ts";
import { SYS_rt_sigaction } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { read } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { signalToEventfd } from "../../ffi/sys/signals.ts";
import type { Tracer } from "./tracer.ts";

export class Doorbell {
  /** Readable when a thread stopped or ended while the bell was on. */
  readonly fd: number;
  /** Host addresses of the two actions, struct sigaction. */
  readonly #loud: number;
  readonly #silent: number;

  constructor(tracer: Tracer) {
    this.fd = signalToEventfd(SIGCHLD);
    this.#loud = tracer.address(tracer.actions);
    this.#silent = this.#loud + Sigaction.size;
    for (const address of [this.#loud, this.#silent]) {
      check(syscall(SYS_rt_sigaction, SIGCHLD, 0, address, SIGSET_SIZE), "rt_sigaction SIGCHLD");
    }
    const flags = tracer.actions + Sigaction.size + Sigaction.at.flags;
    tracer.dv.setUint32(flags, tracer.dv.getUint32(flags, true) | SA_NOCLDSTOP, true);
    this.turnOff();
  }

  /** From now on stops ring; the caller must look for earlier ones. */
  turnOn(): void {
    read(this.fd, scratch.area(0), 8);
    syscall(SYS_rt_sigaction, SIGCHLD, this.#loud, 0, SIGSET_SIZE);
  }

  turnOff(): void {
    syscall(SYS_rt_sigaction, SIGCHLD, this.#silent, 0, SIGSET_SIZE);
    read(this.fd, scratch.area(0), 8);
  }

  /** The action that `signalToEventfd` installed. */
  close(): void {
    syscall(SYS_rt_sigaction, SIGCHLD, this.#loud, 0, SIGSET_SIZE);
  }
}
