/**
 * NETLINK_ROUTE (rtnetlink(7)) of a namespace whose links are the guest's own: privileges, then the
 * handlers in links.ts, addresses.ts, routes.ts and neighbours.ts; notifications: notices.ts.
 * DIFFERS: rules cannot be changed.
 */

import { CAP_NET_ADMIN } from "../../../ffi/abi/capability.ts";
import { EOPNOTSUPP, EPERM } from "../../../ffi/abi/errno.ts";
import * as N from "../../../ffi/abi/netlink.ts";
import { addAddress, deleteAddress, dumpAddresses } from "./addresses.ts";
import { deleteLink, getLinks, setLink } from "./links.ts";
import { addNeighbour, deleteNeighbour, getNeighbours } from "./neighbours.ts";
import { Notices } from "./notices.ts";
import { answerNoNsid, type RouteRequest } from "./request.ts";
import { addRoute, deleteRoute, getRoutes, getRules } from "./routes.ts";
import type { NetlinkWriter } from "./writer.ts";

/** Writes the replies into `out`: 0 or -errno. */
export function answerRoute(r: RouteRequest, out: NetlinkWriter): number {
  switch (r.request.type) {
    case N.RTM_GETLINK:
      return getLinks(r, out);
    case N.RTM_GETADDR:
      return r.isDump ? dumpAddresses(r) : -EOPNOTSUPP;
    case N.RTM_GETROUTE:
      return getRoutes(r, out);
    case N.RTM_GETNEIGH:
      return getNeighbours(r, out);
    case N.RTM_GETRULE:
      return r.isDump ? getRules(r, out) : -EOPNOTSUPP;
    case N.RTM_GETNSID:
      return answerNoNsid(r, out);
    default:
      return r.isCapableOver(r.net, CAP_NET_ADMIN) ? changeAndTell(r) : -EPERM;
  }
}

function changeAndTell(r: RouteRequest): number {
  const notices = Notices.before(r.net, r.request);
  const result = change(r);
  notices?.tell();
  return result;
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
    case N.RTM_NEWNEIGH:
      return addNeighbour(r);
    case N.RTM_DELNEIGH:
      return deleteNeighbour(r);
    default:
      return -EOPNOTSUPP;
  }
}
