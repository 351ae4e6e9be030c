"""fanotify(7): events that identify files by handles and names (FAN_REPORT_FID and the like)."""

import errno
import os

from lib import fan
from lib.guest import eq, fails, need_root, ok, run, sc, NR, test

ENTRIES = fan.CREATE | fan.DELETE | fan.MOVED_FROM | fan.MOVED_TO
ALL = ENTRIES | fan.ATTRIB | fan.DELETE_SELF | fan.MOVE_SELF | fan.OPEN | fan.CLOSE_WRITE


def group(flags):
    need_root()
    return fan.init(flags | fan.NONBLOCK)


def touch(name):
    open(name, "w").close()


def seen(fd):
    return [(e.mask, e.records) for e in fan.pending(fd)]


def kinds(fd):
    return [(e.mask, [(r[0], r[2]) for r in e.records]) for e in fan.pending(fd)]


@test
def a_handle_leads_to_the_file():
    fd = group(fan.FID)
    touch("file")
    fan.mark(fd, fan.ADD, fan.OPEN | fan.ATTRIB, "file")
    os.close(os.open("file", os.O_RDONLY))
    (e,) = fan.read(fd)
    eq((e.mask, e.fd, e.pid), (fan.OPEN, -1, os.getpid()))
    eq(e.records, [(fan.T_FID, fan.handle_of("file"), None)])
    os.chmod("file", 0o600)
    eq(seen(fd), [(fan.ATTRIB, [(fan.T_FID, fan.handle_of("file"), None)])])


@test
def an_entry_event_has_the_handle_of_the_directory():
    fd = group(fan.FID)
    fan.mark(fd, fan.ADD, ENTRIES | fan.ONDIR, ".")
    here = [(fan.T_FID, fan.handle_of("."), None)]
    touch("a")
    os.mkdir("d")
    eq(seen(fd), [(fan.CREATE, here), (fan.CREATE | fan.ONDIR, here)])
    os.rename("a", "b")
    os.unlink("b")
    os.rmdir("d")
    eq(seen(fd), [(fan.MOVED_FROM | fan.MOVED_TO | fan.DELETE, here), (fan.DELETE | fan.ONDIR, here)])


@test
def events_of_directories_need_fan_ondir():
    fd = group(fan.FID)
    fan.mark(fd, fan.ADD, ENTRIES, ".")
    os.mkdir("d")
    eq(seen(fd), [])


@test
def directory_handles_alone():
    fd = group(fan.DIR_FID)
    os.mkdir("d")
    touch("d/f")
    fan.mark(fd, fan.ADD, ALL | fan.ONDIR | fan.EVENT_ON_CHILD, "d")
    above = fan.handle_of("d")
    os.close(os.open("d/f", os.O_RDONLY))
    touch("d/g")
    os.close(os.open("d", os.O_RDONLY))
    got = fan.pending(fd)
    ok(all(len(e.records) == 1 for e in got), "one record each")
    ok(all(e.records[0][1] == above for e in got), "of the directory")
    eq([(e.mask, e.records[0][0]) for e in got], [
        (fan.OPEN | fan.CREATE | fan.CLOSE_WRITE, fan.T_DFID), (fan.OPEN | fan.ONDIR, fan.T_DFID)])


@test
def directory_handles_for_a_child_alone():
    fd = group(fan.DIR_FID)
    os.mkdir("d")
    touch("d/f")
    fan.mark(fd, fan.ADD, fan.OPEN | fan.EVENT_ON_CHILD, "d")
    os.close(os.open("d/f", os.O_RDONLY))
    (e,) = fan.pending(fd)
    eq((e.mask, e.records), (fan.OPEN, [(fan.T_FID, fan.handle_of("d"), None)]))


@test
def names_of_entries():
    fd = group(fan.DIR_FID | fan.NAME)
    fan.mark(fd, fan.ADD, ALL | fan.ONDIR | fan.EVENT_ON_CHILD, ".")
    here = fan.handle_of(".")
    touch("a")
    os.rename("a", "bb")
    os.mkdir("d")
    os.unlink("bb")
    N = fan.T_DFID_NAME
    eq(seen(fd)[:2], [(fan.CREATE | fan.OPEN | fan.CLOSE_WRITE | fan.MOVED_FROM, [(N, here, "a")]),
                      (fan.MOVED_TO | fan.DELETE, [(N, here, "bb")])])


@test
def a_marked_directory_is_named_dot():
    fd = group(fan.DIR_FID | fan.NAME)
    os.mkdir("d")
    fan.mark(fd, fan.ADD, fan.OPEN | fan.ATTRIB | fan.ONDIR, "d")
    os.close(os.open("d", os.O_RDONLY))
    os.chmod("d", 0o700)
    eq(seen(fd), [(fan.OPEN | fan.ATTRIB | fan.ONDIR, [(fan.T_DFID_NAME, fan.handle_of("d"), ".")])])


@test
def a_directory_in_a_watched_one():
    fd = group(fan.DIR_FID | fan.NAME | fan.FID)
    os.mkdir("d")
    fan.mark(fd, fan.ADD, fan.OPEN | fan.ATTRIB | fan.ONDIR | fan.EVENT_ON_CHILD, ".")
    os.close(os.open("d", os.O_RDONLY))
    eq(seen(fd), [(fan.OPEN | fan.ONDIR, [(fan.T_DFID_NAME, fan.handle_of("d"), ".")])])


@test
def names_and_the_file():
    fd = group(fan.FID | fan.DIR_FID | fan.NAME)
    touch("f")
    fan.mark(fd, fan.ADD, fan.OPEN | fan.CREATE | fan.EVENT_ON_CHILD, ".")
    here, f = fan.handle_of("."), fan.handle_of("f")
    os.close(os.open("f", os.O_RDONLY))
    touch("g")
    eq(seen(fd), [
        (fan.OPEN, [(fan.T_DFID_NAME, here, "f"), (fan.T_FID, f, None)]),
        (fan.CREATE, [(fan.T_DFID_NAME, here, "g")]),
        (fan.OPEN, [(fan.T_DFID_NAME, here, "g"), (fan.T_FID, fan.handle_of("g"), None)])])


@test
def an_event_without_names_has_directory_and_file():
    fd = group(fan.FID | fan.DIR_FID)
    touch("f")
    fan.mark(fd, fan.ADD, fan.OPEN | fan.CREATE | fan.EVENT_ON_CHILD, ".")
    here, f = fan.handle_of("."), fan.handle_of("f")
    os.close(os.open("f", os.O_RDONLY))
    eq(seen(fd), [(fan.OPEN, [(fan.T_DFID, here, None), (fan.T_FID, f, None)])])
    touch("g")
    eq(seen(fd)[0], (fan.CREATE, [(fan.T_DFID, here, None)]))


@test
def fan_report_target_fid_reports_the_created_file():
    fd = group(fan.FID | fan.DIR_FID | fan.NAME | fan.TARGET_FID)
    fan.mark(fd, fan.ADD, ENTRIES | fan.ONDIR, ".")
    here = fan.handle_of(".")
    touch("g")
    os.mkdir("d")
    eq(seen(fd), [
        (fan.CREATE, [(fan.T_DFID_NAME, here, "g"), (fan.T_FID, fan.handle_of("g"), None)]),
        (fan.CREATE | fan.ONDIR, [(fan.T_DFID_NAME, here, "d"), (fan.T_FID, fan.handle_of("d"), None)])])
    fails(errno.ENOTDIR, fan.mark, fd, fan.ADD, fan.CREATE, "g")
    fails(errno.ENOTDIR, fan.mark, fd, fan.ADD, fan.OPEN | fan.ONDIR, "g")


@test
def fan_rename_reports_both_directories():
    fd = group(fan.FID | fan.DIR_FID | fan.NAME)
    for d in ("a", "b", "c"):
        os.mkdir(d)
    touch("a/f")
    fan.mark(fd, fan.ADD, fan.RENAME | fan.ONDIR, "a")
    fan.mark(fd, fan.ADD, fan.RENAME, "b")
    a, b = fan.handle_of("a"), fan.handle_of("b")
    os.rename("a/f", "b/g")
    os.rename("b/g", "c/h")
    os.rename("c/h", "a/i")
    os.rename("a/i", "a/j")
    eq(seen(fd), [
        (fan.RENAME, [(fan.T_OLD, a, "f"), (fan.T_NEW, b, "g")]),
        (fan.RENAME, [(fan.T_OLD, b, "g")]),
        (fan.RENAME, [(fan.T_NEW, a, "i")]),
        (fan.RENAME, [(fan.T_OLD, a, "i"), (fan.T_NEW, a, "j")])])


@test
def fan_rename_reports_the_moved_file():
    fd = group(fan.FID | fan.DIR_FID | fan.NAME | fan.TARGET_FID)
    os.mkdir("d")
    fan.mark(fd, fan.ADD, fan.RENAME | fan.ONDIR, ".")
    here = fan.handle_of(".")
    os.rename("d", "e")
    eq(seen(fd), [(fan.RENAME | fan.ONDIR, [
        (fan.T_OLD, here, "d"), (fan.T_NEW, here, "e"), (fan.T_FID, fan.handle_of("e"), None)])])


@test
def a_deleted_file_has_a_delete_event():
    fd = group(fan.FID)
    touch("f")
    handle = fan.handle_of("f")
    fan.mark(fd, fan.ADD, fan.DELETE_SELF | fan.MOVE_SELF | fan.ATTRIB, "f")
    os.rename("f", "g")
    eq(seen(fd), [(fan.MOVE_SELF, [(fan.T_FID, handle, None)])])
    os.unlink("g")
    eq(seen(fd), [(fan.ATTRIB | fan.DELETE_SELF, [(fan.T_FID, handle, None)])])
    with open("/proc/self/fdinfo/%d" % fd) as f:
        ok("ino:" not in f.read().split("fanotify flags")[1], "the mark is gone")


@test
def a_removed_directory_has_a_delete_event():
    fd = group(fan.FID | fan.DIR_FID | fan.NAME)
    os.mkdir("d")
    handle = fan.handle_of("d")
    fan.mark(fd, fan.ADD, fan.DELETE_SELF | fan.ONDIR, "d")
    os.rmdir("d")
    eq(seen(fd), [(fan.DELETE_SELF | fan.ONDIR, [(fan.T_DFID_NAME, handle, ".")])])


@test
def an_event_of_a_marked_file_has_its_name():
    fd = group(fan.DIR_FID | fan.NAME)
    touch("f")
    fan.mark(fd, fan.ADD, fan.OPEN, "f")
    os.close(os.open("f", os.O_RDONLY))
    eq(seen(fd), [(fan.OPEN, [(fan.T_DFID_NAME, fan.handle_of("."), "f")])])


@test
def truncation_is_a_modify_event():
    fd = group(fan.FID)
    touch("f")
    fan.mark(fd, fan.ADD, fan.MODIFY, "f")
    os.truncate("f", 10)
    eq([m for m, _ in seen(fd)], [fan.MODIFY])
    f = os.open("f", os.O_RDWR)
    os.ftruncate(f, 1)
    eq([m for m, _ in seen(fd)], [fan.MODIFY])
    os.close(os.open("f", os.O_WRONLY | os.O_TRUNC))
    eq([m for m, _ in seen(fd)], [fan.MODIFY])


@test
def links_are_entries_and_change_the_file():
    fd = group(fan.FID | fan.DIR_FID | fan.NAME)
    touch("f")
    fan.mark(fd, fan.ADD, fan.CREATE | fan.DELETE | fan.ATTRIB | fan.EVENT_ON_CHILD, ".")
    fan.mark(fd, fan.ADD, fan.ATTRIB, "f")
    here = fan.handle_of(".")
    os.link("f", "g")
    eq(seen(fd), [(fan.ATTRIB, [(fan.T_FID, fan.handle_of("f"), None)]),
                  (fan.CREATE, [(fan.T_DFID_NAME, here, "g")])])
    os.symlink("f", "s")
    os.mkfifo("p")
    eq(kinds(fd), [(fan.CREATE, [(fan.T_DFID_NAME, "s")]), (fan.CREATE, [(fan.T_DFID_NAME, "p")])])


@test
def a_whole_file_system():
    need_root()
    from lib.guest import child_ok

    def child():
        eq(sc(NR.unshare, 0x20000), 0)
        eq(sc(NR.mount, None, b"/", None, 0x44000, None), 0)
        os.mkdir("m")
        eq(sc(NR.mount, b"t", b"m", b"tmpfs", 0, None), 0)
        os.makedirs("m/x/y")
        fd = group(fan.FID | fan.DIR_FID | fan.NAME)
        fan.mark(fd, fan.ADD | fan.FILESYSTEM, ALL | fan.RENAME | fan.ONDIR, "m")
        root, y = fan.handle_of("m"), fan.handle_of("m/x/y")
        touch("m/x/y/f")
        f = fan.handle_of("m/x/y/f")
        os.rename("m/x/y/f", "m/g")
        os.unlink("m/g")
        eq(seen(fd), [
            (fan.CREATE | fan.MOVED_FROM, [(fan.T_DFID_NAME, y, "f")]),
            (fan.OPEN | fan.CLOSE_WRITE, [(fan.T_DFID_NAME, y, "f"), (fan.T_FID, f, None)]),
            (fan.RENAME, [(fan.T_OLD, y, "f"), (fan.T_NEW, root, "g")]),
            (fan.MOVED_TO | fan.DELETE, [(fan.T_DFID_NAME, root, "g")]),
            (fan.MOVE_SELF | fan.ATTRIB | fan.DELETE_SELF, [(fan.T_FID, f, None)])])
        fails(errno.EINVAL, fan.mark, fd, fan.ADD | fan.MOUNT, fan.CREATE, "m")
        fan.mark(fd, fan.ADD | fan.MOUNT, fan.OPEN, "m")
    child_ok(child)


@test
def a_short_buffer_is_refused():
    fd = group(fan.DIR_FID | fan.NAME)
    fan.mark(fd, fan.ADD, fan.CREATE, ".")
    name = "n" * 255
    touch(name)
    fails(errno.EINVAL, os.read, fd, 100)
    (e,) = fan.read(fd)
    eq(e.records[0][2], name)


@test
def proc_files_have_no_handles_for_wide_marks():
    fd = group(fan.FID)
    fails(errno.EOPNOTSUPP, fan.mark, fd, fan.ADD | fan.FILESYSTEM, fan.OPEN, "/proc")
    fails(errno.EOPNOTSUPP, fan.mark, fd, fan.ADD | fan.MOUNT, fan.OPEN, "/proc")


run()
