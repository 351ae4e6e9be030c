"""execve(2): errors, scripts, arguments and environment, what survives, which threads end."""

import os
import signal
import threading
from errno import *
from lib.guest import *

AT_FDCWD, AT_EMPTY_PATH = -100 & 0xFFFFFFFF, 0x1000


def write(path, text, mode=0o755):
    with open(path, "wb") as f:
        f.write(text if isinstance(text, bytes) else text.encode())
    os.chmod(path, mode)


def output_of(path, argv, env=None):
    """Runs a program in a child. Returns (exit code, standard output)."""
    r, w = os.pipe()

    def child():
        os.dup2(w, 1)
        try:
            os.execve(path, argv, os.environ if env is None else env)
        except OSError as e:
            os.write(1, errorcode[e.errno].encode())
            os._exit(126)
    pid = spawn(child)
    os.close(w)
    out = b""
    while True:
        part = os.read(r, 65536)
        if not part:
            break
        out += part
    os.close(r)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out


@test
def exec_errors():
    os.mkdir("d")
    write("plain", "x", 0o644)
    write("text", "echo no interpreter line\n")
    write("empty", "")
    write("bad", "#!/no/such/interpreter\n")
    write("short", b"\x7fELF\x02\x01\x01")
    write("elf32", b"\x7fELF\x01\x01\x01" + b"\0" * 9 + b"\x02\0\x03\0" + b"\0" * 40)
    fails(ENOENT, os.execv, "no", ["no"])
    fails(EACCES, os.execv, "d", ["d"])
    fails(EACCES, os.execv, "plain", ["plain"])
    fails(ENOEXEC, os.execv, "./text", ["text"])
    fails(ENOEXEC, os.execv, "./empty", ["empty"])
    fails(ENOENT, os.execv, "./bad", ["bad"])
    fails(ENOEXEC, os.execv, "./short", ["short"])
    fails(ENOTDIR, os.execv, "plain/x", ["x"])
    gives(-EFAULT, NR.execve, 1, None, None)
    gives(-EFAULT, NR.execve, b"/bin/true", 1, None)
    gives(-ENOENT, NR.execve, b"", None, None)


@test
def scripts():
    write("s", "#!/bin/sh\necho \"$0 $1 $2\"\n")
    eq(output_of("./s", ["zero", "one", "two"]), (0, b"./s one two\n"))
    write("arg", "#! /bin/echo  an argument with spaces  \n")
    eq(output_of("./arg", ["x", "y"]), (0, b"an argument with spaces ./arg y\n"))
    write("nested", "#!./s extra\n")
    eq(output_of("./nested", ["x", "y"]), (0, b"./s extra ./nested\n"))
    write("crlf", "#!/bin/sh\r\n")
    eq(output_of("./crlf", ["x"]), (126, b"ENOENT"))
    write("nothing", "#!\n")
    eq(output_of("./nothing", ["x"]), (126, b"ENOEXEC"))
    write("noline", "#!/bin/echo")
    eq(output_of("./noline", ["x"]), (0, b"./noline\n"))


@test
def scripts_nest_to_a_bounded_depth():
    write("l0", "#!/bin/echo\n")
    for i in range(1, 8):
        write("l%d" % i, "#!./l%d\n" % (i - 1))
    eq(output_of("./l4", ["x"])[0], 0)
    eq(output_of("./l7", ["x"]), (126, b"ELOOP"))


@test
def long_interpreter_lines():
    write("long", b"#!/bin/echo " + b"a" * 300 + b"\n")
    code, out = output_of("./long", ["x"])
    ok(code == 0 and len(out) < 300, "the line is cut at 256 bytes: %d" % len(out))
    # The blank behind the name is the last of the 256 bytes that Linux reads.
    name = b"/" * (255 - len(b"#!bin/echo")) + b"bin/echo"
    write("fits", b"#!" + name + b" x")
    eq(output_of("./fits", ["x"]), (0, b"./fits\n"))
    write("ends", b"#!" + name)
    eq(output_of("./ends", ["x"]), (0, b"./ends\n"))
    write("longpath", b"#!/" + b"b/" * 150 + b"sh\n")
    eq(output_of("./longpath", ["x"]), (126, b"ENOEXEC"))


@test
def arguments_and_environment():
    argv = ["printf", "%s|"] + ["a" * i for i in range(50)] + ["", "\n\t ' \""]
    code, out = output_of("/usr/bin/printf", argv)
    eq(out, "".join(a + "|" for a in argv[2:]).encode())
    code, out = output_of("/usr/bin/env", ["env"], {"A": "1", "B": "", "C": "x=y"})
    eq(out, b"A=1\nB=\nC=x=y\n")
    eq(output_of("/usr/bin/env", ["env"], {}), (0, b""))


@test
def large_argument_lists():
    big = ["echo"] + ["x" * 100] * 5000
    code, out = output_of("/bin/echo", big)
    eq(len(out), 5000 * 101)
    fails(E2BIG, os.execv, "/bin/echo", ["echo", "x" * (128 * 1024)])
    fails(E2BIG, os.execv, "/bin/echo", ["echo"] + ["y" * 100000] * 100)


@test
def an_empty_argv_gets_an_empty_argument():
    # Linux puts an empty argv[0] in place of an empty list since 5.18.
    r, w = os.pipe()

    def child():
        os.dup2(w, 1)
        sc(NR.execve, b"/bin/true", None, None)
        os._exit(9)
    code = os.waitstatus_to_exitcode(in_child(child))
    eq(code, 0)


@test
def close_on_exec():
    keep = os.open("/dev/null", os.O_RDONLY)
    os.set_inheritable(keep, True)
    drop = os.dup2(keep, 777, inheritable=False)
    code, out = output_of("/bin/sh", ["sh", "-c", "ls /proc/self/fd"])
    fds = [int(x) for x in out.split()]
    ok(keep in fds, "the inheritable one stays")
    ok(drop not in fds, "the close-on-exec one goes")


@test
def signals_across_exec():
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.signal(signal.SIGUSR2, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])
    code, out = output_of("/bin/cat", ["cat", "/proc/self/status"])
    fields = dict(line.split(b":", 1) for line in out.splitlines() if b":" in line)
    bit = lambda s: 1 << (s - 1)
    ok(int(fields[b"SigIgn"], 16) & bit(signal.SIGUSR2), "ignored stays ignored")
    eq(int(fields[b"SigCgt"], 16) & bit(signal.SIGUSR1), 0, "a handler is reset")
    ok(int(fields[b"SigBlk"], 16) & bit(signal.SIGHUP), "the mask stays")


@test
def exec_makes_the_calling_thread_the_leader():
    pid_before = Pipe()

    def child():
        def other():
            os.execv("/bin/sh", ["sh", "-c", "echo $$ >&%d; exit 5" % pid_before.w])
        os.set_inheritable(pid_before.w, True)
        for _ in range(3):
            threading.Thread(target=lambda: signal.pause(), daemon=True).start()
        threading.Thread(target=other).start()
        stay()
    pid = spawn(child)
    eq(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 5)
    eq(int(os.read(pid_before.r, 20)), pid)


@test
def failed_exec_keeps_everything():
    import mmap
    m = mmap.mmap(-1, 4096)
    m[:5] = b"still"
    write("text", "x")
    fails(ENOEXEC, os.execv, "./text", ["x"])
    eq(m[:5], b"still")
    eq(os.waitstatus_to_exitcode(in_child(lambda: 3)), 3)


@test
def execveat_forms():
    fd = os.open("/bin/true", os.O_RDONLY)
    argv = (ctypes.c_char_p * 2)(b"true", None)
    child = lambda *a: (sc(NR.execveat, *a), os._exit(77))
    eq(in_child(child, fd, b"", argv, None, AT_EMPTY_PATH), 0)
    d = os.open("/bin/", os.O_RDONLY)
    eq(in_child(child, d, b"true", argv, None, 0), 0)
    gives(-ENOENT, NR.execveat, fd, b"", argv, None, 0)
    gives(-EINVAL, NR.execveat, d, b"true", argv, None, 0x10)
    gives(-EBADF, NR.execveat, 999, b"x", argv, None, 0)
    m = works(NR.memfd_create, b"exe", 0)
    os.write(m, open("/bin/true", "rb").read())
    eq(in_child(child, m, b"", argv, None, AT_EMPTY_PATH), 0)


@test
def text_busy():
    import shutil
    shutil.copy("/bin/sleep", "s")
    w = os.open("s", os.O_WRONLY)
    fails(ETXTBSY, os.execv, "./s", ["s", "0"])
    os.close(w)
    pid = os.posix_spawn("./s", ["s", "30"], os.environ)
    wait_until(lambda: open("/proc/%d/cmdline" % pid, "rb").read().startswith(b"s\0"), "exec")
    fails(ETXTBSY, os.open, "s", os.O_WRONLY)
    os.unlink("s")
    os.kill(pid, 9)
    os.waitpid(pid, 0)


@test
def proc_shows_the_program_that_runs():
    import shutil
    shutil.copy("/bin/sleep", "my-sleep")
    pid = os.posix_spawn("./my-sleep", ["zero", "30"], {"K": "V"})
    cmdline = lambda: open("/proc/%d/cmdline" % pid, "rb").read()
    wait_until(lambda: cmdline() == b"zero\x0030\0", "the exec")
    eq(open("/proc/%d/comm" % pid).read(), "my-sleep\n")
    eq(open("/proc/%d/environ" % pid, "rb").read(), b"K=V\0")
    eq(os.readlink("/proc/%d/exe" % pid), os.path.abspath("my-sleep"))
    os.kill(pid, 9)
    os.waitpid(pid, 0)


run()
