/**
 * Internet sockets: addresses, protocols, IP, IPv6, TCP and UDP options, interface requests.
 *
 * From linux/in.h, in6.h, tcp.h, udp.h, if.h and sockios.h. Addresses and ports are big endian in
 * memory.
 */

import { layout } from "./layout.ts";

/** Protocols; also option levels. */
export const IPPROTO_IP = 0;
export const IPPROTO_ICMP = 1;
export const IPPROTO_IGMP = 2;
export const IPPROTO_TCP = 6;
export const IPPROTO_UDP = 17;
export const IPPROTO_UDPLITE = 136;
export const IPPROTO_IPV6 = 41;
export const IPPROTO_ICMPV6 = 58;
export const IPPROTO_RAW = 255;

/** IP options. */
export const IP_TOS = 1;
export const IP_TTL = 2;
export const IP_HDRINCL = 3;
export const IP_OPTIONS = 4;
export const IP_RECVOPTS = 6;
export const IP_RETOPTS = 7;
export const IP_PKTINFO = 8;
export const IP_PKTOPTIONS = 9;
export const IP_MTU_DISCOVER = 10;
export const IP_RECVERR = 11;
export const IP_RECVERR_RFC4884 = 26;
export const IP_RECVTTL = 12;
export const IP_RECVTOS = 13;
export const IP_MTU = 14;
export const IP_FREEBIND = 15;
export const IP_TRANSPARENT = 19;
export const IP_RECVORIGDSTADDR = 20;
export const IP_MINTTL = 21;
export const IP_BIND_ADDRESS_NO_PORT = 24;
export const IP_MULTICAST_IF = 32;
export const IP_MULTICAST_TTL = 33;
export const IP_MULTICAST_LOOP = 34;
export const IP_ADD_MEMBERSHIP = 35;
export const IP_DROP_MEMBERSHIP = 36;
export const IP_UNBLOCK_SOURCE = 37;
export const IP_BLOCK_SOURCE = 38;
export const IP_ADD_SOURCE_MEMBERSHIP = 39;
export const IP_DROP_SOURCE_MEMBERSHIP = 40;
export const IP_MSFILTER = 41;
export const MCAST_JOIN_GROUP = 42;
export const MCAST_BLOCK_SOURCE = 43;
export const MCAST_UNBLOCK_SOURCE = 44;
export const MCAST_LEAVE_GROUP = 45;
export const MCAST_JOIN_SOURCE_GROUP = 46;
export const MCAST_LEAVE_SOURCE_GROUP = 47;
export const MCAST_MSFILTER = 48;
/** Filter modes of sources. */
export const MCAST_EXCLUDE = 0;
export const MCAST_INCLUDE = 1;
export const IP_MULTICAST_ALL = 49;
export const IP_UNICAST_IF = 50;
export const IP_PMTUDISC_DONT = 0;
export const IP_PMTUDISC_WANT = 1;
export const IP_PMTUDISC_DO = 2;
export const IP_PMTUDISC_OMIT = 5;
export const IP_LOCAL_PORT_RANGE = 51;

/** IPv6 options. */
export const IPV6_2292PKTINFO = 2;
export const IPV6_CHECKSUM = 7;
export const IPV6_HDRINCL = 36;
export const IPV6_2292HOPLIMIT = 8;
export const IPV6_2292HOPOPTS = 3;
export const IPV6_2292DSTOPTS = 4;
export const IPV6_2292RTHDR = 5;
export const IPV6_ROUTER_ALERT_ISOLATE = 30;
export const IPV6_TRANSPARENT = 75;
export const IPV6_RECVFRAGSIZE = 77;
export const IP_PASSSEC = 18;
export const IP_RECVFRAGSIZE = 25;
export const IPV6_FLOWINFO = 11;
export const IPV6_UNICAST_HOPS = 16;
export const IPV6_MULTICAST_IF = 17;
export const IPV6_MULTICAST_HOPS = 18;
export const IPV6_MULTICAST_LOOP = 19;
export const IPV6_ADD_MEMBERSHIP = 20;
export const IPV6_DROP_MEMBERSHIP = 21;
export const IPV6_MTU_DISCOVER = 23;
export const IPV6_MTU = 24;
export const IPV6_RECVERR = 25;
export const IPV6_RECVERR_RFC4884 = 31;
export const IPV6_V6ONLY = 26;
export const IPV6_MULTICAST_ALL = 29;
export const IPV6_FLOWINFO_SEND = 33;
export const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
export const IPV6_RECVHOPLIMIT = 51;
export const IPV6_HOPLIMIT = 52;
export const IPV6_RECVHOPOPTS = 53;
export const IPV6_HOPOPTS = 54;
export const IPV6_RECVRTHDR = 56;
export const IPV6_RTHDR = 57;
export const IPV6_RECVDSTOPTS = 58;
export const IPV6_DSTOPTS = 59;
export const IPV6_RECVPATHMTU = 60;
export const IPV6_ROUTER_ALERT = 22;
export const IPV6_PATHMTU = 61;
export const IP_ROUTER_ALERT = 5;
export const IP_PROTOCOL = 52;
export const IP_NODEFRAG = 22;
export const IP_CHECKSUM = 23;
export const IPV6_DONTFRAG = 62;
export const IPV6_TCLASS = 67;
export const IPV6_RECVTCLASS = 66;
export const IPV6_AUTOFLOWLABEL = 70;
export const IPV6_ADDR_PREFERENCES = 72;
export const IPV6_MINHOPCOUNT = 73;
export const IPV6_ORIGDSTADDR = 74;
export const IPV6_RECVORIGDSTADDR = 74;
export const IPV6_UNICAST_IF = 76;
export const IPV6_FREEBIND = 78;

/** TCP options and states. */
export const TCP_NODELAY = 1;
export const TCP_MAXSEG = 2;
export const TCP_CORK = 3;
export const TCP_KEEPIDLE = 4;
export const TCP_KEEPINTVL = 5;
export const TCP_KEEPCNT = 6;
export const TCP_SYNCNT = 7;
export const TCP_LINGER2 = 8;
export const TCP_DEFER_ACCEPT = 9;
export const TCP_WINDOW_CLAMP = 10;
export const TCP_INFO = 11;
export const TCP_QUICKACK = 12;
export const TCP_CONGESTION = 13;
export const TCP_THIN_LINEAR_TIMEOUTS = 16;
export const TCP_THIN_DUPACK = 17;
export const TCP_USER_TIMEOUT = 18;
export const TCP_TIMESTAMP = 24;
export const TCP_CC_INFO = 26;
export const TCP_SAVE_SYN = 27;
export const TCP_SAVED_SYN = 28;
export const TCP_ULP = 31;
export const TCP_FASTOPEN_KEY = 33;
export const TCP_FASTOPEN_NO_COOKIE = 34;
export const TCP_TX_DELAY = 37;
export const TCP_IS_MPTCP = 43;
export const TCP_FASTOPEN = 23;
export const TCP_FASTOPEN_CONNECT = 30;
export const TCP_NOTSENT_LOWAT = 25;
export const TCP_INQ = 36;
export const UDPLITE_SEND_CSCOV = 10;
export const UDPLITE_RECV_CSCOV = 11;
export const TCP_REPAIR = 19;
export const TCP_REPAIR_QUEUE = 20;
export const TCP_QUEUE_SEQ = 21;
export const TCP_REPAIR_OPTIONS = 22;
export const TCP_REPAIR_WINDOW = 29;
export const UDP_CORK = 1;
export const UDP_ENCAP = 100;
export const UDP_NO_CHECK6_TX = 101;
export const UDP_NO_CHECK6_RX = 102;
export const UDP_SEGMENT = 103;
export const UDP_GRO = 104;
/** ICMP messages (linux/icmp.h, icmpv6.h). */
export const ICMP_ECHOREPLY = 0;
export const ICMP_ECHO = 8;
export const ICMP_DEST_UNREACH = 3;
export const ICMP_HOST_UNREACH = 1;
export const ICMP_PROT_UNREACH = 2;
export const ICMP_PORT_UNREACH = 3;
export const ICMPV6_DEST_UNREACH = 1;
export const ICMPV6_ADDR_UNREACH = 3;
export const ICMPV6_PORT_UNREACH = 4;
export const ICMPV6_ECHO_REQUEST = 128;
export const ICMPV6_ECHO_REPLY = 129;
/** At SOL_RAW and IPPROTO_ICMPV6: the messages that a raw socket receives. */
export const ICMP_FILTER = 1;
export const ICMPV6_FILTER = 1;
export const TCP_ESTABLISHED = 1;
export const TCP_SYN_SENT = 2;
export const TCP_SYN_RECV = 3;
export const TCP_FIN_WAIT1 = 4;
export const TCP_FIN_WAIT2 = 5;
export const TCP_TIME_WAIT = 6;
export const TCP_CLOSE = 7;
export const TCP_CLOSE_WAIT = 8;
export const TCP_LAST_ACK = 9;
export const TCP_LISTEN = 10;
export const TCP_CLOSING = 11;

/** Interface ioctls. */
export const SIOCGIFNAME = 0x8910;
export const SIOCGIFCONF = 0x8912;
export const SIOCGIFFLAGS = 0x8913;
export const SIOCSIFFLAGS = 0x8914;
export const SIOCGIFADDR = 0x8915;
export const SIOCSIFADDR = 0x8916;
export const SIOCGIFDSTADDR = 0x8917;
export const SIOCGIFBRDADDR = 0x8919;
export const SIOCGIFNETMASK = 0x891b;
export const SIOCSIFNETMASK = 0x891c;
export const SIOCGIFMETRIC = 0x891d;
export const SIOCGIFMTU = 0x8921;
export const SIOCSIFMTU = 0x8922;
export const SIOCGIFHWADDR = 0x8927;
export const SIOCGIFINDEX = 0x8933;
export const SIOCGIFTXQLEN = 0x8942;
export const SIOCETHTOOL = 0x8946;
export const SIOCGARP = 0x8954;
export const SIOCADDRT = 0x890b;
export const SIOCDELRT = 0x890c;

/** Interface flags, hardware types. */
export const IFF_UP = 1;
export const IFF_BROADCAST = 2;
export const IFF_LOOPBACK = 8;
export const IFF_POINTOPOINT = 0x10;
export const IFF_RUNNING = 0x40;
export const IFF_NOARP = 0x80;
export const IFF_PROMISC = 0x100;
export const IFF_ALLMULTI = 0x200;
export const IFF_DEBUG = 4;
export const IFF_MULTICAST = 0x1000;
export const IFNAMSIZ = 0x10;
export const ARPHRD_ETHER = 1;
export const ARPHRD_LOOPBACK = 0x304;
export const ARPHRD_NONE = 0xfffe;

/** Special IPv4 addresses, as numbers in host order. */
export const INADDR_ANY = 0;
export const INADDR_LOOPBACK = 0x7f000001;
export const INADDR_BROADCAST = 0xffffffff;

/** `struct sockaddr_in`, 16 bytes. */
export const SockaddrIn = /* @__PURE__ */ layout("sockaddr_in", {
  family: "u16",
  port: "u16",
  addr: "u32",
  zero: ["u8", 8],
});

/** `struct sockaddr_in6`, 28 bytes. */
export const SockaddrIn6 = /* @__PURE__ */ layout("sockaddr_in6", {
  family: "u16",
  port: "u16",
  flowinfo: "u32",
  addr: ["u8", 16],
  scopeId: "u32",
});

/** `struct ip_mreqn`. */
export const IpMreqn = /* @__PURE__ */ layout("ip_mreqn", {
  multiaddr: "u32",
  address: "u32",
  ifindex: "i32",
});

/** `struct ip_mreq_source`, and `ip_msfilter` with the first of its sources. */
export const IpMreqSource = /* @__PURE__ */ layout("ip_mreq_source", {
  multiaddr: "u32",
  interface: "u32",
  sourceaddr: "u32",
});
export const IpMsfilter = /* @__PURE__ */ layout("ip_msfilter", {
  multiaddr: "u32",
  interface: "u32",
  fmode: "u32",
  numsrc: "u32",
  slist: ["u32", 1],
});

/** `struct ipv6_mreq`. */
export const Ipv6Mreq = /* @__PURE__ */ layout("ipv6_mreq", {
  multiaddr: ["u8", 16],
  interface: "i32",
});

/** `struct group_req`, `group_source_req`, and `group_filter` with the first of its sources. */
export const GroupReq = /* @__PURE__ */ layout("group_req", {
  interface: "u32",
  group: ["u64", 16],
});
export const GroupSourceReq = /* @__PURE__ */ layout("group_source_req", {
  interface: "u32",
  group: ["u64", 16],
  source: ["u64", 16],
});
export const GroupFilter = /* @__PURE__ */ layout("group_filter", {
  interface: "u32",
  group: ["u64", 16],
  fmode: "u32",
  numsrc: "u32",
  slist: ["u64", 16],
});

/** `struct in_pktinfo`. */
export const InPktinfo = /* @__PURE__ */ layout("in_pktinfo", {
  ifindex: "i32",
  specDst: "u32",
  addr: "u32",
});

/** `struct ifreq`, 40 bytes: a name and a union of 24 bytes. */
export const Ifreq = /* @__PURE__ */ layout("ifreq", { name: ["u8", 16], data: ["u64", 3] });

/** `struct ifconf`. */
export const Ifconf = /* @__PURE__ */ layout("ifconf", { len: "i32", buf: "ptr" });

/** `struct arpreq`: addresses are `struct sockaddr`s. */
export const Arpreq = /* @__PURE__ */ layout("arpreq", {
  pa: ["u16", 8],
  ha: ["u16", 8],
  flags: "i32",
  netmask: ["u32", 4],
  dev: ["u8", 16],
});
export const ATF_COM = 2;
export const ATF_PERM = 4;
export const ATF_PUBL = 8;
export const ATF_NETMASK = 0x20;
export const ATF_DONTPUB = 0x40;
