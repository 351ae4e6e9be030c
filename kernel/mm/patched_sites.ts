/**
 * The patched sites of one user in one container, or of one program that gained privilege: the
 * platform's thunks, and the pages that jump to them. Other users have their own, so that no user
 * can read in the thunks where another's code lies.
 *
 * The user is charged while any process may use them. Without room a site is not patched, which
 * costs a signal for each call. Neighbours: layouts.ts (which program gets which), patch.ts,
 * patch_cache.ts.
 */

import type { Platform, Thunks } from "../../platform/platform.ts";
import { Account } from "../core/account.ts";
import { PATCHED_SITES, SITE_TABLES } from "../core/quota.ts";
import type { FrameAllocator } from "./frames.ts";
import type { FrameStore } from "./frame_pool.ts";
import { PatchCache } from "./patch_cache.ts";

/** The objects that a PatchedSites needs; MemoryContext implements it. */
interface SitesOwner {
  readonly arena: FrameStore;
  readonly frames: FrameAllocator;
  readonly platform: Platform;
  /** All objects in use. */
  readonly sites: Set<PatchedSites>;
}

export class PatchedSites {
  readonly pages: PatchCache;
  private readonly owner: SitesOwner;
  private readonly account: Account;
  /** Null while no site was patched, or when the platform does not patch. */
  private thunks: Thunks | null = null;
  /** The numbers of sites and tables of the thunks that are charged. */
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
   * The address that a site jumps to, or 0: the site cannot be patched, or the user has reached a
   * limit.
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

  /** The thunks of all sites so far. They are mapped before a page that jumps to them. */
  get all(): Thunks | null {
    return this.thunks;
  }

  hold(): this {
    this.refs++;
    return this;
  }

  /**
   * Drops a reference; the last one frees the thunks and pages, as no process uses them any more.
   */
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
