/**
 * What is patched for the processes of one user in one container, or for one program that gained
 * privilege: thunks of the platform, and the pages that jump to them. Others have their own, so
 * that none reads in the thunks where another's code lies.
 *
 * All of it is charged to the user while any process may go through it. Without room a site stays
 * as it is, which costs a signal a call. Neighbours: layouts.ts (which program gets which),
 * patch.ts, patch_cache.ts.
 */

import type { Platform, Thunks } from "../../platform/platform.ts";
import { Account } from "../core/account.ts";
import { PATCHED_SITES, SITE_TABLES } from "../core/quota.ts";
import type { FrameAllocator, FrameStore } from "./frames.ts";
import { PatchCache } from "./patch_cache.ts";

/** What is needed to make one. */
export interface SitesOwner {
  readonly arena: FrameStore;
  readonly frames: FrameAllocator;
  readonly platform: Platform;
  /** Those that are in use. */
  readonly sites: Set<PatchedSites>;
}

export class PatchedSites {
  readonly pages: PatchCache;
  private readonly owner: SitesOwner;
  private readonly account: Account;
  /** Null: no site was patched yet, or the platform does not patch. */
  private thunks: Thunks | null = null;
  /** Of the thunks: how many sites and tables are charged. */
  private siteCount: number = 0;
  private tableCount: number = 0;
  private refs: number = 1;

  /** @param user the account of the user */
  constructor(owner: SitesOwner, user: Account) {
    this.owner = owner;
    this.account = new Account(user, 1);
    this.pages = new PatchCache(owner.arena, owner.frames, this.account);
    owner.sites.add(this);
  }

  /**
   * The address for the jump of a site, or 0: it cannot be patched, or the user has as many as
   * there may be.
   */
  thunk(before: number, returnAddr: number): number {
    const { account } = this, thunks = this.thunks ??= this.owner.platform.newThunks();
    if (thunks === null) return 0;
    const known = thunks.find(before, returnAddr);
    if (known !== 0) return known;
    if (!PATCHED_SITES.hasRoom(1, account)) return 0;
    if (thunks.isTableFull && !SITE_TABLES.hasRoom(1, account)) return 0;
    const { count, tableCount } = thunks, entry = thunks.get(before, returnAddr);
    this.charge(thunks.count - count, thunks.tableCount - tableCount);
    return entry;
  }

  private charge(sites: number, tables: number): void {
    PATCHED_SITES.add(sites, this.account);
    SITE_TABLES.add(tables, this.account);
    this.siteCount += sites;
    this.tableCount += tables;
  }

  /** The thunks of all sites so far; a page is mapped after that. */
  get all(): Thunks | null {
    return this.thunks;
  }

  hold(): this {
    this.refs++;
    return this;
  }

  /** The last process that goes through the thunks has ended, and none will begin. */
  drop(): void {
    if (--this.refs > 0) return;
    this.owner.sites.delete(this);
    this.pages.clear();
    this.thunks?.release();
    this.thunks = null;
    this.charge(-this.siteCount, -this.tableCount);
    this.account.close();
  }
}
