"""Calls that the kernel lacks, or refuses to every caller: each fails as on Linux 6.12."""

import os
import signal
from errno import *
from lib.guest import *

BAD = 1 << 63
SYS.update(uretprobe=335, restart_syscall=219)


def as_nobody(fn):
    def body():
        if is_root():
            os.setgroups([])
            os.setresuid(65534, 65534, 65534)
        fn()
    child_ok(body)


# Linux answers ENOSYS in every configuration.
NEVER = [("_sysctl", 156), ("create_module", 174), ("get_kernel_syms", 177), ("query_module", 178),
         ("nfsservctl", 180), ("getpmsg", 181), ("putpmsg", 182), ("afs_syscall", 183), ("tuxcall", 184),
         ("security", 185), ("set_thread_area", 205), ("get_thread_area", 211), ("lookup_dcookie", 212),
         ("epoll_ctl_old", 214), ("epoll_wait_old", 215), ("vserver", 236)]


@cases(NEVER, shared=True)
def calls_that_do_not_exist(nr):
    gives(-ENOSYS, nr, 0, 0, 0, 0, 0, 0)
    gives(-ENOSYS, nr, BAD, BAD, BAD, BAD, BAD, BAD)


@cases(NEVER, shared=True)
def calls_that_do_not_exist_for_an_ordinary_user(nr):
    as_nobody(lambda: gives(-ENOSYS, nr, 0, 0, 0, 0, 0, 0))


# ENOSYS on a kernel without the option of its configuration; the other errors are those with it.
OPTIONAL = [("uselib", 134, ()), ("modify_ldt", 154, (0, EINVAL, EFAULT)), ("iopl", 172, (EINVAL, EPERM)),
            ("ioperm", 173, (EINVAL, EPERM)), ("init_module", 175, (EPERM,)),
            ("delete_module", 176, (EPERM,)), ("finit_module", 313, (EPERM,)),
            ("quotactl", 179, (ENODEV, EFAULT, EINVAL)), ("quotactl_fd", 443, (EBADF, EINVAL)),
            ("kexec_load", 246, (EPERM,)), ("kexec_file_load", 320, (EPERM,)),
            ("perf_event_open", 298, (EFAULT, EINVAL, EACCES)), ("bpf", 321, (EPERM, EINVAL, EFAULT))]


@cases(OPTIONAL, shared=True)
def optional_calls_for_an_ordinary_user(nr, others):
    def body():
        r = sc(nr, BAD, BAD, BAD, BAD, BAD, BAD)
        ok(r == -ENOSYS or -r in others, "call %d: found %s" % (nr, name_of(r)))
    as_nobody(body)


@cases([("gap %d" % nr, nr) for nr in (337, 400, 423, 500, 547, 600, 1024, 4096, 0x7FFFFFFF,
                                       0xFFFFFFFE, 0x40000000, 0x40000001, 0x400001FF)], shared=True)
def no_such_number(nr):
    gives(-ENOSYS, nr, 0, 0, 0, 0, 0, 0)


@test
def swapping_needs_a_capability():
    def body():
        gives(-EPERM, 167, b"/etc/passwd", 0)
        gives(-EPERM, 167, BAD, 0x7FFFF)
        gives(-EINVAL, 167, BAD, 0x80000)
        gives(-EINVAL, 167, b"/etc/passwd", 1 << 31)
        gives(-EPERM, 168, b"/etc/passwd")
        gives(-EPERM, 168, BAD)
    as_nobody(body)


@test
def uretprobe_is_for_trampolines():
    status = in_child(lambda: sc(NR.uretprobe))
    ok(os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGILL, "status %#x" % status)


@test
def restart_syscall_has_nothing_to_restart():
    gives(-EINTR, NR.restart_syscall)


@test
def calls_of_administrators_need_a_capability():
    def body():
        gives(-EPERM, 153)  # vhangup
        gives(-EPERM, 161, b"/")  # chroot
        gives(-EPERM, 163, BAD)  # acct
        gives(-EPERM, 169, 0xFEE1DEAD, 672274793, 0, 0)  # reboot
        gives(-EPERM, 170, b"x", 1)  # sethostname
        gives(-EPERM, 171, b"x", 1)  # setdomainname
        gives(-EPERM, 165, b"none", b"/", b"tmpfs", 0, 0)  # mount
        gives(-EPERM, 155, b"/", b"/")  # pivot_root
        time = (ctypes.c_int64 * 2)(1, 0)
        gives(-EPERM, 164, time, 0)  # settimeofday
        gives(-EPERM, 227, 0, time)  # clock_settime
        gives(-EPERM, 308, os.open("/proc/self/ns/uts", os.O_RDONLY), 0)  # setns
    as_nobody(body)


if __name__ == "__main__":
    run()
