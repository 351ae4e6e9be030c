/** The rows of calls about the system, limits and usage. */

import { type Row, row } from "../table.ts";
import { absentRows } from "./absent_calls.ts";
import * as identity from "./uname.ts";
import * as information from "./information.ts";
import * as lsm from "./lsm.ts";
import * as mounted from "./file_system_queries.ts";
import * as limits from "./limits.ts";

const NO_ATTRIBUTES = "EOPNOTSUPP: no module here has attributes";
const CPU_NOTE = "CPU times are estimates, bounded by what the host used";

export const rows: readonly Row[] = [
  row("uname", identity.sysUname, "ptr"),
  row("sethostname", identity.sysSethostname, "buf int"),
  row("setdomainname", identity.sysSetdomainname, "buf int"),
  row("personality", identity.sysPersonality, "hex", {
    support: "partial",
    note: "ADDR_NO_RANDOMIZE, and UNAME26 and PER_LINUX32 for uname, count; the rest is kept",
  }),

  row("getrlimit", limits.sysGetrlimit, "int ptr"),
  row("setrlimit", limits.sysSetrlimit, "int ptr"),
  row("prlimit64", limits.sysPrlimit64, "pid int ptr ptr"),
  row("getrusage", limits.sysGetrusage, "int ptr", { support: "partial", note: CPU_NOTE }),
  row("times", limits.sysTimes, "ptr", { support: "partial", note: CPU_NOTE }),

  row("sysinfo", information.sysSysinfo, "ptr"),
  row("getrandom", information.sysGetrandom, "ptr size hex"),
  row("syslog", information.sysSyslog, "int ptr int", {
    support: "partial",
    note: "the kernel's log is empty",
  }),
  row("reboot", information.sysReboot, "hex hex hex ptr", {
    support: "partial",
    note: "ends the init of the caller's PID namespace",
  }),
  row("acct", information.sysAcct, "path", { support: "refused", note: "ENOSYS or EPERM" }),
  row("swapon", information.sysSwapon, "path hex", { support: "refused", note: "EPERM" }),
  row("swapoff", information.sysSwapoff, "path", { support: "refused", note: "EPERM" }),
  row("vhangup", information.sysVhangup, ""),
  row("sysfs", mounted.sysSysfs, "int hex hex"),
  row("ustat", mounted.sysUstat, "ulong ptr"),
  row("lsm_list_modules", lsm.sysLsmListModules, "ptr ptr hex"),
  row("lsm_get_self_attr", lsm.sysLsmGetSelfAttr, "uint ptr ptr hex", { note: NO_ATTRIBUTES }),
  row("lsm_set_self_attr", lsm.sysLsmSetSelfAttr, "uint ptr size hex", { note: NO_ATTRIBUTES }),
  row("uretprobe", information.sysUretprobe, "", {
    support: "refused",
    note: "SIGILL, as outside of a probe",
  }),
  ...absentRows,
];
