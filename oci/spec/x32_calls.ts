/**
 * Numbers of x32 calls (arch/x86/entry/syscalls/syscall_64.tbl), without their bit: most are those of x86-64, but the
 * calls whose structs hold pointers have numbers of their own.
 */

import { NAMES } from "../../ffi/abi/syscall_numbers.ts";

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
export function x32NumberOf(nr: number): number {
  const name = NAMES[nr] ?? "", own = OWN.indexOf(name);
  if (own >= 0) return FIRST + own;
  return MISSING.has(name) ? -1 : nr;
}
