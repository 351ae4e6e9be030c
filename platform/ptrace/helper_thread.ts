/**
 * The thread of a stub that never runs guest code: it makes the system calls that change the stub.
 *
 * Arguments are in its registers, or in the command page, which the guest can only read, so no
 * guest thread can change them. Neighbours: `stub_image.ts` is its code, `command_pages.ts` has its
 * commands, `space.ts` owns it.
 */

import { ESRCH } from "../../ffi/abi/errno.ts";
import { PTRACE_CONT, UserRegs } from "../../ffi/abi/ptrace.ts";
import { SIGTRAP } from "../../ffi/abi/signal.ts";
import { Tracee } from "./tracee.ts";
import {
  BATCH_OFFSET,
  CALL_OFFSET,
  COMMAND_BYTES,
  STUB_CONTROL,
  STUB_TEXT,
  SYSCALL_BYTES,
} from "./stub_image.ts";

const ARGUMENTS = [
  UserRegs.at.rdi,
  UserRegs.at.rsi,
  UserRegs.at.rdx,
  UserRegs.at.r10,
  UserRegs.at.r8,
  UserRegs.at.r9,
];

export class HelperThread extends Tracee {
  /** Address of the stub's text; differs from STUB_TEXT only while the zygote is set up. */
  text = STUB_TEXT;
  #onEnd: (() => void) | null = null;
  #status = 0;

  /** Called once, when the thread and so its process has ended. */
  set ended(listener: () => void) {
    this.#onEnd = listener;
  }

  override onStop(status: number): void {
    this.#status = status;
  }

  override onEnd(): void {
    this.#onEnd?.();
  }

  /** Makes one system call in the stub: its result, or -ESRCH if the stub is gone. */
  call(nr: number, ...args: number[]): number {
    this.set(UserRegs.at.rax, nr);
    for (let i = 0; i < args.length; i++) this.set(ARGUMENTS[i]!, args[i]!);
    if (!this.#run(this.text + CALL_OFFSET)) return -ESRCH;
    if (this.u64(UserRegs.at.rip) < this.text + SYSCALL_BYTES) return -ESRCH; // not made
    return this.i64(UserRegs.at.rax);
  }

  /** Runs the first `count` commands of the page: 0, or the error of the one that failed. */
  runBatch(count: number): number {
    const end = STUB_CONTROL + count * COMMAND_BYTES;
    this.set(UserRegs.at.rbx, STUB_CONTROL);
    this.set(UserRegs.at.rbp, end);
    if (!this.#run(this.text + BATCH_OFFSET)) return -ESRCH;
    return this.u64(UserRegs.at.rbx) === end ? 0 : this.i64(UserRegs.at.rax);
  }

  /**
   * Runs from `rip` to the next trap; the block then has the registers. False if the stub has
   * ended.
   */
  #run(rip: number): boolean {
    if (this.isDead) return false;
    this.set(UserRegs.at.rip, rip);
    this.set(UserRegs.at.origRax, -1);
    if (this.load() < 0) return false;
    do {
      if (this.resume(PTRACE_CONT) < 0) return false;
      this.tracer.waitFor(this);
      if (this.isDead) return false;
    } while (!this.#isTrap()); // a signal from another process is dropped
    return this.fetch() === 0;
  }

  /** Whether its int3 stopped it, or a fault in place of that. */
  #isTrap(): boolean {
    if ((this.#status >> 8) === SIGTRAP) return true;
    return this.fetchSiginfo() < 0 || this.tracer.dv.getInt32(this.tracer.siginfo + 8, true) > 0;
  }
}
