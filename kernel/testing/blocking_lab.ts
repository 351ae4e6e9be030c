/** A call lab (call_lab.ts) that runs a call which blocked once more, as the loop does. */

import type { SyscallArgs } from "../../platform/platform.ts";
import type { Task } from "../task/task.ts";
import { CallLab } from "./call_lab.ts";

type Handler = (t: Task, a: SyscallArgs) => number;

export class BlockingLab extends CallLab {
  private saved: SyscallArgs | null = null;
  private handler: Handler | null = null;

  /** Calls a handler; the result as `CallLab.call` has it. */
  start(handler: Handler, ...args: (number | string)[]): number | string {
    this.handler = handler;
    return this.call((t, a) => {
      this.saved = a;
      return handler(t, a);
    }, ...args);
  }
  /** Runs the handler of `start` again, with the same arguments and the progress that it made. */
  again(): number {
    this.task.endWait();
    return this.handler!(this.task, this.saved!);
  }
}
