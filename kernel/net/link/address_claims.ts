/** Whether a station says that it has an address, when it is asked on an Ethernet: ARP, and neighbour discovery of IPv6. */

import { RT_SCOPE_HOST } from "../../../ffi/abi/netlink.ts";
import { isV4 } from "../inet/address.ts";
import type { Link } from "./link.ts";
import { greater } from "./link_settings.ts";
import { isInNetwork } from "./prefix.ts";
import { refusalOf } from "./refusals.ts";

/** Values of `arp_ignore`: only for addresses of the link, and of the asker's network; not of this machine alone; never. */
const OF_LINK = 1, OF_NETWORK = 2, NOT_OF_HOST = 3, NEVER = 8;

/** `asker`: the link that the question was sent by. */
export function answers(station: Link, address: string, asker: Link): boolean {
  const { table } = station;
  if (!isV4(address)) return station.addresses.some((own) => own.address === address);
  const owner = table.linkOf(address);
  if (owner === null) return isProxy(station, address);
  const own = owner.addresses.find((one) => one.address === address);
  const rule = greater(table.settings.ipv4.all, station.settings.ipv4, "arp_ignore");
  switch (rule) {
    case OF_LINK:
      return owner === station;
    case OF_NETWORK: {
      const source = asker.table.sourceFor(address, asker.index);
      return owner === station && own !== undefined && isInNetwork(source, address, own.prefix);
    }
    case NOT_OF_HOST:
      return own !== undefined && own.scope !== RT_SCOPE_HOST;
    default:
      return rule !== NEVER;
  }
}

/** `proxy_arp`: it answers for those that it would forward to by another link. */
function isProxy(station: Link, address: string): boolean {
  const { table, settings: { ipv4 } } = station;
  const isAsked = greater(table.settings.ipv4.all, ipv4, "proxy_arp") !== 0;
  if (!isAsked || ipv4.get("forwarding") === 0) return false;
  const route = table.routeTo(address);
  return route !== null && route.link !== station && refusalOf(route.type) === 0;
}
