// The seccomp filter of the confined Gofer: built from seccomp_rules.ts, put on every thread at once.

import { EPERM } from "../../ffi/abi/errno.ts";
import { PR_SET_NO_NEW_PRIVS } from "../../ffi/abi/prctl.ts";
import {
  AUDIT_ARCH_X86_64,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_SET_MODE_FILTER,
  SockFprog,
} from "../../ffi/abi/seccomp.ts";
import { SYS_prctl, SYS_seccomp } from "../../ffi/abi/syscall_numbers.ts";
import { BpfAssembler, SECCOMP_DATA } from "../../ffi/asm/bpf.ts";
import { addressOf, scratch } from "../../ffi/sys/cstring.ts";
import { errnoName } from "../../ffi/sys/errors.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { SECCOMP_RULES, type SeccompRule } from "./seccomp_rules.ts";

/**
 * The program: calls of another architecture kill, listed ones pass, all others are EPERM. (x32 calls have a bit in
 * their number that no rule has.)
 */
export function assembleFilter(rules: readonly SeccompRule[]): Uint8Array<ArrayBuffer> {
  const a = new BpfAssembler()
    .ldAbs(SECCOMP_DATA.arch).jeq(AUDIT_ARCH_X86_64, "native").ret(SECCOMP_RET_KILL_PROCESS)
    .label("native").ldAbs(SECCOMP_DATA.nr);
  for (const r of rules) a.jeq(r.nr, "allow");
  return a.ret(SECCOMP_RET_ERRNO | EPERM).label("allow").ret(SECCOMP_RET_ALLOW).assemble();
}

/**
 * Puts the filter on all threads of the process, for good. `more`: rules besides those that every server needs. Returns ""
 * or why the host refused.
 */
export function installFilter(more: readonly SeccompRule[]): string {
  const program = assembleFilter([...SECCOMP_RULES, ...more]);
  const at = scratch.areaOffset(0);
  scratch.dv.setUint16(at + SockFprog.at.len, program.length / 8, true);
  scratch.dv.setBigUint64(at + SockFprog.at.filter, BigInt(addressOf(program)), true);
  const nnp = syscall(SYS_prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  if (nnp < 0) return `no_new_privs: ${errnoName(nnp)}`;
  const mode = SECCOMP_SET_MODE_FILTER;
  const r = syscall(SYS_seccomp, mode, SECCOMP_FILTER_FLAG_TSYNC, scratch.area(0));
  if (r > 0) return `seccomp: thread ${r} has a filter of its own`;
  return r < 0 ? `seccomp: ${errnoName(r)}` : "";
}
