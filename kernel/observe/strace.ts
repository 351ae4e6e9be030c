/**
 * --strace: every system call as a line of the debug log, like strace(1): `[pid] name(args) =
 * result ERRNO`. format.ts makes the text of arguments by the types of the call's row
 * (syscalls/table.ts). The dispatcher calls this as its CallObserver.
 *
 * Input arguments are formatted when the call starts (they may be gone afterwards), results when it
 * ends. A call that waits is one line, at its end.
 */

import { ERRNO_NAMES } from "../../ffi/abi/errno.ts";
import type { LineLog } from "../core/line_log.ts";
import { IN_GUEST, NO_REPLY } from "../core/result.ts";
import type { CallObserver, ObservedCall } from "../task/call_record.ts";
import type { Task } from "../task/task.ts";
import { formatAfter, formatArgument, isOutput } from "./format.ts";

/** Linux's restart codes, which strace shows instead of an error. */
const RESTARTS: ReadonlyMap<number, string> = new Map([
  [-512, "ERESTARTSYS"],
  [-513, "ERESTARTNOINTR"],
  [-514, "ERESTARTNOHAND"],
  [-516, "ERESTART_RESTARTBLOCK"],
]);

export class Strace implements CallObserver {
  private readonly log: LineLog;
  /** The types of each call's arguments, split once. */
  private readonly types: Map<ObservedCall, readonly string[]> = new Map();
  /** The texts of the arguments of calls in progress. */
  private readonly pending: Map<Task, string[]> = new Map();

  constructor(log: LineLog) {
    this.log = log;
  }

  onEnter(task: Task, call: ObservedCall): void {
    const types = this.typesOf(call), texts: string[] = [];
    for (let i = 0; i < types.length; i++) texts.push(formatArgument(task, types, i));
    this.pending.set(task, texts);
  }

  onExit(task: Task, call: ObservedCall, result: number): void {
    const texts = this.pending.get(task) ?? [], types = this.typesOf(call);
    this.pending.delete(task);
    for (let i = 0; i < types.length; i++) {
      if (isOutput(types[i]!)) texts[i] = formatAfter(task, types, i, result);
    }
    this.log.line(`[${task.tid}] ${call.name}(${texts.join(", ")}) = ${resultText(result)}`);
  }

  private typesOf(call: ObservedCall): readonly string[] {
    let types = this.types.get(call);
    if (types === undefined) {
      types = call.args.split(" ").filter((t) => t !== "");
      this.types.set(call, types);
    }
    return types;
  }
}

function resultText(result: number): string {
  if (result === IN_GUEST || result === NO_REPLY) return "?";
  const restart = RESTARTS.get(result);
  if (restart !== undefined) return `? ${restart}`;
  if (result < 0) return `-1 ${ERRNO_NAMES[-result] ?? result}`;
  return result >= 0x10000 ? `0x${result.toString(16)}` : String(result);
}
