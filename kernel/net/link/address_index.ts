/** The addresses of the links of one namespace, by address; a guest may have some 60,000. */

import { isV4 } from "../inet/address.ts";
import type { Link, LinkAddress } from "./link.ts";
import { broadcastOf } from "./prefix.ts";

/** Longer prefixes have no broadcast address. */
const BROADCAST_BITS = 31;

/** Links, each with the number of its addresses that are meant. */
type Owners = Map<Link, number>;

export class AddressIndex {
  private readonly own: Map<string, Owners> = new Map();
  private readonly broadcasts: Map<string, Owners> = new Map();

  add(link: Link, address: LinkAddress): void {
    addOwner(this.own, address.address, link);
    for (const all of broadcastsOf(address)) addOwner(this.broadcasts, all, link);
  }

  remove(link: Link, address: LinkAddress): void {
    removeOwner(this.own, address.address, link);
    for (const all of broadcastsOf(address)) removeOwner(this.broadcasts, all, link);
  }

  /** A link that has the address and is up. HOT */
  linkOf(address: string): Link | null {
    return firstUp(this.own.get(address));
  }

  /** A link that is up and for whose network this is the broadcast address. HOT */
  broadcastLink(address: string): Link | null {
    return firstUp(this.broadcasts.get(address));
  }
}

/** The broadcast address that was given, and the one that follows from the prefix. */
function broadcastsOf({ address, prefix, broadcast }: LinkAddress): readonly string[] {
  if (!isV4(address) || prefix >= BROADCAST_BITS) return NONE;
  const all = broadcastOf(address, prefix);
  return broadcast === null || broadcast === all ? [all] : [all, broadcast];
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
