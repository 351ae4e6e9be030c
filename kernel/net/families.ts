/** The address families of a sandbox. */

import { AF_INET, AF_INET6, AF_NETLINK, AF_UNIX } from "../../ffi/abi/socket.ts";
import { InetFamily, InetPorts } from "./inet/family.ts";
import { NetlinkFamily } from "./netlink/family.ts";
import type { NetNamespace } from "./net_namespace.ts";
import { UnixFamily } from "./unix/family.ts";

export function registerFamilies(net: NetNamespace): void {
  net.register(AF_UNIX, new UnixFamily(net));
  const ports = new InetPorts(net);
  net.register(AF_INET, new InetFamily(net, AF_INET, ports));
  net.register(AF_INET6, new InetFamily(net, AF_INET6, ports));
  net.register(AF_NETLINK, new NetlinkFamily(net));
}
