/** The row of seccomp(2). */

import { type Row, row } from "../../syscalls/table.ts";
import { sysSeccomp } from "./seccomp.ts";

export const rows: readonly Row[] = [
  row("seccomp", sysSeccomp, "uint hex ptr"),
];
