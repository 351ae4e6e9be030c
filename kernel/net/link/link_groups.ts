/**
 * The multicast groups of a link (RFC 3376, RFC 3810): memberships of the sockets of its namespace,
 * and the groups that every station is in. The groups of one socket:
 * net/inet/multicast/socket_groups.ts.
 */

import * as I from "../../../ffi/abi/inet.ts";
import { isV4, MAPPED } from "../inet/address.ts";
import type { Link } from "./link.ts";

/** 224.0.0.1, ff02::1 and ff01::1. */
const ALL_HOSTS = MAPPED + "\xe0\0\0\x01";
const ALL_NODES = "\xff\x02" + "\0".repeat(13) + "\x01";
const OWN_NODES = "\xff\x01" + "\0".repeat(13) + "\x01";
/** The prefix of solicited-node addresses, before the last three bytes (RFC 4291). */
const SOLICITED = "\xff\x02" + "\0".repeat(9) + "\x01\xff";

/** The membership of one socket in a group. */
export class Membership {
  readonly group: string;
  readonly link: Link;
  readonly index: number;
  /** The IPv4 address that named the link. */
  readonly address: string;
  /** Whether only `sources` are received, or all others. */
  isInclude: boolean;
  /** Null: no source was ever named. */
  sources: string[] | null = null;

  constructor(group: string, link: Link, address: string, isInclude: boolean) {
    this.group = group;
    this.link = link;
    this.index = link.index;
    this.address = address;
    this.isInclude = isInclude;
  }

  allows(source: string): boolean {
    return (this.sources?.includes(source) ?? false) === this.isInclude;
  }
}

/** A group of a link, as lists show it. */
export interface LinkGroup {
  readonly group: string;
  readonly users: number;
  readonly members: readonly Membership[];
}

/** The groups of one link. */
export class LinkGroups {
  private readonly link: Link;
  private readonly members: Map<string, Membership[]> = new Map();

  constructor(link: Link) {
    this.link = link;
  }

  add(one: Membership): void {
    const members = this.members.get(one.group);
    if (members === undefined) this.members.set(one.group, [one]);
    else members.push(one);
  }

  remove(one: Membership): void {
    const members = this.members.get(one.group);
    const at = members?.indexOf(one) ?? -1;
    if (members === undefined || at < 0) return;
    members.splice(at, 1);
    if (members.length === 0) this.members.delete(one.group);
  }

  /** Called when the link is removed: its members receive nothing more. */
  clear(): void {
    this.members.clear();
  }

  /** Whether a socket of the namespace wants packets of `source` to a group. */
  takes(group: string, source: string): boolean {
    if (this.always().includes(group)) return true;
    return this.members.get(group)?.some((one) => one.allows(source)) ?? false;
  }

  /** The groups that every station is in, the oldest first. */
  private always(): string[] {
    const { link } = this;
    if (!link.isUp) return [];
    const groups = [OWN_NODES, ALL_NODES, ALL_HOSTS];
    if ((link.flags & (I.IFF_LOOPBACK | I.IFF_NOARP)) !== 0) return groups;
    const own = link.addresses.filter(({ address }) => !isV4(address));
    return [...groups, ...new Set(own.map(({ address }) => SOLICITED + address.slice(13)))];
  }

  /** All groups of one family, the oldest first. */
  list(isFour: boolean): LinkGroup[] {
    const always = this.always();
    return [...new Set([...always, ...this.members.keys()])]
      .filter((group) => isV4(group) === isFour)
      .map((group) => {
        const members = this.members.get(group) ?? [];
        return { group, members, users: members.length + +always.includes(group) };
      });
  }
}

/**
 * The Ethernet address of a multicast group (RFC 1112, RFC 2464); the broadcast address for other
 * destinations.
 */
export function groupMac(destination: string): string {
  if (!isV4(destination)) return "\x33\x33" + destination.slice(12);
  if ((destination.charCodeAt(12) & 0xf0) !== 0xe0) return "\xff".repeat(6);
  const high = String.fromCharCode(destination.charCodeAt(13) & 0x7f);
  return "\x01\0\x5e" + high + destination.slice(14);
}
