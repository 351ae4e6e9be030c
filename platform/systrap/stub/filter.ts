/**
 * The seccomp program of zygote and stubs, installed once: every stub and thread inherits it.
 *
 * The calls of guest threads (wait, wake, ring, return from a signal) are allowed at their own
 * instructions in the stub's text, and are of no use to guest code that jumps there. The calls of
 * the mapper and of the zygote pass if they show a secret in arguments that the call does not use:
 * 128 random bits that exist only in their registers. All other calls become SIGSYS and a post. A
 * further filter for each guest thread would do the same, and costs 100 us a thread. Source:
 * seccomp(2).
 */

import { BpfAssembler, SECCOMP_DATA } from "../../../ffi/asm/bpf.ts";
import { FUTEX_WAIT, FUTEX_WAKE } from "../../../ffi/abi/futex.ts";
import { MAP_FIXED, MAP_SHARED } from "../../../ffi/abi/mman.ts";
import { PR_SET_PDEATHSIG } from "../../../ffi/abi/prctl.ts";
import {
  AUDIT_ARCH_X86_64,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_TRAP,
} from "../../../ffi/abi/seccomp.ts";
import * as nr from "../../../ffi/abi/syscall_numbers.ts";
import type { AllowedSites } from "./emit.ts";
import { FD_CONTROL, FD_DOORBELL, FD_MESSAGES, STUB_BASE } from "./layout.ts";
import { STUB_FLAGS, THREAD_FLAGS } from "./mapper.ts";
import { ONE } from "./wait_reply.ts";

/** Four random words. */
export type Secret = Uint32Array;

const IP_HIGH = Math.floor(STUB_BASE / 2 ** 32);

interface StubCall {
  readonly nr: number;
  readonly reason: string;
}

interface PrivilegedCall extends StubCall {
  /** Values of the first argument, where they are known in advance. */
  readonly first?: readonly number[];
}

/** Calls of the mapper and of the zygote: arguments r8 and r9 must be the secret. */
export const PRIVILEGED: readonly PrivilegedCall[] = [
  { nr: nr.SYS_munmap, reason: "a command of the mapper's; what a new stub does not need" },
  { nr: nr.SYS_mprotect, reason: "a command of the mapper's; the zygote's page becomes read-only" },
  {
    nr: nr.SYS_clone,
    reason: "a thread of the guest's, or a stub; nothing else, and no namespaces",
    first: [THREAD_FLAGS, STUB_FLAGS],
  },
  { nr: nr.SYS_pwrite64, reason: "acknowledgements to the Sentry", first: [FD_CONTROL] },
  {
    nr: nr.SYS_prctl,
    reason: "a stub ends with the process that it was cloned from",
    first: [PR_SET_PDEATHSIG],
  },
  { nr: nr.SYS_getpid, reason: "a new stub tells its number" },
  { nr: nr.SYS_gettid, reason: "a new thread tells its number" },
  { nr: nr.SYS_sigaltstack, reason: "a new thread's, in its slot" },
  { nr: nr.SYS_exit_group, reason: "a stub that cannot go on" },
  { nr: nr.SYS_recvmsg, reason: "messages to the zygote", first: [FD_MESSAGES] },
  { nr: nr.SYS_dup3, reason: "the zygote puts a descriptor in its place" },
  { nr: nr.SYS_close, reason: "the zygote lets go of a descriptor" },
];

/** Calls that guest threads make, each at its own instructions. */
const AT_OWN_PLACES: readonly StubCall[] = [
  { nr: nr.SYS_futex, reason: "wait for the Sentry or the mapper, wake the mapper; nothing else" },
  { nr: nr.SYS_rt_sigreturn, reason: "back from the handler to the guest's registers" },
  { nr: nr.SYS_rt_sigprocmask, reason: "signals are let in when a new thread has its slot" },
  { nr: nr.SYS_write, reason: "ring the doorbell: always the number 1, to one descriptor" },
  { nr: nr.SYS_exit, reason: "a guest thread ends" },
];

/**
 * The mapper's most frequent call, which uses all arguments: the secret is in their high halves.
 */
const MAP: StubCall = { nr: nr.SYS_mmap, reason: "a command of the mapper's: shared, and fixed" };

/** All calls that the host serves to zygote and stubs. */
export const STUB_CALLS: readonly StubCall[] = [...AT_OWN_PLACES, MAP, ...PRIVILEGED];

/**
 * @param addressOf returns the address of a label; the labels stand behind the `syscall`
 * instructions
 */
export function stubFilter(
  sites: AllowedSites,
  addressOf: (label: string) => number,
  secret: Secret,
): Uint8Array {
  const b = new BpfAssembler();
  const onlyAt = (labels: readonly string[]): void => {
    b.ldAbs(SECCOMP_DATA.ipHi).jeq(IP_HIGH, undefined, "trap").ldAbs(SECCOMP_DATA.ipLo);
    for (const label of labels) b.jeq(addressOf(label) % 2 ** 32, "allow");
    b.ja("trap");
  };
  const only = (offset: number, word: number | undefined): void => {
    if (word === undefined) throw new RangeError("the secret is too short");
    b.ldAbs(offset).jeq(word, undefined, "trap");
  };
  const { argLo, argHi } = SECCOMP_DATA;

  b.ldAbs(SECCOMP_DATA.arch).jeq(AUDIT_ARCH_X86_64, undefined, "trap").ldAbs(SECCOMP_DATA.nr);
  b.jeq(nr.SYS_futex, "futex").jeq(nr.SYS_rt_sigreturn, "sigreturn").jeq(nr.SYS_write, "write");
  b.jeq(nr.SYS_rt_sigprocmask, "sigprocmask").jeq(nr.SYS_exit, "exit").jeq(nr.SYS_mmap, "mmap");
  for (const { nr, first } of PRIVILEGED) {
    b.jeq(nr, first === undefined ? "privileged" : `first ${nr}`);
  }
  b.ja("trap");

  b.label("futex").ldAbs(argLo(1)).jeq(FUTEX_WAIT, "futex_ip");
  b.jeq(FUTEX_WAKE, undefined, "trap").label("futex_ip");
  onlyAt(sites.futex);
  b.label("sigreturn");
  onlyAt(sites.sigreturn);
  // Each write may add only 1: nothing reads the counter, and it must never become full.
  b.label("write").ldAbs(argLo(0)).jeq(FD_DOORBELL, undefined, "trap");
  b.ldAbs(argLo(1)).jeq(addressOf(ONE) % 2 ** 32, undefined, "trap");
  b.ldAbs(argHi(1)).jeq(Math.floor(addressOf(ONE) / 2 ** 32), undefined, "trap");
  onlyAt(sites.doorbell);
  b.label("sigprocmask");
  onlyAt(sites.sigprocmask);
  b.label("exit");
  onlyAt(sites.exit);

  // Always shared, and at an address that the command names.
  b.label("mmap").ldAbs(argLo(3)).jeq(MAP_SHARED | MAP_FIXED, undefined, "trap");
  only(argHi(2), secret[0]);
  only(argHi(3), secret[1]);
  only(argHi(4), secret[2]);
  b.ja("allow");
  for (const { nr, first = [] } of PRIVILEGED) {
    if (first.length === 0) continue;
    b.label(`first ${nr}`).ldAbs(argLo(0));
    for (const value of first) b.jeq(value, "privileged");
    b.ja("trap");
  }
  b.label("privileged");
  only(argLo(4), secret[0]);
  only(argHi(4), secret[1]);
  only(argLo(5), secret[2]);
  only(argHi(5), secret[3]);
  b.ja("allow");

  return b.label("trap").ret(SECCOMP_RET_TRAP).label("allow").ret(SECCOMP_RET_ALLOW).assemble();
}
