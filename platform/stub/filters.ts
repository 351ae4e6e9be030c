/**
 * The two seccomp programs of a stub.
 *
 * They stack: a guest thread has the mapper's and, on top, its own; the strictest verdict wins. So the mapper's must
 * TRAP, never KILL, what a guest may try. Guest threads get through with four kinds of calls, each at its own
 * instructions in the stub's text; everything else becomes SIGSYS and a post. Source: seccomp(2).
 */

import { BpfAssembler, SECCOMP_DATA } from "../../ffi/asm/bpf.ts";
import { MAP_FIXED } from "../../ffi/abi/mman.ts";
import { FUTEX_WAIT, FUTEX_WAKE } from "../../ffi/abi/futex.ts";
import { PR_SET_PDEATHSIG } from "../../ffi/abi/prctl.ts";
import {
  AUDIT_ARCH_X86_64,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_TRAP,
  SECCOMP_SET_MODE_FILTER,
  SockFilter,
  SockFprog,
} from "../../ffi/abi/seccomp.ts";
import * as nr from "../../ffi/abi/syscall_numbers.ts";
import type { AllowedSites } from "./emit.ts";
import { FD_CONTROL, FD_DOORBELL, FILTERS, FILTERS_BYTES, STUB_BASE } from "./layout.ts";

/** Addresses of the two `struct sock_fprog`. */
export const MAPPER_PROGRAM = FILTERS;
export const GUEST_PROGRAM = FILTERS + SockFprog.size;
const CODE_OFFSET = 64;

const IP_HIGH = Math.floor(STUB_BASE / 2 ** 32);

/** Calls of the mapper and of threads about to start, with any arguments. */
const MAPPER_CALLS: readonly number[] = [
  nr.SYS_mprotect,
  nr.SYS_munmap,
  nr.SYS_futex,
  nr.SYS_rt_sigreturn, // of guest threads, which come through here too
  nr.SYS_rt_sigprocmask,
  nr.SYS_sigaltstack,
  nr.SYS_getpid,
  nr.SYS_gettid,
  nr.SYS_exit,
  nr.SYS_exit_group,
];

function begin(): BpfAssembler {
  return new BpfAssembler()
    .ldAbs(SECCOMP_DATA.arch).jeq(AUDIT_ARCH_X86_64, undefined, "trap")
    .ldAbs(SECCOMP_DATA.nr);
}

function end(b: BpfAssembler): Uint8Array {
  return b.label("trap").ret(SECCOMP_RET_TRAP).label("allow").ret(SECCOMP_RET_ALLOW).assemble();
}

/** @param cloneFlags the only values that clone may have */
export function mapperFilter(cloneFlags: readonly number[]): Uint8Array {
  const b = begin();
  b.jeq(nr.SYS_mmap, "mmap").jeq(nr.SYS_pwrite64, "pwrite").jeq(nr.SYS_write, "write");
  b.jeq(nr.SYS_clone, "clone").jeq(nr.SYS_prctl, "prctl").jeq(nr.SYS_seccomp, "seccomp");
  for (const n of MAPPER_CALLS) b.jeq(n, "allow");
  b.ja("trap");
  // Always at an address that the command names: the mapper never asks for "anywhere".
  b.label("mmap").ldAbs(SECCOMP_DATA.argLo(3)).jset(MAP_FIXED, "allow", "trap");
  b.label("pwrite").ldAbs(SECCOMP_DATA.argLo(0)).jeq(FD_CONTROL, "allow", "trap");
  b.label("write").ldAbs(SECCOMP_DATA.argLo(0)).jeq(FD_DOORBELL, "allow", "trap");
  b.label("prctl").ldAbs(SECCOMP_DATA.argLo(0)).jeq(PR_SET_PDEATHSIG, "allow", "trap");
  // For the filter of a new guest thread.
  b.label("seccomp").ldAbs(SECCOMP_DATA.argLo(0)).jeq(SECCOMP_SET_MODE_FILTER, "allow", "trap");
  b.label("clone").ldAbs(SECCOMP_DATA.argLo(0));
  for (const flags of cloneFlags) b.jeq(flags, "allow");
  b.ja("trap");
  return end(b);
}

/** @param addressOf the address of a label; the labels stand behind the `syscall` instructions */
export function guestFilter(sites: AllowedSites, addressOf: (l: string) => number): Uint8Array {
  const b = begin();
  b.jeq(nr.SYS_futex, "futex").jeq(nr.SYS_rt_sigreturn, "sigreturn");
  b.jeq(nr.SYS_write, "write").jeq(nr.SYS_rt_sigprocmask, "sigprocmask");
  b.jeq(nr.SYS_exit, "exit", "trap");
  const onlyAt = (labels: readonly string[]): void => {
    b.ldAbs(SECCOMP_DATA.ipHi).jeq(IP_HIGH, undefined, "trap").ldAbs(SECCOMP_DATA.ipLo);
    for (const label of labels) b.jeq(addressOf(label) % 2 ** 32, "allow");
    b.ja("trap");
  };
  b.label("futex").ldAbs(SECCOMP_DATA.argLo(1));
  b.jeq(FUTEX_WAIT, "futex_ip").jeq(FUTEX_WAKE, "futex_ip", "trap");
  b.label("futex_ip");
  onlyAt(sites.futex);
  b.label("sigreturn");
  onlyAt(sites.sigreturn);
  // The doorbell does not block (O_NONBLOCK), so that nobody can be held up by a full counter.
  b.label("write").ldAbs(SECCOMP_DATA.argLo(0)).jeq(FD_DOORBELL, undefined, "trap");
  onlyAt(sites.doorbell);
  b.label("sigprocmask");
  onlyAt(sites.sigprocmask);
  b.label("exit");
  onlyAt(sites.exit);
  return end(b);
}

/** The page at FILTERS: both headers, then both programs. */
export function filterPage(mapper: Uint8Array, guest: Uint8Array): Uint8Array<ArrayBuffer> {
  const page = new Uint8Array(FILTERS_BYTES);
  const view = new DataView(page.buffer);
  let code = CODE_OFFSET;
  [mapper, guest].forEach((program, i) => {
    const at = i * SockFprog.size;
    view.setUint16(at + SockFprog.at.len, program.length / SockFilter.size, true);
    view.setBigUint64(at + SockFprog.at.filter, BigInt(FILTERS + code), true);
    page.set(program, code);
    code += program.length;
  });
  return page;
}
