"""Pseudo-terminals: canonical and raw input, echo, output processing, sizes, packet mode."""

import ctypes
import fcntl
import os
import pty
import select
import signal
import struct
import termios
from errno import *
from lib.guest import *

IFLAG, OFLAG, CFLAG, LFLAG, CC = 0, 1, 2, 3, 6


def pair(change=None):
    m, s = pty.openpty()
    attrs = termios.tcgetattr(s)
    attrs[LFLAG] &= ~termios.ECHO
    if change:
        change(attrs)
    termios.tcsetattr(s, termios.TCSANOW, attrs)
    return m, s


def ready(fd, timeout=0):
    return bool(select.select([fd], [], [], timeout)[0])


def comm_of(pid):
    with open("/proc/%d/comm" % pid) as f:
        return f.read().strip()


def drain(fd):
    out = b""
    while ready(fd, 0.05):
        out += os.read(fd, 4096)
    return out


def raw(attrs):
    attrs[IFLAG] &= ~(termios.ICRNL | termios.IXON)
    attrs[OFLAG] &= ~termios.OPOST
    attrs[LFLAG] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
    attrs[CC][termios.VMIN] = 1
    attrs[CC][termios.VTIME] = 0


@test
def opening():
    m, s = pty.openpty()
    name = os.ttyname(s)
    ok(name.startswith("/dev/pts/"), name)
    ok(os.isatty(m) and os.isatty(s), "both are terminals")
    st = os.stat(name)
    eq(os.major(st.st_rdev), 136)
    n = ctypes.c_int()
    gives(0, NR.ioctl, m, 0x80045430, n)
    eq(name, "/dev/pts/%d" % n.value)
    again = os.open(name, os.O_RDWR | os.O_NOCTTY)
    os.write(again, b"x")
    eq(os.read(m, 5), b"x")
    raw_m = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)
    gives(0, NR.ioctl, raw_m, 0x80045430, n)
    fails(EIO, os.open, "/dev/pts/%d" % n.value, os.O_RDWR | os.O_NOCTTY)
    gives(0, NR.ioctl, raw_m, 0x40045431, ctypes.c_int(0))
    os.close(os.open("/dev/pts/%d" % n.value, os.O_RDWR | os.O_NOCTTY))
    os.close(raw_m)
    fails(ENOENT, os.stat, "/dev/pts/%d" % n.value)


@test
def default_settings():
    m, s = pty.openpty()
    iflag, oflag, cflag, lflag, ispeed, ospeed, cc = termios.tcgetattr(s)
    eq(iflag, termios.ICRNL | termios.IXON)
    eq(oflag, termios.OPOST | termios.ONLCR)
    eq(cflag & termios.CSIZE, termios.CS8)
    eq(lflag, termios.ISIG | termios.ICANON | termios.ECHO | termios.ECHOE | termios.ECHOK |
       termios.ECHOCTL | termios.ECHOKE | termios.IEXTEN)
    eq(ospeed, termios.B38400)
    eq((cc[termios.VINTR], cc[termios.VEOF], cc[termios.VERASE], cc[termios.VSUSP]),
       (b"\x03", b"\x04", b"\x7f", b"\x1a"))


@test
def lines():
    m, s = pair()
    os.write(m, b"half")
    ok(not ready(s), "no line yet")
    os.write(m, b" line\nsecond\n")
    eq(os.read(s, 4), b"half")
    eq(os.read(s, 100), b" line\n")
    eq(os.read(s, 100), b"second\n")
    os.write(m, b"cr\r")
    eq(os.read(s, 100), b"cr\n")
    n = ctypes.c_int()
    os.write(m, b"123\n")
    wait_until(lambda: ready(s), "input")
    gives(0, NR.ioctl, s, 0x541B, n)
    eq(n.value, 4)


@test
def editing():
    m, s = pair()
    os.write(m, b"abcd\x7f\x7fX\n")
    eq(os.read(s, 100), b"abX\n")
    os.write(m, b"all gone\x15new\n")
    eq(os.read(s, 100), b"new\n")
    os.write(m, b"one two\x17three\n")
    eq(os.read(s, 100), b"one three\n")
    os.write(m, b"lit\x16\x03eral\n")
    eq(os.read(s, 100), b"lit\x03eral\n")
    os.write(m, b"\x7f\x7fok\n")
    eq(os.read(s, 100), b"ok\n")


@test
def end_of_file_character():
    m, s = pair()
    os.write(m, b"part\x04")
    eq(os.read(s, 100), b"part")
    os.write(m, b"\x04")
    eq(os.read(s, 100), b"")
    os.write(m, b"more\n")
    eq(os.read(s, 100), b"more\n")


@test
def echo():
    m, s = pair(lambda a: a.__setitem__(LFLAG, a[LFLAG] | termios.ECHO))
    os.write(m, b"ab\x7fc\n")
    eq(drain(m), b"ab\x08 \x08c\r\n")
    os.write(m, b"\x01x\n")
    eq(drain(m), b"^Ax\r\n")
    eq(os.read(s, 100), b"ac\n")
    os.write(m, b"zz\x15y\n")
    eq(drain(m), b"zz\x08 \x08\x08 \x08y\r\n")


@test
def output_processing():
    m, s = pair()
    os.write(s, b"a\nb\n")
    eq(drain(m), b"a\r\nb\r\n")
    attrs = termios.tcgetattr(s)
    attrs[OFLAG] &= ~termios.OPOST
    termios.tcsetattr(s, termios.TCSADRAIN, attrs)
    os.write(s, b"a\nb\t\n")
    eq(drain(m), b"a\nb\t\n")


@test
def raw_input():
    m, s = pair(raw)
    os.write(m, b"\x03\x04\r\x7fq")
    eq(os.read(s, 100), b"\x03\x04\r\x7fq")

    def three(a):
        raw(a)
        a[CC][termios.VMIN] = 3
    m, s = pair(three)
    os.write(m, b"ab")
    ok(not ready(s), "fewer than VMIN")
    pid = spawn(lambda: (wait_parent_sleeps(), os.write(m, b"c"))[0])
    eq(os.read(s, 100), b"abc")
    os.waitpid(pid, 0)


@test
def raw_timeouts():
    def timed(a):
        raw(a)
        a[CC][termios.VMIN] = 0
        a[CC][termios.VTIME] = 1
    m, s = pair(timed)
    start = time.monotonic()
    eq(os.read(s, 10), b"")
    between(0.09, time.monotonic() - start, 2, "VTIME")
    os.write(m, b"x")
    eq(os.read(s, 10), b"x")

    def poll(a):
        raw(a)
        a[CC][termios.VMIN] = 0
        a[CC][termios.VTIME] = 0
    m, s = pair(poll)
    eq(os.read(s, 10), b"")
    os.write(m, b"y")
    wait_until(lambda: os.read(s, 10) == b"y", "the byte")


@test
def a_switch_to_raw_mode_keeps_typed_bytes():
    m, s = pair()
    os.write(m, b"typed")
    attrs = termios.tcgetattr(s)
    raw(attrs)
    termios.tcsetattr(s, termios.TCSANOW, attrs)
    eq(os.read(s, 100), b"typed")
    os.write(m, b"gone")
    wait_until(lambda: ready(s), "input")
    termios.tcsetattr(s, termios.TCSAFLUSH, attrs)
    ok(not ready(s), "TCSAFLUSH drops input")


@test
def flush_and_non_blocking():
    m, s = pair(raw)
    os.write(m, b"x")
    wait_until(lambda: ready(s), "input")
    termios.tcflush(s, termios.TCIFLUSH)
    os.set_blocking(s, False)
    fails(EAGAIN, os.read, s, 1)
    termios.tcdrain(s)
    r, w = os.pipe()
    try:
        termios.tcgetattr(r)
        ok(False, "a pipe is no terminal")
    except termios.error as e:
        eq(e.args[0], ENOTTY)


@test
def window_size():
    m, s = pair()
    size = lambda fd: struct.unpack("HHHH", fcntl.ioctl(fd, termios.TIOCGWINSZ, b"\0" * 8))
    eq(size(s), (0, 0, 0, 0))
    got = Pipe()
    name = os.ttyname(s)

    def leader():
        os.setsid()
        fd = os.open(name, os.O_RDWR)
        fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
        signal.signal(signal.SIGWINCH, lambda *_: got.post(b"w"))
        got.post(b"r")
        serve_signals()
    pid = spawn(leader)
    eq(got.take(), b"r")
    fcntl.ioctl(m, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 132, 1, 2))
    eq(got.take(), b"w")
    eq(size(s), (50, 132, 1, 2))
    os.kill(pid, 9)
    os.waitpid(pid, 0)


@test
def master_side_ends():
    m, s = pair(raw)
    os.write(s, b"last words")
    os.close(s)
    eq(os.read(m, 100), b"last words")
    fails(EIO, os.read, m, 100)
    p = select.poll()
    p.register(m, select.POLLIN)
    ok(p.poll(0)[0][1] & select.POLLHUP, "POLLHUP on the master")
    m, s = pair(raw)
    os.close(m)
    fails(EIO, os.write, s, b"x")
    eq(os.read(s, 10), b"")


@test
def packet_mode():
    m, s = pair()
    fcntl.ioctl(m, termios.TIOCPKT, struct.pack("i", 1))
    os.write(s, b"data")
    eq(os.read(m, 100), b"\0data")
    termios.tcflush(s, termios.TCIFLUSH)
    eq(os.read(m, 100)[0] & 1, 1)


@test
def flow_control():
    m, s = pair()
    # In packet mode the master reads a status byte for the stop, some time after the data byte.
    fcntl.ioctl(m, termios.TIOCPKT, struct.pack("i", 1))
    os.write(m, b"\x13")
    eq(os.read(m, 10), b"\4")
    fcntl.ioctl(m, termios.TIOCPKT, struct.pack("i", 0))
    os.set_blocking(s, False)
    try:
        os.write(s, b"held")
    except BlockingIOError:
        pass
    ok(not ready(m, 0.05), "output is stopped")
    os.write(m, b"\x11")
    os.set_blocking(s, True)
    os.write(s, b"go")
    ok(drain(m).endswith(b"go"), "output goes on")


@test
def controlling_terminal():
    m, s = pair()
    name = os.ttyname(s)

    def leader():
        fails(ENOTTY, fcntl.ioctl, s, termios.TIOCGPGRP, b"\0" * 4)
        os.setsid()
        fails(ENXIO, os.open, "/dev/tty", os.O_RDWR)
        fd = os.open(name, os.O_RDWR)
        tty = os.open("/dev/tty", os.O_RDWR)
        eq(struct.unpack("i", fcntl.ioctl(tty, termios.TIOCGPGRP, b"\0" * 4))[0], os.getpgrp())
        eq(os.tcgetpgrp(fd), os.getpgrp())
        eq(struct.unpack("i", fcntl.ioctl(fd, 0x5429, b"\0" * 4))[0], os.getsid(0))
        eq(int(open("/proc/self/stat").read().rsplit(")", 1)[1].split()[4]) >> 8, 136)
        fails(ESRCH, os.tcsetpgrp, fd, 999999)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        fcntl.ioctl(fd, termios.TIOCNOTTY)
        fails(ENXIO, os.open, "/dev/tty", os.O_RDWR)
    child_ok(leader)


@test
def much_data():
    m, s = pair(raw)
    pid = spawn(lambda: [os.write(s, bytes([65 + i % 26]) * 1000) for i in range(200)] and 0)
    os.close(s)
    got = b""
    try:
        while True:
            got += os.read(m, 4096)
    except OSError as e:
        eq(e.errno, EIO)
    eq(got, b"".join(bytes([65 + i % 26]) * 1000 for i in range(200)))
    os.waitpid(pid, 0)


@test
def shell_on_a_terminal():
    pid, m = pty.fork()
    if pid == 0:
        os.execve("/bin/bash", ["bash", "--norc", "-i"], {"PS1": "$ ", "PATH": "/usr/bin:/bin",
                                                        "TERM": "dumb"})
    out = b""

    def until(text):
        nonlocal out
        end = time.monotonic() + 10
        while text not in out:
            ok(time.monotonic() < end, "never saw %r in %r" % (text, out))
            if ready(m, 0.2):
                out += os.read(m, 4096)
        out = out.split(text, 1)[1]

    def in_front(name):
        """Waits until the program is in the foreground process group, which bash makes."""
        wait_until(lambda: (group := os.tcgetpgrp(m)) != pid and comm_of(group) == name, name + " in front")
    until(b"$ ")
    os.write(m, b"echo $((6*7)); tty\n")
    until(b"\n42\r\n/dev/pts/")
    until(b"$ ")
    os.write(m, b"sleep 100\n")
    until(b"sleep 100")
    in_front("sleep")
    os.write(m, b"\x1a")
    until(b"Stopped")
    until(b"$ ")
    os.write(m, b"jobs; kill %1; wait; echo over\n")
    until(b"\nover")
    until(b"$ ")
    os.write(m, b"cat\n")
    in_front("cat")
    os.write(m, b"\x03")
    until(b"^C")
    until(b"$ ")
    os.write(m, b"exit 7\n")
    eq(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 7)


@test
def locked_settings_stay():
    master, slave = pty.openpty()
    get, put = 0x5456, 0x5457
    eq(fcntl.ioctl(slave, get, bytes(36)), bytes(36))
    lock = struct.pack("4IB19s", 0, termios.OPOST, 0, termios.ECHO, 0, b"\xff" + bytes(18))
    try:
        fcntl.ioctl(master, put, lock)
    except PermissionError:
        skip("needs CAP_SYS_ADMIN")
    eq(fcntl.ioctl(slave, get, bytes(36)), lock)
    old = termios.tcgetattr(slave)
    new = [*old[:6], [b"x", b"y", *old[6][2:]]]
    new[1] ^= termios.OPOST
    new[3] ^= termios.ECHO | termios.ISIG
    termios.tcsetattr(slave, termios.TCSANOW, new)
    now = termios.tcgetattr(slave)
    eq((now[1], now[3] ^ old[3], now[6][:2]), (old[1], termios.ISIG, [old[6][0], b"y"]))


@test
def long_writes_to_a_master_go_on_in_parts():
    m, s = pty.openpty()
    os.set_blocking(m, False)
    n = os.write(m, bytes(1 << 20))
    eq(0 < n < 65536, True, "one that may not wait took %d" % n)
    m, s = pty.openpty()
    eq(os.write(m, bytes(200000)), 200000, "one that may wait")
    for fd in (m, s):
        os.close(fd)


run()
