/**
 * Descriptors of the host's that the kernel's process has for guests: as many as the host lets it
 * have, of which each account may have its part. A quota's limit is a constant, so each descriptor
 * is charged as so many units of it that the host's number makes the limit.
 */

import { type Account, ACCOUNTING } from "./account.ts";
import type { Quota } from "./quota.ts";

export class HostDescriptors {
  private readonly quota: Quota;
  private readonly units: number;

  /** @param most of them in all */
  constructor(quota: Quota, most: number) {
    this.quota = quota;
    this.units = Math.ceil(quota.limit / Math.max(1, most));
  }

  hasRoom(account: Account = ACCOUNTING.current): boolean {
    return this.quota.hasRoom(this.units, account);
  }
  add(account: Account): void {
    this.quota.add(this.units, account);
  }
  give(account: Account): void {
    this.quota.give(this.units, account);
  }
}
