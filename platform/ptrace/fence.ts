/**
 * The seccomp filter of stubs: a second fence behind PTRACE_SYSEMU.
 *
 * Under SYSEMU no guest call reaches a filter. The exception is the vsyscall page, which the host
 * emulates without SYSEMU: the filter turns such a call into a signal. Otherwise it allows only the
 * stub's own calls. Neighbours: `zygote.ts` installs it, `stops.ts` sees the signal. Source:
 * seccomp(2), the host's arch/x86/entry/vsyscall.
 */

import {
  AUDIT_ARCH_X86_64,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_KILL_PROCESS,
  SECCOMP_RET_TRAP,
} from "../../ffi/abi/seccomp.ts";
import {
  SYS_clone,
  SYS_close,
  SYS_exit,
  SYS_mmap,
  SYS_mprotect,
  SYS_munmap,
  SYS_recvmsg,
} from "../../ffi/abi/syscall_numbers.ts";
import { BpfAssembler, SECCOMP_DATA } from "../../ffi/asm/bpf.ts";
import { STUB_TEXT } from "./stub_image.ts";

const PAGE_MASK = 0xfffff000;

/** struct sock_filter[]. */
export function fenceProgram(): Uint8Array {
  return new BpfAssembler()
    .ldAbs(SECCOMP_DATA.arch).jeq(AUDIT_ARCH_X86_64, undefined, "trap")
    .ldAbs(SECCOMP_DATA.ipHi).jeq(Math.floor(STUB_TEXT / 2 ** 32), undefined, "trap")
    .ldAbs(SECCOMP_DATA.ipLo).and(PAGE_MASK).jeq(STUB_TEXT >>> 0, undefined, "trap")
    .ldAbs(SECCOMP_DATA.nr)
    .jeq(SYS_mmap, "allow") // guest memory
    .jeq(SYS_munmap, "allow")
    .jeq(SYS_mprotect, "allow")
    .jeq(SYS_clone, "allow") // threads and processes of the guest
    .jeq(SYS_exit, "allow") // threads that are not needed any more
    .jeq(SYS_recvmsg, "allow") // files for mmap
    .jeq(SYS_close, "allow")
    .ret(SECCOMP_RET_KILL_PROCESS)
    .label("trap").ret(SECCOMP_RET_TRAP)
    .label("allow").ret(SECCOMP_RET_ALLOW)
    .assemble();
}
