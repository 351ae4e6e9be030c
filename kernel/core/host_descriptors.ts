/**
 * Host descriptors that the kernel's process holds for guests: at most as many as the host permits,
 * of which each account may hold its part. The limit of a quota is a constant, so a descriptor is
 * charged as a number of units: the limit divided by the host's number.
 */

import type { Account } from "./account.ts";
import type { Quota } from "./quota.ts";

/** LIMIT: descriptors that are kept for stubs, one each, and for the kernel's process itself. */
const STUBS_MAX = 8192, OWN = 256;

/**
 * The number of descriptors for files, and for sockets, of a process that may have `limit`: half
 * each of what is not kept. Stubs need one each. Of a low limit a quarter is kept for stubs and a
 * quarter for the process.
 */
export function descriptorShare(limit: number): number {
  const kept = Math.min(STUBS_MAX, limit / 4) + Math.min(OWN, limit / 4);
  return Math.max(1, Math.floor((limit - kept) / 2));
}

export class HostDescriptors {
  private readonly quota: Quota;
  readonly units: number;

  /**
   * @param most number of descriptors that all accounts may hold
   * @param units that accounts were charged for each
   */
  constructor(
    quota: Quota,
    most: number,
    units: number = Math.ceil(quota.limit / Math.max(1, most)),
  ) {
    this.quota = quota;
    this.units = units;
  }

  hasRoom(account: Account): boolean {
    return this.quota.hasRoom(this.units, account);
  }
  hasTooMany(account: Account): boolean {
    return !this.quota.hasRoom(0, account);
  }
  add(account: Account): void {
    this.quota.add(this.units, account);
  }
  give(account: Account): void {
    this.quota.give(this.units, account);
  }
  move(from: Account, to: Account): void {
    this.quota.move(this.units, from, to);
  }
}
