/**
 * The system call table as data. A family (`io/`, `fs/`, ...) exports rows; `x86_64.ts` combines
 * them. The dispatch array, --strace, `dvisor syscalls` and the compatibility page are made from
 * them.
 */

import type { SyscallArgs } from "../../platform/platform.ts";
import { NAMES } from "../../ffi/abi/syscall_numbers.ts";
import type { Task } from "../task/task.ts";
import { RESTART_BLOCK, RESTART_EINTR, RESTART_NOHAND, RESTART_SYS } from "../task/task.ts";

export type Handler = (t: Task, a: SyscallArgs) => number;

/** full: as on Linux; partial: the note says what is missing; refused: fails as the note says. */
type Support = "full" | "partial" | "refused";

export interface Row {
  readonly nr: number;
  readonly name: string;
  readonly handler: Handler;
  /**
   * Types of the arguments for strace, separated by spaces: fd int uint long hex ptr size off path
   * str buf (input bytes, length in the next argument) out (output bytes, length is the result) sig
   * mode dirfd openflags mmapprot mmapflags cloneflags timespec iov msghdr sockaddr argv pid uid
   * clock futexop epollop ioctl fcntl whence sigset sigaction stat
   */
  readonly args: string;
  readonly restart: number;
  /** The handler needs all registers (FPU state, FS base): they are fetched before it runs. */
  readonly needsFull: boolean;
  /** READS and WRITES, for calls whose bytes /proc/PID/io counts. */
  readonly moves: number;
  readonly support: Support;
  readonly note: string;
}

interface RowOptions {
  /** How a wait continues after a signal: "sys" (default), "nohand", "block", "eintr". */
  restart?: "sys" | "nohand" | "block" | "eintr";
  needsFull?: boolean;
  moves?: number;
  support?: Support;
  note?: string;
}

const RESTARTS = {
  sys: RESTART_SYS,
  nohand: RESTART_NOHAND,
  block: RESTART_BLOCK,
  eintr: RESTART_EINTR,
} as const;

/** Makes one row; the number comes from the name. */
export function row(name: string, handler: Handler, args: string, o: RowOptions = {}): Row {
  const nr = NAMES.indexOf(name);
  if (nr < 0) throw new Error(`no such system call: ${name}`);
  return {
    nr,
    name,
    handler,
    args,
    restart: RESTARTS[o.restart ?? "sys"],
    needsFull: o.needsFull ?? false,
    moves: o.moves ?? 0,
    support: o.support ?? "full",
    note: o.note ?? "",
  };
}
