/** The state that a blocked call keeps between its runs. */

import type { Account } from "../core/account.ts";
import { TEXT_BYTES } from "../core/quota.ts";
import type { MonitorEvent } from "../userfault/userfault.ts";
import type { LongWalk } from "../vfs/long_walk.ts";
import type { AskedQuestions } from "../vfs/permission_events.ts";

/**
 * The state that a blocked call keeps between its runs. It is reset when a call starts; a call that
 * blocks after it committed a part records that part here.
 */
export class Progress {
  /** Bytes (or messages) already transferred. */
  done: number = 0;
  /** Absolute monotonic deadline, ns; -1: not computed yet. */
  deadlineNs: number = -1;
  /** The deadline is a time of CLOCK_REALTIME, which moves it when that clock is set. */
  isRealtime: boolean = false;
  /** Step of a call with several steps; 0 at the start. */
  step: number = 0;
  /** An object or number that the call created or found in an earlier run. */
  object: object | null = null;
  value: number = 0;
  text: string | null = null;
  /** Events that monitors of memory must read before the call ends with `result`; null: none. */
  monitorEvents: MonitorEvent[] | null = null;
  result: number = 0;
  /** The permission request of fanotify that the call waits for. */
  asked: AskedQuestions | null = null;
  /** Walks of paths that need more than one turn. */
  walks: LongWalk[] | null = null;
  /** Bytes that are kept between the runs, and the account that they are charged to. */
  private bytes: number = 0;
  private account: Account | null = null;

  reset(): void {
    this.done = 0;
    this.deadlineNs = -1;
    this.isRealtime = false;
    this.step = 0;
    this.object = null;
    this.value = 0;
    this.text = null;
    this.monitorEvents = null;
    this.asked = null;
    if (this.walks !== null || this.bytes !== 0) this.giveBack();
  }

  /**
   * Charges `more` bytes that the call keeps until it is over (negative: fewer) to `account`, or to
   * the account of the first charge of this call; false: the quota is exhausted.
   */
  keepBytes(more: number, account: Account): boolean {
    const charged = this.account ?? account;
    if (!TEXT_BYTES.replace(this.bytes, this.bytes + more, charged)) return false;
    this.account = charged;
    this.bytes += more;
    return true;
  }

  /** Releases the walks and the charge, at the end of a call and when a call starts anew. */
  giveBack(): void {
    const { walks, bytes, account } = this;
    this.walks = this.account = null;
    this.bytes = 0;
    if (account !== null) TEXT_BYTES.give(bytes, account);
    for (const walk of walks ?? []) walk.end();
  }
}
