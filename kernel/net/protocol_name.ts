/**
 * The name of a socket's protocol, as in /proc/net/protocols and in the attribute that lsof(8)
 * reads.
 */

import { IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_UDPLITE } from "../../ffi/abi/inet.ts";
import {
  AF_INET,
  AF_INET6,
  AF_NETLINK,
  AF_PACKET,
  AF_UNIX,
  SOCK_DGRAM,
  SOCK_RAW,
  SOCK_STREAM,
} from "../../ffi/abi/socket.ts";

/** The fields of a socket that decide the name. */
interface Protocol {
  readonly family: number;
  readonly type: number;
  readonly protocol: number;
}

/** The only attribute of sockfs: the name and a zero byte. */
export const XATTR_SOCKPROTONAME = "system.sockprotoname";

/** The name of a socket's protocol. */
export function protocolName(socket: Protocol): string {
  switch (socket.family) {
    case AF_UNIX:
      return socket.type === SOCK_STREAM ? "UNIX-STREAM" : "UNIX";
    case AF_NETLINK:
      return "NETLINK";
    case AF_PACKET:
      return "PACKET";
    case AF_INET:
      return socket.protocol === IPPROTO_UDPLITE ? "UDP-Lite" : internetName(socket);
    case AF_INET6:
      return `${internetName(socket)}v6`;
    default:
      return "";
  }
}

function internetName(socket: Protocol): string {
  if (socket.type === SOCK_STREAM) return "TCP";
  if (socket.type === SOCK_RAW) return "RAW";
  if (socket.type !== SOCK_DGRAM) return "";
  switch (socket.protocol) {
    case IPPROTO_UDPLITE:
      return "UDPLITE";
    case IPPROTO_ICMP:
    case IPPROTO_ICMPV6:
      return "PING";
    default:
      return "UDP";
  }
}
