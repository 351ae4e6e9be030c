/** The rows of io_uring. */

import { type Row, row } from "../table.ts";
import { sysIoUringEnter, sysIoUringSetup } from "./calls.ts";
import { sysIoUringRegister } from "./register.ts";

export const rows: readonly Row[] = [
  row("io_uring_setup", sysIoUringSetup, "uint ptr", {
    support: "partial",
    note: "no SQE128, CQE32, NO_MMAP, REGISTERED_FD_ONLY; SQPOLL always wants a wake-up",
  }),
  row("io_uring_enter", sysIoUringEnter, "fd uint uint hex ptr size", {
    restart: "eintr",
    support: "partial",
    note: "the operations that the probe lists: no bundles",
  }),
  row("io_uring_register", sysIoUringRegister, "fd uint ptr uint", {
    support: "partial",
    note: "no workers, NAPI; buffer rings in the program's memory",
  }),
];
