/**
 * The multicast groups of one socket, with their source filters (ip(7), RFC 3678). Options:
 * group_options.ts; all members on a link: net/link/link_groups.ts.
 */

import type { Account } from "../../../core/account.ts";
import { EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOBUFS, ENOMEM } from "../../../../ffi/abi/errno.ts";
import { NET_OBJECTS } from "../../../core/quota.ts";
import type { Link } from "../../link/link.ts";
import { Membership } from "../../link/link_groups.ts";
import type { NetNamespace } from "../../net_namespace.ts";
import { isV4 } from "../address.ts";

/**
 * LIMIT: IPv6 groups of one socket, and sources of each: what Linux has memory for, and
 * net.ipv6.mld_max_msf.
 */
const MEMBERSHIPS6_MAX = 2340, SOURCES6_MAX = 64;
/** net.ipv4.igmp_max_memberships and igmp_max_msf where there are no settings. */
const MEMBERSHIPS4 = 20, SOURCES4 = 10;

export class SocketGroups {
  /** The account that memberships are charged to. */
  readonly account: Account;
  private readonly net: NetNamespace;
  private readonly all: Membership[] = [];

  constructor(net: NetNamespace, account: Account) {
    this.account = account;
    this.net = net;
  }

  find(is: (one: Membership) => boolean): Membership | null {
    return this.all.find(is) ?? null;
  }

  /** 0; -EADDRINUSE: the socket is a member; -ENOBUFS, -ENOMEM: too many memberships. */
  join(link: Link, group: string, address: string, isInclude: boolean): number {
    const { all, net } = this, isFour = isV4(group);
    if (all.some((one) => one.group === group && one.index === link.index)) return -EADDRINUSE;
    const count = all.filter((one) => isV4(one.group) === isFour).length;
    const most = isFour
      ? net.settings?.number("net/ipv4/igmp_max_memberships") ?? MEMBERSHIPS4
      : MEMBERSHIPS6_MAX;
    if (count >= most || !NET_OBJECTS.take(1, this.account)) return isFour ? -ENOBUFS : -ENOMEM;
    const one = new Membership(group, link, address, isInclude);
    all.push(one);
    link.groups.add(one);
    return 0;
  }

  leave(one: Membership): void {
    this.all.splice(this.all.indexOf(one), 1);
    one.link.groups.remove(one);
    NET_OBJECTS.give(1 + (one.sources?.length ?? 0), this.account);
  }

  /** The number of sources that a group may have. */
  sourcesMax(group: string): number {
    if (!isV4(group)) return SOURCES6_MAX;
    return this.net.settings?.number("net/ipv4/igmp_max_msf") ?? SOURCES4;
  }

  /** Adds or removes one source of a filter. -EINVAL: the filter has the other mode. */
  changeSource(one: Membership, source: string, isInclude: boolean, isAdded: boolean): number {
    if (one.sources !== null && one.isInclude !== isInclude) return -EINVAL;
    // As Linux: the mode changes also when there is no source to remove.
    one.isInclude = isInclude;
    const at = one.sources?.indexOf(source) ?? -1;
    if (!isAdded) {
      if (one.sources === null || at < 0) return -EADDRNOTAVAIL;
      if (isInclude && one.sources.length === 1) {
        this.leave(one);
        return 0;
      }
      one.sources.splice(at, 1);
      NET_OBJECTS.give(1, this.account);
      return 0;
    }
    if ((one.sources?.length ?? 0) >= this.sourcesMax(one.group)) return -ENOBUFS;
    if (at >= 0) return -EADDRNOTAVAIL;
    if (!NET_OBJECTS.take(1, this.account)) return -ENOBUFS;
    (one.sources ??= []).push(source);
    return 0;
  }

  /** Replaces the sources of a filter. 0 or -ENOBUFS. */
  setSources(one: Membership, sources: string[], isInclude: boolean): number {
    if (!NET_OBJECTS.take(sources.length, this.account)) return -ENOBUFS;
    NET_OBJECTS.give(one.sources?.length ?? 0, this.account);
    one.isInclude = isInclude;
    one.sources = sources.length > 0 ? sources : null;
    return 0;
  }

  leaveAll(): void {
    for (const one of [...this.all]) this.leave(one);
  }

  /**
   * Whether the filter lets packets of `source` to a group by `link` pass; null: the socket is no
   * member.
   */
  allows(group: string, source: string, link: Link): boolean | null {
    const isFour = isV4(group);
    // As Linux: an IPv6 membership counts on all links.
    const one = this.find((m) => m.group === group && (!isFour || m.index === link.index));
    return one === null ? null : one.allows(source);
  }
}
