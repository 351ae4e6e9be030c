/**
 * Checks bind(2), connect(2) and MSG_FASTOPEN of TCP sockets against domains of landlock(7)
 * (security/landlock/net.c).
 */

import { EACCES, EAFNOSUPPORT, EINVAL } from "../../../ffi/abi/errno.ts";
import { SockaddrIn } from "../../../ffi/abi/inet.ts";
import { LANDLOCK_ACCESS_NET_BIND_TCP } from "../../../ffi/abi/landlock.ts";
import { AF_INET, AF_INET6, AF_UNSPEC, SOCK_STREAM } from "../../../ffi/abi/socket.ts";
import type { Domain } from "../domain.ts";
import type { SocketAddress } from "../../net/message.ts";
import type { Socket } from "../../net/socket.ts";

/** Size of sockaddr_in6 in RFC 2133. */
const SIN6_LEN_RFC2133 = 24;

/** Checks `right`, one of LANDLOCK_ACCESS_NET_*: 0, -EACCES, -EINVAL, -EAFNOSUPPORT. */
export function mayUsePort(
  domain: Domain | null,
  socket: Socket,
  address: SocketAddress,
  right: number,
): number {
  if (domain === null || domain.all.net === 0 || socket.type !== SOCK_STREAM) return 0;
  const isInet = socket.family === AF_INET || socket.family === AF_INET6;
  if (!isInet) return 0;
  const { family, length, dv } = address;
  if (length < 2) return -EINVAL;
  if (family !== AF_UNSPEC && family !== AF_INET && family !== AF_INET6) return 0;
  // Dissolving an association needs no right.
  if (family === AF_UNSPEC && right !== LANDLOCK_ACCESS_NET_BIND_TCP) return 0;
  const kind = family === AF_UNSPEC ? socket.family : family;
  if (length < (kind === AF_INET6 ? SIN6_LEN_RFC2133 : SockaddrIn.size)) return -EINVAL;
  if (family === AF_UNSPEC) {
    // AF_UNSPEC means any address for IPv4, and is invalid for IPv6.
    const isAny = kind === AF_INET && dv.getUint32(SockaddrIn.at.addr, true) === 0;
    if (!isAny) return -EAFNOSUPPORT;
  } else if (family !== socket.family) return -EINVAL;
  const port = dv.getUint16(SockaddrIn.at.port, false);
  for (let at: Domain | null = domain; at !== null; at = at.parent) {
    if ((at.handled.net & right) === 0) continue;
    if (((at.rules.ports.get(port) ?? 0) & right) === 0) return -EACCES;
  }
  return 0;
}
