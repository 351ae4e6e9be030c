/**
 * Finds the link that has an address, or whose network has it as the broadcast address, among the
 * links of one namespace; a guest may have some 60,000 addresses. link_table.ts keeps it.
 */

import { isV4 } from "../inet/address.ts";
import type { Link, LinkAddress } from "./link.ts";
import { broadcastOf } from "./prefix.ts";

/** From this prefix length on a network has no broadcast address. */
const BROADCAST_BITS = 31;

/** The links that have one address, each with how often it has that address. */
type Owners = Map<Link, number>;

export class AddressIndex {
  private readonly byAddress: Map<string, Owners> = new Map();
  private readonly byBroadcast: Map<string, Owners> = new Map();

  add(link: Link, address: LinkAddress): void {
    addOwner(this.byAddress, address.address, link);
    for (const broadcast of broadcastsOf(address)) addOwner(this.byBroadcast, broadcast, link);
  }

  remove(link: Link, address: LinkAddress): void {
    removeOwner(this.byAddress, address.address, link);
    for (const broadcast of broadcastsOf(address)) removeOwner(this.byBroadcast, broadcast, link);
  }

  /** A link that has the address and is up. HOT */
  linkOf(address: string): Link | null {
    return firstUp(this.byAddress.get(address));
  }

  /** A link that is up and for whose network this is the broadcast address. HOT */
  broadcastLink(address: string): Link | null {
    return firstUp(this.byBroadcast.get(address));
  }
}

/** The broadcast address that follows from the prefix, and another one that was set (`ip addr`). */
function broadcastsOf({ address, prefix, broadcast }: LinkAddress): readonly string[] {
  if (!isV4(address) || prefix >= BROADCAST_BITS) return NONE;
  const usual = broadcastOf(address, prefix);
  return broadcast === null || broadcast === usual ? [usual] : [usual, broadcast];
}

const NONE: readonly string[] = [];

function addOwner(index: Map<string, Owners>, address: string, link: Link): void {
  const owners = index.get(address);
  if (owners === undefined) index.set(address, new Map([[link, 1]]));
  else owners.set(link, (owners.get(link) ?? 0) + 1);
}

function removeOwner(index: Map<string, Owners>, address: string, link: Link): void {
  const owners = index.get(address), count = owners?.get(link) ?? 0;
  if (owners === undefined) return;
  if (count > 1) owners.set(link, count - 1);
  else owners.delete(link);
  if (owners.size === 0) index.delete(address);
}

function firstUp(owners: Owners | undefined): Link | null {
  if (owners === undefined) return null;
  for (const link of owners.keys()) if (link.isUp) return link;
  return null;
}
