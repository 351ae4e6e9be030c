/** The rows of fanotify(7). */

import { type Row, row } from "../../syscalls/table.ts";
import { sysFanotifyInit, sysFanotifyMark } from "./fanotify.ts";

export const rows: readonly Row[] = [
  row("fanotify_init", sysFanotifyInit, "hex hex"),
  row("fanotify_mark", sysFanotifyMark, "fd hex hex dirfd path"),
];
