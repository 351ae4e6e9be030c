/**
 * A host thread that runs guest code, always under PTRACE_SYSEMU: the host makes no system call for
 * it.
 *
 * Not here: registers and the trap as the kernel sees them (`context.ts`), what a stop means
 * (`stops.ts`).
 */

import { PTRACE_CONT, PTRACE_SYSEMU, UserRegs } from "../../ffi/abi/ptrace.ts";
import { SYS_exit, SYS_tgkill } from "../../ffi/abi/syscall_numbers.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { TRAP_DEATH, TRAP_NONE, USER_CS } from "../platform.ts";
import type { PtraceContext } from "./context.ts";
import type { PtraceSpace } from "./space.ts";
import { decodeStop, KICK, KICK_SIGNAL, REPORT } from "./stops.ts";
import { CALL_OFFSET, STUB_TEXT } from "./stub_image.ts";
import { Tracee } from "./tracee.ts";
import type { Tracer } from "./tracer.ts";

export class GuestThread extends Tracee {
  readonly space: PtraceSpace;
  /** Null while the thread is idle, or runs on after its context was released. */
  context: PtraceContext | null = null;
  isRunning = false;
  /** The stop at its birth was seen. */
  #isBorn = false;
  /** A kick was sent, and its stop was not seen yet. */
  #isKickSent = false;
  /** The kernel has interrupted the present run. */
  #isInterruptWanted = false;

  constructor(tracer: Tracer, tid: number, space: PtraceSpace) {
    super(tracer, tid);
    this.space = space;
  }

  /**
   * Lets the stopped thread run guest code. If it was killed, the tracer reports its end soon. HOT
   */
  run(): void {
    if (this.isDead || this.resume(PTRACE_SYSEMU) < 0) return;
    this.isRunning = true;
    this.tracer.runningCount++;
  }

  interrupt(): void {
    if (!this.isRunning) return;
    this.#isInterruptWanted = true;
    this.#kick();
  }

  #kick(): void {
    if (this.#isKickSent) return;
    this.#isKickSent = syscall(SYS_tgkill, this.space.hostPid, this.tid, KICK_SIGNAL) === 0;
  }

  /** Stops the thread of a released context, so that another one can use it. */
  release(): void {
    this.context = null;
    if (this.isRunning) this.#kick();
    else if (this.isStopped) this.space.threadIsFree(this);
  }

  /** Ends the stopped thread. */
  exit(): void {
    this.set(UserRegs.at.rip, STUB_TEXT + CALL_OFFSET);
    this.set(UserRegs.at.rax, SYS_exit);
    this.set(UserRegs.at.rdi, 0);
    this.set(UserRegs.at.origRax, -1);
    this.set(UserRegs.at.cs, USER_CS);
    if (this.load() === 0) this.resume(PTRACE_CONT);
  }

  /** HOT */
  override onStop(status: number): void {
    if (this.isRunning) {
      this.isRunning = false;
      this.tracer.runningCount--;
    }
    if (!this.#isBorn) {
      this.#isBorn = true;
      return;
    }
    const context = this.context;
    if (context === null) {
      this.#isInterruptWanted = false;
      this.space.threadIsFree(this);
      return;
    }
    const decoded = decodeStop(this, context, status);
    if (decoded === KICK) this.#isKickSent = false;
    if (decoded === REPORT || decoded === KICK && this.#isInterruptWanted) {
      this.#isInterruptWanted = false;
      this.tracer.enqueue(context);
    } else {
      context.trap = TRAP_NONE;
      this.run(); // a kick for a run that ended by itself, or a signal from another process
    }
  }

  override onEnd(): void {
    if (this.isRunning) {
      this.isRunning = false;
      this.tracer.runningCount--;
    }
    const context = this.context;
    this.space.threadEnded(this);
    if (context === null) return;
    context.trap = TRAP_DEATH;
    context.deathCause = "its host thread ended";
    this.tracer.enqueue(context);
  }
}
