/**
 * Installs a seccomp filter on all threads of this process, for good. See seccomp(2). Neighbour:
 * ../asm/call_filter.ts makes it.
 */

import { SECCOMP_FILTER_FLAG_TSYNC, SECCOMP_SET_MODE_FILTER, SockFprog } from "../abi/seccomp.ts";
import { SYS_seccomp } from "../abi/syscall_numbers.ts";
import { addressOf, scratch } from "./cstring.ts";
import { errnoName } from "./errors.ts";
import { syscall } from "./native.ts";

/**
 * SAFETY: calls that the program refuses are refused to all code of this process, the runtime's
 * too. The caller has no_new_privs set, or CAP_SYS_ADMIN.
 *
 * @returns null, or why the host refused
 */
export function installCallFilter(program: Uint8Array<ArrayBuffer>): string | null {
  const at = scratch.areaOffset(0);
  scratch.dv.setUint16(at + SockFprog.at.len, program.length / 8, true);
  scratch.dv.setBigUint64(at + SockFprog.at.filter, BigInt(addressOf(program)), true);
  const mode = SECCOMP_SET_MODE_FILTER;
  const r = syscall(SYS_seccomp, mode, SECCOMP_FILTER_FLAG_TSYNC, scratch.area(0));
  if (r > 0) return `seccomp: thread ${r} has a filter of its own`;
  return r < 0 ? `seccomp: ${errnoName(r)}` : null;
}
