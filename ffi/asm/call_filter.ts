/**
 * Makes a seccomp filter of rules. A rule is data: a call, its reason, and tests of its arguments.
 * Each process of a sandbox has its own list. Neighbours: bpf.ts, ../sys/seccomp.ts (installs the
 * filter), call_filter_testing.ts.
 */

import { AUDIT_ARCH_X86_64 } from "../abi/seccomp.ts";
import { SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO, SECCOMP_RET_KILL_PROCESS } from "../abi/seccomp.ts";
import { EPERM } from "../abi/errno.ts";
import { BpfAssembler, SECCOMP_DATA } from "./bpf.ts";

/**
 * The low half of argument `index`, with only the bits of `mask` if there is one, must be one of
 * `values`. For arguments of 32 bits, and for flags of which the kernel knows none above.
 */
export interface ArgumentTest {
  readonly index: number;
  readonly mask?: number;
  readonly values: readonly number[];
}

/** Argument `index` is one of `values`. */
export function oneOf(index: number, ...values: number[]): ArgumentTest {
  return { index, values };
}

/** Argument `index` has no bits except those of `flags`. */
export function noFlagsBut(index: number, flags: number): ArgumentTest {
  return { index, mask: ~flags, values: [0] };
}

/** Argument `index` has all bits of `flags`. */
export function allFlagsOf(index: number, flags: number): ArgumentTest {
  return { index, mask: flags, values: [flags] };
}

/** Several rules for one call are alternatives. */
export interface CallRule {
  readonly nr: number;
  readonly reason: string;
  /** All of them must hold. None: the call passes with any argument. */
  readonly tests?: readonly ArgumentTest[];
  /** Refused with this errno in place of EPERM. */
  readonly errno?: number;
}

/**
 * Assembles the filter. Calls of another architecture kill the process, calls that a rule allows
 * pass, all others are EPERM. x32 calls have a bit in their number that no rule has. Rules are
 * tried in order: frequent calls belong in front.
 */
export function assembleCallFilter(rules: readonly CallRule[]): Uint8Array<ArrayBuffer> {
  const a = new BpfAssembler()
    .ldAbs(SECCOMP_DATA.arch).jeq(AUDIT_ARCH_X86_64, "native").ret(SECCOMP_RET_KILL_PROCESS)
    .label("native").ldAbs(SECCOMP_DATA.nr);
  rules.forEach((rule, i) => {
    const next = `behind ${i}`;
    a.jeq(rule.nr, undefined, next);
    emitVerdict(a, rule, i);
    a.label(next);
  });
  return a.ret(SECCOMP_RET_ERRNO | EPERM).assemble();
}

/**
 * Emits the verdict for a call with the rule's number. If the arguments fail the tests, later rules
 * are tried.
 */
function emitVerdict(a: BpfAssembler, rule: CallRule, i: number): void {
  if (rule.errno !== undefined) {
    a.ret(SECCOMP_RET_ERRNO | rule.errno);
    return;
  }
  const tests = rule.tests ?? [];
  tests.forEach((test, n) => {
    a.ldAbs(SECCOMP_DATA.argLo(test.index));
    if (test.mask !== undefined) a.and(test.mask);
    for (const value of test.values) a.jeq(value, `holds ${i} ${n}`);
    a.ja(`other ${i}`).label(`holds ${i} ${n}`);
  });
  a.ret(SECCOMP_RET_ALLOW);
  if (tests.length > 0) a.label(`other ${i}`).ldAbs(SECCOMP_DATA.nr);
}
