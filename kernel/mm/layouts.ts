/**
 * The address layouts of a container: all programs of one real user share a layout, and so the same
 * patched pages. A program that gains privilege gets a layout of its own, which its caller cannot
 * know, and its own patched sites, which end with it (task/program.ts).
 *
 * DIFFERS: Linux draws new addresses at every execve. Here that would leave each program without
 * the pages that were patched for the one before, and a user's processes can look into each other
 * anyway (ptrace(2)).
 */

import type { Account } from "../core/account.ts";
import { AddressLayout } from "./address_layout.ts";
import type { MemoryContext } from "./memory_context.ts";
import { PatchedSites } from "./patched_sites.ts";

/**
 * LIMIT: users of a container that keep a layout while none of their programs runs; the one whose
 * program was started longest ago loses it.
 */
const KEPT = 16;

export class SharedLayout {
  readonly addresses: AddressLayout;
  readonly sites: PatchedSites;

  constructor(addresses: AddressLayout, sites: PatchedSites) {
    this.addresses = addresses;
    this.sites = sites;
  }
}

export class Layouts {
  /** By kernel user id, the one whose program was started longest ago first. */
  private readonly byUser: Map<number, SharedLayout> = new Map();

  /**
   * The layout for a program of a user; `account` is the user's. The caller holds `sites` before
   * the next call.
   */
  of(ctx: MemoryContext, uid: number, account: Account): SharedLayout {
    const known = this.byUser.get(uid);
    if (known === undefined && this.byUser.size >= KEPT) this.forgetOldest();
    const layout = known ?? new SharedLayout(ctx.newLayout(), new PatchedSites(ctx, account));
    this.byUser.delete(uid);
    this.byUser.set(uid, layout);
    return layout;
  }

  private forgetOldest(): void {
    for (const [uid, { sites }] of this.byUser) {
      this.byUser.delete(uid);
      sites.drop();
      return;
    }
  }

  /** Drops all layouts: no further program starts in the container. */
  close(): void {
    while (this.byUser.size > 0) this.forgetOldest();
  }
}
