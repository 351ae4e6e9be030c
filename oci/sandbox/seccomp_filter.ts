/**
 * The seccomp filter of the boot process: made from seccomp_rules.ts, put on all of its threads at once. See
 * seccomp(2).
 */

import { EPERM } from "../../ffi/abi/errno.ts";
import {
  AUDIT_ARCH_X86_64,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_SET_MODE_FILTER,
  SockFprog,
} from "../../ffi/abi/seccomp.ts";
import { SYS_seccomp } from "../../ffi/abi/syscall_numbers.ts";
import { BpfAssembler, SECCOMP_DATA } from "../../ffi/asm/bpf.ts";
import { addressOf, scratch } from "../../ffi/sys/cstring.ts";
import { errnoName } from "../../ffi/sys/errors.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { PlatformName } from "../../platform/names.ts";
import { NETWORK_RULES } from "../net/seccomp_rules.ts";
import { SECCOMP_RULES, type SeccompRule } from "./seccomp_rules.ts";

/**
 * The program: calls of another architecture kill, listed ones pass, all others are EPERM. x32 calls have a bit in
 * their number that no rule has.
 */
export function assembleFilter(
  rules: readonly SeccompRule[],
  platform: PlatformName,
): Uint8Array<ArrayBuffer> {
  const a = new BpfAssembler()
    .ldAbs(SECCOMP_DATA.arch).jeq(AUDIT_ARCH_X86_64, "native").ret(SECCOMP_RET_KILL_PROCESS)
    .label("native").ldAbs(SECCOMP_DATA.nr);
  rules.forEach((rule, i) => {
    if (rule.platform !== undefined && rule.platform !== platform) return;
    const next = `behind ${i}`;
    a.jeq(rule.nr, undefined, next);
    emitVerdict(a, rule, i);
    a.label(next);
  });
  return a.ret(SECCOMP_RET_ERRNO | EPERM).assemble();
}

/** What happens to a call whose number fits. With arguments that do not fit, other rules may have it. */
function emitVerdict(a: BpfAssembler, rule: SeccompRule, i: number): void {
  if (rule.errno !== undefined) {
    a.ret(SECCOMP_RET_ERRNO | rule.errno);
    return;
  }
  const tests = rule.arguments ?? (rule.argument === undefined ? [] : [rule.argument]);
  tests.forEach((test, n) => {
    a.ldAbs(SECCOMP_DATA.argLo(test.index));
    for (const value of test.values) a.jeq(value, `holds ${i} ${n}`);
    a.ja(`other ${i}`).label(`holds ${i} ${n}`);
  });
  a.ret(SECCOMP_RET_ALLOW);
  if (tests.length > 0) a.label(`other ${i}`).ldAbs(SECCOMP_DATA.nr);
}

/** The rules of a sandbox with or without host networking. */
export function rulesFor(network: boolean): readonly SeccompRule[] {
  return network ? [...SECCOMP_RULES, ...NETWORK_RULES] : SECCOMP_RULES;
}

/** Puts the filter on all threads of this process, for good. @returns null, or why the host refused */
export function installFilter(platform: PlatformName, network: boolean): string | null {
  const program = assembleFilter(rulesFor(network), platform);
  const at = scratch.areaOffset(0);
  scratch.dv.setUint16(at + SockFprog.at.len, program.length / 8, true);
  scratch.dv.setBigUint64(at + SockFprog.at.filter, BigInt(addressOf(program)), true);
  const mode = SECCOMP_SET_MODE_FILTER;
  const r = syscall(SYS_seccomp, mode, SECCOMP_FILTER_FLAG_TSYNC, scratch.area(0));
  if (r > 0) return `seccomp: thread ${r} has a filter of its own`;
  return r < 0 ? `seccomp: ${errnoName(r)}` : null;
}
