/** The rows of asynchronous I/O. */

import { type Row, row } from "../../syscalls/table.ts";
import * as aio from "./aio.ts";

const AIO = "requests are carried out while io_submit runs; only polls are waited for";

export const rows: readonly Row[] = [
  row("io_setup", aio.sysIoSetup, "uint ptr", { support: "partial", note: AIO }),
  row("io_destroy", aio.sysIoDestroy, "hex"),
  row("io_submit", aio.sysIoSubmit, "hex long ptr"),
  row("io_cancel", aio.sysIoCancel, "hex ptr ptr"),
  row("io_getevents", aio.sysIoGetevents, "hex long long ptr timespec", { restart: "eintr" }),
  row("io_pgetevents", aio.sysIoPgetevents, "hex long long ptr timespec ptr", {
    restart: "nohand",
  }),
];
