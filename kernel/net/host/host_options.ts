/**
 * The options of host sockets that are passed to the host, as data, with the bytes of each value.
 * Other options are the kernel's own (socket_options.ts) or give ENOPROTOOPT. The seccomp filter of
 * the process allows this list and nothing else.
 */

import * as I from "../../../ffi/abi/inet.ts";
import * as S from "../../../ffi/abi/socket.ts";

/** Option names by level. */
export type OptionNames = ReadonlyMap<number, readonly number[]>;

/** LIMIT: bytes of a value; struct group_source_req has 264, struct tcp_info some 250. */
export const MAX_OPTION_BYTES = 512;

const MULTICAST: readonly number[] = [
  I.MCAST_JOIN_GROUP,
  I.MCAST_BLOCK_SOURCE,
  I.MCAST_UNBLOCK_SOURCE,
  I.MCAST_LEAVE_GROUP,
  I.MCAST_JOIN_SOURCE_GROUP,
  I.MCAST_LEAVE_SOURCE_GROUP,
];

const SOCKET: readonly number[] = [
  S.SO_REUSEADDR,
  S.SO_REUSEPORT,
  S.SO_BROADCAST,
  S.SO_KEEPALIVE,
  S.SO_OOBINLINE,
  S.SO_SNDBUF,
  S.SO_RCVBUF,
  S.SO_RCVLOWAT,
  S.SO_DONTROUTE,
  S.SO_PRIORITY,
  S.SO_NO_CHECK,
  S.SO_RXQ_OVFL,
  S.SO_BINDTODEVICE,
  S.SO_LINGER,
];

const IP: readonly number[] = [
  I.IP_TOS,
  I.IP_TTL,
  I.IP_HDRINCL,
  I.IP_RECVOPTS,
  I.IP_RETOPTS,
  I.IP_PKTINFO,
  I.IP_MTU_DISCOVER,
  I.IP_RECVERR,
  I.IP_RECVTTL,
  I.IP_RECVTOS,
  I.IP_FREEBIND,
  I.IP_RECVORIGDSTADDR,
  I.IP_MINTTL,
  I.IP_BIND_ADDRESS_NO_PORT,
  I.IP_MULTICAST_IF,
  I.IP_MULTICAST_TTL,
  I.IP_MULTICAST_LOOP,
  I.IP_ADD_MEMBERSHIP,
  I.IP_DROP_MEMBERSHIP,
  I.IP_UNBLOCK_SOURCE,
  I.IP_BLOCK_SOURCE,
  I.IP_ADD_SOURCE_MEMBERSHIP,
  I.IP_DROP_SOURCE_MEMBERSHIP,
  I.IP_MULTICAST_ALL,
  I.IP_UNICAST_IF,
  I.IP_LOCAL_PORT_RANGE,
  ...MULTICAST,
];

const IPV6: readonly number[] = [
  I.IPV6_2292PKTINFO,
  I.IPV6_CHECKSUM,
  I.IPV6_2292HOPLIMIT,
  I.IPV6_UNICAST_HOPS,
  I.IPV6_MULTICAST_IF,
  I.IPV6_MULTICAST_HOPS,
  I.IPV6_MULTICAST_LOOP,
  I.IPV6_ADD_MEMBERSHIP,
  I.IPV6_DROP_MEMBERSHIP,
  I.IPV6_MTU_DISCOVER,
  I.IPV6_MTU,
  I.IPV6_RECVERR,
  I.IPV6_V6ONLY,
  I.IPV6_MULTICAST_ALL,
  I.IPV6_FLOWINFO_SEND,
  I.IPV6_RECVPKTINFO,
  I.IPV6_RECVHOPLIMIT,
  I.IPV6_RECVHOPOPTS,
  I.IPV6_RECVRTHDR,
  I.IPV6_RECVDSTOPTS,
  I.IPV6_RECVPATHMTU,
  I.IPV6_DONTFRAG,
  I.IPV6_RECVTCLASS,
  I.IPV6_TCLASS,
  I.IPV6_AUTOFLOWLABEL,
  I.IPV6_ADDR_PREFERENCES,
  I.IPV6_MINHOPCOUNT,
  I.IPV6_RECVORIGDSTADDR,
  I.IPV6_UNICAST_IF,
  I.IPV6_FREEBIND,
  ...MULTICAST,
];

const TCP: readonly number[] = [
  I.TCP_NODELAY,
  I.TCP_MAXSEG,
  I.TCP_CORK,
  I.TCP_KEEPIDLE,
  I.TCP_KEEPINTVL,
  I.TCP_KEEPCNT,
  I.TCP_SYNCNT,
  I.TCP_LINGER2,
  I.TCP_DEFER_ACCEPT,
  I.TCP_WINDOW_CLAMP,
  I.TCP_QUICKACK,
  I.TCP_CONGESTION,
  I.TCP_USER_TIMEOUT,
  I.TCP_FASTOPEN,
  I.TCP_FASTOPEN_CONNECT,
  I.TCP_NOTSENT_LOWAT,
  I.TCP_INQ,
];

/** Options that can be set. */
export const SET_OPTIONS: OptionNames = new Map([
  [S.SOL_SOCKET, [...SOCKET, S.SO_TIMESTAMPNS]],
  [I.IPPROTO_IP, IP],
  [I.IPPROTO_IPV6, IPV6],
  [I.IPPROTO_TCP, TCP],
  [I.IPPROTO_UDP, [
    I.UDP_CORK,
    I.UDP_SEGMENT,
    I.UDP_GRO,
    I.UDP_NO_CHECK6_TX,
    I.UDP_NO_CHECK6_RX,
  ]],
  [I.IPPROTO_UDPLITE, [I.UDPLITE_SEND_CSCOV, I.UDPLITE_RECV_CSCOV]],
  [S.SOL_RAW, [I.ICMP_FILTER, I.IPV6_CHECKSUM]],
  [I.IPPROTO_ICMPV6, [I.ICMPV6_FILTER]],
]);

/** Options that can only be read. */
const ASKED: OptionNames = new Map([
  [S.SOL_SOCKET, [S.SO_ERROR, S.SO_ACCEPTCONN, S.SO_INCOMING_CPU, S.SO_COOKIE]],
  [I.IPPROTO_IP, [I.IP_MTU, I.IP_OPTIONS]],
  [I.IPPROTO_TCP, [I.TCP_INFO]],
  [I.IPPROTO_IPV6, [I.IPV6_PATHMTU]],
]);

/** All options that can be read. */
export const GET_OPTIONS: OptionNames = new Map(
  [...SET_OPTIONS].map(([level, names]) => [level, [...names, ...ASKED.get(level) ?? []]]),
);

/** Whether an option is in a list. */
export function isListed(options: OptionNames, level: number, name: number): boolean {
  return options.get(level)?.includes(name) ?? false;
}
