/** What a blocked call remembers between its runs. */

import type { MonitorEvent } from "../userfault/userfault.ts";
import type { LongWalk } from "../vfs/long_walk.ts";
import type { Asked } from "../vfs/permission_events.ts";

/**
 * What a blocked call must remember between its runs. Reset when a call starts; whoever blocks after it
 * committed something records it here.
 */
export class Progress {
  /** Bytes (or messages) already transferred. */
  done: number = 0;
  /** Absolute monotonic deadline, ns; -1: not computed yet. */
  deadlineNs: number = -1;
  /** Where a call with several steps stands; 0 at the start. */
  step: number = 0;
  /** An object or number that the call created or found in an earlier run. */
  object: object | null = null;
  value: number = 0;
  text: string | null = null;
  /** What monitors of memory have to read before the call ends, with this result; null: nothing. */
  told: MonitorEvent[] | null = null;
  result: number = 0;
  /** Who was asked whether the call may go on (fanotify). */
  asked: Asked | null = null;
  /** Walks of paths that needed more than one turn. */
  walks: LongWalk[] | null = null;

  reset(): void {
    this.done = 0;
    this.deadlineNs = -1;
    this.step = 0;
    this.object = null;
    this.value = 0;
    this.text = null;
    this.told = null;
    this.asked = null;
    if (this.walks !== null) this.endWalks();
  }

  /** The call is over, or made anew: its walks let go of where they stood. */
  endWalks(): void {
    for (const walk of this.walks ?? []) walk.end();
    this.walks = null;
  }
}
