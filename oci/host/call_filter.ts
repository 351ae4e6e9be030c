/**
 * A step of a launch script: a filter for a helper process that makes few system calls; any other
 * call kills it. Neighbours: launch/proxy_process.ts, proxy/oom_witness.ts. The boot process has a
 * filter of its own (boot/seccomp/seccomp_filter.ts).
 */

import {
  AUDIT_ARCH_X86_64,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_SET_MODE_FILTER,
  SockFprog,
} from "../../ffi/abi/seccomp.ts";
import {
  SYS_execveat,
  SYS_restart_syscall,
  SYS_rt_sigprocmask,
  SYS_seccomp,
} from "../../ffi/abi/syscall_numbers.ts";
import { BpfAssembler, SECCOMP_DATA } from "../../ffi/asm/bpf.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import type { SpawnScript } from "../../ffi/sys/spawn.ts";

/**
 * The exec of the helper's program, and the call by which the host restarts one that a stop has
 * interrupted.
 */
const ALWAYS = [SYS_execveat, SYS_rt_sigprocmask, SYS_restart_syscall];

/** The last step before the program. It needs no_new_privs or CAP_SYS_ADMIN. */
export function allowOnly(script: SpawnScript, calls: readonly number[]): void {
  const a = new BpfAssembler()
    .ldAbs(SECCOMP_DATA.arch).jeq(AUDIT_ARCH_X86_64, "native").ret(SECCOMP_RET_KILL_PROCESS)
    .label("native").ldAbs(SECCOMP_DATA.nr);
  for (const nr of [...calls, ...ALWAYS]) a.jeq(nr, "allowed");
  const filter = a.ret(SECCOMP_RET_KILL_PROCESS).label("allowed").ret(SECCOMP_RET_ALLOW)
    .assemble();
  script.kept.push(filter);
  script.call(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, programOf(filter));
}

/**
 * struct sock_fprog.
 * @param filter must stay in memory until the child runs
 */
function programOf(filter: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const bytes = allocBuffer(SockFprog.size), view = new DataView(bytes.buffer);
  view.setUint16(SockFprog.at.len, filter.length / 8, true);
  view.setBigUint64(SockFprog.at.filter, BigInt(addressOf(filter)), true);
  return bytes;
}
