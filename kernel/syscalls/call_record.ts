/**
 * The calls of all guests of a kernel: an observer of each, and the last ones for the report of a
 * kernel that failed, as numbers only, so that noting one costs next to nothing. Neighbours:
 * observe/strace.ts observes; oci/sandbox writes the reports; dispatch.ts notes.
 */

import { NAMES } from "../../ffi/abi/syscall_numbers.ts";
import type { Task } from "../task/task.ts";
import type { Row } from "./table.ts";

/** How many are kept: a power of two. */
const KEPT = 128;
/** How many a report shows. */
export const REPORTED = 100;

/** Watches calls, for --strace. */
export interface CallObserver {
  onEnter(task: Task, row: Row): void;
  /** Once, when the call has its result (or its restart code, or IN_GUEST: none). */
  onExit(task: Task, row: Row, result: number): void;
}

export class CallRecord {
  /** Null: calls are not watched. */
  readonly observer: CallObserver | null;
  /** Calls since the start. */
  count: number = 0;
  private readonly tids: Int32Array = new Int32Array(KEPT);
  private readonly numbers: Int32Array = new Int32Array(KEPT);
  /** Numbers of calls that are not in the table, each of which the log names once. */
  private readonly unknown: Set<number> = new Set();

  constructor(observer: CallObserver | null) {
    this.observer = observer;
  }

  /** A call begins. HOT */
  note(tid: number, nr: number): void {
    const at = this.count++ & (KEPT - 1);
    this.tids[at] = tid;
    this.numbers[at] = nr;
  }

  /** The last ones, a line each, the latest last. */
  lines(): string[] {
    const lines: string[] = [];
    for (let i = Math.max(0, this.count - REPORTED); i < this.count; i++) {
      const at = i & (KEPT - 1), nr = this.numbers[at] ?? -1;
      lines.push(`[${this.tids[at]}] ${NAMES[nr] || `call ${nr}`}`);
    }
    return lines;
  }

  /** Whether a call that is not in the table is made for the first time. */
  isFirstUnknown(nr: number): boolean {
    if (this.unknown.has(nr) || this.unknown.size >= NAMES.length) return false;
    this.unknown.add(nr);
    return true;
  }
}
