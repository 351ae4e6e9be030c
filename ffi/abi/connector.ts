/** The connector and its process events (linux/connector.h, linux/cn_proc.h). */

import { layout } from "./layout.ts";

/** `struct cn_msg` without its data. */
export const CnMsg = /* @__PURE__ */ layout("cn_msg", {
  idx: "u32",
  val: "u32",
  seq: "u32",
  ack: "u32",
  len: "u16",
  flags: "u16",
});

export const CN_IDX_PROC = 1;
export const CN_VAL_PROC = 1;
export const CONNECTOR_MAX_MSG_SIZE = 16384;

export const PROC_CN_MCAST_LISTEN = 1;
export const PROC_CN_MCAST_IGNORE = 2;

/** `struct proc_event` up to its data, of which it has PROC_EVENT_DATA bytes. */
export const ProcEvent = /* @__PURE__ */ layout("proc_event", {
  what: "u32",
  cpu: "u32",
  timestamp: "u64",
});
export const PROC_EVENT_DATA = 24;

export const PROC_EVENT_NONE = 0;
export const PROC_EVENT_FORK = 1;
export const PROC_EVENT_EXEC = 2;
export const PROC_EVENT_UID = 4;
export const PROC_EVENT_GID = 0x40;
export const PROC_EVENT_SID = 0x80;
export const PROC_EVENT_PTRACE = 0x100;
export const PROC_EVENT_COMM = 0x200;
export const PROC_EVENT_NONZERO_EXIT = 0x20000000;
export const PROC_EVENT_COREDUMP = 0x40000000;
export const PROC_EVENT_EXIT = 0x80000000;
/** All process events. */
export const PROC_EVENT_ALL = 0xe00003c7;
