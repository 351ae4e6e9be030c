/**
 * Random messages of netlink (netlink_fuzz.py): of rtnetlink, sock_diag, generic netlink and the
 * connector.
 */

import { testFuzzer } from "./guest_fuzz.ts";

testFuzzer("systrap: the kernel outlives random messages of netlink", {
  script: "netlink_fuzz.py",
  least: 500,
});
