/** The rows of io_uring. */

import { type Row, row } from "../../syscalls/table.ts";
import { sysIoUringEnter } from "./enter.ts";
import { sysIoUringRegister } from "./register.ts";
import { sysIoUringSetup } from "./setup.ts";

export const rows: readonly Row[] = [
  row("io_uring_setup", sysIoUringSetup, "uint ptr", {
    support: "partial",
    note: "SQPOLL always wants a wake-up",
  }),
  row("io_uring_enter", sysIoUringEnter, "fd uint uint hex ptr size", {
    restart: "eintr",
    support: "partial",
    note: "commands (URING_CMD) are those of sockets; nothing is polled for (IOPOLL)",
  }),
  row("io_uring_register", sysIoUringRegister, "fd uint ptr uint", {
    support: "partial",
    note: "no NAPI: EOPNOTSUPP, as without its option; there are no workers to bound or move",
  }),
];
