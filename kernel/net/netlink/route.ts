/**
 * NETLINK_ROUTE (rtnetlink(7)) of a namespace whose links are the guest's own: who may do what. Neighbours: links.ts,
 * addresses.ts, routes.ts. There are no neighbours, rules and multicast messages.
 */

import { CAP_NET_ADMIN } from "../../../ffi/abi/capability.ts";
import { EOPNOTSUPP, EPERM } from "../../../ffi/abi/errno.ts";
import * as N from "../../../ffi/abi/netlink.ts";
import { addAddress, deleteAddress, getAddresses } from "./addresses.ts";
import { deleteLink, getLinks, setLink } from "./links.ts";
import { answerNoNsid, type RouteRequest } from "./request.ts";
import { addRoute, deleteRoute, getRoutes } from "./routes.ts";
import type { NetlinkWriter } from "./writer.ts";

/** Write the answers into `out`: 0 or -errno. */
export function answerRoute(r: RouteRequest, out: NetlinkWriter): number {
  switch (r.request.type) {
    case N.RTM_GETLINK:
      return getLinks(r, out);
    case N.RTM_GETADDR:
      return r.isDump ? getAddresses(r, out) : -EOPNOTSUPP;
    case N.RTM_GETROUTE:
      return getRoutes(r, out);
    case N.RTM_GETNEIGH:
    case N.RTM_GETRULE:
      return r.isDump ? 0 : -EOPNOTSUPP;
    case N.RTM_GETNSID:
      return answerNoNsid(r, out);
    default:
      return mayChange(r) ? change(r) : -EPERM;
  }
}

function mayChange({ net, caller }: RouteRequest): boolean {
  return caller !== null && net.isCapable(caller.cred, CAP_NET_ADMIN);
}

function change(r: RouteRequest): number {
  switch (r.request.type) {
    case N.RTM_NEWLINK:
    case N.RTM_SETLINK:
      return setLink(r);
    case N.RTM_DELLINK:
      return deleteLink(r);
    case N.RTM_NEWADDR:
      return addAddress(r);
    case N.RTM_DELADDR:
      return deleteAddress(r);
    case N.RTM_NEWROUTE:
      return addRoute(r);
    case N.RTM_DELROUTE:
      return deleteRoute(r);
    default:
      return -EOPNOTSUPP;
  }
}
