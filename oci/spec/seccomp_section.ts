/**
 * `linux.seccomp` of config.json (config-linux.md, "Seccomp") as rules by system call number, with
 * the meaning that runc and libseccomp give them. Names of calls that x86-64 does not have are
 * ignored, as there.
 *
 * Neighbour: kernel/seccomp/oci_filter.ts applies the rules.
 */

import { ENOSYS, EPERM, MAX_ERRNO } from "../../ffi/abi/errno.ts";
import {
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_ERRNO,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_KILL_THREAD,
  SECCOMP_RET_LOG,
  SECCOMP_RET_TRACE,
  SECCOMP_RET_TRAP,
} from "../../ffi/abi/seccomp.ts";
import { NAMES } from "../../ffi/abi/syscall_numbers.ts";
import * as K from "../../kernel/seccomp/oci_filter.ts";
import type { JsonNode } from "../json_node.ts";

const ACTIONS = {
  SCMP_ACT_KILL: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_THREAD: SECCOMP_RET_KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: SECCOMP_RET_KILL_PROCESS,
  SCMP_ACT_TRAP: SECCOMP_RET_TRAP,
  SCMP_ACT_ERRNO: SECCOMP_RET_ERRNO,
  SCMP_ACT_TRACE: SECCOMP_RET_TRACE,
  SCMP_ACT_ALLOW: SECCOMP_RET_ALLOW,
  SCMP_ACT_LOG: SECCOMP_RET_LOG,
} as const;
const NOTIFY = "SCMP_ACT_NOTIFY";
type ActionName = keyof typeof ACTIONS;
const ACTION_NAMES = Object.keys(ACTIONS) as ActionName[];

const OPERATORS = {
  SCMP_CMP_NE: K.CMP_NE,
  SCMP_CMP_LT: K.CMP_LT,
  SCMP_CMP_LE: K.CMP_LE,
  SCMP_CMP_EQ: K.CMP_EQ,
  SCMP_CMP_GE: K.CMP_GE,
  SCMP_CMP_GT: K.CMP_GT,
  SCMP_CMP_MASKED_EQ: K.CMP_MASKED_EQ,
} as const;
const OPERATOR_NAMES = Object.keys(OPERATORS) as (keyof typeof OPERATORS)[];

const FLAGS = {
  SECCOMP_FILTER_FLAG_TSYNC,
  SECCOMP_FILTER_FLAG_LOG,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW,
  SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
} as const;
const FLAG_NAMES = Object.keys(FLAGS) as (keyof typeof FLAGS)[];

const ARCHITECTURES = `X86 X86_64 X32 ARM AARCH64 MIPS MIPS64 MIPS64N32 MIPSEL MIPSEL64 MIPSEL64N32
PPC PPC64 PPC64LE S390 S390X PARISC PARISC64 RISCV64 LOONGARCH64 M68K SH SHEB`
  .split(/\s+/).map((name) => `SCMP_ARCH_${name}`);
const X32 = "SCMP_ARCH_X32";

/** The names that the section may use, as `features` lists them. */
export const SECCOMP_NAMES = {
  actions: ACTION_NAMES,
  operators: OPERATOR_NAMES,
  architectures: ARCHITECTURES,
  flags: FLAG_NAMES,
} as const;

const ARGUMENTS = 6;
const ALL: readonly [number, number] = [0xffffffff, 0xffffffff];
/** With one of these defaults a call that is newer than the profile passes. */
const PERMISSIVE: readonly number[] = [SECCOMP_RET_ALLOW, SECCOMP_RET_LOG, SECCOMP_RET_TRACE];

/**
 * @returns null if the section is absent
 * @throws UserError naming the path in the file
 */
export function parseSeccomp(node: JsonNode): K.SeccompSpec | null {
  if (node.isAbsent) return null;
  const action = node.member("defaultAction");
  const defaultVerdict = verdictOf(action, node.member("defaultErrnoRet"));
  const architectures = node.member("architectures").items().map((n) => n.oneOf(ARCHITECTURES));
  const flags = node.member("flags").items().map((n) => FLAGS[n.oneOf(FLAG_NAMES)]);
  const hasX32 = architectures.includes(X32);
  const rules: K.SeccompRule[] = [];
  let lastCall = 0, lastX32Call = 0;
  for (const entry of node.member("syscalls").items()) {
    const names = entry.member("names");
    const verdict = verdictOf(entry.member("action"), entry.member("errnoRet"));
    const alternatives = readConditions(entry.member("args"));
    if (names.items().length === 0) names.fail("is empty, expected names of calls");
    for (const name of names.items()) {
      if (name.string() === "") name.fail("is empty, expected the name of a call");
      const nr = NAMES.indexOf(name.string());
      if (nr < 0) continue;
      const numbers = [nr];
      lastCall = Math.max(lastCall, nr);
      const x32 = hasX32 ? x32NumberOf(nr) : -1;
      if (x32 >= 0) numbers.push(x32 + K.X32_BIT);
      lastX32Call = Math.max(lastX32Call, x32 + K.X32_BIT);
      if (verdict === defaultVerdict) continue;
      for (const n of numbers) {
        for (const conditions of alternatives) rules.push({ nr: n, verdict, conditions });
      }
    }
  }
  // A call that is newer than the profile gets ENOSYS, so that a program that tries it falls back
  // to an older call.
  const action16 = (defaultVerdict & 0xffff0000) >>> 0;
  const isStub = !PERMISSIVE.includes(action16) && lastCall > 0;
  return {
    defaultVerdict,
    rules,
    // The filter is attached to one task before it has threads, and they inherit it.
    flags: flags.reduce((all, flag) => all | flag, 0) & ~SECCOMP_FILTER_FLAG_TSYNC,
    lastCall: isStub ? lastCall : null,
    lastX32Call: isStub && hasX32 ? lastX32Call : null,
    youngVerdict: SECCOMP_RET_ERRNO | ENOSYS,
    hasX32,
  };
}

function verdictOf(action: JsonNode, errnoRet: JsonNode): number {
  if (action.value === NOTIFY) {
    action.fail(`is ${NOTIFY}, which is not supported: the calls do not come to the host's kernel`);
  }
  const name = action.oneOf(ACTION_NAMES), verdict = ACTIONS[name];
  const errno = errnoRet.optional(EPERM, (n) => n.integer(0, MAX_ERRNO));
  const isErrno = verdict === SECCOMP_RET_ERRNO || verdict === SECCOMP_RET_TRACE;
  return isErrno ? verdict | errno : verdict;
}

/**
 * Sets of conditions; the rule applies if all conditions of one set hold. Several conditions on one
 * argument make each a set of its own, as in runc.
 */
function readConditions(args: JsonNode): K.SeccompCondition[][] {
  const conditions = args.items().map(readCondition);
  const indexes = new Set(conditions.map((c) => c.index));
  return indexes.size === conditions.length ? [conditions] : conditions.map((c) => [c]);
}

function readCondition(node: JsonNode): K.SeccompCondition {
  const index = node.member("index").optional(0, (n) => n.integer(0, ARGUMENTS - 1));
  const op = OPERATORS[node.member("op").oneOf(OPERATOR_NAMES)];
  const value = node.member("value").optional(ZERO, readWords);
  const valueTwo = node.member("valueTwo").optional(ZERO, readWords);
  return op === K.CMP_MASKED_EQ
    ? { index, op, value: valueTwo, mask: value }
    : { index, op, value, mask: ALL };
}

const ZERO: readonly [number, number] = [0, 0];

/**
 * LIMIT: a value of 2^53 and more loses bits when JSON is read. The largest 64-bit value is
 * recognized; others are refused.
 */
function readWords(node: JsonNode): readonly [number, number] {
  const value = node.integer(0, 2 ** 64);
  if (value === 2 ** 64) return ALL;
  if (value > Number.MAX_SAFE_INTEGER) {
    node.expected(`a whole number of at most ${Number.MAX_SAFE_INTEGER}, or 18446744073709551615`);
  }
  return [value % 2 ** 32, Math.floor(value / 2 ** 32)];
}

const FIRST = 512;
const OWN = `rt_sigaction rt_sigreturn ioctl readv writev recvfrom sendmsg recvmsg execve ptrace
rt_sigpending rt_sigtimedwait rt_sigqueueinfo sigaltstack timer_create mq_notify kexec_load waitid
set_robust_list get_robust_list vmsplice move_pages preadv pwritev rt_tgsigqueueinfo recvmmsg
sendmmsg process_vm_readv process_vm_writev setsockopt getsockopt io_setup io_submit execveat
preadv2 pwritev2`.split(/\s+/);

/** Calls that x32 does not have at all. */
const MISSING = new Set(
  `uselib _sysctl create_module get_kernel_syms query_module nfsservctl set_thread_area
get_thread_area epoll_ctl_old epoll_wait_old vserver`.split(/\s+/),
);

/** -1: there is none. */
function x32NumberOf(nr: number): number {
  const name = NAMES[nr] ?? "", own = OWN.indexOf(name);
  if (own >= 0) return FIRST + own;
  return MISSING.has(name) ? -1 : nr;
}
