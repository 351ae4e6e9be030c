"""landlock(7): rights to files and directories, one by one, and moves between directories."""

import ctypes
import errno
import os
import socket
import termios

from lib import landlock as ll
from lib.guest import NR, child_ok, eq, fails, gives, need_root, ok, run, sc, test

AC, XD = errno.EACCES, errno.EXDEV


def touch(name, text="text"):
    with open(name, "w") as f:
        f.write(text)


def tree():
    """Makes directories in/, to which tests give rights, and out/, which has none."""
    for d in ("in", "out", "in/sub", "out/sub", "in/two"):
        os.mkdir(d)
    for d in ("in", "out", "in/sub", "in/two"):
        touch(d + "/file")


def opens(path, flags=os.O_RDONLY, mode=0o644):
    os.close(os.open(path, flags, mode))


@test
def reading_and_writing():
    tree()
    ll.restrict(ll.READ_FILE | ll.WRITE_FILE | ll.READ_DIR, [("in", ll.READ_FILE | ll.READ_DIR)])
    opens("in/file")
    opens("in/sub/file")
    eq(sorted(os.listdir("in")), ["file", "sub", "two"])
    fails(AC, opens, "in/file", os.O_WRONLY)
    fails(AC, opens, "in/file", os.O_RDWR)
    for path in ("out/file", "out", "."):
        fails(AC, opens, path)
    os.stat("out/file")
    os.chdir("out")
    os.access("file", os.R_OK)
    opens("file", os.O_PATH)
    fails(AC, opens, "../in/../out/file")


@test
def only_handled_rights_are_denied():
    tree()
    ll.restrict(ll.WRITE_FILE)
    opens("out/file")
    os.mkdir("new")
    fails(AC, opens, "out/file", os.O_WRONLY)
    opens("new/file", os.O_CREAT | os.O_RDONLY)
    fails(AC, opens, "new/file2", os.O_CREAT | os.O_WRONLY)
    ok(os.path.exists("new/file2"), "it was made before it was opened")


@test
def a_rule_for_one_file():
    tree()
    ll.restrict(ll.READ_FILE | ll.WRITE_FILE, [("in/file", ll.READ_FILE), ("in/sub/file", ll.WRITE_FILE)])
    opens("in/file")
    fails(AC, opens, "in/sub/file")
    opens("in/sub/file", os.O_WRONLY)
    os.rename("in/file", "in/other")
    opens("in/other")
    fails(AC, opens, "in/two/file")


@test
def rights_to_make():
    tree()
    kinds = [
        (ll.MAKE_REG, lambda d: opens(d + "/r", os.O_CREAT | os.O_EXCL)),
        (ll.MAKE_REG, lambda d: os.mknod(d + "/n", 0o100644)),
        (ll.MAKE_DIR, lambda d: os.mkdir(d + "/d")),
        (ll.MAKE_SYM, lambda d: os.symlink("x", d + "/s")),
        (ll.MAKE_FIFO, lambda d: os.mkfifo(d + "/f")),
        (ll.MAKE_SOCK, lambda d: socket.socket(socket.AF_UNIX).bind(d + "/u")),
    ]
    for right, make in kinds:
        def child():
            ll.restrict(right, [("in", right)])
            make("in")
            fails(AC, make, "out")
        child_ok(child)
    eq(sorted(os.listdir("out")), ["file", "sub"])
    fails(errno.EEXIST, os.mkdir, "in")


@test
def rights_to_make_devices():
    need_root()
    tree()

    def child():
        ll.restrict(ll.MAKE_CHAR | ll.MAKE_BLOCK, [("in", ll.MAKE_CHAR)])
        os.mknod("in/c", 0o020644, os.makedev(1, 3))
        fails(AC, os.mknod, "in/b", 0o060644, os.makedev(1, 3))
        fails(AC, os.mknod, "out/c", 0o020644, os.makedev(1, 3))
    child_ok(child)


@test
def errors_of_names_come_before_errors_of_rights():
    tree()
    ll.restrict(ll.MAKE_DIR | ll.MAKE_REG | ll.REMOVE_FILE | ll.REMOVE_DIR)
    fails(errno.EEXIST, os.mkdir, "out")
    fails(errno.ENOENT, os.unlink, "none")
    fails(errno.ENOENT, os.rmdir, "none")
    fails(errno.EEXIST, opens, "out/file", os.O_CREAT | os.O_EXCL)
    fails(errno.EEXIST, os.mkdir, ".")
    fails(errno.ENOENT, os.mkdir, "none/x")


@test
def rights_to_remove():
    tree()
    ll.restrict(ll.REMOVE_FILE | ll.REMOVE_DIR, [("in", ll.REMOVE_FILE), ("in/sub", ll.REMOVE_DIR)])
    os.unlink("in/two/file")
    fails(AC, os.rmdir, "in/two")
    os.unlink("in/sub/file")
    fails(AC, os.rmdir, "in/sub")
    fails(AC, os.unlink, "out/file")
    fails(AC, os.rmdir, "out/sub")
    fails(AC, os.unlink, "out/sub")


@test
def renames_within_a_directory():
    tree()
    ll.restrict(ll.REMOVE_FILE | ll.MAKE_REG, [("in", ll.REMOVE_FILE | ll.MAKE_REG), ("out", ll.MAKE_REG)])
    os.rename("in/file", "in/new")
    fails(AC, os.rename, "out/file", "out/new")
    opens("in/x", os.O_CREAT)
    os.rename("in/new", "in/x")
    os.rename("in/sub", "in/sub2")


@test
def renames_to_other_directories_need_refer():
    tree()
    both = ll.REMOVE_FILE | ll.MAKE_REG
    ll.restrict(both, [(".", both)])
    fails(XD, os.rename, "in/file", "out/new")
    fails(XD, os.link, "in/file", "out/new")
    fails(XD, os.rename, "in/sub/file", "in/file")
    os.rename("in/file", "in/file2")


@test
def refer_is_denied_by_any_domain_over_files():
    tree()
    ll.restrict(ll.MAKE_BLOCK)
    fails(XD, os.rename, "in/file", "out/new")
    fails(XD, os.link, "in/file", "out/new")
    os.link("in/file", "in/new")


@test
def refer_with_rights():
    tree()
    rights = ll.REMOVE_FILE | ll.MAKE_REG | ll.REFER
    ll.restrict(rights, [("in", rights), ("out", ll.MAKE_REG | ll.REFER)])
    os.rename("in/file", "in/sub/new")
    os.link("in/sub/new", "out/linked")
    fails(AC, os.rename, "out/linked", "in/back")
    os.rename("in/two/file", "out/moved")


@test
def eacces_comes_before_exdev():
    tree()
    ll.restrict(ll.REMOVE_FILE | ll.MAKE_REG, [("in", ll.REMOVE_FILE | ll.MAKE_REG)])
    fails(AC, os.rename, "in/file", "out/new")
    fails(AC, os.rename, "out/file", "in/new")
    fails(AC, os.link, "in/file", "out/new")
    fails(XD, os.link, "out/file", "in/new")


@test
def nothing_gains_rights_by_moving():
    tree()
    refer = ll.REFER | ll.REMOVE_FILE | ll.MAKE_REG
    ll.restrict(refer | ll.READ_FILE, [(".", refer), ("in", ll.READ_FILE), ("out/file", ll.READ_FILE)])
    opens("in/file")
    os.rename("out/file", "in/gained-nothing")
    os.close(os.open("out/second", os.O_CREAT | os.O_WRONLY))
    fails(AC, opens, "out/second")
    fails(XD, os.rename, "out/second", "in/second")
    fails(XD, os.link, "out/second", "in/second")
    os.rename("in/file", "out/lost")
    fails(AC, opens, "out/lost")


@test
def exchanges():
    tree()
    refer = ll.REFER | ll.REMOVE_FILE | ll.MAKE_REG | ll.REMOVE_DIR | ll.MAKE_DIR
    ll.restrict(refer | ll.READ_FILE, [(".", refer), ("in", ll.READ_FILE)])
    RENAME_EXCHANGE = 2
    gives(-XD, NR.renameat2, -100, b"in/file", -100, b"out/file", RENAME_EXCHANGE)
    gives(-XD, NR.renameat2, -100, b"in/sub", -100, b"out/sub", RENAME_EXCHANGE)
    gives(0, NR.renameat2, -100, b"in/sub", -100, b"in/two/file", RENAME_EXCHANGE)


@test
def directories_that_move():
    tree()
    refer = ll.REFER | ll.REMOVE_DIR | ll.MAKE_DIR
    ll.restrict(refer | ll.READ_DIR, [(".", refer), ("in", ll.READ_DIR)])
    fails(XD, os.rename, "out/sub", "in/moved")
    os.rename("in/two", "out/moved")
    os.rename("in/sub", "out/moved/sub")
    fails(XD, os.rename, "out/moved/sub", "in/sub")


@test
def truncation():
    tree()
    f = os.open("out/file", os.O_RDWR)
    ll.restrict(ll.TRUNCATE, [("in", ll.TRUNCATE)])
    os.truncate("in/file", 1)
    opens("in/file", os.O_WRONLY | os.O_TRUNC)
    fails(AC, os.truncate, "out/file", 1)
    fails(AC, opens, "out/file", os.O_WRONLY | os.O_TRUNC)
    os.ftruncate(f, 2)
    g = os.open("out/file", os.O_RDWR)
    fails(AC, os.ftruncate, g, 1)
    eq(os.write(g, b"longer than before"), 18)
    opens("out/new", os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    os.ftruncate(os.memfd_create("x"), 100)


@test
def the_right_to_truncate_goes_with_the_description():
    tree()
    ll.restrict(ll.TRUNCATE, [("in", ll.TRUNCATE)])
    f = os.open("in/file", os.O_RDWR)
    ll.restrict(ll.TRUNCATE)
    os.ftruncate(f, 1)
    fails(AC, os.ftruncate, os.open("in/file", os.O_RDWR), 1)


@test
def requests_on_devices():
    before = os.open("/dev/zero", os.O_RDONLY)
    ll.restrict(ll.IOCTL_DEV)
    null = os.open("/dev/null", os.O_RDWR)
    buf = ctypes.create_string_buffer(64)
    for request in (termios.TCGETS, 0x541B, 0x12345, 0x80086601):
        gives(-AC, NR.ioctl, null, request, buf)
    gives(-errno.ENOTTY, NR.ioctl, before, termios.TCGETS, buf)
    FIOCLEX, FIONCLEX, FIONBIO = 0x5451, 0x5450, 0x5421
    gives(0, NR.ioctl, null, FIOCLEX, 0)
    gives(0, NR.ioctl, null, FIONBIO, buf)
    file = os.open("file", os.O_CREAT | os.O_RDWR)
    gives(-errno.ENOTTY, NR.ioctl, file, termios.TCGETS, buf)
    r, _ = os.pipe()
    gives(0, NR.ioctl, r, 0x541B, buf)


@test
def programs():
    for d in ("in", "out"):
        os.mkdir(d)
        with open("/bin/true", "rb") as f, open(d + "/prog", "wb") as g:
            g.write(f.read())
        os.chmod(d + "/prog", 0o755)
    with open("out/script", "w") as f:
        f.write("#!/bin/sh\nexit 0\n")
    os.chmod("out/script", 0o755)

    def child():
        system = [(p, ll.EXECUTE) for p in ("/usr", "/lib", "/lib64", "/bin") if os.path.exists(p)]
        ll.restrict(ll.EXECUTE, [("in", ll.EXECUTE)] + system)
        pid = os.fork()
        if pid == 0:
            os.execv("in/prog", ["prog"])
        eq(os.waitpid(pid, 0)[1], 0)
        fails(AC, os.execv, "out/prog", ["prog"])
        fails(AC, os.execv, "out/script", ["script"])
        fails(AC, os.execve, os.open("out/prog", os.O_PATH), ["prog"], {})
    child_ok(child)


@test
def a_script_needs_the_right_to_execute_its_interpreter():
    os.mkdir("in")
    with open("in/script", "w") as f:
        f.write("#!%s/interp\n" % os.getcwd())
    with open("/bin/true", "rb") as f, open("interp", "wb") as g:
        g.write(f.read())
    os.chmod("in/script", 0o755)
    os.chmod("interp", 0o755)

    def child():
        ll.restrict(ll.EXECUTE, [("in", ll.EXECUTE)])
        fails(AC, os.execv, "in/script", ["script"])
    child_ok(child)


@test
def layers_all_have_to_allow():
    tree()
    both = ll.READ_FILE | ll.WRITE_FILE
    ll.restrict(both, [("in", both)])
    ll.restrict(ll.WRITE_FILE, [("in/sub", ll.WRITE_FILE), ("out", ll.WRITE_FILE)])
    opens("in/file")
    fails(AC, opens, "in/file", os.O_WRONLY)
    opens("in/sub/file", os.O_RDWR)
    fails(AC, opens, "out/file", os.O_WRONLY)
    fails(AC, opens, "out/file")


@test
def rules_follow_the_mount_tree():
    need_root()

    def child():
        eq(sc(NR.unshare, 0x20000), 0)
        eq(sc(NR.mount, None, b"/", None, 0x44000, None), 0)
        for d in ("top", "top/m", "hidden", "hidden/m", "bound"):
            os.mkdir(d)
        eq(sc(NR.mount, b"t", b"top/m", b"tmpfs", 0, None), 0)
        os.mkdir("top/m/d")
        touch("top/m/d/file")
        eq(sc(NR.mount, b"top/m/d", b"bound", None, 4096, None), 0)
        mountpoint = os.open("hidden/m", os.O_PATH)
        eq(sc(NR.mount, b"t", b"hidden/m", b"tmpfs", 0, None), 0)
        touch("hidden/m/file")
        ll.restrict(ll.READ_FILE, [("top", ll.READ_FILE), (mountpoint, ll.READ_FILE)])
        opens("top/m/d/file")
        fails(AC, opens, "bound/file")
        fails(AC, opens, "hidden/m/file")
    child_ok(child)


@test
def a_rule_through_a_bind_mount():
    need_root()

    def child():
        eq(sc(NR.unshare, 0x20000), 0)
        eq(sc(NR.mount, None, b"/", None, 0x44000, None), 0)
        os.mkdir("a")
        os.mkdir("b")
        touch("a/file")
        eq(sc(NR.mount, b"a", b"b", None, 4096, None), 0)
        ll.restrict(ll.READ_FILE, [("b", ll.READ_FILE)])
        opens("b/file")
        opens("a/file")
    child_ok(child)


@test
def descriptors_and_proc():
    tree()
    r, w = os.pipe()
    m = os.memfd_create("x")
    f = os.open("out/file", os.O_RDONLY)
    ll.restrict(ll.READ_FILE | ll.WRITE_FILE)
    opens("/proc/self/fd/%d" % r)
    opens("/proc/self/fd/%d" % m, os.O_RDWR)
    fails(AC, opens, "/proc/self/fd/%d" % f)
    fails(AC, opens, "/proc/self/status")
    eq(os.read(f, 4), b"text")


@test
def unnamed_files():
    tree()
    ll.restrict(ll.WRITE_FILE | ll.MAKE_REG, [("in", ll.WRITE_FILE)])
    os.close(os.open("in", os.O_TMPFILE | os.O_WRONLY))
    fails(AC, os.open, "out", os.O_TMPFILE | os.O_WRONLY)


@test
def removed_directories_keep_their_rules():
    tree()
    d = os.open("in/two", os.O_RDONLY)
    f = os.open("in/two/file", os.O_PATH)
    ll.restrict(ll.READ_FILE, [("in", ll.READ_FILE)])
    os.unlink("in/two/file")
    opens("/proc/self/fd/%d" % f)
    os.rmdir("in/two")
    fails(errno.ENOENT, os.open, "x", os.O_RDONLY, dir_fd=d)


@test
def a_file_that_is_made_anew_has_no_rule():
    tree()
    ll.restrict(ll.READ_FILE, [("in/file", ll.READ_FILE)])
    opens("in/file")
    os.unlink("in/file")
    os.close(os.open("in/file", os.O_CREAT | os.O_WRONLY))
    fails(AC, opens, "in/file")


@test
def a_fifo_and_a_socket_by_name():
    os.mkfifo("f")
    ll.restrict(ll.READ_FILE | ll.WRITE_FILE)
    fails(AC, os.open, "f", os.O_RDWR)
    fails(AC, os.open, "f", os.O_RDONLY | os.O_NONBLOCK)


run()
