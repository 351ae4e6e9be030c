/** The row of userfaultfd(2). */

import { type Row, row } from "../../syscalls/table.ts";
import { sysUserfaultfd } from "./userfault.ts";

export const rows: readonly Row[] = [
  row("userfaultfd", sysUserfaultfd, "hex", {
    support: "partial",
    note: "private mappings of files have no handler",
  }),
];
