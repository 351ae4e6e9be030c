// NETLINK_SOCK_DIAG: requests for lists of sockets, and their rows.
//
// From linux/sock_diag.h, inet_diag.h and unix_diag.h. Netlink itself is in netlink.ts.

import { layout } from "./layout.ts";

export const SOCK_DIAG_BY_FAMILY = 20;
export const UNIX_DIAG_NAME = 0;
export const UNIX_DIAG_PEER = 2;
export const UNIX_DIAG_RQLEN = 4;

/** `struct inet_diag_req_v2`; `id` names one socket. */
export const InetDiagReq = layout("inet_diag_req_v2", {
  family: "u8",
  protocol: "u8",
  ext: "u8",
  pad: "u8",
  states: "u32",
  id: ["u32", 12],
});

/** `struct inet_diag_msg`, with its `struct inet_diag_sockid` in place; ports and addresses are big endian. */
export const InetDiagMsg = layout("inet_diag_msg", {
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
export const UnixDiagReq = layout("unix_diag_req", {
  family: "u8",
  protocol: "u8",
  pad: "u16",
  states: "u32",
  ino: "u32",
  show: "u32",
  cookie: ["u32", 2],
});

/** `struct unix_diag_msg`. */
export const UnixDiagMsg = layout("unix_diag_msg", {
  family: "u8",
  type: "u8",
  state: "u8",
  pad: "u8",
  ino: "u32",
  cookie: ["u32", 2],
});
