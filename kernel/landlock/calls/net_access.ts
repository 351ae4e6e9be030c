/** What domains of landlock(7) say about bind(2), connect(2) and MSG_FASTOPEN of TCP sockets (security/landlock/net.c). */

import { EACCES, EAFNOSUPPORT, EINVAL } from "../../../ffi/abi/errno.ts";
import { SockaddrIn } from "../../../ffi/abi/inet.ts";
import { LANDLOCK_ACCESS_NET_BIND_TCP } from "../../../ffi/abi/landlock.ts";
import { AF_INET, AF_INET6, AF_UNSPEC, SOCK_STREAM } from "../../../ffi/abi/socket.ts";
import type { Domain } from "../domain.ts";
import type { SocketAddress } from "../../net/message.ts";
import type { Socket } from "../../net/socket.ts";

/** sockaddr_in6 as RFC 2133 had it. */
const SIN6_LEN_RFC2133 = 24;

/** `right`: LANDLOCK_ACCESS_NET_*. 0, -EACCES, -EINVAL, -EAFNOSUPPORT. */
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
  // Ending an association is no access.
  if (family === AF_UNSPEC && right !== LANDLOCK_ACCESS_NET_BIND_TCP) return 0;
  const kind = family === AF_UNSPEC ? socket.family : family;
  if (length < (kind === AF_INET6 ? SIN6_LEN_RFC2133 : SockaddrIn.size)) return -EINVAL;
  if (family === AF_UNSPEC) {
    // Of IPv4 it is any address, of IPv6 none.
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
