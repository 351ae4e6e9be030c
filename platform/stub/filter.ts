/**
 * The seccomp program of zygote and stubs, installed once: every stub and thread inherits it.
 *
 * What guest threads need (wait, wake, ring, return from a signal) is allowed at its own instructions in the stub's text, and is
 * of no use to guest code that jumps there. What the mapper and the zygote need is allowed to who shows a secret in arguments that the
 * call does not use: 128 random bits that exist only in their registers. Everything else becomes SIGSYS and a
 * post. A filter on top for each guest thread would do the same, and costs 100 us a thread. Source: seccomp(2).
 */

import { BpfAssembler, SECCOMP_DATA } from "../../ffi/asm/bpf.ts";
import { FUTEX_WAIT, FUTEX_WAKE } from "../../ffi/abi/futex.ts";
import { MAP_FIXED, MAP_SHARED } from "../../ffi/abi/mman.ts";
import { AUDIT_ARCH_X86_64, SECCOMP_RET_ALLOW, SECCOMP_RET_TRAP } from "../../ffi/abi/seccomp.ts";
import * as nr from "../../ffi/abi/syscall_numbers.ts";
import type { AllowedSites } from "./emit.ts";
import { FD_DOORBELL, STUB_BASE } from "./layout.ts";
import { ONE } from "./wait_reply.ts";

/** Four random words. */
export type Secret = Uint32Array;

const IP_HIGH = Math.floor(STUB_BASE / 2 ** 32);

/** Arguments r8 and r9 of these must be the secret. */
const PRIVILEGED: readonly number[] = [
  nr.SYS_munmap,
  nr.SYS_mprotect,
  nr.SYS_clone,
  nr.SYS_pwrite64,
  nr.SYS_prctl,
  nr.SYS_getpid,
  nr.SYS_gettid,
  nr.SYS_sigaltstack,
  nr.SYS_exit_group,
  // of the zygote
  nr.SYS_recvmsg,
  nr.SYS_dup3,
  nr.SYS_close,
];

/** @param addressOf the address of a label; the labels stand behind the `syscall` instructions */
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
  for (const n of PRIVILEGED) b.jeq(n, "privileged");
  b.ja("trap");

  b.label("futex").ldAbs(argLo(1)).jeq(FUTEX_WAIT, "futex_ip");
  b.jeq(FUTEX_WAKE, undefined, "trap").label("futex_ip");
  onlyAt(sites.futex);
  b.label("sigreturn");
  onlyAt(sites.sigreturn);
  // The doorbell's counter only ever grows by 1: nobody takes what is in it, and it must never be full.
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
  b.label("privileged");
  only(argLo(4), secret[0]);
  only(argHi(4), secret[1]);
  only(argLo(5), secret[2]);
  only(argHi(5), secret[3]);
  b.ja("allow");

  return b.label("trap").ret(SECCOMP_RET_TRAP).label("allow").ret(SECCOMP_RET_ALLOW).assemble();
}
