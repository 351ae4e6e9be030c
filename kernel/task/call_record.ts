/**
 * Records the calls of all guests of a kernel: an observer is notified of each, and the last ones
 * are kept as numbers, cheaply, for the report of a kernel that failed. Neighbours:
 * observe/strace.ts observes; oci/boot writes the reports; syscalls/dispatch.ts records.
 */

import { NAMES } from "../../ffi/abi/syscall_numbers.ts";
import type { Task } from "./task.ts";

/** Number of calls kept: a power of two. */
const KEPT = 128;
/** Number of calls in a report. */
export const REPORTED = 100;

/** The part of a row of the system call table that an observer reads. */
export interface ObservedCall {
  readonly name: string;
  /** The types of its arguments, separated by blanks. */
  readonly args: string;
}

/** Observes calls, for --strace. */
export interface CallObserver {
  onEnter(task: Task, call: ObservedCall): void;
  /** Called once, when the call has its result (or its restart code, or IN_GUEST: none). */
  onExit(task: Task, call: ObservedCall, result: number): void;
}

export class CallRecord {
  /** Null: calls are not observed. */
  readonly observer: CallObserver | null;
  /** Number of calls since the start. */
  count: number = 0;
  private readonly tids: Int32Array = new Int32Array(KEPT);
  private readonly numbers: Int32Array = new Int32Array(KEPT);
  /** Numbers of unknown calls; the log names each once. */
  private readonly unknown: Set<number> = new Set();

  constructor(observer: CallObserver | null) {
    this.observer = observer;
  }

  /** Records the start of a call. HOT */
  note(tid: number, nr: number): void {
    const at = this.count++ & (KEPT - 1);
    this.tids[at] = tid;
    this.numbers[at] = nr;
  }

  /** The last calls, one line each, the latest last. */
  lines(): string[] {
    const lines: string[] = [];
    for (let i = Math.max(0, this.count - REPORTED); i < this.count; i++) {
      const at = i & (KEPT - 1), nr = this.numbers[at] ?? -1;
      lines.push(`[${this.tids[at]}] ${NAMES[nr] || `call ${nr}`}`);
    }
    return lines;
  }

  /** True for the first call with this unknown number. */
  isFirstUnknown(nr: number): boolean {
    if (this.unknown.has(nr) || this.unknown.size >= NAMES.length) return false;
    this.unknown.add(nr);
    return true;
  }
}
