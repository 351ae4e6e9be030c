/** A tracer and a stopped tracee in a lab of tasks, for unit tests of ptrace(2). */

import { assertEquals } from "@std/assert";
import { ERRNO_NAMES } from "../../ffi/abi/errno.ts";
import { PTRACE_TRACEME } from "../../ffi/abi/ptrace.ts";
import { SIGSTOP } from "../../ffi/abi/signal.ts";
import { WNOHANG } from "../../ffi/abi/wait.ts";
import { DATA, LabKernel } from "../testing/task_lab.ts";
import type { Task } from "../task/task.ts";

/** An address without memory, and the address of results in the tracer. */
export const BAD = 8, OUT: number = DATA + 0x1000;
const STATUS = DATA + 0x9000;

export class TraceLab {
  readonly kernel: LabKernel = new LabKernel();
  readonly tracer: Task = this.kernel.start();
  readonly tracee: Task = this.fork();

  fork(): Task {
    return this.kernel.pids.tasks.get(Number(this.kernel.call(this.tracer, "fork")))!;
  }
  /** The tracee begins to be traced, and stops for a SIGSTOP. */
  stop(): void {
    assertEquals(this.kernel.call(this.tracee, "ptrace", PTRACE_TRACEME), 0);
    this.kernel.call(this.tracee, "kill", this.tracee.pid, SIGSTOP);
    assertEquals(this.wait(), SIGSTOP << 8 | 0x7f);
  }
  /** The status of the stop for which the tracer waits; 0: none. */
  wait(): number {
    this.tracer.mm.store32(STATUS, 0);
    this.kernel.call(this.tracer, "wait4", this.tracee.tid, STATUS, WNOHANG, 0);
    return this.tracer.mm.load32(STATUS);
  }
  /** A request of the tracer: the result, or the name of its error. */
  do(request: number, addr = 0, data = 0, pid: number = this.tracee.tid): number | string {
    const r = this.kernel.call(this.tracer, "ptrace", request, pid, addr, data);
    return typeof r === "number" && r < 0 ? ERRNO_NAMES[-r]! : r;
  }
  put32(addr: number, ...words: readonly number[]): void {
    words.forEach((word, i) => this.tracer.mm.store32(addr + 4 * i, word));
  }
  put64(addr: number, ...words: readonly number[]): number {
    words.forEach((word, i) => this.tracer.mm.store64(addr + 8 * i, word));
    return addr;
  }
  /** Bytes of the tracer's memory. */
  bytes(addr: number, length: number): Uint8Array<ArrayBuffer> {
    const out = new Uint8Array(length);
    assertEquals(this.tracer.mm.copyIn(out, 0, addr, length), 0);
    return out;
  }
  get32(addr: number): number {
    return this.tracer.mm.load32(addr);
  }
  get64(addr: number): number {
    return this.tracer.mm.load64(addr);
  }
}

/** Runs a test with a tracee that has stopped. */
export function withStopped(test: (lab: TraceLab) => void): void {
  withRunning((lab) => {
    lab.stop();
    test(lab);
  });
}

export function withRunning(test: (lab: TraceLab) => void): void {
  const lab = new TraceLab();
  test(lab);
  lab.kernel.close();
}
