/**
 * Address spaces that were destroyed, and whose host process has not ended yet: the platform has no
 * room for another one in their place. So they stay charged to their account until the platform has
 * acknowledged their end, as frames do (frame_quarantine.ts).
 */

import type { Account } from "../core/account.ts";
import { ADDRESS_SPACES } from "../core/quota.ts";
import type { Platform } from "../../platform/platform.ts";
import type { AckSource } from "./frame_quarantine.ts";

/** LIMIT: spaces that one turn of the loop looks at. */
const LOOKS = 256;

/** A destroyed space, and the account that it is charged to. */
export class LeavingSpace {
  readonly space: AckSource;
  readonly account: Account;

  constructor(space: AckSource, account: Account) {
    this.space = space;
    this.account = account;
  }
}

export class LeavingSpaces {
  private readonly platform: Platform;
  private readonly leaving: LeavingSpace[] = [];
  /** Where the next `collect` begins. */
  private next: number = 0;

  constructor(platform: Platform) {
    this.platform = platform;
  }

  get isEmpty(): boolean {
    return this.leaving.length === 0;
  }

  /** Gives a destroyed space back to its account, at once or when its host process has ended. */
  add(space: AckSource, account: Account): void {
    if (space.ackedSeq >= space.seq) ADDRESS_SPACES.give(1, account);
    else this.leaving.push(new LeavingSpace(space, account));
  }

  /** Whether the account may have `count` more spaces, beside those that are leaving. */
  hasRoom(count: number, account: Account): boolean {
    if (ADDRESS_SPACES.hasRoom(count, account)) return true;
    this.platform.reap();
    this.collect(this.leaving.length);
    return ADDRESS_SPACES.hasRoom(count, account);
  }

  /** Looks at the next `most` spaces and gives back those whose host process has ended. */
  collect(most: number = LOOKS): void {
    const { leaving } = this;
    for (let looks = Math.min(most, leaving.length); looks > 0; looks--) {
      if (this.next >= leaving.length) this.next = 0;
      const { space, account } = leaving[this.next]!;
      if (space.ackedSeq < space.seq) {
        this.next++;
        continue;
      }
      const last = leaving.pop()!;
      if (this.next < leaving.length) leaving[this.next] = last;
      ADDRESS_SPACES.give(1, account);
    }
  }
}
