/** The row of ptrace(2). */

import { type Row, row } from "../../syscalls/table.ts";
import * as ptrace from "./ptrace.ts";

export const rows: readonly Row[] = [
  row("ptrace", ptrace.sysPtrace, "long pid hex hex", {
    support: "partial",
    note: "debug registers watch no reads; no PTRACE_SYSEMU_SINGLESTEP, no rseq requests",
  }),
];
