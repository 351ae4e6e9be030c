"""F_NOTIFY of fcntl(2): signals about changes in a directory."""

import ctypes
import fcntl
import signal
import struct
from errno import *
from lib.guest import *

RT = signal.SIGRTMIN + 3
EVERYTHING = (fcntl.DN_ACCESS | fcntl.DN_MODIFY | fcntl.DN_CREATE | fcntl.DN_DELETE |
              fcntl.DN_RENAME | fcntl.DN_ATTRIB)


def watch(mask, path="d", sig=RT):
    fd = os.open(path, os.O_RDONLY)
    if sig:
        fcntl.fcntl(fd, fcntl.F_SETSIG, sig)
    fcntl.fcntl(fd, fcntl.F_NOTIFY, mask)
    return fd


def signals():
    """Counts the signals since the last call."""
    count = 0
    while signal.sigtimedwait([RT], 0):
        count += 1
    return count


def begin():
    signal.pthread_sigmask(signal.SIG_BLOCK, [RT, signal.SIGIO])
    os.mkdir("d")
    os.mkdir("other")
    open("d/file", "w").close()


@test
def each_kind_of_event():
    begin()
    m = fcntl.DN_MULTISHOT
    fd = watch(fcntl.DN_CREATE | m)
    eq(fcntl.fcntl(fd, fcntl.F_GETOWN), os.getpid())
    open("d/new", "w").close()
    os.mkdir("d/sub")
    os.link("d/new", "d/link")
    os.rename("other", "d/other")
    eq(signals(), 4)
    os.rename("d/other", "other")
    os.unlink("d/link")
    eq(signals(), 0)
    fcntl.fcntl(fd, fcntl.F_NOTIFY, 0)
    open("d/new2", "w").close()
    eq(signals(), 0)

    fd = watch(fcntl.DN_DELETE | m)
    os.unlink("d/new2")
    os.rmdir("d/sub")
    os.rename("d/new", "other/new")
    eq(signals(), 3)
    os.close(fd)

    fd = watch(fcntl.DN_RENAME | m)
    os.rename("d/file", "d/file2")
    eq(signals(), 1)
    os.rename("other/new", "d/new")
    eq(signals(), 0)
    os.close(fd)

    fd = watch(fcntl.DN_MODIFY | m)
    with open("d/new", "w") as f:
        f.write("x")
    eq(signals(), 2)
    os.truncate("d/new", 0)
    eq(signals(), 1)
    os.close(fd)

    fd = watch(fcntl.DN_ATTRIB | m)
    os.chmod("d/new", 0o600)
    os.utime("d/new")
    eq(signals(), 2)
    os.close(fd)

    with open("d/new", "w") as f:
        f.write("abc")
    fd = watch(fcntl.DN_ACCESS | m)
    with open("d/new") as f:
        os.read(f.fileno(), 2)
    eq(signals(), 1)
    os.close(fd)


@test
def a_watch_without_dn_multishot_signals_once():
    begin()
    watch(fcntl.DN_CREATE)
    os.mkdir("d/a")
    os.mkdir("d/b")
    eq(signals(), 1)


@test
def siginfo_and_sigio():
    begin()
    fd = watch(fcntl.DN_CREATE | fcntl.DN_MULTISHOT)
    os.mkdir("d/a")
    buf = ctypes.create_string_buffer(128)
    waited = (ctypes.c_uint64 * 1)(1 << (RT - 1))
    gives(RT, NR.rt_sigtimedwait, waited, buf, None, 8)
    signo, _, code = struct.unpack_from("<iii", buf)
    band, which = struct.unpack_from("<qi", buf, 16)
    eq((signo, code, band, which), (RT, 3, 0x441, fd))
    os.close(fd)
    watch(fcntl.DN_CREATE, sig=0)
    os.mkdir("d/b")
    eq(signal.sigtimedwait([signal.SIGIO], 1).si_code, 0x80)


@test
def closing_the_directory_ends_the_watch():
    begin()
    fd = watch(fcntl.DN_CREATE | fcntl.DN_MULTISHOT)
    other = os.dup(fd)
    os.close(fd)
    os.mkdir("d/a")
    eq(signals(), 0)
    fcntl.fcntl(other, fcntl.F_NOTIFY, fcntl.DN_CREATE | fcntl.DN_MULTISHOT)
    child_ok(lambda: os.close(other))
    os.mkdir("d/b")
    eq(signals(), 1)


@test
def a_second_call_adds_events():
    begin()
    fd = watch(fcntl.DN_CREATE)
    fcntl.fcntl(fd, fcntl.F_NOTIFY, fcntl.DN_DELETE | fcntl.DN_MULTISHOT)
    os.mkdir("d/a")
    os.rmdir("d/a")
    eq(signals(), 2)
    watch(fcntl.DN_CREATE)
    os.mkdir("d/a")
    eq(signals(), 2)


@test
def the_directory_itself_and_errors():
    begin()
    fd = watch(fcntl.DN_ATTRIB | fcntl.DN_CREATE | fcntl.DN_MULTISHOT)
    os.chmod("d", 0o700)
    eq(signals(), 1)
    os.mkdir("d/sub")
    eq(signals(), 1)
    os.mkdir("d/sub/below")
    os.chmod("d/sub/below", 0o700)
    eq(signals(), 0)
    fails(ENOTDIR, fcntl.fcntl, os.open("d/file", os.O_RDONLY), fcntl.F_NOTIFY, EVERYTHING)
    eq(fcntl.fcntl(os.open("d/file", os.O_RDONLY), fcntl.F_NOTIFY, 0), 0)
    eq(fcntl.fcntl(fd, fcntl.F_NOTIFY, 0x1000), 0)
    fails(EBADF, fcntl.fcntl, os.open("d", os.O_PATH), fcntl.F_NOTIFY, EVERYTHING)


run()
