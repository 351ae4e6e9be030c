/**
 * Calls with a number in Linux 6.12 that fail with ENOSYS there: some were never built, some were
 * removed, others belong to an option of the configuration that this kernel lacks. Their arguments
 * are not read.
 */

import { ENOSYS } from "../../../ffi/abi/errno.ts";
import { type Row, row } from "../table.ts";

/** Calls that fail so in every configuration of x86-64. */
const NEVER: readonly string[] = [
  "_sysctl",
  "create_module",
  "get_kernel_syms",
  "query_module",
  "nfsservctl",
  "getpmsg",
  "putpmsg",
  "afs_syscall",
  "tuxcall",
  "security",
  "set_thread_area",
  "get_thread_area",
  "lookup_dcookie",
  "epoll_ctl_old",
  "epoll_wait_old",
  "vserver",
];

/** Name, arguments, and the configuration option that this kernel lacks. */
const WITHOUT: readonly (readonly [string, string, string])[] = [
  ["uselib", "path", "CONFIG_USELIB"],
  ["modify_ldt", "int ptr ulong", "CONFIG_MODIFY_LDT_SYSCALL"],
  ["iopl", "uint", "CONFIG_X86_IOPL_IOPERM"],
  ["ioperm", "ulong ulong int", "CONFIG_X86_IOPL_IOPERM"],
  ["init_module", "ptr size str", "CONFIG_MODULES"],
  ["finit_module", "fd str hex", "CONFIG_MODULES"],
  ["delete_module", "str hex", "CONFIG_MODULES"],
  ["kexec_load", "ptr ulong ptr hex", "CONFIG_KEXEC"],
  ["kexec_file_load", "fd fd size ptr hex", "CONFIG_KEXEC_FILE"],
  ["quotactl", "int str uid ptr", "CONFIG_QUOTACTL"],
  ["quotactl_fd", "fd int uid ptr", "CONFIG_QUOTACTL"],
  ["perf_event_open", "ptr pid int fd hex", "CONFIG_PERF_EVENTS"],
  ["map_shadow_stack", "ptr size hex", "CONFIG_X86_USER_SHADOW_STACK"],
];

function sysAbsent(): number {
  return -ENOSYS;
}

export const absentRows: readonly Row[] = [
  ...NEVER.map((name) =>
    row(name, sysAbsent, "hex hex hex hex hex hex", {
      support: "refused",
      note: "ENOSYS, as on every Linux 6.12",
    })
  ),
  ...WITHOUT.map(([name, args, option]) =>
    row(name, sysAbsent, args, {
      support: "refused",
      note: `ENOSYS, as without ${option}`,
    })
  ),
];
