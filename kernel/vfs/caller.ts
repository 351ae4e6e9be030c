/**
 * The task that the VFS acts for, as an interface: Task implements it, and tests make their own. An
 * opener of special files that needs the task itself checks whether its caller is a Task.
 */

import type { Account } from "../core/account.ts";
import { NEEDS_TURN } from "../core/result.ts";
import type { WaitQueue } from "../core/wait.ts";
import type { Credentials } from "../cred/credentials.ts";
import type { FdTable } from "./fd_table.ts";
import type { FsContext } from "./fs_context.ts";
import type { LongWalk } from "./long_walk.ts";
import type { AskedQuestions } from "./permission_events.ts";

export interface Caller {
  readonly files: FdTable;
  readonly fs: FsContext;
  readonly cred: Credentials;
  /** The account for objects that the caller makes. */
  readonly account: Account;
  /** Only a caller whose calls can run again has it. */
  readonly progress?: CallProgress;
}

/** The state of a call that the VFS keeps between two runs of its handler. */
export interface CallProgress {
  /** The permission events of the call (permission_events.ts). */
  asked: AskedQuestions | null;
  /** The walks that need more than one turn of the loop (walk.ts). */
  walks: LongWalk[] | null;
  /**
   * Charges `more` bytes that the call keeps until it is over (negative: fewer); false: there is no
   * room for them.
   */
  keepBytes(more: number, account: Account): boolean;
}

/** A caller whose call can go on in another turn of the loop: it runs again. */
export interface YieldingCaller extends Caller {
  readonly progress: CallProgress;
  uninterruptible: boolean;
  yieldTurn(): number;
}

/** A caller whose call can wait and run again: a task. */
export interface WaitingCaller extends YieldingCaller {
  waitFor(queue: WaitQueue, events: number): number;
}

export function canYield(caller: Caller): caller is YieldingCaller {
  return "yieldTurn" in caller && caller.progress !== undefined;
}

export function canWait(caller: Caller): caller is WaitingCaller {
  return "waitFor" in caller && caller.progress !== undefined;
}

/** The result of a change that may take several turns of the loop, each of which calls it. */
export function inTurns(caller: Caller, change: () => number): number {
  let r = change();
  if (r !== NEEDS_TURN) return r;
  if (canYield(caller)) {
    caller.uninterruptible = true;
    return caller.yieldTurn();
  }
  while (r === NEEDS_TURN) r = change();
  return r;
}
