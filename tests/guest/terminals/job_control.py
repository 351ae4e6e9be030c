"""Job control: stops from the terminal, background reads and writes, orphans, hang-up, bash's jobs.
"""

import os
import pty
import signal
import struct
import subprocess
import termios
import fcntl
from errno import *
from lib.guest import *


def session(body):
    """Runs body(master, slave path...) in a session leader with a new controlling terminal."""
    master, slave = pty.openpty()
    name = os.ttyname(slave)

    def leader():
        os.close(master)
        os.setsid()
        fd = os.open(name, os.O_RDWR)
        fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
        return body(fd)
    pid = spawn(leader)
    os.close(slave)
    return pid, master


def foreground(fd, pgrp):
    fcntl.ioctl(fd, termios.TIOCSPGRP, struct.pack("i", pgrp))


def group_child(fn):
    def child():
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.setpgid(0, 0)
        return fn()
    pid = spawn(child)
    try:
        os.setpgid(pid, pid)
    except OSError:
        pass
    return pid


def finish(pid):
    eq(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0)


@test
def interrupt_goes_to_the_foreground_group():
    ready = Pipe()

    def body(fd):
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        fg = group_child(lambda: (ready.post(), signal.pause()))
        bg = group_child(lambda: (ready.post(), signal.pause()))
        foreground(fd, fg)
        ready.take(2)
        ready2.post()
        eq(os.waitpid(fg, 0)[1], signal.SIGINT)
        eq(os.waitpid(bg, os.WNOHANG)[0], 0)
        os.kill(bg, signal.SIGKILL)
        os.waitpid(bg, 0)
    ready2 = Pipe()
    pid, master = session(body)
    ready2.take()
    os.write(master, b"\x03")
    finish(pid)


@test
def quit_and_suspend_characters():
    go = Pipe()

    def body(fd):
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        for _ in range(2):
            p = Pipe()
            fg = group_child(lambda: (p.post(), signal.pause()))
            foreground(fd, fg)
            p.take()
            go.post(b"z")
            status = os.waitpid(fg, os.WUNTRACED)[1]
            ok(os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTSTP, "SIGTSTP")
            os.kill(fg, signal.SIGCONT)
            ok(os.WIFCONTINUED(os.waitpid(fg, os.WCONTINUED)[1]), "continued")
            go.post(b"q")
            eq(os.waitpid(fg, 0)[1] & 0x7F, signal.SIGQUIT)
    pid, master = session(body)
    for _ in range(4):
        os.write(master, b"\x1a" if go.take() == b"z" else b"\x1c")
    finish(pid)


@test
def background_read_stops():
    def body(fd):
        bg = group_child(lambda: os.read(fd, 10) and 0)
        status = os.waitpid(bg, os.WUNTRACED)[1]
        ok(os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTTIN, "SIGTTIN")
        os.kill(bg, signal.SIGKILL)
        os.waitpid(bg, 0)

        def ignoring():
            signal.signal(signal.SIGTTIN, signal.SIG_IGN)
            fails(EIO, os.read, fd, 10)
        eq(os.waitpid(group_child(ignoring), 0)[1], 0)
    pid, master = session(body)
    finish(pid)


@test
def background_write_stops_with_tostop():
    def body(fd):
        eq(os.waitpid(group_child(lambda: os.write(fd, b"x") and 0), 0)[1], 0)
        attrs = termios.tcgetattr(fd)
        attrs[3] |= termios.TOSTOP
        termios.tcsetattr(fd, termios.TCSANOW, attrs)
        bg = group_child(lambda: os.write(fd, b"x") and 0)
        status = os.waitpid(bg, os.WUNTRACED)[1]
        ok(os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTTOU, "SIGTTOU")
        os.kill(bg, signal.SIGKILL)
        os.waitpid(bg, 0)

        def blocking():
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTTOU])
            eq(os.write(fd, b"x"), 1)
        eq(os.waitpid(group_child(blocking), 0)[1], 0)
    pid, master = session(body)
    finish(pid)


@test
def background_tcsetattr_stops():
    def body(fd):
        attrs = termios.tcgetattr(fd)
        bg = group_child(lambda: termios.tcsetattr(fd, termios.TCSANOW, attrs))
        status = os.waitpid(bg, os.WUNTRACED)[1]
        ok(os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTTOU, "SIGTTOU")
        os.kill(bg, signal.SIGKILL)
        os.waitpid(bg, 0)
    pid, master = session(body)
    finish(pid)


@test
def hang_up_when_the_master_closes():
    ready, out = Pipe(), Pipe()

    def body(fd):
        signal.signal(signal.SIGHUP, lambda *_: out.post(b"h"))
        signal.signal(signal.SIGCONT, lambda *_: None)
        ready.post()
        while True:
            try:
                if os.read(fd, 10) == b"":
                    out.post(b"e")
                    return 0
            except InterruptedError:
                pass
            except OSError as e:
                out.post(b"i" if e.errno == EIO else b"?")
                return 0
    pid, master = session(body)
    ready.take()
    os.close(master)
    got = out.take(2)
    ok(set(got) in (set(b"he"), set(b"hi")), "SIGHUP, and end of file or EIO: %r" % got)
    finish(pid)


@test
def leader_exit_hangs_up_the_foreground():
    p, out = Pipe(), Pipe()

    def body(fd):
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)

        def child():
            signal.signal(signal.SIGHUP, lambda *_: (out.post(b"h"), os._exit(0)))
            p.post()
            serve_signals()
        fg = group_child(child)
        foreground(fd, fg)
        p.take()
    pid, master = session(body)
    finish(pid)
    eq(out.take(), b"h")


@test
def orphaned_stopped_group_is_woken():
    out = Pipe()

    def leader():
        os.setsid()

        def middle():
            def child():
                signal.signal(signal.SIGHUP, lambda *_: out.post(b"h"))
                signal.signal(signal.SIGCONT, lambda *_: out.post(b"c"))
                os.setpgid(0, 0)
                os.kill(os.getpid(), signal.SIGSTOP)
            pid = spawn(child)
            os.waitpid(pid, os.WUNTRACED)
        # When middle ends, its stopped child's group has no parent in the session outside of it.
        eq(in_child(middle), 0)
    pid = spawn(leader)
    eq(sorted(out.take(2)), sorted(b"hc"))
    finish(pid)


@test
def orphans_do_not_stop_for_the_terminal():
    # SIGTSTP of an orphaned process group is discarded; SIGSTOP is not.
    def leader():
        os.setsid()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        return 0
    pid = spawn(leader)
    got, status = os.waitpid(pid, os.WUNTRACED)
    eq(status, 0)


@test
def continue_clears_pending_stops():
    def child():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTSTP, signal.SIGCONT])
        os.kill(os.getpid(), signal.SIGTSTP)
        os.kill(os.getpid(), signal.SIGCONT)
        m = ctypes.c_uint64()
        sc(NR.rt_sigpending, m, 8)
        eq(m.value, 1 << (signal.SIGCONT - 1))
        os.kill(os.getpid(), signal.SIGTSTP)
        sc(NR.rt_sigpending, m, 8)
        eq(m.value, 1 << (signal.SIGTSTP - 1))
    child_ok(child)


@test
def all_threads_stop():
    import threading
    p = Pipe()

    def child():
        def spin():
            while True:
                pass
        for _ in range(2):
            threading.Thread(target=spin, daemon=True).start()
        p.post()
        spin()
    pid = spawn(child)
    p.take()
    os.kill(pid, signal.SIGSTOP)
    os.waitpid(pid, os.WUNTRACED)
    for tid in os.listdir("/proc/%d/task" % pid):
        wait_until(lambda: state_of(pid, int(tid)) == "T", "thread stopped")
    ticks = lambda: sum(map(int, open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[11:13]))
    before = ticks()
    time.sleep(0.1)
    eq(ticks(), before)
    os.kill(pid, signal.SIGKILL)
    eq(os.waitpid(pid, 0)[1], 9)


@test
def bash_runs_jobs():
    script = """
set -m
sleep 0.05 & first=$!
(exit 7) & second=$!
wait $first; echo first $?
wait $second; echo second $?
sleep 100 & kill -STOP $!; wait $!; echo stopped $?
jobs -s | sed 's/  */ /g'
kill -KILL $!
trap 'echo trapped; trap - TERM' TERM; kill -TERM $$; echo after
"""
    out = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=15)
    eq(out.stdout.split("\n"), [
        "first 0", "second 7", "stopped 147", "[1]+ Stopped sleep 100", "trapped", "after", ""])


run()
