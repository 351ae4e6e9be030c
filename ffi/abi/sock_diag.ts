/**
 * NETLINK_SOCK_DIAG: requests for lists of sockets, and their rows.
 *
 * From linux/sock_diag.h, inet_diag.h and unix_diag.h. Netlink itself is in netlink.ts.
 */

import { layout } from "./layout.ts";

export const SOCK_DIAG_BY_FAMILY = 20;
export const UNIX_DIAG_NAME = 0;
export const UNIX_DIAG_PEER = 2;
export const UNIX_DIAG_RQLEN = 4;

/** `struct inet_diag_req_v2`; `id` names one socket. */
export const InetDiagReq = /* @__PURE__ */ layout("inet_diag_req_v2", {
  family: "u8",
  protocol: "u8",
  ext: "u8",
  pad: "u8",
  states: "u32",
  id: ["u32", 12],
});

/**
 * `struct inet_diag_msg`, with its `struct inet_diag_sockid` in place; ports and addresses are big
 * endian.
 */
export const InetDiagMsg = /* @__PURE__ */ layout("inet_diag_msg", {
  family: "u8",
  state: "u8",
  timer: "u8",
  retrans: "u8",
  sport: "u16",
  dport: "u16",
  src: ["u32", 4],
  dst: ["u32", 4],
  ifindex: "u32",
  cookie: ["u32", 2],
  expires: "u32",
  rqueue: "u32",
  wqueue: "u32",
  uid: "u32",
  inode: "u32",
});

/** `struct unix_diag_req`. */
export const UnixDiagReq = /* @__PURE__ */ layout("unix_diag_req", {
  family: "u8",
  protocol: "u8",
  pad: "u16",
  states: "u32",
  ino: "u32",
  show: "u32",
  cookie: ["u32", 2],
});

/** `struct unix_diag_msg`. */
export const UnixDiagMsg = /* @__PURE__ */ layout("unix_diag_msg", {
  family: "u8",
  type: "u8",
  state: "u8",
  pad: "u8",
  ino: "u32",
  cookie: ["u32", 2],
});

export const SOCK_DESTROY = 21;
/** Attributes that a request selects in `ext`, by bit N - 1; and their structures. */
export const INET_DIAG_MEMINFO = 1;
export const INET_DIAG_INFO = 2;
export const INET_DIAG_CONG = 4;
export const INET_DIAG_TOS = 5;
export const INET_DIAG_TCLASS = 6;
export const INET_DIAG_SKMEMINFO = 7;
export const INET_DIAG_SHUTDOWN = 8;
export const INET_DIAG_SKV6ONLY = 11;
export const INET_DIAG_MARK = 15;
export const INET_DIAG_CLASS_ID = 17;
export const INET_DIAG_SOCKOPT = 22;
/** Attributes of a request: a filter, and a protocol number too large for its field. */
export const INET_DIAG_REQ_BYTECODE = 1;
export const INET_DIAG_REQ_PROTOCOL = 3;
/** Operations of a filter. */
export const INET_DIAG_BC_NOP = 0;
export const INET_DIAG_BC_JMP = 1;
export const INET_DIAG_BC_S_GE = 2;
export const INET_DIAG_BC_S_LE = 3;
export const INET_DIAG_BC_D_GE = 4;
export const INET_DIAG_BC_D_LE = 5;
export const INET_DIAG_BC_AUTO = 6;
export const INET_DIAG_BC_S_COND = 7;
export const INET_DIAG_BC_D_COND = 8;
export const INET_DIAG_BC_DEV_COND = 9;
export const INET_DIAG_BC_S_EQ = 11;
export const INET_DIAG_BC_D_EQ = 12;
/** Words of INET_DIAG_SKMEMINFO and similar attributes, by index. */
export const SK_MEMINFO_RMEM_ALLOC = 0;
export const SK_MEMINFO_RCVBUF = 1;
export const SK_MEMINFO_WMEM_ALLOC = 2;
export const SK_MEMINFO_SNDBUF = 3;
export const SK_MEMINFO_WMEM_QUEUED = 5;
export const SK_MEMINFO_DROPS = 8;
export const SK_MEMINFO_VARS = 9;

export const UDIAG_SHOW_NAME = 1;
export const UDIAG_SHOW_PEER = 4;
export const UDIAG_SHOW_RQLEN = 16;
export const UDIAG_SHOW_MEMINFO = 32;
export const UDIAG_SHOW_UID = 64;
export const UNIX_DIAG_MEMINFO = 5;
export const UNIX_DIAG_SHUTDOWN = 6;
export const UNIX_DIAG_UID = 7;

/** `struct packet_diag_req` and `netlink_diag_req`, which are equal. */
export const OtherDiagReq = /* @__PURE__ */ layout("packet_diag_req", {
  family: "u8",
  protocol: "u8",
  pad: "u16",
  ino: "u32",
  show: "u32",
  cookie: ["u32", 2],
});
export const PacketDiagMsg = /* @__PURE__ */ layout("packet_diag_msg", {
  family: "u8",
  type: "u8",
  num: "u16",
  ino: "u32",
  cookie: ["u32", 2],
});
export const PACKET_SHOW_INFO = 1;
export const PACKET_SHOW_MEMINFO = 16;
export const PACKET_DIAG_INFO = 0;
export const PACKET_DIAG_UID = 5;
export const PACKET_DIAG_MEMINFO = 6;
export const NetlinkDiagMsg = /* @__PURE__ */ layout("netlink_diag_msg", {
  family: "u8",
  type: "u8",
  protocol: "u8",
  state: "u8",
  portid: "u32",
  dstPortid: "u32",
  dstGroup: "u32",
  ino: "u32",
  cookie: ["u32", 2],
});
export const NDIAG_PROTO_ALL = 0xff;
export const NDIAG_SHOW_MEMINFO = 1;
export const NDIAG_SHOW_GROUPS = 2;
export const NETLINK_DIAG_MEMINFO = 0;
export const NETLINK_DIAG_GROUPS = 1;
