/**
 * Asynchronous I/O of the kernel: io_setup(2), io_submit(2), io_getevents(2).
 *
 * From linux/aio_abi.h.
 */

import { layout } from "./layout.ts";

/** Operations (aio_lio_opcode). */
export const IOCB_CMD_PREAD = 0;
export const IOCB_CMD_PWRITE = 1;
export const IOCB_CMD_FSYNC = 2;
export const IOCB_CMD_FDSYNC = 3;
export const IOCB_CMD_POLL = 5;
export const IOCB_CMD_NOOP = 6;
export const IOCB_CMD_PREADV = 7;
export const IOCB_CMD_PWRITEV = 8;

/** aio_flags. */
export const IOCB_FLAG_RESFD = 1;
export const IOCB_FLAG_IOPRIO = 2;

/** `struct iocb`, 64 bytes. */
export const Iocb = /* @__PURE__ */ layout("iocb", {
  data: "u64",
  key: "u32",
  rwFlags: "i32",
  opcode: "u16",
  reqprio: "i16",
  fildes: "u32",
  buf: "u64",
  nbytes: "u64",
  offset: "i64",
  reserved2: "u64",
  flags: "u32",
  resfd: "u32",
});

/** `struct io_event`, 32 bytes. */
export const IoEvent = /* @__PURE__ */ layout("io_event", {
  data: "u64",
  obj: "u64",
  res: "i64",
  res2: "i64",
});
