"""Options, commands and flags of calls on processes, one by one: each acts, by an expression whose
value Linux gave.
"""

import ctypes
import os
import signal
import struct
from errno import *
from lib.guest import *

needs_root(
    "policies_SCHED_FIFO", "policies_SCHED_RR",
)

SYS.update(sched_get_priority_max=146, sched_get_priority_min=147, sched_rr_get_interval=148, kcmp=312,
           keyctl=250)
P_PID, WNOHANG, WUNTRACED, WEXITED, WCONTINUED, WNOWAIT = 1, 1, 2, 4, 8, 0x1000000
KEPT = []


def pr(option, *args):
    return sc(NR.prctl, option, *(list(args) + [0] * (4 - len(args))))


def may_administer():
    """Says whether the caller has CAP_SYS_RESOURCE."""
    with open("/proc/self/status") as f:
        return int(f.read().split("CapEff:")[1].split()[0], 16) >> 24 & 1 != 0


def word(option, *rest):
    """Calls prctl(option, &int). Returns the result and the number that was stored."""
    v = ctypes.c_int(77)
    return pr(option, v, *rest), v.value


def there(fn):
    """Runs fn in a forked child. Returns its result as text."""
    r, w = os.pipe()

    def body():
        os.write(w, repr(fn()).encode())
    child_ok(body)
    return os.read(r, 4000).decode()


def status_of(fn):
    return in_child(fn)


def cloned(flags, fn=lambda: 0, nr=None):
    """Runs fn in a child that clone(2) makes with these flags. Returns its status, or -errno."""
    pid = sc(NR.clone, flags | signal.SIGCHLD, 0, 0, 0, 0)
    if pid == 0:
        code = 99
        try:
            code = fn()
        finally:
            os._exit(code)
    return pid if pid < 0 else os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def clone3(**fields):
    names = ["flags", "pidfd", "child_tid", "parent_tid", "exit_signal", "stack", "stack_size", "tls",
             "set_tid", "set_tid_size", "cgroup"]
    return sc(NR.clone3, struct.pack("11Q", *[fields.get(n, 0) for n in names]), 88)


def ended(options, how="exit", idtype=P_PID):
    """Waits for a child that exits, stops or continues: the result, si_code and si_status."""
    pid = spawn(lambda: 7 if how == "exit" else os.kill(os.getpid(), signal.SIGSTOP) or signal.pause())
    if how != "exit":
        wait_state(pid, "T")
        if how == "continue":
            os.waitpid(pid, os.WUNTRACED)
            os.kill(pid, signal.SIGCONT)
    info = ctypes.create_string_buffer(128)
    which = works(NR.pidfd_open, pid, 0) if idtype == 3 else os.getpgrp() if idtype == 2 else pid
    r = sc(NR.waitid, idtype, which, info, options, 0)
    out = r, struct.unpack_from("i", info.raw, 8)[0], struct.unpack_from("i", info.raw, 24)[0]
    if how != "exit":
        os.kill(pid, signal.SIGKILL)
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        pass
    return out


def limit(what):
    buf = ctypes.create_string_buffer(16)
    r = sc(NR.prlimit64, 0, what, 0, buf)
    soft, hard = struct.unpack("QQ", buf.raw)
    low = min(soft, 1 << 20) if what != 3 else min(soft, 1 << 23)
    set_r = sc(NR.prlimit64, 0, what, struct.pack("QQ", low, hard), 0)
    back = ctypes.create_string_buffer(16)
    sc(NR.prlimit64, 0, what, 0, back)
    return r, set_r, struct.unpack("QQ", back.raw) == (low, hard)


def usage(who):
    buf = ctypes.create_string_buffer(144)
    return sc(NR.getrusage, who, buf)


def scheduled(policy, priority=0):
    r = sc(NR.sched_setscheduler, 0, policy, ctypes.c_int(priority))
    return r, sc(NR.sched_getscheduler, 0)


def attributes(**fields):
    f = dict(size=56, policy=0, flags=0, nice=0, prio=0, runtime=0, deadline=0, period=0)
    f.update(fields)
    data = struct.pack("IIQiIQQQII", f["size"], f["policy"], f["flags"], f["nice"], f["prio"], f["runtime"],
                       f["deadline"], f["period"], 0, 0)
    buf = ctypes.create_string_buffer(data, 56)
    r = sc(NR.sched_setattr, 0, buf, 0)
    back = ctypes.create_string_buffer(56)
    g = sc(NR.sched_getattr, 0, back, 56, 0)
    return r, g, struct.unpack_from("IIQiI", back.raw)


def action(signo, flags):
    act = struct.pack("QQQQ", 1, flags, 0, 0)
    old = ctypes.create_string_buffer(32)
    r = sc(NR.rt_sigaction, signo, act, 0, 8)
    sc(NR.rt_sigaction, signo, 0, old, 8)
    return r, struct.unpack("QQQQ", old.raw)[1]


def masked(how):
    old = ctypes.create_string_buffer(8)
    sc(NR.rt_sigprocmask, 2, struct.pack("Q", 1 << 9), 0, 8)
    r = sc(NR.rt_sigprocmask, how, struct.pack("Q", 1 << 11), 0, 8)
    sc(NR.rt_sigprocmask, 0, 0, old, 8)
    return r, struct.unpack("Q", old.raw)[0]


def filtered(ret, flags=0, op=1, nr=110, ending=lambda: 0):
    """Runs a child whose getppid gets this verdict of a filter: the result, or the wait status."""
    def body():
        pr(38, 1)
        code = struct.pack("HBBI", 0x20, 0, 0, 0) + struct.pack("HBBI", 0x15, 0, 1, nr) + \
            struct.pack("HBBI", 6, 0, 0, ret) + struct.pack("HBBI", 6, 0, 0, 0x7FFF0000)
        held = ctypes.create_string_buffer(code)
        prog = struct.pack("HxxxxxxQ", 4, ctypes.addressof(held))
        r = sc(NR.seccomp, op, flags, prog)
        if r < 0:
            os._exit(-r)
        n = sc(nr)
        os._exit(100 if n > 0 else -n)
    status = in_child(body)
    return os.waitstatus_to_exitcode(status)


def kcmp(kind, a=0, b=0):
    return sc(NR.kcmp, os.getpid(), os.getpid(), kind, a, b)


@cases([
    ("PR_SET_PDEATHSIG", lambda: (pr(1, 9), word(2), pr(1, 65), pr(1, 0)), (0, (0, 9), -EINVAL, 0)),
    ("PR_GET_PDEATHSIG", lambda: (word(2), pr(2, 1)), ((0, 0), -EFAULT)),
    ("PR_GET_DUMPABLE", lambda: pr(3), 1),
    ("PR_SET_DUMPABLE", lambda: (pr(4, 0), pr(3), pr(4, 2), pr(4, 1), pr(3)), (0, 0, -EINVAL, 0, 1)),
    ("PR_GET_UNALIGN", lambda: pr(5), -EINVAL),
    ("PR_SET_UNALIGN", lambda: pr(6, 1), -EINVAL),
    ("PR_GET_KEEPCAPS", lambda: pr(7), 0),
    ("PR_SET_KEEPCAPS", lambda: (pr(8, 1), pr(7), pr(8, 2), pr(8, 0)), (0, 1, -EINVAL, 0)),
    ("PR_GET_FPEMU", lambda: pr(9), -EINVAL),
    ("PR_SET_FPEMU", lambda: pr(10, 1), -EINVAL),
    ("PR_GET_FPEXC", lambda: pr(11), -EINVAL),
    ("PR_SET_FPEXC", lambda: pr(12, 1), -EINVAL),
    ("PR_GET_TIMING", lambda: pr(13), 0),
    ("PR_SET_TIMING", lambda: (pr(14, 0), pr(14, 1)), (0, -EINVAL)),
    ("PR_SET_NAME",
     lambda: (pr(15, b"abcdefghijklmnopqrs"), (lambda b: (pr(16, b), b.value))(ctypes.create_string_buffer(32)), pr(15, 1 << 63)),
     (0, (0, b'abcdefghijklmno'), -EFAULT)),
    ("PR_GET_NAME", lambda: pr(16, 1 << 63), -EFAULT),
    ("PR_GET_ENDIAN", lambda: pr(19), -EINVAL),
    ("PR_SET_ENDIAN", lambda: pr(20, 0), -EINVAL),
    ("PR_GET_SECCOMP", lambda: pr(21), 0),
    ("PR_SET_SECCOMP", lambda: (pr(22, 3), pr(22, 2, 0), pr(22, 0)), (-EINVAL, -EFAULT, -EINVAL)),
    ("PR_CAPBSET_READ",
     lambda: (pr(23, 64), pr(23, 1 << 40), pr(23, 0) in (0, 1)),
     (-EINVAL, -EINVAL, True)),
    ("PR_CAPBSET_DROP",
     lambda: (there(lambda: (pr(24, 5), pr(23, 5), pr(24, 99))) == "(0, 0, -22)") == is_root(),
     True),
    ("PR_GET_TSC", lambda: word(25), (0, 1)),
    ("PR_SET_TSC", lambda: (pr(26, 1), pr(26, 0), pr(26, 3)), (0, -EINVAL, -EINVAL)),
    ("PR_GET_SECUREBITS", lambda: pr(27), 0),
    ("PR_SET_TIMERSLACK",
     lambda: there(lambda: (pr(29, 12345), pr(30), pr(29, 0), pr(30))),
     '(0, 12345, 0, 50000)'),
    ("PR_GET_TIMERSLACK", lambda: pr(30), 50000),
    ("PR_TASK_PERF_EVENTS_DISABLE", lambda: pr(31), 0),
    ("PR_TASK_PERF_EVENTS_ENABLE", lambda: pr(32), 0),
    ("PR_MCE_KILL_GET", lambda: (pr(34), pr(34, 1)), (2, -EINVAL)),
    ("PR_SET_CHILD_SUBREAPER",
     lambda: there(lambda: (pr(36, 1), word(37), pr(36, 0), word(37))),
     '(0, (0, 1), 0, (0, 0))'),
    ("PR_GET_CHILD_SUBREAPER", lambda: there(lambda: word(37)), '(0, 0)'),
    ("PR_SET_NO_NEW_PRIVS",
     lambda: there(lambda: (pr(38, 0), pr(38, 1, 1), pr(38, 1), pr(39))),
     '(-22, -22, 0, 1)'),
    ("PR_GET_NO_NEW_PRIVS", lambda: (pr(39), pr(39, 1)), (0, -EINVAL)),
    ("PR_GET_TID_ADDRESS",
     lambda: (lambda v: (pr(40, v), v.value > 4096))(ctypes.c_ulong()),
     (0, True)),
    ("PR_GET_THP_DISABLE", lambda: (pr(42), pr(42, 1)), (0, -EINVAL)),
    ("PR_MPX_ENABLE_MANAGEMENT", lambda: pr(43), -EINVAL),
    ("PR_MPX_DISABLE_MANAGEMENT", lambda: pr(44), -EINVAL),
    ("PR_SET_FP_MODE", lambda: pr(45, 1), -EINVAL),
    ("PR_GET_FP_MODE", lambda: pr(46), -EINVAL),
    ("PR_CAP_AMBIENT",
     lambda: (pr(47, 4), pr(47, 1, 99), pr(47, 1, 5), pr(47, 9), pr(47, 4, 1)),
     (0, -EINVAL, 0, -EINVAL, -EINVAL)),
    ("PR_SVE_SET_VL", lambda: pr(50, 1), -EINVAL),
    ("PR_SVE_GET_VL", lambda: pr(51), -EINVAL),
    ("PR_GET_SPECULATION_CTRL", lambda: (pr(52, 9), pr(52, 0, 1)), (-ENODEV, -EINVAL)),
    ("PR_SET_SPECULATION_CTRL", lambda: (pr(53, 9, 1), pr(53, 0, 2, 1)), (-ENODEV, -EINVAL)),
    ("PR_PAC_RESET_KEYS", lambda: pr(54), -EINVAL),
    ("PR_SET_TAGGED_ADDR_CTRL", lambda: pr(55, 1), -EINVAL),
    ("PR_GET_TAGGED_ADDR_CTRL", lambda: pr(56), -EINVAL),
    ("PR_SET_IO_FLUSHER",
     lambda: there(lambda: (pr(57, 1), pr(58), pr(57, 0), pr(58), pr(57, 2))) ==
     ("(0, 1, 0, 0, -22)" if may_administer() else "(-1, -1, -1, -1, -1)"), True),
    ("PR_GET_IO_FLUSHER",
     lambda: there(lambda: (pr(58), pr(58, 1))) == ("(0, -22)" if may_administer() else "(-1, -1)"), True),
    ("PR_SET_SYSCALL_USER_DISPATCH",
     lambda: (pr(59, 0), pr(59, 0, 1), pr(59, 3)),
     (0, -EINVAL, -EINVAL)),
    ("PR_PAC_SET_ENABLED_KEYS", lambda: pr(60), -EINVAL),
    ("PR_PAC_GET_ENABLED_KEYS", lambda: pr(61), -EINVAL),
    ("PR_SCHED_CORE", lambda: (pr(62, 9), pr(62, 0, 0, 0, 1)), (-EINVAL, -EINVAL)),
    ("PR_SME_SET_VL", lambda: pr(63, 1), -EINVAL),
    ("PR_SME_GET_VL", lambda: pr(64), -EINVAL),
    ("PR_GET_MDWE", lambda: (pr(66), pr(66, 1)), (0, -EINVAL)),
    ("PR_RISCV_V_SET_CONTROL", lambda: pr(69), -EINVAL),
    ("PR_RISCV_V_GET_CONTROL", lambda: pr(70), -EINVAL),
    ("PR_PPC_GET_DEXCR", lambda: pr(72, 0), -EINVAL),
    ("PR_PPC_SET_DEXCR", lambda: pr(73, 0), -EINVAL),
    ("PR_SET_PTRACER", lambda: (pr(0x59616d61, 0) in (0, -22),), (True,)),
])
def options(call, expected):
    eq(call(), expected)


def vector_state(code):
    features = ctypes.c_ulong()
    return sc(158, code, features), features.value & 3 == 3, sc(158, code, 1 << 63)


@cases([
    ("ARCH_GET_FS",
     lambda: (lambda v: (sc(158, 0x1003, v), v.value != 0))(ctypes.c_ulong()),
     (0, True)),
    ("ARCH_SET_FS", lambda: (sc(158, 0x1002, 1 << 47), sc(158, 0x1002, 1 << 63)), (-EPERM, -EPERM)),
    ("ARCH_SET_GS",
     lambda: (lambda v: (sc(158, 0x1001, 0x1000), sc(158, 0x1004, v), v.value, sc(158, 0x1001, 0), sc(158, 0x1001, 1 << 63)))(ctypes.c_ulong()),
     (0, 0, 4096, 0, -EPERM)),
    ("ARCH_GET_GS",
     lambda: (lambda v: (sc(158, 0x1004, v), v.value, sc(158, 0x1004, 1 << 63)))(ctypes.c_ulong()),
     (0, 0, -EFAULT)),
    ("ARCH_GET_XCOMP_SUPP", lambda: vector_state(0x1021), (0, True, -EFAULT)),
    ("ARCH_GET_XCOMP_PERM", lambda: vector_state(0x1022), (0, True, -EFAULT)),
    ("ARCH_GET_XCOMP_GUEST_PERM", lambda: vector_state(0x1024), (0, True, -EFAULT)),
    # AMX, feature 18, is the only one that can be requested; not every processor has it.
    ("ARCH_REQ_XCOMP_PERM", lambda: (sc(158, 0x1023, 1), sc(158, 0x1023, 63)), (-EOPNOTSUPP, -EINVAL)),
    ("ARCH_REQ_XCOMP_GUEST_PERM", lambda: (sc(158, 0x1025, 17), sc(158, 0x1025, 63)), (-EOPNOTSUPP, -EINVAL)),
])
def arch_codes(call, expected):
    eq(call(), expected)


@cases([
    ("CLONE_VM", lambda: sc(NR.clone, 0x10800 & ~0x100, 0, 0, 0, 0), -EINVAL),
    ("CLONE_FS", lambda: (cloned(0x200, lambda: os.chdir("/") or 0), os.getcwd()), (0, '/')),
    ("CLONE_FILES",
     lambda: (lambda n: (cloned(0x400, lambda: os.dup2(0, 55) and 0), os.fstat(55) and 1))(0),
     (0, 1)),
    ("CLONE_SIGHAND", lambda: sc(NR.clone, 0x800 | 17, 0, 0, 0, 0), -EINVAL),
    ("CLONE_PIDFD",
     lambda: (lambda v: (lambda p: (p > 0 or os._exit(0), os.waitpid(p, 0)[1], v.value > 2))(sc(NR.clone, 0x1000 | 17, 0, v, 0, 0)))(ctypes.c_int(0)),
     (True, 0, True)),
    ("CLONE_PTRACE", lambda: cloned(0x2000), 0),
    ("CLONE_VFORK", lambda: cloned(0x4000, lambda: 5), 5),
    ("CLONE_PARENT",
     lambda: there(lambda: (lambda p: (p > 0 or os._exit(0), sc(NR.wait4, p, 0, 0, 0)))(sc(NR.clone, 0x8000 | 17, 0, 0, 0, 0))),
     '(True, -10)'),
    ("CLONE_THREAD", lambda: sc(NR.clone, 0x10000 | 17, 0, 0, 0, 0), -EINVAL),
    ("CLONE_NEWNS", lambda: cloned(0x20000) if is_root() else 0, 0),
    ("CLONE_SYSVSEM", lambda: cloned(0x40000), 0),
    ("CLONE_PARENT_SETTID",
     lambda: (lambda v: (lambda p: (p > 0 or os._exit(0), os.waitpid(p, 0)[1], v.value == p))(sc(NR.clone, 0x100000 | 17, 0, v, 0, 0)))(ctypes.c_int(0)),
     (True, 0, True)),
    ("CLONE_CHILD_CLEARTID", lambda: cloned(0x200000), 0),
    ("CLONE_DETACHED", lambda: cloned(0x400000), 0),
    ("CLONE_UNTRACED", lambda: cloned(0x800000), 0),
    ("CLONE_CHILD_SETTID",
     lambda: (lambda v: (lambda p: (p > 0 or os._exit(0 if v.value == os.getpid() else 1), os.waitpid(p, 0)[1]))(sc(NR.clone, 0x1000000 | 17, 0, 0, v, 0)))(ctypes.c_int(0)),
     (True, 0)),
    ("CLONE_NEWCGROUP", lambda: cloned(0x2000000) if is_root() else 0, 0),
    ("CLONE_NEWUTS", lambda: cloned(0x4000000) if is_root() else 0, 0),
    ("CLONE_NEWIPC", lambda: cloned(0x8000000) if is_root() else 0, 0),
    ("CLONE_NEWUSER", lambda: cloned(0x10000000), 0),
    ("CLONE_NEWPID", lambda: cloned(0x20000000, lambda: os.getpid()) if is_root() else 1, 1),
    ("CLONE_NEWNET", lambda: cloned(0x40000000) if is_root() else 0, 0),
    ("CLONE_IO", lambda: cloned(0x80000000), 0),
])
def clones(call, expected):
    eq(call(), expected)


@cases([
    ("CLONE_CLEAR_SIGHAND",
     lambda: (lambda p: (p > 0 or os._exit(0), os.waitpid(p, 0)[1]))(clone3(flags=1 << 32, exit_signal=17)),
     (True, 0)),
    ("CLONE_INTO_CGROUP", lambda: clone3(flags=1 << 33, exit_signal=17, cgroup=999), -EBADF),
    ("CLONE_DETACHED", lambda: clone3(flags=0x400000, exit_signal=17), -EINVAL),
])
def clone3_flags(call, expected):
    eq(call(), expected)


@cases([
    ("CLONE_FS", lambda: there(lambda: sc(NR.unshare, 0x200)), '0'),
    ("CLONE_FILES", lambda: there(lambda: sc(NR.unshare, 0x400)), '0'),
    ("CLONE_SYSVSEM", lambda: there(lambda: sc(NR.unshare, 0x40000)), '0'),
    ("CLONE_NEWNS", lambda: there(lambda: sc(NR.unshare, 0x20000)) if is_root() else "0", '0'),
    ("CLONE_NEWUTS", lambda: there(lambda: sc(NR.unshare, 0x4000000)) if is_root() else "0", '0'),
    ("CLONE_NEWIPC", lambda: there(lambda: sc(NR.unshare, 0x8000000)) if is_root() else "0", '0'),
    ("CLONE_NEWUSER", lambda: there(lambda: sc(NR.unshare, 0x10000000)), '0'),
    ("CLONE_NEWPID", lambda: there(lambda: sc(NR.unshare, 0x20000000)) if is_root() else "0", '0'),
    ("CLONE_NEWNET", lambda: there(lambda: sc(NR.unshare, 0x40000000)) if is_root() else "0", '0'),
    ("CLONE_NEWCGROUP", lambda: there(lambda: sc(NR.unshare, 0x2000000)) if is_root() else "0", '0'),
    ("CLONE_NEWTIME", lambda: there(lambda: sc(NR.unshare, 0x80)) if is_root() else "0", '0'),
    ("CLONE_THREAD", lambda: there(lambda: sc(NR.unshare, 0x10000)), '0'),
    ("CLONE_SIGHAND", lambda: there(lambda: sc(NR.unshare, 0x800)), '0'),
    ("CLONE_VM", lambda: there(lambda: sc(NR.unshare, 0x100)), '0'),
])
def unshares(call, expected):
    eq(call(), expected)


@cases([
    ("WEXITED", lambda: ended(WEXITED), (0, 1, 7)),
    ("WSTOPPED", lambda: ended(WUNTRACED, "stop"), (0, 5, 19)),
    ("WCONTINUED", lambda: ended(WCONTINUED, "continue"), (0, 6, 18)),
    ("WNOHANG",
     lambda: (ended(WEXITED | WNOHANG, "stop"), sc(NR.waitid, 0, 0, 0, WEXITED | WNOHANG, 0)),
     ((0, 0, 0), -ECHILD)),
    ("WNOWAIT", lambda: ended(WEXITED | WNOWAIT), (0, 1, 7)),
    ("__WALL", lambda: ended(WEXITED | 0x40000000), (0, 1, 7)),
    ("__WCLONE", lambda: ended(WEXITED | WNOHANG | 0x80000000), (-ECHILD, 0, 0)),
    ("__WNOTHREAD", lambda: ended(WEXITED | 0x20000000), (0, 1, 7)),
])
def waits(call, expected):
    eq(call(), expected)


@cases([
    ("P_ALL", lambda: ended(WEXITED, idtype=0), (0, 1, 7)),
    ("P_PID", lambda: ended(WEXITED, idtype=1), (0, 1, 7)),
    ("P_PGID", lambda: ended(WEXITED, idtype=2), (0, 1, 7)),
    ("P_PIDFD", lambda: ended(WEXITED, idtype=3), (0, 1, 7)),
])
def wait_kinds(call, expected):
    eq(call(), expected)


@cases([
    ("RLIMIT_CPU", lambda: limit(0), (0, 0, True)),
    ("RLIMIT_FSIZE", lambda: limit(1), (0, 0, True)),
    ("RLIMIT_DATA", lambda: there(lambda: limit(2)), '(0, 0, True)'),
    ("RLIMIT_STACK", lambda: limit(3), (0, 0, True)),
    ("RLIMIT_CORE", lambda: limit(4), (0, 0, True)),
    ("RLIMIT_RSS", lambda: limit(5), (0, 0, True)),
    ("RLIMIT_NPROC", lambda: limit(6), (0, 0, True)),
    ("RLIMIT_NOFILE", lambda: limit(7), (0, 0, True)),
    ("RLIMIT_MEMLOCK", lambda: limit(8), (0, 0, True)),
    ("RLIMIT_AS", lambda: limit(9) if False else limit(16), (-EINVAL, -EINVAL, True)),
    ("RLIMIT_LOCKS", lambda: limit(10), (0, 0, True)),
    ("RLIMIT_SIGPENDING", lambda: limit(11), (0, 0, True)),
    ("RLIMIT_MSGQUEUE", lambda: limit(12), (0, 0, True)),
    ("RLIMIT_NICE", lambda: limit(13), (0, 0, True)),
    ("RLIMIT_RTPRIO", lambda: limit(14), (0, 0, True)),
    ("RLIMIT_RTTIME", lambda: limit(15), (0, 0, True)),
])
def limits(call, expected):
    eq(call(), expected)


@cases([
    ("RUSAGE_SELF", lambda: usage(0), 0),
    ("RUSAGE_CHILDREN", lambda: usage(-1), 0),
    ("RUSAGE_THREAD", lambda: usage(1), 0),
    ("RUSAGE_BOTH", lambda: usage(-2), -EINVAL),
])
def usages(call, expected):
    eq(call(), expected)


@cases([
    ("SCHED_OTHER", lambda: (scheduled(0), scheduled(0, 1)), ((0, 0), (-EINVAL, 0))),
    ("SCHED_FIFO",
     lambda: (scheduled(1, 5), scheduled(1, 0), scheduled(1, 100)) if is_root() else 0,
     ((0, 1), (-EINVAL, 1), (-EINVAL, 1))),
    ("SCHED_RR",
     lambda: (scheduled(2, 5), scheduled(2, 0)) if is_root() else 0,
     ((0, 2), (-EINVAL, 2))),
    ("SCHED_BATCH", lambda: (scheduled(3), scheduled(3, 1)), ((0, 3), (-EINVAL, 3))),
    ("SCHED_IDLE", lambda: (scheduled(5), scheduled(5, 1)), ((0, 5), (-EINVAL, 5))),
    ("SCHED_DEADLINE", lambda: scheduled(6), (-EINVAL, 0)),
    ("SCHED_RESET_ON_FORK", lambda: scheduled(0x40000000), (0, 1073741824)),
    ("SCHED_UNKNOWN",
     lambda: (scheduled(4), scheduled(8), scheduled(-1)),
     ((-EINVAL, 0), (-EINVAL, 0), (-EINVAL, 0))),
])
def policies(call, expected):
    eq(call(), expected)


@cases([
    ("SCHED_FLAG_RESET_ON_FORK", lambda: attributes(flags=1), (0, 0, (56, 0, 1, 0, 0))),
    ("SCHED_FLAG_RECLAIM", lambda: attributes(flags=2), (0, 0, (56, 0, 0, 0, 0))),
    ("SCHED_FLAG_DL_OVERRUN", lambda: attributes(flags=4), (0, 0, (56, 0, 0, 0, 0))),
    ("SCHED_FLAG_KEEP_POLICY", lambda: attributes(flags=8, policy=9), (0, 0, (56, 0, 0, 0, 0))),
    ("SCHED_FLAG_KEEP_PARAMS", lambda: attributes(flags=16, nice=5), (0, 0, (56, 0, 0, 0, 0))),
])
def scheduling_flags(call, expected):
    eq(call(), expected)


@cases([
    ("SCHED_OTHER", lambda: (sc(146, 0), sc(147, 0)), (0, 0)),
    ("SCHED_FIFO", lambda: (sc(146, 1), sc(147, 1)), (99, 1)),
    ("SCHED_RR", lambda: (sc(146, 2), sc(147, 2)), (99, 1)),
    ("SCHED_BATCH", lambda: (sc(146, 3), sc(147, 3)), (0, 0)),
    ("SCHED_IDLE", lambda: (sc(146, 5), sc(147, 5)), (0, 0)),
    ("SCHED_DEADLINE", lambda: (sc(146, 6), sc(147, 6)), (0, 0)),
])
def priorities(call, expected):
    eq(call(), expected)


@cases([
    ("PRIO_PROCESS", lambda: (sc(140, 0, 0), sc(141, 0, 0, 3), sc(140, 0, 0)), (20, 0, 17)),
    ("PRIO_PGRP",
     lambda: there(lambda: (os.setpgid(0, 0), sc(141, 1, 0, 4), sc(140, 1, 0))),
     '(None, 0, 16)'),
    ("PRIO_USER", lambda: sc(140, 2, 54321), -ESRCH),
])
def priority_kinds(call, expected):
    eq(call(), expected)


@cases([
    ("IOPRIO_WHO_PROCESS",
     lambda: (sc(251, 1, 0, 2 << 13 | 3), sc(252, 1, 0), sc(251, 1, 0, 5 << 13)),
     (0, 16387, -EINVAL)),
    ("IOPRIO_WHO_PGRP",
     lambda: there(lambda: (os.setpgid(0, 0), sc(251, 2, 0, 3 << 13), sc(252, 2, 0))),
     '(None, 0, 24576)'),
    ("IOPRIO_WHO_USER", lambda: sc(252, 3, 54321), -ESRCH),
])
def io_priorities(call, expected):
    eq(call(), expected)


@cases([
    ("SA_NOCLDSTOP", lambda: action(17, 1), (0, 1)),
    ("SA_NOCLDWAIT", lambda: action(17, 2), (0, 2)),
    ("SA_SIGINFO", lambda: action(10, 4), (0, 4)),
    ("SA_UNSUPPORTED", lambda: action(10, 0x400), (0, 0)),
    ("SA_EXPOSE_TAGBITS", lambda: action(10, 0x800), (0, 2048)),
    ("SA_RESTORER", lambda: action(10, 0x04000000), (0, 67108864)),
    ("SA_ONSTACK", lambda: action(10, 0x08000000), (0, 134217728)),
    ("SA_RESTART", lambda: action(10, 0x10000000), (0, 268435456)),
    ("SA_NODEFER", lambda: action(10, 0x40000000), (0, 1073741824)),
    ("SA_RESETHAND", lambda: action(10, 0x80000000), (0, 2147483648)),
])
def signal_flags(call, expected):
    eq(call(), expected)


@cases([
    ("SIG_BLOCK", lambda: masked(0), (0, 2560)),
    ("SIG_UNBLOCK", lambda: masked(1), (0, 512)),
    ("SIG_SETMASK", lambda: masked(2), (0, 2048)),
    ("UNKNOWN", lambda: (masked(3), masked(-1)), ((-EINVAL, 512), (-EINVAL, 512))),
])
def mask_changes(call, expected):
    eq(call(), expected)


@cases([
    ("SS_DISABLE",
     lambda: (lambda b: (sc(131, struct.pack("QIxxxxQ", 0, 2, 0), 0), sc(131, 0, b), struct.unpack_from("I", b.raw, 8)[0]))(ctypes.create_string_buffer(24)),
     (0, 0, 2)),
    ("SS_AUTODISARM",
     lambda: (lambda s, b: (sc(131, struct.pack("QIxxxxQ", ctypes.addressof(s), 0x80000000, 16384), 0), sc(131, 0, b), struct.unpack_from("I", b.raw, 8)[0], sc(131, struct.pack("QIxxxxQ", 0, 2, 0), 0)))(ctypes.create_string_buffer(16384), ctypes.create_string_buffer(24)),
     (0, 0, 2147483648, 0)),
    ("SS_ONSTACK",
     lambda: (lambda s: (sc(131, struct.pack("QIxxxxQ", ctypes.addressof(s), 1, 16384), 0), sc(131, struct.pack("QIxxxxQ", 0, 2, 0), 0)))(ctypes.create_string_buffer(16384)),
     (0, 0)),
])
def signal_stacks(call, expected):
    eq(call(), expected)


@cases([
    ("PIDFD_NONBLOCK",
     lambda: sc(NR.fcntl, works(NR.pidfd_open, os.getpid(), 0o4000), 3) & 0o4000,
     2048),
    ("PIDFD_THREAD", lambda: min(sc(NR.pidfd_open, os.getpid(), 0o200), 0), 0),
])
def pidfds(call, expected):
    eq(call(), expected)


@cases([
    ("PIDFD_SIGNAL_THREAD",
     lambda: sc(NR.pidfd_send_signal, works(NR.pidfd_open, os.getpid(), 0), 0, 0, 1),
     0),
    ("PIDFD_SIGNAL_THREAD_GROUP",
     lambda: sc(NR.pidfd_send_signal, works(NR.pidfd_open, os.getpid(), 0), 0, 0, 2),
     0),
])
def pidfd_signals(call, expected):
    eq(call(), expected)


@cases([
    ("SECCOMP_SET_MODE_STRICT",
     lambda: (sc(NR.seccomp, 0, 1, 0), sc(NR.seccomp, 0, 0, 1)),
     (-EINVAL, -EINVAL)),
    ("SECCOMP_SET_MODE_FILTER", lambda: sc(NR.seccomp, 1, 0, 1 << 63), -EFAULT),
    ("SECCOMP_GET_ACTION_AVAIL",
     lambda: (sc(NR.seccomp, 2, 0, ctypes.c_uint32(0x7FFF0000)), sc(NR.seccomp, 2, 0, ctypes.c_uint32(0x12340000)), sc(NR.seccomp, 2, 1, 0)),
     (0, -ENOTSUP, -EINVAL)),
    ("SECCOMP_GET_NOTIF_SIZES",
     lambda: (lambda b: (sc(NR.seccomp, 3, 0, b), struct.unpack("HHH", b.raw[:6]), sc(NR.seccomp, 3, 1, b)))(ctypes.create_string_buffer(8)),
     (0, (80, 24, 64), -EINVAL)),
])
def seccomp_operations(call, expected):
    eq(call(), expected)


@cases([
    ("SECCOMP_FILTER_FLAG_TSYNC", lambda: filtered(0x50001, 1), 1),
    ("SECCOMP_FILTER_FLAG_LOG", lambda: filtered(0x50001, 2), 1),
    ("SECCOMP_FILTER_FLAG_SPEC_ALLOW", lambda: filtered(0x50001, 4), 1),
    ("SECCOMP_FILTER_FLAG_NEW_LISTENER", lambda: filtered(0x50001, 8), 1),
    ("SECCOMP_FILTER_FLAG_TSYNC_ESRCH", lambda: filtered(0x50001, 16 | 1), 1),
    ("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
     lambda: (filtered(0x50001, 32), filtered(0x50001, 32 | 8)),
     (22, 1)),
])
def filter_flags(call, expected):
    eq(call(), expected)


@cases([
    ("SECCOMP_RET_KILL_PROCESS", lambda: filtered(0x80000000), -EMLINK),
    ("SECCOMP_RET_KILL_THREAD", lambda: filtered(0), -EMLINK),
    ("SECCOMP_RET_TRAP", lambda: filtered(0x30000), -EMLINK),
    ("SECCOMP_RET_ERRNO", lambda: (filtered(0x50005), filtered(0x5FFFF & ~0xF000)), (5, 255)),
    ("SECCOMP_RET_USER_NOTIF", lambda: filtered(0x7FC00000), 38),
    ("SECCOMP_RET_TRACE", lambda: filtered(0x7FF00000), 38),
    ("SECCOMP_RET_LOG", lambda: filtered(0x7FFC0000), 100),
    ("SECCOMP_RET_ALLOW", lambda: filtered(0x7FFF0000), 100),
])
def filter_actions(call, expected):
    eq(call(), expected)


@cases([
    ("KCMP_FILE", lambda: (kcmp(0, 0, 0), kcmp(0, 0, 999), kcmp(0, 0, os.dup(0))), (0, -EBADF, 0)),
    ("KCMP_VM", lambda: kcmp(1), 0),
    ("KCMP_FILES", lambda: kcmp(2), 0),
    ("KCMP_FS", lambda: kcmp(3), 0),
    ("KCMP_SIGHAND", lambda: kcmp(4), 0),
    ("KCMP_IO", lambda: kcmp(5), 0),
    ("KCMP_SYSVSEM", lambda: kcmp(6), 0),
    ("KCMP_TYPES", lambda: (kcmp(8), kcmp(-1)), (-EINVAL, -EINVAL)),
])
def compares(call, expected):
    eq(call(), expected)


if __name__ == "__main__":
    run()
