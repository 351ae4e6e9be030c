/**
 * Netlink: messages, and the part of rtnetlink that programs use (links, addresses, routes).
 *
 * From linux/netlink.h, rtnetlink.h, if_link.h and if_addr.h.
 */

import { layout } from "./layout.ts";

/** Protocols. */
export const NETLINK_ROUTE = 0;
export const NETLINK_USERSOCK = 2;
export const NETLINK_SOCK_DIAG = 4;
export const NETLINK_AUDIT = 9;
export const NETLINK_CONNECTOR = 11;
export const NETLINK_NETFILTER = 12;
export const NETLINK_KOBJECT_UEVENT = 15;
export const NETLINK_GENERIC = 16;

/** Message types and flags. */
export const NLMSG_NOOP = 1;
export const NLMSG_ERROR = 2;
export const NLMSG_DONE = 3;
export const NLMSG_OVERRUN = 4;
export const NLMSG_MIN_TYPE = 0x10;
export const NLM_F_REQUEST = 1;
export const NLM_F_MULTI = 2;
export const NLM_F_ACK = 4;
export const NLM_F_ECHO = 8;
export const NLM_F_DUMP_INTR = 0x10;
export const NLM_F_DUMP_FILTERED = 0x20;
export const NLM_F_ROOT = 0x100;
export const NLM_F_MATCH = 0x200;
export const NLM_F_ATOMIC = 0x400;
export const NLM_F_DUMP = 0x300;
export const NLM_F_REPLACE = 0x100;
export const NLM_F_EXCL = 0x200;
export const NLM_F_CREATE = 0x400;
export const NLM_F_APPEND = 0x800;
export const NLM_F_CAPPED = 0x100;
export const NLM_F_ACK_TLVS = 0x200;

/** Options at SOL_NETLINK. */
export const NETLINK_ADD_MEMBERSHIP = 1;
export const NETLINK_DROP_MEMBERSHIP = 2;
export const NETLINK_PKTINFO = 3;
export const NETLINK_BROADCAST_ERROR = 4;
export const NETLINK_NO_ENOBUFS = 5;
export const NETLINK_LISTEN_ALL_NSID = 8;
export const NETLINK_LIST_MEMBERSHIPS = 9;
export const NETLINK_CAP_ACK = 10;
export const NETLINK_EXT_ACK = 11;
export const NETLINK_GET_STRICT_CHK = 12;

/** rtnetlink messages. */
export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
export const RTM_GETLINK = 18;
export const RTM_SETLINK = 19;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
export const RTM_GETADDR = 22;
export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;
export const RTM_NEWNEIGH = 28;
export const RTM_GETNEIGH = 30;
export const RTM_NEWRULE = 32;
export const RTM_GETRULE = 34;
export const RTM_NEWNSID = 88;
export const RTM_GETNSID = 90;

/** Attributes of links, addresses and routes. */
export const IFLA_UNSPEC = 0;
export const IFLA_ADDRESS = 1;
export const IFLA_BROADCAST = 2;
export const IFLA_IFNAME = 3;
export const IFLA_MTU = 4;
export const IFLA_LINK = 5;
export const IFLA_QDISC = 6;
export const IFLA_STATS = 7;
export const IFLA_TXQLEN = 13;
export const IFLA_OPERSTATE = 16;
export const IFLA_LINKMODE = 17;
export const IFLA_LINKINFO = 18;
export const IFLA_STATS64 = 23;
export const IFLA_GROUP = 27;
export const IFLA_NUM_TX_QUEUES = 31;
export const IFLA_NUM_RX_QUEUES = 32;
export const IFLA_CARRIER = 33;
export const IFLA_EXT_MASK = 29;
export const IFA_UNSPEC = 0;
export const IFA_ADDRESS = 1;
export const IFA_LOCAL = 2;
export const IFA_LABEL = 3;
export const IFA_BROADCAST = 4;
export const IFA_CACHEINFO = 6;
export const IFA_FLAGS = 8;
export const IFA_PROTO = 11;
export const IFA_F_PERMANENT = 128;
export const IFAPROT_UNSPEC = 0;
export const IFAPROT_KERNEL_LO = 1;
export const RTA_UNSPEC = 0;
export const RTA_DST = 1;
export const RTA_SRC = 2;
export const RTA_IIF = 3;
export const RTA_OIF = 4;
export const RTA_GATEWAY = 5;
export const RTA_PRIORITY = 6;
export const RTA_PREFSRC = 7;
export const RTA_METRICS = 8;
export const RTA_CACHEINFO = 12;
export const RTA_TABLE = 15;
export const RT_TABLE_MAIN = 254;
export const RT_TABLE_LOCAL = 255;
export const RT_SCOPE_UNIVERSE = 0;
export const RT_SCOPE_LINK = 253;
export const RT_SCOPE_HOST = 254;
export const RTN_UNICAST = 1;
export const RTN_LOCAL = 2;
export const RTN_BROADCAST = 3;
export const RTN_BLACKHOLE = 6;
export const RTN_PROHIBIT = 8;
export const RTN_THROW = 9;
export const RTPROT_KERNEL = 2;
export const RTPROT_BOOT = 3;
export const RTMGRP_LINK = 1;
export const RTMGRP_IPV4_IFADDR = 16;

/** Operational states of a link (linux/if.h); interface flags and hardware types are in inet.ts. */
export const IF_OPER_UNKNOWN = 0;
export const IF_OPER_DOWN = 2;
export const IF_OPER_UP = 6;

/** `struct sockaddr_nl`. */
export const SockaddrNl = /* @__PURE__ */ layout("sockaddr_nl", {
  family: "u16",
  pad: "u16",
  pid: "u32",
  groups: "u32",
});

/** `struct nlmsghdr`; messages and attributes are padded to 4 bytes. */
export const Nlmsghdr = /* @__PURE__ */ layout("nlmsghdr", {
  len: "u32",
  type: "u16",
  flags: "u16",
  seq: "u32",
  pid: "u32",
});

/** `struct nlmsgerr`: a negative errno and the header of the request. */
export const Nlmsgerr = /* @__PURE__ */ layout("nlmsgerr", { error: "i32", msg: Nlmsghdr });

/** `struct rtattr`. */
export const Rtattr = /* @__PURE__ */ layout("rtattr", { len: "u16", type: "u16" });

/** `struct rtgenmsg`. */
export const Rtgenmsg = /* @__PURE__ */ layout("rtgenmsg", { family: "u8" });

/** `struct ifinfomsg`. */
export const Ifinfomsg = /* @__PURE__ */ layout("ifinfomsg", {
  family: "u8",
  pad: "u8",
  type: "u16",
  index: "i32",
  flags: "u32",
  change: "u32",
});

/** `struct ifaddrmsg`. */
export const Ifaddrmsg = /* @__PURE__ */ layout("ifaddrmsg", {
  family: "u8",
  prefixlen: "u8",
  flags: "u8",
  scope: "u8",
  index: "u32",
});

/** `struct rtmsg`. */
export const Rtmsg = /* @__PURE__ */ layout("rtmsg", {
  family: "u8",
  dstLen: "u8",
  srcLen: "u8",
  tos: "u8",
  table: "u8",
  protocol: "u8",
  scope: "u8",
  type: "u8",
  flags: "u32",
});

/** Attributes for new links, as `ip link` sends them: if_link.h, veth.h. */
export const IFLA_MASTER = 10;
export const IFLA_NET_NS_PID = 19;
export const IFLA_IFALIAS = 20;
export const IFLA_NET_NS_FD = 28;
export const IFLA_PROMISCUITY = 30;
export const IFLA_LINK_NETNSID = 37;
export const IFLA_INFO_KIND = 1;
export const IFLA_INFO_DATA = 2;
export const VETH_INFO_PEER = 1;
/** Bit in the type of an attribute that contains attributes. */
export const NLA_F_NESTED = 0x8000;
export const NLA_TYPE_MASK = ~0xc000;
export const IF_OPER_LOWERLAYERDOWN = 3;
export const RTM_DELNEIGH = 29;
export const RTN_UNREACHABLE = 7;
export const RT_TABLE_UNSPEC = 0;
export const RTM_F_CLONED = 0x200;
export const RTMGRP_IPV4_ROUTE = 0x40;
export const RTMGRP_IPV6_IFADDR = 0x100;
export const RTMGRP_IPV6_ROUTE = 0x400;
/** Attributes of an NLMSG_ERROR beside the errno, for sockets with NETLINK_EXT_ACK. */
export const NLMSGERR_ATTR_MSG = 1;
export const NLMSGERR_ATTR_OFFS = 2;
/** Multicast groups of rtnetlink. */
export const RTNLGRP_LINK = 1;
export const RTNLGRP_NEIGH = 3;
export const RTNLGRP_IPV4_IFADDR = 5;
export const RTNLGRP_IPV4_ROUTE = 7;
export const RTNLGRP_IPV4_RULE = 8;
export const RTNLGRP_IPV6_IFADDR = 9;
export const RTNLGRP_IPV6_ROUTE = 11;
export const RTNLGRP_IPV6_RULE = 19;
export const RTNLGRP_NSID = 28;
export const RTNLGRP_MAX = 36;

/** `struct ndmsg`, and attributes of neighbours (neighbour.h). */
export const Ndmsg = /* @__PURE__ */ layout("ndmsg", {
  family: "u8",
  pad1: "u8",
  pad2: "u16",
  ifindex: "i32",
  state: "u16",
  flags: "u8",
  type: "u8",
});
export const NDA_DST = 1;
export const NDA_LLADDR = 2;
export const NDA_CACHEINFO = 3;
export const NDA_PROBES = 4;
export const NUD_REACHABLE = 2;
export const NUD_STALE = 4;
export const NUD_DELAY = 8;
export const NUD_PROBE = 0x10;
export const NUD_NOARP = 0x40;
export const NUD_PERMANENT = 0x80;

/** `struct fib_rule_hdr`, and attributes of rules (fib_rules.h). */
export const FibRuleHdr = /* @__PURE__ */ layout("fib_rule_hdr", {
  family: "u8",
  dstLen: "u8",
  srcLen: "u8",
  tos: "u8",
  table: "u8",
  res1: "u8",
  res2: "u8",
  action: "u8",
  flags: "u32",
});
export const FRA_PRIORITY = 6;
export const FRA_SUPPRESS_PREFIXLEN = 14;
export const FRA_TABLE = 15;
export const FRA_PROTOCOL = 21;
export const FR_ACT_TO_TBL = 1;
export const RT_TABLE_DEFAULT = 253;
