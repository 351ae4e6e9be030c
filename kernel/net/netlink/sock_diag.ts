/**
 * NETLINK_SOCK_DIAG (sock_diag(7)): lists of open sockets, as ss(8) asks for them, one socket by
 * its identity, and SOCK_DESTROY. Handlers: diag_inet.ts, diag_local.ts.
 */

import { EINVAL, ENOENT, EOPNOTSUPP, EPERM } from "../../../ffi/abi/errno.ts";
import { CAP_NET_ADMIN } from "../../../ffi/abi/capability.ts";
import * as D from "../../../ffi/abi/sock_diag.ts";
import {
  AF_INET,
  AF_INET6,
  AF_MAX,
  AF_NETLINK,
  AF_PACKET,
  AF_UNIX,
} from "../../../ffi/abi/socket.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { answerInet, destroyInet } from "./diag_inet.ts";
import { listNetlink, listPackets, listUnix } from "./diag_local.ts";
import type { RouteRequest } from "./request.ts";
import type { NetlinkWriter } from "./writer.ts";

/** Writes the replies into `out`: 0 or -errno. */
export function answerSockDiag(net: NetNamespace, r: RouteRequest, out: NetlinkWriter): number {
  const { type } = r.request, { family } = r;
  if (type !== D.SOCK_DIAG_BY_FAMILY && type !== D.SOCK_DESTROY) return -EINVAL;
  if (r.body.byteLength < 2 || family >= AF_MAX) return -EINVAL;
  const isInet = family === AF_INET || family === AF_INET6;
  if (type === D.SOCK_DESTROY) {
    if (!r.isCapableOver(net, CAP_NET_ADMIN)) return -EPERM;
    return isInet ? destroyInet(r) : -EOPNOTSUPP;
  }
  switch (family) {
    case AF_INET:
    case AF_INET6:
      return answerInet(r, out);
    case AF_UNIX:
      return listUnix(r, out);
    case AF_PACKET:
      return listPackets(r);
    case AF_NETLINK:
      return listNetlink(r);
    default:
      return -ENOENT;
  }
}
