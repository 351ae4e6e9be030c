/**
 * Generic netlink and its controller (linux/genetlink.h), and the task statistics
 * (linux/taskstats.h).
 */

import { layout } from "./layout.ts";

/** `struct genlmsghdr`. */
export const Genlmsghdr = /* @__PURE__ */ layout("genlmsghdr", {
  cmd: "u8",
  version: "u8",
  reserved: "u16",
});

export const GENL_ID_CTRL = 16;
export const GENL_NAMSIZ = 16;
/** Flags of operations. */
export const GENL_ADMIN_PERM = 1;
export const GENL_CMD_CAP_DO = 2;
export const GENL_CMD_CAP_DUMP = 4;
export const GENL_CMD_CAP_HASPOL = 8;

export const CTRL_CMD_NEWFAMILY = 1;
export const CTRL_CMD_GETFAMILY = 3;
export const CTRL_ATTR_FAMILY_ID = 1;
export const CTRL_ATTR_FAMILY_NAME = 2;
export const CTRL_ATTR_VERSION = 3;
export const CTRL_ATTR_HDRSIZE = 4;
export const CTRL_ATTR_MAXATTR = 5;
export const CTRL_ATTR_OPS = 6;
export const CTRL_ATTR_MCAST_GROUPS = 7;
export const CTRL_ATTR_OP_ID = 1;
export const CTRL_ATTR_OP_FLAGS = 2;
export const CTRL_ATTR_MCAST_GRP_NAME = 1;
export const CTRL_ATTR_MCAST_GRP_ID = 2;

export const TASKSTATS_VERSION = 14;
export const TASKSTATS_CMD_GET = 1;
export const TASKSTATS_CMD_NEW = 2;
export const TASKSTATS_TYPE_PID = 1;
export const TASKSTATS_TYPE_TGID = 2;
export const TASKSTATS_TYPE_STATS = 3;
export const TASKSTATS_TYPE_AGGR_PID = 4;
export const TASKSTATS_TYPE_AGGR_TGID = 5;
export const TASKSTATS_CMD_ATTR_PID = 1;
export const TASKSTATS_CMD_ATTR_TGID = 2;
export const TASKSTATS_CMD_ATTR_REGISTER_CPUMASK = 3;
export const TASKSTATS_CMD_ATTR_DEREGISTER_CPUMASK = 4;

/**
 * `struct taskstats`, with names for the fields that have a value here; offsets and size are
 * Linux's.
 */
export const Taskstats = {
  size: 432,
  at: {
    version: 0,
    exitcode: 4,
    flag: 8,
    nice: 9,
    cpuCount: 16,
    cpuRunReal: 64,
    cpuRunVirtual: 72,
    comm: 80,
    sched: 112,
    uid: 120,
    gid: 124,
    pid: 128,
    ppid: 132,
    btime: 136,
    etime: 144,
    utime: 152,
    stime: 160,
    minflt: 168,
    majflt: 176,
    hiwaterRss: 200,
    hiwaterVm: 208,
    readChar: 216,
    writeChar: 224,
    readSyscalls: 232,
    writeSyscalls: 240,
    readBytes: 248,
    writeBytes: 256,
    nvcsw: 272,
    nivcsw: 280,
    btime64: 344,
    tgid: 368,
    tgetime: 376,
    exeDev: 384,
    exeInode: 392,
  },
} as const;
export const TS_COMM_LEN = 32;
/** ac_flag: the program is still its parent's; it was the last task of its process. */
export const AFORK = 1;
export const AGROUP = 0x20;
/** Bytes of a list of processors: 100, and 6 for each processor. */
export const TASKSTATS_CPUMASK_MIN = 100, TASKSTATS_CPUMASK_EACH = 6;
