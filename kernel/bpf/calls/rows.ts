/** The row of bpf(2). */

import { type Row, row } from "../../syscalls/table.ts";
import { sysBpf } from "./bpf.ts";

export const rows: readonly Row[] = [
  row("bpf", sysBpf, "int ptr size", {
    support: "partial",
    note: "programs of device groups: loops, calls, maps and the stack are EINVAL; nothing else",
  }),
];
