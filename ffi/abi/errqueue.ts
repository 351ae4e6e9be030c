/**
 * The queue of errors of a socket and time stamps of its packets (linux/errqueue.h,
 * linux/net_tstamp.h).
 */

import { layout } from "./layout.ts";

/** `struct sock_extended_err`; the address of the reporting host follows. */
export const SockExtendedErr = /* @__PURE__ */ layout("sock_extended_err", {
  errno: "u32",
  origin: "u8",
  type: "u8",
  code: "u8",
  pad: "u8",
  info: "u32",
  data: "u32",
});

/** Origin of the report. */
export const SO_EE_ORIGIN_LOCAL = 1;
export const SO_EE_ORIGIN_ICMP = 2;
export const SO_EE_ORIGIN_ICMP6 = 3;
export const SO_EE_ORIGIN_ZEROCOPY = 5;
export const SO_EE_CODE_ZEROCOPY_COPIED = 1;
export const SO_EE_ORIGIN_TIMESTAMPING = 4;

/** Where the packet was when it was stamped: with the driver, before its queue. */
export const SCM_TSTAMP_SND = 0;
export const SCM_TSTAMP_SCHED = 1;

/** Flags of SO_TIMESTAMPING. */
export const SOF_TIMESTAMPING_TX_SOFTWARE = 0x2;
export const SOF_TIMESTAMPING_SOFTWARE = 0x10;
export const SOF_TIMESTAMPING_OPT_ID = 0x80;
export const SOF_TIMESTAMPING_TX_SCHED = 0x100;
export const SOF_TIMESTAMPING_OPT_CMSG = 0x400;
export const SOF_TIMESTAMPING_OPT_TSONLY = 0x800;
export const SOF_TIMESTAMPING_OPT_STATS = 0x1000;
export const SOF_TIMESTAMPING_BIND_PHC = 0x8000;
export const SOF_TIMESTAMPING_OPT_ID_TCP = 0x10000;
export const SOF_TIMESTAMPING_OPT_RX_FILTER = 0x20000;
