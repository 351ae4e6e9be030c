/**
 * Rings of requests and completions: io_uring_setup(2), io_uring_enter(2), io_uring_register(2).
 *
 * From linux/io_uring.h.
 */

import { layout } from "./layout.ts";

/** Offsets of mmap(2). */
export const IORING_OFF_SQ_RING = 0, IORING_OFF_CQ_RING = 0x8000000, IORING_OFF_SQES = 0x10000000;
export const IORING_OFF_PBUF_RING = 0x80000000, IORING_OFF_PBUF_SHIFT = 16;

/** io_uring_setup(2). */
export const IORING_SETUP_IOPOLL = 1;
export const IORING_SETUP_SQPOLL = 2;
export const IORING_SETUP_SQ_AFF = 4;
export const IORING_SETUP_CQSIZE = 8;
export const IORING_SETUP_CLAMP = 0x10;
export const IORING_SETUP_ATTACH_WQ = 0x20;
export const IORING_SETUP_R_DISABLED = 0x40;
export const IORING_SETUP_SUBMIT_ALL = 0x80;
export const IORING_SETUP_COOP_TASKRUN = 0x100;
export const IORING_SETUP_TASKRUN_FLAG = 0x200;
export const IORING_SETUP_SQE128 = 0x400;
export const IORING_SETUP_CQE32 = 0x800;
export const IORING_SETUP_SINGLE_ISSUER = 0x1000;
export const IORING_SETUP_DEFER_TASKRUN = 0x2000;
export const IORING_SETUP_NO_MMAP = 0x4000;
export const IORING_SETUP_REGISTERED_FD_ONLY = 0x8000;
export const IORING_SETUP_NO_SQARRAY = 0x10000;

/** Features of the kernel (io_uring_params.features). */
export const IORING_FEAT_SINGLE_MMAP = 1;
export const IORING_FEAT_NODROP = 2;
export const IORING_FEAT_SUBMIT_STABLE = 4;
export const IORING_FEAT_RW_CUR_POS = 8;
export const IORING_FEAT_CUR_PERSONALITY = 0x10;
export const IORING_FEAT_FAST_POLL = 0x20;
export const IORING_FEAT_POLL_32BITS = 0x40;
export const IORING_FEAT_SQPOLL_NONFIXED = 0x80;
export const IORING_FEAT_EXT_ARG = 0x100;
export const IORING_FEAT_NATIVE_WORKERS = 0x200;
export const IORING_FEAT_RSRC_TAGS = 0x400;
export const IORING_FEAT_CQE_SKIP = 0x800;
export const IORING_FEAT_LINKED_FILE = 0x1000;
export const IORING_FEAT_REG_REG_RING = 0x2000;
export const IORING_FEAT_RECVSEND_BUNDLE = 0x4000;
export const IORING_FEAT_MIN_TIMEOUT = 0x8000;

/** Words of the ring that the kernel writes. */
export const IORING_SQ_NEED_WAKEUP = 1;
export const IORING_SQ_CQ_OVERFLOW = 2;

/** io_uring_enter(2). */
export const IORING_ENTER_GETEVENTS = 1;
export const IORING_ENTER_SQ_WAKEUP = 2;
export const IORING_ENTER_SQ_WAIT = 4;
export const IORING_ENTER_EXT_ARG = 8;
export const IORING_ENTER_REGISTERED_RING = 16;
export const IORING_ENTER_ABS_TIMER = 32;

/** io_uring_sqe.flags. */
export const IOSQE_FIXED_FILE = 1;
export const IOSQE_IO_DRAIN = 2;
export const IOSQE_IO_LINK = 4;
export const IOSQE_IO_HARDLINK = 8;
export const IOSQE_ASYNC = 16;
export const IOSQE_BUFFER_SELECT = 32;
export const IOSQE_CQE_SKIP_SUCCESS = 64;

/** io_uring_cqe.flags. */
export const IORING_CQE_F_BUFFER = 1;
export const IORING_CQE_F_MORE = 2;
export const IORING_CQE_F_SOCK_NONEMPTY = 4;
export const IORING_CQE_F_NOTIF = 8;
export const IORING_CQE_F_BUF_MORE = 16;
export const IORING_CQE_BUFFER_SHIFT = 16;

export const IORING_NOP_INJECT_RESULT = 1;
export const IORING_FSYNC_DATASYNC = 1;
export const IORING_TIMEOUT_ABS = 1;
export const IORING_TIMEOUT_UPDATE = 2;
export const IORING_TIMEOUT_BOOTTIME = 4;
export const IORING_TIMEOUT_REALTIME = 8;
export const IORING_LINK_TIMEOUT_UPDATE = 16;
export const IORING_TIMEOUT_ETIME_SUCCESS = 32;
export const IORING_POLL_ADD_MULTI = 1;
export const IORING_POLL_UPDATE_EVENTS = 2;
export const IORING_POLL_UPDATE_USER_DATA = 4;
export const IORING_ASYNC_CANCEL_ALL = 1;
export const IORING_ASYNC_CANCEL_FD = 2;
export const IORING_ASYNC_CANCEL_ANY = 4;
export const IORING_ASYNC_CANCEL_FD_FIXED = 8;
export const IORING_ASYNC_CANCEL_USERDATA = 16;
export const IORING_ASYNC_CANCEL_OP = 32;
/** In io_uring_sqe.ioprio of an accept. */
export const IORING_RECVSEND_POLL_FIRST = 1;
export const IORING_RECV_MULTISHOT = 2;
export const IORING_RECVSEND_FIXED_BUF = 4;
export const IORING_SEND_ZC_REPORT_USAGE = 8;
export const IORING_RECVSEND_BUNDLE = 16;
export const IORING_NOTIF_USAGE_ZC_COPIED = 0x80000000;
export const IORING_MSG_DATA = 0;
export const IORING_MSG_SEND_FD = 1;
export const IORING_MSG_RING_CQE_SKIP = 1;
export const IORING_MSG_RING_FLAGS_PASS = 2;
export const IORING_FIXED_FD_NO_CLOEXEC = 1;
export const IORING_ACCEPT_MULTISHOT = 1;
export const IORING_ACCEPT_DONTWAIT = 2;
export const IORING_ACCEPT_POLL_FIRST = 4;
/** In io_uring_sqe.file_index: any free index. */
export const IORING_FILE_INDEX_ALLOC = 0xffffffff;
/** In place of a descriptor: the index keeps its file. */
export const IORING_REGISTER_FILES_SKIP = -2;

/** io_uring_sqe.opcode. */
export const IORING_OP_NOP = 0;
export const IORING_OP_READV = 1;
export const IORING_OP_WRITEV = 2;
export const IORING_OP_FSYNC = 3;
export const IORING_OP_READ_FIXED = 4;
export const IORING_OP_WRITE_FIXED = 5;
export const IORING_OP_POLL_ADD = 6;
export const IORING_OP_POLL_REMOVE = 7;
export const IORING_OP_SYNC_FILE_RANGE = 8;
export const IORING_OP_SENDMSG = 9;
export const IORING_OP_RECVMSG = 10;
export const IORING_OP_TIMEOUT = 11;
export const IORING_OP_TIMEOUT_REMOVE = 12;
export const IORING_OP_ACCEPT = 13;
export const IORING_OP_ASYNC_CANCEL = 14;
export const IORING_OP_LINK_TIMEOUT = 15;
export const IORING_OP_CONNECT = 16;
export const IORING_OP_FALLOCATE = 17;
export const IORING_OP_OPENAT = 18;
export const IORING_OP_CLOSE = 19;
export const IORING_OP_FILES_UPDATE = 20;
export const IORING_OP_STATX = 21;
export const IORING_OP_READ = 22;
export const IORING_OP_WRITE = 23;
export const IORING_OP_FADVISE = 24;
export const IORING_OP_MADVISE = 25;
export const IORING_OP_SEND = 26;
export const IORING_OP_RECV = 27;
export const IORING_OP_OPENAT2 = 28;
export const IORING_OP_EPOLL_CTL = 29;
export const IORING_OP_SPLICE = 30;
export const IORING_OP_PROVIDE_BUFFERS = 31;
export const IORING_OP_REMOVE_BUFFERS = 32;
export const IORING_OP_TEE = 33;
export const IORING_OP_SHUTDOWN = 34;
export const IORING_OP_RENAMEAT = 35;
export const IORING_OP_UNLINKAT = 36;
export const IORING_OP_MKDIRAT = 37;
export const IORING_OP_SYMLINKAT = 38;
export const IORING_OP_LINKAT = 39;
export const IORING_OP_MSG_RING = 40;
export const IORING_OP_FSETXATTR = 41;
export const IORING_OP_SETXATTR = 42;
export const IORING_OP_FGETXATTR = 43;
export const IORING_OP_GETXATTR = 44;
export const IORING_OP_SOCKET = 45;
export const IORING_OP_URING_CMD = 46;
export const IORING_OP_SEND_ZC = 47;
export const IORING_OP_SENDMSG_ZC = 48;
export const IORING_OP_READ_MULTISHOT = 49;
export const IORING_OP_WAITID = 50;
export const IORING_OP_FUTEX_WAIT = 51;
export const IORING_OP_FUTEX_WAKE = 52;
export const IORING_OP_FUTEX_WAITV = 53;
export const IORING_OP_FIXED_FD_INSTALL = 54;
export const IORING_OP_FTRUNCATE = 55;
export const IORING_OP_BIND = 56;
export const IORING_OP_LISTEN = 57;

/** IORING_OP_URING_CMD: flags, and commands of sockets. */
export const IORING_URING_CMD_FIXED = 1;
export const SOCKET_URING_OP_SIOCINQ = 0;
export const SOCKET_URING_OP_SIOCOUTQ = 1;
export const SOCKET_URING_OP_GETSOCKOPT = 2;
export const SOCKET_URING_OP_SETSOCKOPT = 3;

/** io_uring_register(2). */
export const IORING_REGISTER_BUFFERS = 0;
export const IORING_UNREGISTER_BUFFERS = 1;
export const IORING_REGISTER_FILES = 2;
export const IORING_UNREGISTER_FILES = 3;
export const IORING_REGISTER_EVENTFD = 4;
export const IORING_UNREGISTER_EVENTFD = 5;
export const IORING_REGISTER_FILES_UPDATE = 6;
export const IORING_REGISTER_EVENTFD_ASYNC = 7;
export const IORING_REGISTER_PROBE = 8;
export const IORING_REGISTER_PERSONALITY = 9;
export const IORING_UNREGISTER_PERSONALITY = 10;
export const IORING_REGISTER_RESTRICTIONS = 11;
export const IORING_REGISTER_FILES2 = 13;
export const IORING_REGISTER_FILES_UPDATE2 = 14;
export const IORING_REGISTER_BUFFERS2 = 15;
export const IORING_REGISTER_BUFFERS_UPDATE = 16;
export const IORING_REGISTER_RING_FDS = 20;
export const IORING_UNREGISTER_RING_FDS = 21;
export const IORING_REGISTER_SYNC_CANCEL = 24;
export const IORING_REGISTER_FILE_ALLOC_RANGE = 25;
export const IORING_REGISTER_IOWQ_AFF = 17;
export const IORING_UNREGISTER_IOWQ_AFF = 18;
export const IORING_REGISTER_IOWQ_MAX_WORKERS = 19;
export const IORING_REGISTER_NAPI = 27;
export const IORING_UNREGISTER_NAPI = 28;
export const IORING_REGISTER_CLOCK = 29;
export const IORING_REGISTER_CLONE_BUFFERS = 30;
/** In io_uring_clone_buffers.flags: the source is named by its index, too. */
export const IORING_REGISTER_SRC_REGISTERED = 1;
/** In the opcode: the ring is named by its index among those that the task registered. */
export const IORING_REGISTER_USE_REGISTERED_RING = 0x80000000;
export const IORING_RSRC_REGISTER_SPARSE = 1;
/** io_uring_buf_reg.flags. */
export const IOU_PBUF_RING_MMAP = 1;
export const IOU_PBUF_RING_INC = 2;
export const IORING_REGISTER_PBUF_RING = 22;
export const IORING_UNREGISTER_PBUF_RING = 23;
export const IORING_REGISTER_PBUF_STATUS = 26;
export const IORING_RESTRICTION_REGISTER_OP = 0;
export const IORING_RESTRICTION_SQE_OP = 1;
export const IORING_RESTRICTION_SQE_FLAGS_ALLOWED = 2;
export const IORING_RESTRICTION_SQE_FLAGS_REQUIRED = 3;
export const IORING_REGISTER_ENABLE_RINGS = 12;
export const IO_URING_OP_SUPPORTED = 1;

/** `struct io_uring_sqe`, 64 bytes. Unions have the name of their commonest member. */
export const IoUringSqe = /* @__PURE__ */ layout("io_uring_sqe", {
  opcode: "u8",
  flags: "u8",
  ioprio: "u16",
  fd: "i32",
  off: "u64",
  addr: "u64",
  len: "u32",
  rwFlags: "u32",
  userData: "u64",
  bufIndex: "u16",
  personality: "u16",
  spliceFdIn: "i32",
  addr3: "u64",
  pad2: "u64",
});

/** `struct io_uring_cqe`, 16 bytes. */
export const IoUringCqe = /* @__PURE__ */ layout("io_uring_cqe", {
  userData: "u64",
  res: "i32",
  flags: "u32",
});

const SqringOffsets = /* @__PURE__ */ layout("io_sqring_offsets", {
  head: "u32",
  tail: "u32",
  ringMask: "u32",
  ringEntries: "u32",
  flags: "u32",
  dropped: "u32",
  array: "u32",
  resv1: "u32",
  userAddr: "u64",
});

const CqringOffsets = /* @__PURE__ */ layout("io_cqring_offsets", {
  head: "u32",
  tail: "u32",
  ringMask: "u32",
  ringEntries: "u32",
  overflow: "u32",
  cqes: "u32",
  flags: "u32",
  resv1: "u32",
  userAddr: "u64",
});

/** `struct io_uring_params`, 120 bytes. */
export const IoUringParams = /* @__PURE__ */ layout("io_uring_params", {
  sqEntries: "u32",
  cqEntries: "u32",
  flags: "u32",
  sqThreadCpu: "u32",
  sqThreadIdle: "u32",
  features: "u32",
  wqFd: "u32",
  resv: ["u32", 3],
  sqOff: SqringOffsets,
  cqOff: CqringOffsets,
});
export const SqOffsets = SqringOffsets, CqOffsets = CqringOffsets;

/** `struct io_uring_getevents_arg`, 24 bytes. */
export const IoUringGeteventsArg = /* @__PURE__ */ layout("io_uring_getevents_arg", {
  sigmask: "u64",
  sigmaskSz: "u32",
  minWaitUsec: "u32",
  ts: "u64",
});

/** `struct io_uring_probe_op`, 8 bytes; a probe has a head of 16: last_op, ops_len, padding. */
export const IoUringProbeOp = /* @__PURE__ */ layout("io_uring_probe_op", {
  op: "u8",
  resv: "u8",
  flags: "u16",
  resv2: "u32",
});

/** `struct io_uring_sync_cancel_reg`, 64 bytes. */
export const IoUringSyncCancelReg = /* @__PURE__ */ layout("io_uring_sync_cancel_reg", {
  addr: "u64",
  fd: "i32",
  flags: "u32",
  timeoutSec: "i64",
  timeoutNsec: "i64",
  opcode: "u8",
  pad: ["u8", 7],
  pad2: ["u64", 3],
});

/** `struct io_uring_rsrc_update`, 16 bytes. */
export const IoUringRsrcUpdate = /* @__PURE__ */ layout("io_uring_rsrc_update", {
  offset: "u32",
  resv: "u32",
  data: "u64",
});

/** `struct io_uring_rsrc_register`, `io_uring_rsrc_update2`. */
export const IoUringRsrcRegister = /* @__PURE__ */ layout("io_uring_rsrc_register", {
  nr: "u32",
  flags: "u32",
  resv2: "u64",
  data: "u64",
  tags: "u64",
});
export const IoUringRsrcUpdate2 = /* @__PURE__ */ layout("io_uring_rsrc_update2", {
  offset: "u32",
  resv: "u32",
  data: "u64",
  tags: "u64",
  nr: "u32",
  resv2: "u32",
});

/** `struct io_uring_buf_reg`, `io_uring_buf`, `io_uring_buf_status`, `io_uring_restriction`. */
export const IoUringBufReg = /* @__PURE__ */ layout("io_uring_buf_reg", {
  ringAddr: "u64",
  ringEntries: "u32",
  bgid: "u16",
  flags: "u16",
  /** Fields of later kernels; reserved here. */
  minLeft: "u32",
  resv: ["u32", 5],
});
export const IoUringBuf = /* @__PURE__ */ layout("io_uring_buf", {
  addr: "u64",
  len: "u32",
  bid: "u16",
  resv: "u16",
});
export const IoUringBufStatus = /* @__PURE__ */ layout("io_uring_buf_status", {
  bufGroup: "u32",
  head: "u32",
  resv: ["u32", 8],
});
export const IoUringRestriction = /* @__PURE__ */ layout("io_uring_restriction", {
  opcode: "u16",
  registerOp: "u8",
  resv: "u8",
  resv2: ["u32", 3],
});

/** `struct io_uring_clone_buffers`, `io_uring_clock_register`. */
export const IoUringCloneBuffers = /* @__PURE__ */ layout("io_uring_clone_buffers", {
  srcFd: "u32",
  flags: "u32",
  pad: ["u32", 6],
});
/** `struct io_uring_recvmsg_out`: the head of each message of a multishot receive. */
export const IoUringRecvmsgOut = /* @__PURE__ */ layout("io_uring_recvmsg_out", {
  namelen: "u32",
  controllen: "u32",
  payloadlen: "u32",
  flags: "u32",
});
export const IoUringClockRegister = /* @__PURE__ */ layout("io_uring_clock_register", {
  clockid: "u32",
  resv: ["u32", 3],
});
