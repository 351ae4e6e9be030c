"""fanotify(7): groups, marks, events with descriptors, limits of arguments."""

import ctypes
import errno
import fcntl
import os
import select
import subprocess
import threading

from lib import fan
from lib.guest import NR, child_ok, eq, fails, gives, need_root, ok, run, sc, skip, test

RW = os.O_RDWR


def touch(name, text="text"):
    with open(name, "w") as f:
        f.write(text)


def group(flags=0, event_flags=os.O_RDONLY):
    need_root()
    return fan.init(flags | fan.NONBLOCK, event_flags)


@test
def init_checks_its_flags():
    need_root()
    for flags, event_flags in (
        (0x80000000, 0), (1 << 18, 0), (0, 3), (0, os.O_CREAT), (0, os.O_DIRECT), (0, os.O_TRUNC),
        (fan.CONTENT | fan.PRE_CONTENT, 0), (fan.FID | fan.CONTENT, 0), (fan.NAME, 0),
        (fan.NAME | fan.FID, 0), (fan.TARGET_FID, 0), (fan.TARGET_FID | fan.DIR_FID | fan.NAME, 0),
        (fan.TARGET_FID | fan.FID, 0), (fan.PIDFD | fan.TID, 0), (0, os.O_PATH), (0, os.O_NOFOLLOW),
    ):
        gives(-errno.EINVAL, NR.fanotify_init, flags, event_flags)
    for flags, event_flags in (
        (fan.CLOEXEC | fan.NONBLOCK, os.O_RDWR | os.O_CLOEXEC | os.O_APPEND | os.O_SYNC | os.O_NOATIME),
        (fan.FID | fan.DIR_FID | fan.NAME | fan.TARGET_FID | fan.PIDFD, 0), (fan.UNLIMITED_QUEUE, os.O_WRONLY),
        (fan.CONTENT | fan.UNLIMITED_MARKS, os.O_NONBLOCK), (fan.PRE_CONTENT | fan.TID, 0),
    ):
        os.close(fan.init(flags, event_flags))


@test
def init_sets_the_flags_of_the_descriptor():
    fd = group(fan.CLOEXEC)
    eq(fcntl.fcntl(fd, fcntl.F_GETFD), fcntl.FD_CLOEXEC)
    eq(fcntl.fcntl(fd, fcntl.F_GETFL) & ~0o100000, os.O_RDWR | os.O_NONBLOCK)
    eq(os.readlink("/proc/self/fd/%d" % fd), "anon_inode:[fanotify]")
    fails(errno.EAGAIN, os.read, fd, 100)
    eq(os.lseek(fd, 5, 0), 0)
    eq(select.select([fd], [], [], 0)[0], [])


@test
def an_unprivileged_group_reports_handles_only():
    need_root()
    touch("file")
    os.chmod(".", 0o755)

    def child():
        os.setuid(1000)
        for flags in (0, fan.CONTENT | fan.FID, fan.PIDFD | fan.FID, fan.TID | fan.FID,
                      fan.UNLIMITED_QUEUE | fan.FID, fan.UNLIMITED_MARKS | fan.FID, 1 << 30):
            gives(-errno.EPERM, NR.fanotify_init, flags, 0)
        fd = fan.init(fan.FID | fan.NONBLOCK)
        fails(errno.EPERM, fan.mark, fd, fan.ADD | fan.MOUNT, fan.OPEN, ".")
        fails(errno.EPERM, fan.mark, fd, fan.ADD | fan.FILESYSTEM, fan.OPEN, ".")
        fan.mark(fd, fan.ADD, fan.OPEN, "file")
        os.close(os.open("file", os.O_RDONLY))
        (e,) = fan.read(fd)
        eq((e.mask, e.fd, e.pid), (fan.OPEN, -1, os.getpid()))
        pid = os.fork()
        if pid == 0:
            os.close(os.open("file", os.O_RDONLY))
            os._exit(0)
        os.waitpid(pid, 0)
        eq([e.pid for e in fan.read(fd)], [0], "others are not shown")
    child_ok(child)


@test
def an_unprivileged_group_needs_read_permission_to_mark():
    need_root()
    touch("file")
    os.chmod("file", 0o600)

    def child():
        os.setuid(1000)
        fails(errno.EACCES, fan.mark, fan.init(fan.FID), fan.ADD, fan.OPEN, "file")
    child_ok(child)


@test
def mark_checks_its_arguments():
    fd = group()
    touch("file")
    bad = errno.EINVAL
    for flags, mask in (
        (0, fan.OPEN), (fan.ADD, 0), (fan.REMOVE, 0), (fan.ADD | fan.REMOVE, fan.OPEN), (fan.ADD | fan.FLUSH, fan.OPEN),
        (fan.FLUSH | fan.ONLYDIR, 0), (fan.FLUSH | fan.IGNORED_MASK, 0), (fan.ADD | 0x800, fan.OPEN),
        (fan.ADD | fan.MOUNT | fan.FILESYSTEM, fan.OPEN), (fan.ADD, 1 << 32), (fan.ADD, 0x2000), (fan.ADD, 0x80000000),
        (fan.ADD | fan.IGNORE | fan.IGNORED_MASK, fan.OPEN), (fan.ADD, fan.OPEN_PERM), (fan.ADD, fan.ACCESS_PERM),
        (fan.ADD, 0x8000), (fan.ADD | fan.EVICTABLE | fan.MOUNT, fan.OPEN), (fan.ADD, fan.CREATE),
        (fan.ADD, fan.ATTRIB), (fan.ADD, fan.RENAME), (fan.ADD | fan.MOUNT | fan.IGNORE, fan.OPEN),
        (fan.ADD, fan.Q_OVERFLOW),
    ):
        fails(bad, fan.mark, fd, flags, mask, "file")
    fails(errno.EBADF, fan.mark, 999, fan.ADD, fan.OPEN, "file")
    fails(errno.EINVAL, fan.mark, os.open("file", os.O_RDONLY), fan.ADD, fan.OPEN, "file")
    fails(errno.ENOENT, fan.mark, fd, fan.ADD, fan.OPEN, "none")
    fails(errno.ENOENT, fan.mark, fd, fan.ADD, fan.OPEN, "")
    fails(errno.ENOTDIR, fan.mark, fd, fan.ADD | fan.ONLYDIR, fan.OPEN, "file")
    fails(errno.EISDIR, fan.mark, fd, fan.ADD | fan.IGNORE, fan.OPEN, ".")
    fails(errno.ENOTDIR, fan.mark, fd, fan.ADD | fan.IGNORE, fan.OPEN | fan.EVENT_ON_CHILD, "file")
    fails(errno.ENOENT, fan.mark, fd, fan.REMOVE, fan.OPEN, "file")
    fails(errno.EBADF, fan.mark, fd, fan.ADD, fan.OPEN, None, 999)
    fails(errno.EBADF, fan.mark, fd, fan.ADD, fan.OPEN, None, os.open("file", os.O_PATH))
    fails(errno.ENOTDIR, fan.mark, fd, fan.ADD | fan.ONLYDIR, fan.OPEN, None, os.open("file", os.O_RDONLY))
    for pointer in (1, 1 << 63, (1 << 64) - 1, (1 << 47) - 1):
        gives(-errno.EFAULT, NR.fanotify_mark, fd, fan.ADD, fan.OPEN, -100, pointer)


@test
def mark_by_descriptor_and_links():
    fd = group()
    touch("file")
    os.symlink("file", "link")
    fan.mark(fd, fan.ADD, fan.OPEN, "link")
    os.close(os.open("file", os.O_RDONLY))
    eq(fan.masks(fd), [fan.OPEN])
    fan.mark(fd, fan.REMOVE, fan.OPEN, None, os.open("file", os.O_RDONLY))
    fan.masks(fd)
    os.close(os.open("file", os.O_RDONLY))
    eq(fan.masks(fd), [])
    fan.mark(fd, fan.ADD | fan.DONT_FOLLOW, fan.OPEN, "link")
    os.close(os.open("file", os.O_RDONLY))
    eq(fan.masks(fd), [], "the mark is on the link")


@test
def events_of_a_file_come_with_descriptors():
    fd = group(0, os.O_RDONLY | os.O_CLOEXEC | os.O_NOATIME)
    touch("file")
    fan.mark(fd, fan.ADD, fan.OPEN | fan.ACCESS | fan.MODIFY | fan.CLOSE_WRITE | fan.CLOSE_NOWRITE, "file")
    f = os.open("file", RW)
    (e,) = fan.read(fd)
    eq((e.mask, e.pid), (fan.OPEN, os.getpid()))
    eq(e.path(), os.path.realpath("file"))
    eq(fcntl.fcntl(e.fd, fcntl.F_GETFD), fcntl.FD_CLOEXEC)
    eq(fcntl.fcntl(e.fd, fcntl.F_GETFL) & ~0o100000, os.O_NOATIME | os.O_CLOEXEC)
    eq(os.read(e.fd, 10), b"text")
    os.close(e.fd)
    eq(fan.masks(fd), [], "the descriptor of an event raises no event")
    os.read(f, 1)
    os.write(f, b"x")
    eq(fan.masks(fd), [fan.ACCESS | fan.MODIFY], "merged")
    os.close(f)
    eq(fan.masks(fd), [fan.CLOSE_WRITE])
    os.close(os.open("file", os.O_RDONLY))
    eq(fan.masks(fd), [fan.OPEN | fan.CLOSE_NOWRITE])


@test
def the_descriptor_may_write():
    fd = group(0, RW)
    touch("file")
    fan.mark(fd, fan.ADD, fan.OPEN, "file")
    os.close(os.open("file", os.O_RDONLY))
    (e,) = fan.read(fd)
    eq(os.write(e.fd, b"TEXT"), 4)
    eq(open("file").read(), "TEXT")


@test
def events_of_different_processes_do_not_merge():
    fd = group()
    touch("file")
    fan.mark(fd, fan.ADD, fan.OPEN, "file")
    pids = [os.getpid()]
    os.close(os.open("file", os.O_RDONLY))
    pid = os.fork()
    if pid == 0:
        os.close(os.open("file", os.O_RDONLY))
        os._exit(0)
    pids.append(pid)
    os.waitpid(pid, 0)
    os.close(os.open("file", os.O_RDONLY))
    eq([e.pid for e in fan.pending(fd)], pids)


@test
def fan_report_tid_reports_the_thread():
    fd = group(fan.TID)
    touch("file")
    fan.mark(fd, fan.ADD, fan.OPEN, "file")
    ids = []

    def thread():
        ids.append(threading.get_native_id())
        os.close(os.open("file", os.O_RDONLY))
    t = threading.Thread(target=thread)
    t.start()
    t.join()
    eq([e.pid for e in fan.pending(fd)], ids)


@test
def fan_report_pidfd_adds_a_pidfd():
    fd = group(fan.PIDFD)
    touch("file")
    fan.mark(fd, fan.ADD, fan.OPEN, "file")
    r, w = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(os.open("file", os.O_RDONLY))
        os.read(r, 1)
        os._exit(0)
    while not select.select([fd], [], [], 1)[0]:
        pass
    (e,) = fan.read(fd)
    ((kind, pidfd),) = e.records
    eq(kind, fan.T_PIDFD)
    with open("/proc/self/fdinfo/%d" % pidfd) as f:
        ok("Pid:\t%d\n" % pid in f.read(), "the pidfd is of the child")
    os.write(w, b"x")
    os.waitpid(pid, 0)
    child_ok(lambda: os.close(os.open("file", os.O_RDONLY)))
    (e,) = fan.read(fd)
    eq(e.records, [(fan.T_PIDFD, -1)], "it is gone")


@test
def marks_of_a_directory_and_its_children():
    fd = group()
    os.mkdir("d")
    touch("d/file")
    os.mkdir("d/sub")
    fan.mark(fd, fan.ADD, fan.OPEN, "d")
    os.close(os.open("d/file", os.O_RDONLY))
    os.close(os.open("d", os.O_RDONLY))
    eq(fan.masks(fd), [], "neither children nor directories")
    fan.mark(fd, fan.ADD, fan.OPEN | fan.EVENT_ON_CHILD, "d")
    os.close(os.open("d/file", os.O_RDONLY))
    os.close(os.open("d", os.O_RDONLY))
    os.close(os.open("d/sub", os.O_RDONLY))
    eq([e.path() for e in fan.pending(fd)], [os.path.realpath("d/file")])
    fan.mark(fd, fan.ADD, fan.OPEN | fan.ONDIR, "d")
    os.close(os.open("d", os.O_RDONLY))
    os.close(os.open("d/sub", os.O_RDONLY))
    events = fan.pending(fd)
    eq([e.path() for e in events], [os.path.realpath("d"), os.path.realpath("d/sub")])
    eq([e.mask for e in events], [fan.OPEN] * 2, "FAN_ONDIR is not shown")
    fan.mark(fd, fan.REMOVE, fan.ONDIR | fan.EVENT_ON_CHILD, "d")
    os.close(os.open("d/file", os.O_RDONLY))
    eq(fan.masks(fd), [])


@test
def a_mount_and_a_file_system():
    fd = group()
    need_root()
    child_ok(lambda: on_own_mount(fd))


def on_own_mount(fd):
    CLONE_NEWNS = 0x20000
    eq(sc(NR.unshare, CLONE_NEWNS), 0)
    eq(sc(NR.mount, None, b"/", None, 0x44000, None), 0)
    os.mkdir("m")
    os.mkdir("other")
    eq(sc(NR.mount, b"t", b"m", b"tmpfs", 0, None), 0)
    eq(sc(NR.mount, b"m", b"other", None, 4096, None), 0)
    touch("m/file")
    fan.mark(fd, fan.ADD | fan.MOUNT, fan.OPEN, "m")
    os.close(os.open("m/file", os.O_RDONLY))
    eq(fan.masks(fd), [fan.OPEN])
    os.close(os.open("other/file", os.O_RDONLY))
    eq(fan.masks(fd), [], "another mount of it")
    fan.mark(fd, fan.FLUSH | fan.MOUNT, 0, "m")
    os.close(os.open("m/file", os.O_RDONLY))
    eq(fan.masks(fd), [])
    fan.mark(fd, fan.ADD | fan.FILESYSTEM, fan.OPEN, "m/file")
    os.close(os.open("m/file", os.O_RDONLY))
    os.close(os.open("other/file", os.O_RDONLY))
    events = fan.pending(fd)
    eq([e.path().split("/")[-2] for e in events], ["m", "other"])
    for e in events:
        os.close(e.fd)
    fan.mark(fd, fan.FLUSH | fan.FILESYSTEM, 0, "m")
    fan.mark(fd, fan.ADD | fan.MOUNT, fan.OPEN, "m")
    eq(sc(NR.umount2, b"m", 0), 0)
    text = open("/proc/self/fdinfo/%d" % fd).read()
    ok("mnt_id:" not in text.split("fanotify flags")[1], "the mark went with the mount")


@test
def ignore_masks():
    fd = group()
    os.mkdir("d")
    touch("d/a")
    touch("d/b")
    fan.mark(fd, fan.ADD, fan.OPEN | fan.EVENT_ON_CHILD, "d")
    fan.mark(fd, fan.ADD | fan.IGNORED_MASK, fan.OPEN, "d/a")
    os.close(os.open("d/a", os.O_RDONLY))
    os.close(os.open("d/b", os.O_RDONLY))
    eq([os.path.basename(e.path()) for e in fan.pending(fd)], ["b"])
    f = os.open("d/a", os.O_WRONLY)
    eq(fan.masks(fd), [])
    os.write(f, b"x")
    os.close(f)
    os.close(os.open("d/a", os.O_RDONLY))
    eq(fan.masks(fd), [fan.OPEN], "it was modified")
    fan.mark(fd, fan.ADD | fan.IGNORED_MASK | fan.SURV_MODIFY, fan.OPEN, "d/a")
    touch("d/a")
    eq(fan.masks(fd), [])
    fan.mark(fd, fan.REMOVE | fan.IGNORED_MASK, fan.OPEN, "d/a")
    os.close(os.open("d/a", os.O_RDONLY))
    eq(fan.masks(fd), [fan.OPEN])


@test
def an_ignore_mask_of_a_file_being_written_is_lost():
    fd = group()
    touch("file")
    f = os.open("file", os.O_WRONLY)
    fan.mark(fd, fan.ADD, fan.OPEN, "file")
    fan.mark(fd, fan.ADD | fan.IGNORED_MASK, fan.OPEN, "file")
    os.close(os.open("file", os.O_RDONLY))
    eq(fan.masks(fd), [fan.OPEN])
    os.close(f)


@test
def ignore_marks_with_flags():
    fd = group()
    os.mkdir("d")
    touch("d/a")
    fan.mark(fd, fan.ADD, fan.OPEN | fan.ONDIR | fan.EVENT_ON_CHILD, "d")
    fan.mark(fd, fan.ADD | fan.IGNORE | fan.SURV_MODIFY, fan.OPEN, "d")
    os.close(os.open("d", os.O_RDONLY))
    os.close(os.open("d/a", os.O_RDONLY))
    eq(fan.masks(fd), [fan.OPEN] * 2, "the flags are not in the ignore mask")
    fan.mark(fd, fan.ADD | fan.IGNORE | fan.SURV_MODIFY, fan.OPEN | fan.ONDIR, "d")
    os.close(os.open("d", os.O_RDONLY))
    os.close(os.open("d/a", os.O_RDONLY))
    eq(fan.masks(fd), [fan.OPEN])
    fan.mark(fd, fan.ADD | fan.IGNORE | fan.SURV_MODIFY, fan.OPEN | fan.EVENT_ON_CHILD, "d")
    os.close(os.open("d/a", os.O_RDONLY))
    eq(fan.masks(fd), [])
    fails(errno.EEXIST, fan.mark, fd, fan.ADD | fan.IGNORED_MASK, fan.OPEN, "d")
    fails(errno.EISDIR, fan.mark, fd, fan.ADD | fan.IGNORE, fan.OPEN, "d")


@test
def evictable_marks_cannot_follow_others():
    fd = group()
    touch("file")
    fan.mark(fd, fan.ADD | fan.EVICTABLE, fan.OPEN, "file")
    fan.mark(fd, fan.ADD | fan.EVICTABLE, fan.ACCESS, "file")
    fan.mark(fd, fan.ADD, fan.OPEN, "file")
    fails(errno.EEXIST, fan.mark, fd, fan.ADD | fan.EVICTABLE, fan.OPEN, "file")


@test
def the_start_of_a_program_is_an_event():
    fd = group()
    with open("/bin/true", "rb") as f, open("prog", "wb") as g:
        g.write(f.read())
    os.chmod("prog", 0o755)
    fan.mark(fd, fan.ADD, fan.OPEN | fan.OPEN_EXEC, "prog")
    os.close(os.open("prog", os.O_RDONLY))
    eq(fan.masks(fd), [fan.OPEN])
    eq(subprocess.call(["./prog"]), 0)
    eq(fan.masks(fd), [fan.OPEN | fan.OPEN_EXEC])


@test
def a_read_returns_whole_events():
    fd = group()
    touch("a")
    touch("b")
    fan.mark(fd, fan.ADD, fan.OPEN, "a")
    fan.mark(fd, fan.ADD, fan.OPEN, "b")
    os.close(os.open("a", os.O_RDONLY))
    os.close(os.open("b", os.O_RDONLY))
    avail = ctypes.c_int()
    eq(sc(NR.ioctl, fd, 0x541B, avail), 0)
    eq(avail.value, 48)
    fails(errno.EINVAL, os.read, fd, 23)
    fails(errno.EINVAL, os.read, fd, 0)
    eq(len(fan.parse(os.read(fd, 47))), 1)
    eq(len(fan.parse(os.read(fd, 24))), 1)
    fails(errno.EAGAIN, os.read, fd, 24)
    fails(errno.EAGAIN, os.read, fd, 0)


@test
def a_read_to_a_bad_pointer_loses_the_event():
    fd = group()
    touch("a")
    fan.mark(fd, fan.ADD, fan.OPEN, "a")
    before = len(os.listdir("/proc/self/fd"))
    for pointer in (0, 4096):
        os.close(os.open("a", os.O_RDONLY))
        gives(-errno.EFAULT, NR.read, fd, pointer, 4000)
        fails(errno.EAGAIN, os.read, fd, 4000)
    eq(len(os.listdir("/proc/self/fd")), before, "no descriptor is left")
    os.close(os.open("a", os.O_RDONLY))
    gives(-errno.EFAULT, NR.read, fd, 1 << 63, 4000)
    eq(fan.masks(fd), [fan.OPEN], "the kernel's half is refused at once")


@test
def without_a_descriptor_the_read_fails():
    fd = group()
    touch("a")
    fan.mark(fd, fan.ADD, fan.OPEN, "a")
    os.close(os.open("a", os.O_RDONLY))
    import resource
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (fd + 1, limit[1]))
    full = []
    try:
        while True:
            full.append(os.dup(0))
    except OSError:
        pass
    fails(errno.EMFILE, os.read, fd, 100)
    for f in full:
        os.close(f)
    fails(errno.EAGAIN, os.read, fd, 100)


@test
def a_queue_can_overflow():
    fd = group(fan.FID | fan.DIR_FID | fan.NAME)
    with open("/proc/sys/fs/fanotify/max_queued_events") as f:
        limit = int(f.read())
    if limit > 20000:
        skip("this machine has long queues")
    fan.mark(fd, fan.ADD, fan.CREATE, ".")
    for i in range(limit + 3):
        os.close(os.open("f%d" % i, os.O_CREAT | os.O_WRONLY))
    count, last = 0, None
    while True:
        try:
            events = fan.read(fd, 1 << 16)
        except BlockingIOError:
            break
        count, last = count + len(events), events[-1]
    eq(count, limit + 1)
    eq((last.mask, last.fd, last.pid, last.records), (fan.Q_OVERFLOW, -1, 0, []))


@test
def limits_are_shown():
    for name in ("max_queued_events", "max_user_groups", "max_user_marks"):
        with open("/proc/sys/fs/fanotify/" + name) as f:
            ok(int(f.read()) > 0, name)


@test
def fdinfo_shows_the_marks():
    fd = group(fan.CONTENT, os.O_RDWR | os.O_CLOEXEC)
    touch("file")
    fan.mark(fd, fan.ADD, fan.OPEN | fan.OPEN_PERM, "file")
    fan.mark(fd, fan.ADD | fan.IGNORED_MASK | fan.SURV_MODIFY, fan.ACCESS, "file")
    with open("/proc/self/fdinfo/%d" % fd) as f:
        text = f.read().split("\n")
    st = os.stat("file")
    line = [x for x in text if x.startswith("fanotify flags")][0]
    eq(line, "fanotify flags:%x event-flags:%x" % (
        fan.CONTENT | fan.NONBLOCK, os.O_RDWR | os.O_CLOEXEC | 0o100000))
    line = [x for x in text if x.startswith("fanotify ino")][0]
    ok(line.startswith("fanotify ino:%x sdev:" % st.st_ino), line)
    ok(" mflags:40 mask:10020 ignored_mask:1 " in line, line)


@test
def only_files_and_directories_have_events():
    fd = group()
    os.mkfifo("fifo")
    fan.mark(fd, fan.ADD, fan.OPEN | fan.MODIFY, "fifo")
    f = os.open("fifo", RW)
    os.write(f, b"x")
    eq(fan.masks(fd), [])


@test
def truncate_by_name_has_no_event_with_descriptors():
    fd = group()
    touch("file")
    fan.mark(fd, fan.ADD, fan.MODIFY, "file")
    os.truncate("file", 1)
    eq(fan.masks(fd), [])


@test
def a_group_ends_with_its_descriptor():
    fd = group()
    touch("file")
    fan.mark(fd, fan.ADD, fan.OPEN, "file")
    os.close(os.open("file", os.O_RDONLY))
    os.close(fd)
    os.close(os.open("file", os.O_RDONLY))
    os.unlink("file")


@test
def the_number_of_groups_is_limited():
    need_root()
    with open("/proc/sys/fs/fanotify/max_user_groups") as f:
        limit = int(f.read())
    if limit > 1000:
        skip("this machine allows many groups")
    fds = []
    try:
        for _ in range(limit + 1):
            fds.append(fan.init(0))
    except OSError as e:
        eq(e.errno, errno.EMFILE)
        return
    raise AssertionError("no limit")


run()
