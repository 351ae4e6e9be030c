/**
 * System V IPC: shmget(2), semget(2), msgget(2), and POSIX message queues.
 *
 * From linux/ipc.h, asm-generic/ipcbuf.h, shmbuf.h, sembuf.h (x86's), msgbuf.h and linux/mqueue.h.
 */

import { layout } from "./layout.ts";

/** Common. */
export const IPC_CREAT = 0o1000;
export const IPC_EXCL = 0o2000;
export const IPC_NOWAIT = 0o4000;
export const IPC_PRIVATE = 0;
export const IPC_RMID = 0;
export const IPC_SET = 0o1;
export const IPC_STAT = 0o2;
export const IPC_INFO = 0o3;
export const IPC_64 = 0o400;

/** Shared memory. */
export const SHM_R = 0o400;
export const SHM_W = 0o200;
export const SHM_HUGETLB = 0o4000;
export const SHM_NORESERVE = 0o10000;
export const SHM_RDONLY = 0o10000;
export const SHM_RND = 0o20000;
export const SHM_REMAP = 0o40000;
export const SHM_EXEC = 0o100000;
export const SHM_LOCK = 0o13;
export const SHM_UNLOCK = 0o14;
export const SHM_STAT = 0o15;
export const SHM_INFO = 0o16;
export const SHM_STAT_ANY = 0o17;

/** Semaphores. */
export const SEM_UNDO = 0o10000;
export const GETPID = 0o13;
export const GETVAL = 0o14;
export const GETALL = 0o15;
export const GETNCNT = 0o16;
export const GETZCNT = 0o17;
export const SETVAL = 0o20;
export const SETALL = 0o21;
export const SEM_STAT = 0o22;
export const SEM_INFO = 0o23;
export const SEM_STAT_ANY = 0o24;

/** Messages. */
export const MSG_NOERROR = 0o10000;
export const MSG_EXCEPT = 0o20000;
export const MSG_COPY = 0o40000;
export const MSG_STAT = 0o13;
export const MSG_INFO = 0o14;
export const MSG_STAT_ANY = 0o15;

/** Default limits. */
export const SHMMIN = 1;
export const SHMMNI = 4096;
export const SEMMNI = 32000;
export const SEMMSL = 32000;
export const SEMMNS = 1024000000;
export const SEMOPM = 500;
export const SEMVMX = 32767;
export const MSGMNI = 32000;
export const MSGMAX = 8192;
export const MSGMNB = 16384;
export const MQ_PRIO_MAX = 32768;

/** `struct ipc64_perm`, 48 bytes. */
export const Ipc64Perm = /* @__PURE__ */ layout("ipc64_perm", {
  key: "i32",
  uid: "u32",
  gid: "u32",
  cuid: "u32",
  cgid: "u32",
  mode: "u32",
  seq: "u16",
  pad2: "u16",
  unused1: "u64",
  unused2: "u64",
});

/** `struct shmid64_ds`. */
export const Shmid64Ds = /* @__PURE__ */ layout("shmid64_ds", {
  perm: Ipc64Perm,
  segsz: "u64",
  atime: "i64",
  dtime: "i64",
  ctime: "i64",
  cpid: "i32",
  lpid: "i32",
  nattch: "u64",
  unused4: "u64",
  unused5: "u64",
});

/** `struct semid64_ds`. */
export const Semid64Ds = /* @__PURE__ */ layout("semid64_ds", {
  perm: Ipc64Perm,
  otime: "i64",
  unused1: "u64",
  ctime: "i64",
  unused2: "u64",
  nsems: "u64",
  unused3: "u64",
  unused4: "u64",
});

/** `struct sembuf`. */
export const Sembuf = /* @__PURE__ */ layout("sembuf", { num: "u16", op: "i16", flg: "i16" });

/** `struct msqid64_ds`. */
export const Msqid64Ds = /* @__PURE__ */ layout("msqid64_ds", {
  perm: Ipc64Perm,
  stime: "i64",
  rtime: "i64",
  ctime: "i64",
  cbytes: "u64",
  qnum: "u64",
  qbytes: "u64",
  lspid: "i32",
  lrpid: "i32",
  unused4: "u64",
  unused5: "u64",
});

/** `struct mq_attr`. */
export const MqAttr = /* @__PURE__ */ layout("mq_attr", {
  flags: "i64",
  maxmsg: "i64",
  msgsize: "i64",
  curmsgs: "i64",
  reserved: ["i64", 4],
});
