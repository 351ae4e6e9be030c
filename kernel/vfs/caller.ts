/**
 * On whose behalf the VFS acts. A Task is a Caller; tests make their own. Openers of special files that need the
 * task itself look whether their caller is one.
 */

import type { WaitQueue } from "../core/wait.ts";
import type { Credentials } from "../cred/credentials.ts";
import type { FdTable } from "./fd_table.ts";
import type { FsContext } from "./fs_context.ts";
import type { LongWalk } from "./long_walk.ts";
import type { Asked } from "./permission_events.ts";

export interface Caller {
  readonly files: FdTable;
  readonly fs: FsContext;
  readonly cred: Credentials;
  /** Of a caller that can wait. */
  readonly progress?: CallProgress;
}

/** What the VFS remembers of a call between its runs. */
export interface CallProgress {
  /** Permission that was asked for (permission_events.ts). */
  asked: Asked | null;
  /** Walks that needed more than one turn of the loop (walk.ts). */
  walks: LongWalk[] | null;
}

/** A caller whose call can wait and run again: a task. */
export interface WaitingCaller extends Caller {
  readonly progress: CallProgress;
  uninterruptible: boolean;
  waitFor(queue: WaitQueue, events: number): number;
  yieldTurn(): number;
}

export function canWait(caller: Caller): caller is WaitingCaller {
  return "waitFor" in caller && caller.progress !== undefined;
}
