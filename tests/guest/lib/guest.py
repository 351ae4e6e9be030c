"""Support for guest tests: what every script in tests/guest imports.

A script defines functions with @test and ends with run(). Each test runs in a forked child with a
directory of its own as the working directory, so that a crash, a hang or a changed signal mask
costs that test only. One line a test goes to stdout: "ok NAME", "FAIL NAME: why" or
"skip NAME: why"; the last line is "done". Raw system calls: sc(NR, ...), which returns -errno.
Arguments are the names of tests to run; NAME may be the function of a table (@cases).
"""

import ctypes
import errno
import fnmatch
import functools
import gc
import os
import re
import select
import shutil
import signal
import sys
import tempfile
import tokenize  # loaded early: traceback needs it when a test may have no descriptors left
import time
import traceback

TIMEOUT_S = float(os.environ.get("GUEST_TIMEOUT", "60"))
DEADLINE_S = 30.0  # of a wait for a condition; less than TIMEOUT_S of a test

libc = ctypes.CDLL(None, use_errno=True)
_syscall = libc.syscall
_syscall.restype = ctypes.c_long
_tests = []
_needing_root = []


class Skip(Exception):
    """Raised by a test that this machine cannot run."""


def skip(why):
    raise Skip(why)


def test(fn):
    _tests.append(fn)
    return fn


def needs_root(*patterns):
    """
    Names tests that fail natively for other users than root, and are skipped there. A name is as
    printed; * stands for any part. A test about privilege calls need_root instead.
    """
    _needing_root.extend(patterns)


def cases(rows, shared=False):
    """
    Makes a test of each row of a table, with a child and a printed line of its own. A row is a
    tuple: a label, then arguments of fn. The name is FN_LABEL, with "_" for each character of the
    label that is no letter or digit. With `shared`, one child runs all rows, which must leave
    nothing behind (a fork costs more than a call); a row that kills the child ends it, and a new
    child runs the rest.

        @cases([("null", 0, -EFAULT), ("kernel half", 1 << 63, -EFAULT)])
        def uname_to(address, expected):
            gives(expected, NR.uname, address)
    """
    def decorate(fn):
        for label, *args in rows:
            one = functools.partial(fn, *args)
            one.table, one.shares = fn.__name__, shared
            one.__name__ = fn.__name__ + "_" + re.sub(r"\W+", "_", str(label)).strip("_")
            _tests.append(one)
        return fn
    return decorate


def _arg(value):
    if value is None:
        return ctypes.c_void_p(0)
    if isinstance(value, bytes):
        return ctypes.c_char_p(value)
    if isinstance(value, int):
        return ctypes.c_ulong(value & 0xFFFFFFFFFFFFFFFF)
    if isinstance(value, (ctypes.Structure, ctypes.Array, ctypes._SimpleCData)):
        return ctypes.byref(value)
    return value


def sc(nr, *args):
    """Makes a raw system call. Returns its result, or -errno."""
    r = _syscall(ctypes.c_long(nr), *[_arg(a) for a in args])
    return -ctypes.get_errno() if r == -1 else r


def name_of(r):
    return errno.errorcode.get(-r, str(r)) if r < 0 else str(r)


def eq(found, expected, what=""):
    if found != expected:
        raise AssertionError("%s: expected %r, found %r" % (what or "value", expected, found))


def ok(condition, what):
    if not condition:
        raise AssertionError(what)


def between(low, value, high, what=""):
    ok(low <= value <= high, "%s: expected %r to %r, found %r" % (what, low, high, value))


def gives(expected, nr, *args):
    """Checks that the raw call gives exactly this result (a number, or -errno)."""
    r = sc(nr, *args)
    if r != expected:
        raise AssertionError(
            "call %d: expected %s, found %s" % (nr, name_of(expected), name_of(r)))
    return r


def works(nr, *args):
    """Checks that the raw call does not fail. Returns its result."""
    r = sc(nr, *args)
    if r < 0:
        raise AssertionError("call %d: failed with %s" % (nr, name_of(r)))
    return r


def fails(code, fn, *args, **kwargs):
    """Checks that fn raises OSError with this errno."""
    try:
        r = fn(*args, **kwargs)
    except OSError as e:
        if e.errno != code:
            raise AssertionError("expected %s, found %s" % (
                errno.errorcode.get(code), errno.errorcode.get(e.errno, e.errno)))
        return e
    raise AssertionError("expected %s, found success: %r" % (errno.errorcode.get(code), r))


def is_root():
    return os.geteuid() == 0


def need_root():
    if not is_root():
        skip("needs uid 0")


def end_with(fn, *args):
    """Runs fn and ends this process: with its number or 0; an exception is exit code 99."""
    code = 99
    try:
        r = fn(*args)
        code = r if isinstance(r, int) else 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def in_child(fn, *args):
    """Runs fn in a forked child. Returns its wait status; an exception is exit code 99."""
    return os.waitpid(spawn(fn, *args), 0)[1]


def child_ok(fn, *args):
    status = in_child(fn, *args)
    ok(os.WIFEXITED(status) and os.WEXITSTATUS(status) == 0, "child ended with status %#x" % status)


def spawn(fn, *args):
    """Forks a child that runs fn. Returns its pid; the caller waits for it."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        end_with(fn, *args)
    return pid


def serve_signals():
    """
    Sleeps while handlers run, until one ends the process. The sleeps are short: pause(2) would
    never return for a signal that comes between Python's last check and the call.
    """
    while True:
        time.sleep(0.01)


def wait_until(condition, what, timeout=DEADLINE_S):
    """
    Polls a condition until it holds. The deadline is far off, because waits are long on a busy
    machine; it only ends a test that has failed.
    """
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("never came: " + what)
        time.sleep(0.002)


def becomes(expected, fn, *args, what=""):
    """Polls fn until it returns this value. A failure names the last value."""
    last = [None]

    def has_come():
        last[0] = fn(*args)
        return last[0] == expected
    try:
        wait_until(has_come, what)
    except AssertionError:
        eq(last[0], expected, what)


def under_alarms(fn, *args):
    """
    Returns the result of fn while SIGALRM comes repeatedly. A single alarm can come before the
    call that it has to interrupt.
    """
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    try:
        return fn(*args)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def state_of(pid, task=None):
    """Returns the state letter in /proc/PID/stat, or that of one of its threads."""
    path = "/proc/%s/stat" % pid if task is None else "/proc/%s/task/%d/stat" % (pid, task)
    with open(path) as f:
        return f.read().rsplit(")", 1)[1].split()[0]


def wait_state(pid, letters, task=None):
    wait_until(lambda: state_of(pid, task) in letters, "process state %s" % letters)


def wait_parent_sleeps():
    """Waits, in a child, until the parent, which has one thread, sleeps in a call."""
    wait_state(os.getppid(), "S")


def wait_in_call(task, nr):
    """
    Waits until a thread of this process sleeps in this call. (A thread that waits for Python's own
    lock sleeps in another call.)
    """
    path = "/proc/self/task/%d/" % task

    def sleeps():
        with open(path + "syscall") as f:
            return f.read().split()[0] == str(nr) and state_of("self", task) in "SD"
    wait_until(sleeps, "thread sleeps in call %d" % nr)


def wait_for_tick(ns):
    """
    Waits until the clock that stamps files (CLOCK_REALTIME_COARSE) shows a later time than this.
    """
    wait_until(lambda: time.clock_gettime_ns(5) > ns, "a tick")


class Handled:
    """
    Reports to another process that a signal with a Python handler was delivered, even if a call
    restarts after it.
    """

    def __init__(self):
        self.pipe = Pipe()
        os.set_blocking(self.pipe.w, False)

    def watch(self):
        """Installs the handler, in the process that gets the signals."""
        signal.set_wakeup_fd(self.pipe.w)

    def wait(self):
        self.pipe.take()


def stay():
    """Sleeps until a signal ends the process."""
    while True:
        signal.pause()


class Pipe:
    """A pipe by which processes wait for each other."""

    def __init__(self):
        self.r, self.w = os.pipe()

    def post(self, data=b"x"):
        os.write(self.w, data)

    def take(self, n=1):
        got = b""
        while len(got) < n:
            part = os.read(self.r, n - len(got))
            if not part:
                raise AssertionError("pipe ended after %d of %d bytes" % (len(got), n))
            got += part
        return got


def _describe(e):
    lines = traceback.extract_tb(e.__traceback__)
    own = [f for f in lines if not f.filename.endswith("guest.py")]
    where = " (line %d)" % own[-1].lineno if own else ""
    text = str(e) if isinstance(e, AssertionError) else "%s: %s" % (type(e).__name__, e)
    return (text + where).replace("\n", " | ")


def _run_here(fn):
    try:
        if any(fnmatch.fnmatchcase(fn.__name__, pattern) for pattern in _needing_root):
            need_root()
        fn()
        return "ok"
    except Skip as e:
        return "skip " + str(e).replace("\n", " | ")
    except BaseException as e:
        return "FAIL " + _describe(e)


def _in_child(fns, base):
    """
    Runs tests in one child, one after the other. Returns a verdict for each. The list is shorter
    than fns if the child ended or hung before the last test; its last entry then says so.
    """
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.setpgid(0, 0)
        os.close(r)
        if w < 100:
            high = 900
            os.dup2(w, high)
            os.close(w)
            w = high
        directory = os.path.join(base, fns[0].__name__)
        os.mkdir(directory)
        os.chdir(directory)
        for fn in fns:
            os.write(w, (_run_here(fn) + "\n").encode("utf-8", "replace"))
        os._exit(0)
    os.close(w)
    end = time.monotonic() + TIMEOUT_S
    text = b""
    timed_out = False
    # After the last verdict a forgotten grandchild may still have the pipe open.
    while text.count(b"\n") < len(fns):
        left = end - time.monotonic()
        if left <= 0 or not select.select([r], [], [], left)[0]:
            timed_out = True
            break
        part = os.read(r, 65536)
        if not part:
            break
        text += part
        end = time.monotonic() + TIMEOUT_S
    try:
        os.killpg(pid, signal.SIGKILL)
    except OSError:
        pass
    os.close(r)
    status = os.waitpid(pid, 0)[1]
    _reap_leftovers()
    found = text.decode("utf-8", "replace").split("\n")[:-1]
    if timed_out:
        found.append("FAIL did not end in %d s" % int(TIMEOUT_S))
    elif len(found) < len(fns):
        found.append("FAIL the test's process ended with wait status 0x%x" % status)
    return found


def _children():
    """Returns the children of this subreaper, which include processes that a test left behind."""
    me, found = str(os.getpid()), []
    for name in os.listdir("/proc"):
        try:
            if name.isdigit():
                with open("/proc/%s/stat" % name) as f:
                    if f.read().rsplit(")", 1)[1].split()[1] == me:
                        found.append(int(name))
        except OSError:
            pass
    return found


def _reap_leftovers():
    for _ in range(1000):
        try:
            if os.waitpid(-1, os.WNOHANG)[0] == 0:
                for pid in _children():
                    os.kill(pid, signal.SIGKILL)
                time.sleep(0.001)
        except ChildProcessError:
            return
        except OSError:
            pass


def run():
    wanted = sys.argv[1:]
    names = [fn.__name__ for fn in _tests]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        sys.exit("tests of one name: " + " ".join(twice))
    unknown = [pattern for pattern in _needing_root if not fnmatch.filter(names, pattern)]
    if unknown:
        sys.exit("needs_root names no test: " + " ".join(unknown))
    gc.freeze()  # a collection would make children copy its pages
    sc(NR.prctl, 36, 1, 0, 0, 0)
    base = tempfile.mkdtemp(prefix="guest-")
    os.chmod(base, 0o755)
    left = [fn for fn in _tests
            if not wanted or fn.__name__ in wanted or getattr(fn, "table", None) in wanted]
    while left:
        together = 1
        if getattr(left[0], "shares", False):
            while together < len(left) and getattr(left[together], "table", None) == left[0].table:
                together += 1
        fns = left[:together]
        found = [_run_here(fns[0])] if os.environ.get("GUEST_NO_FORK") else _in_child(fns, base)
        for fn, result in zip(fns, found):
            word, _, why = result.partition(" ")
            sys.stdout.write(word + " " + fn.__name__ + (": " + why if why else "") + "\n")
        sys.stdout.flush()
        left = left[len(found):]
    os.chdir("/")
    shutil.rmtree(base, ignore_errors=True)
    print("done", flush=True)


# Numbers of x86-64 that scripts name.
SYS = {}
for line in """
read 0|write 1|open 2|close 3|stat 4|fstat 5|lstat 6|poll 7|lseek 8|mmap 9|mprotect 10|munmap 11
brk 12|rt_sigaction 13|rt_sigprocmask 14|ioctl 16|pread64 17|pwrite64 18|readv 19|writev 20
access 21|pipe 22|select 23|sched_yield 24|mremap 25|msync 26|mincore 27|madvise 28|dup 32|dup2 33
pause 34|nanosleep 35|getitimer 36|alarm 37|setitimer 38|getpid 39|sendfile 40|socket 41|connect 42
accept 43|sendto 44|recvfrom 45|sendmsg 46|recvmsg 47|shutdown 48|bind 49|listen 50|getsockname 51
getpeername 52|socketpair 53|setsockopt 54|getsockopt 55|clone 56|fork 57|vfork 58|execve 59|exit 60
wait4 61|kill 62|uname 63|fcntl 72|flock 73|fsync 74|fdatasync 75|truncate 76|ftruncate 77
getdents 78|getcwd 79|chdir 80|fchdir 81|rename 82|mkdir 83|rmdir 84|creat 85|link 86|unlink 87
symlink 88|readlink 89|chmod 90|fchmod 91|chown 92|fchown 93|lchown 94|umask 95|gettimeofday 96
getrlimit 97|getrusage 98|sysinfo 99|times 100|ptrace 101|getuid 102|getgid 104|setuid 105
setgid 106|geteuid 107|getegid 108|setpgid 109|getppid 110|getpgrp 111|setsid 112|setreuid 113
setregid 114|getgroups 115|setgroups 116|setresuid 117|getresuid 118|setresgid 119|getresgid 120
add_key 248|request_key 249|keyctl 250|syslog 103|ustat 136|sysfs 139|sched_get_priority_max 146|sched_get_priority_min 147
sched_rr_get_interval 148|vhangup 153|acct 163|kcmp 312|lsm_get_self_attr 459
lsm_set_self_attr 460|lsm_list_modules 461|getpgid 121|setfsuid 122|setfsgid 123|getsid 124|capget 125|capset 126|rt_sigpending 127
rt_sigtimedwait 128|rt_sigqueueinfo 129|rt_sigsuspend 130|sigaltstack 131|utime 132|mknod 133
personality 135|statfs 137|fstatfs 138|getpriority 140|setpriority 141|sched_setparam 142
sched_getparam 143|sched_setscheduler 144|sched_getscheduler 145|mlock 149|munlock 150|mlockall 151
munlockall 152|pivot_root 155|prctl 157|arch_prctl 158|setrlimit 160|chroot 161|sync 162|mount 165
umount2 166|sethostname 170|gettid 186|setxattr 188|getxattr 191|listxattr 194|removexattr 197
tkill 200|time 201|futex 202|sched_setaffinity 203|sched_getaffinity 204|epoll_create 213
getdents64 217|set_tid_address 218|fadvise64 221|timer_create 222|timer_settime 223
timer_gettime 224|timer_getoverrun 225|timer_delete 226|clock_settime 227|clock_gettime 228
clock_getres 229|clock_nanosleep 230|exit_group 231|epoll_wait 232|epoll_ctl 233|tgkill 234
utimes 235|waitid 247|ioprio_set 251|ioprio_get 252|inotify_init 253|inotify_add_watch 254
inotify_rm_watch 255|openat 257|mkdirat 258|mknodat 259|fchownat 260|futimesat 261|fanotify_init 300|fanotify_mark 301|landlock_create_ruleset 444|landlock_add_rule 445|landlock_restrict_self 446|newfstatat 262
unlinkat 263|renameat 264|linkat 265|symlinkat 266|readlinkat 267|fchmodat 268|faccessat 269
pselect6 270|ppoll 271|unshare 272|set_robust_list 273|get_robust_list 274|splice 275|tee 276
sync_file_range 277|vmsplice 278|utimensat 280|epoll_pwait 281|signalfd 282|timerfd_create 283
eventfd 284|fallocate 285|timerfd_settime 286|timerfd_gettime 287|accept4 288|signalfd4 289
eventfd2 290|epoll_create1 291|dup3 292|pipe2 293|inotify_init1 294|preadv 295|pwritev 296
rt_tgsigqueueinfo 297|prlimit64 302|syncfs 306|sendmmsg 307|setns 308|getcpu 309
process_vm_readv 310|process_vm_writev 311|sched_setattr 314|sched_getattr 315|renameat2 316|name_to_handle_at 303|open_by_handle_at 304
seccomp 317|getrandom 318|memfd_create 319|execveat 322|membarrier 324|mlock2 325
copy_file_range 326|preadv2 327|pwritev2 328|statx 332|pidfd_send_signal 424|pidfd_open 434
clone3 435|close_range 436|openat2 437|pidfd_getfd 438|faccessat2 439|epoll_pwait2 441
process_madvise 440|process_mrelease 448|fchmodat2 452|futex_wake 454|futex_wait 455
futex_requeue 456|statmount 457|listmount 458|mseal 462|bpf 321|mbind 237|set_mempolicy 238|get_mempolicy 239
migrate_pages 256|move_pages 279|userfaultfd 323|pkey_mprotect 329|pkey_alloc 330|pkey_free 331
rseq 334|memfd_secret 447|set_mempolicy_home_node 450|cachestat 451|map_shadow_stack 453
""".replace("\n", "|").split("|"):
    if line:
        SYS[line.split()[0]] = int(line.split()[1])


class Numbers:
    def __getattr__(self, name):
        return SYS[name]


NR = Numbers()
