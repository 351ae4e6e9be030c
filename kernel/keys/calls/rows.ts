/** The rows of calls on keys. */

import { type Row, row } from "../../syscalls/table.ts";
import { sysAddKey } from "./add_key.ts";
import { sysKeyctl } from "./keyctl.ts";
import { sysRequestKey } from "./request_key.ts";

const NOTE = "types keyring, user, logon, big_key";

export const rows: readonly Row[] = [
  row("add_key", sysAddKey, "str str ptr size int", { note: NOTE }),
  row("request_key", sysRequestKey, "str str str int", {
    note: "the container's /sbin/request-key makes keys",
  }),
  row("keyctl", sysKeyctl, "int hex hex hex hex", {
    support: "partial",
    note: "no KEYCTL_DH_COMPUTE, KEYCTL_PKEY_*, KEYCTL_WATCH_KEY: EOPNOTSUPP",
  }),
];
