/**
 * A network link without a peer, for the guest of `do` without network. Resolvers look only for
 * addresses of families that some link other than `lo` has (AI_ADDRCONFIG, getaddrinfo(3)), and
 * programs look for a link's hardware address. Only the link's own address can be reached through
 * it.
 *
 * Containers have none, because their clients count links.
 */

import { IFAPROT_UNSPEC, RT_SCOPE_UNIVERSE } from "../../../ffi/abi/netlink.ts";
import { MAPPED } from "../../../kernel/net/inet/address.ts";
import type { NetNamespace } from "../../../kernel/net/net_namespace.ts";

const NAME = "eth0", PREFIX = 24;
/** An address of TEST-NET-1 (RFC 5737), which no network uses. */
const ADDRESS = MAPPED + "\xc0\0\x02\x02", BROADCAST = MAPPED + "\xc0\0\x02\xff";

export function addLonelyLink(net: NetNamespace): void {
  const link = net.links.add("dummy", NAME);
  if (typeof link === "number") throw new Error(`no link ${NAME}: ${link}`);
  net.links.addAddress(link, {
    address: ADDRESS,
    prefix: PREFIX,
    scope: RT_SCOPE_UNIVERSE,
    peer: ADDRESS,
    broadcast: BROADCAST,
    label: NAME,
    origin: IFAPROT_UNSPEC,
  });
  net.links.setUp(link, true);
}
