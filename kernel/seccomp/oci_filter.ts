/**
 * A container's filter: the rules of `linux.seccomp` (from oci/spec/seccomp_section.ts), with the
 * decisions of libseccomp's program for them: one verdict for each call and its arguments, the
 * default where no rule matches.
 *
 * A rule without conditions for a call takes precedence (the first, if there are several). Rules
 * with conditions are alternatives, checked in libseccomp's order.
 */

import type { Account } from "../core/account.ts";
import {
  AUDIT_ARCH_X86_64,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_KILL_THREAD,
} from "../../ffi/abi/seccomp.ts";
import { SeccompFilter } from "./filter.ts";

export const CMP_NE = 1, CMP_LT = 2, CMP_LE = 3, CMP_EQ = 4, CMP_GE = 5, CMP_GT = 6;
export const CMP_MASKED_EQ = 7;
/** x32 calls have this bit in their number, and arguments of 32 bits. */
export const X32_BIT = 0x40000000;

export interface SeccompCondition {
  /** Index of the argument, 0 to 5. */
  readonly index: number;
  /** CMP_*, unsigned. */
  readonly op: number;
  /** 64-bit values as low and high words. */
  readonly value: readonly [number, number];
  /** Mask of the argument, for CMP_MASKED_EQ. */
  readonly mask: readonly [number, number];
}

export interface SeccompRule {
  /** Number of the call. */
  readonly nr: number;
  /** SECCOMP_RET_*, unsigned. */
  readonly verdict: number;
  /** All conditions must hold. */
  readonly conditions: readonly SeccompCondition[];
}

/** Plain JSON: `linux.seccomp` as the sandbox receives it. */
export interface SeccompSpec {
  readonly defaultVerdict: number;
  readonly rules: readonly SeccompRule[];
  /** SECCOMP_FILTER_FLAG_* that concern a single task. */
  readonly flags: number;
  /** Calls with greater numbers are newer than the profile: ENOSYS. null: they get the default. */
  readonly lastCall: number | null;
  readonly lastX32Call: number | null;
  /** The verdict for newer calls. */
  readonly youngVerdict: number;
  /** Rules exist for x32 calls; without them x32 calls belong to a foreign architecture. */
  readonly hasX32: boolean;
}

/** First of the data's words that are arguments. */
const ARGS = 4;

export class OciFilter extends SeccompFilter {
  private readonly spec: SeccompSpec;
  private readonly rules: ReadonlyMap<number, readonly SeccompRule[]>;
  override readonly linuxLength: number;

  constructor(account: Account, spec: SeccompSpec) {
    super(account);
    this.spec = spec;
    this.rules = rulesByCall(spec.rules);
    this.linuxLength = programLength(this.rules);
  }

  override get source(): null {
    return null;
  }

  override alwaysAllows(nr: number): boolean {
    const { spec } = this;
    if (spec.lastCall !== null && nr > spec.lastCall) return false;
    const rules = this.rules.get(nr);
    if (rules === undefined) return spec.defaultVerdict === SECCOMP_RET_ALLOW;
    const [only] = rules;
    return only !== undefined && only.conditions.length === 0 &&
      only.verdict === SECCOMP_RET_ALLOW;
  }

  override decide(data: Uint32Array): number {
    const { spec } = this, nr = data[0]!;
    if (data[1] !== AUDIT_ARCH_X86_64) return SECCOMP_RET_KILL_THREAD;
    const isX32 = nr >= X32_BIT;
    // A tracer uses -1 to skip a call.
    if (isX32 && !spec.hasX32) {
      return nr === 0xffffffff ? spec.defaultVerdict : SECCOMP_RET_KILL_THREAD;
    }
    const last = isX32 ? spec.lastX32Call : spec.lastCall;
    if (last !== null && nr > last) return spec.youngVerdict;
    const rules = this.rules.get(nr);
    if (rules === undefined) return spec.defaultVerdict;
    for (const rule of rules) {
      if (rule.conditions.every((c) => isMet(c, data, isX32))) return rule.verdict;
    }
    return spec.defaultVerdict;
  }
}

/** Makes an init task's filter, to be attached before its first instruction. */
export function seccompFilterOf(account: Account, spec: SeccompSpec): SeccompFilter {
  return new OciFilter(account, spec);
}

/** libseccomp makes about three instructions for a call, and four for a condition. */
function programLength(byCall: ReadonlyMap<number, readonly SeccompRule[]>): number {
  let n = 12;
  for (const rules of byCall.values()) {
    n += 3;
    for (const rule of rules) n += 4 * rule.conditions.length;
  }
  return n;
}

function rulesByCall(rules: readonly SeccompRule[]): Map<number, readonly SeccompRule[]> {
  const byCall = new Map<number, SeccompRule[]>();
  for (const rule of rules) {
    const list = byCall.get(rule.nr);
    if (list === undefined) byCall.set(rule.nr, [rule]);
    else list.push(rule);
  }
  const result = new Map<number, readonly SeccompRule[]>();
  for (const [nr, list] of byCall) {
    const plain = list.find((rule) => rule.conditions.length === 0);
    result.set(nr, plain !== undefined ? [plain] : list.sort(byLowestArgument));
  }
  return result;
}

/** libseccomp checks conditions on late arguments first. */
function byLowestArgument(a: SeccompRule, b: SeccompRule): number {
  return lowestArgument(b) - lowestArgument(a);
}

function lowestArgument(rule: SeccompRule): number {
  return Math.min(...rule.conditions.map((c) => c.index));
}

function isMet(c: SeccompCondition, data: Uint32Array, isX32: boolean): boolean {
  const at = ARGS + 2 * c.index;
  const lo = (data[at]! & c.mask[0]) >>> 0, wantLo = (c.value[0] & c.mask[0]) >>> 0;
  const hi = isX32 ? 0 : (data[at + 1]! & c.mask[1]) >>> 0;
  const wantHi = isX32 ? 0 : (c.value[1] & c.mask[1]) >>> 0;
  const order = hi !== wantHi ? hi - wantHi : lo - wantLo;
  switch (c.op) {
    case CMP_NE:
      return order !== 0;
    case CMP_LT:
      return order < 0;
    case CMP_LE:
      return order <= 0;
    case CMP_GE:
      return order >= 0;
    case CMP_GT:
      return order > 0;
    default:
      return order === 0;
  }
}
