"""Permission of files: modes, owners, access(2), sticky directories, set-ID bits, umask."""

import os
import stat
from errno import *
from lib.guest import *

AT_FDCWD = -100 & 0xFFFFFFFF


def touch(path, mode=0o644):
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    os.chmod(path, mode)


def as_user(fn, uid=12345, gid=12345, groups=()):
    """Runs fn in a child that has dropped to uid."""
    def body():
        os.setgroups(list(groups))
        os.setgid(gid)
        os.setuid(uid)
        fn()
    child_ok(body)


@test
def chmod_forms():
    touch("f")
    os.chmod("f", 0o7654)
    eq(stat.S_IMODE(os.stat("f").st_mode), 0o7654)
    fd = os.open("f", os.O_RDONLY)
    os.fchmod(fd, 0o600)
    eq(stat.S_IMODE(os.stat("f").st_mode), 0o600)
    gives(0, NR.fchmodat, AT_FDCWD, b"f", 0o640)
    eq(stat.S_IMODE(os.stat("f").st_mode), 0o640)
    gives(-ENOENT, NR.chmod, b"no", 0o600)
    gives(-EBADF, NR.fchmod, 999, 0o600)
    os.symlink("f", "s")
    os.chmod("s", 0o604)
    eq(stat.S_IMODE(os.stat("f").st_mode), 0o604)


@test
def chmod_changes_ctime_only():
    touch("f")
    os.utime("f", ns=(10**18, 10**18))
    before = os.stat("f")
    wait_for_tick(before.st_ctime_ns)
    os.chmod("f", 0o600)
    after = os.stat("f")
    eq((after.st_atime_ns, after.st_mtime_ns), (10**18, 10**18))
    ok(after.st_ctime_ns > before.st_ctime_ns, "ctime moved")


@test
def owner_group_other():
    need_root()
    touch("f")
    os.chown("f", 100, 200)
    for mode, uid, gid, want in [
        (0o400, 100, 1, True), (0o040, 100, 200, False), (0o040, 1, 200, True),
        (0o004, 1, 200, False), (0o004, 1, 1, True), (0o000, 100, 200, False),
        (0o044, 100, 200, False), (0o440, 1, 1, False)]:
        os.chmod("f", mode)

        def reads():
            try:
                os.close(os.open("f", os.O_RDONLY))
                found = True
            except PermissionError:
                found = False
            eq(found, want, "mode %o as %d:%d" % (mode, uid, gid))
        as_user(reads, uid, gid)
    os.chmod("f", 0o040)
    as_user(lambda: os.close(os.open("f", os.O_RDONLY)), 1, 1, [5, 200])


@test
def root_overrides_modes():
    need_root()
    touch("f", 0o000)
    os.close(os.open("f", os.O_RDWR))
    fails(EACCES, os.execv, "./f", ["f"])
    os.mkdir("d", 0o000)
    touch("d/x")


@test
def search_permission():
    need_root()
    os.mkdir("d")
    touch("d/f")
    os.chmod("d", 0o744)

    def other():
        eq(os.listdir("d"), ["f"])
        fails(EACCES, os.stat, "d/f")
        fails(EACCES, os.stat, "d/no")
        fails(EACCES, os.chdir, "d")
    as_user(other)
    os.chmod("d", 0o711)

    def passes():
        fails(EACCES, os.listdir, "d")
        os.stat("d/f")
        os.chdir("d")
    as_user(passes)


@test
def write_permission_of_directories():
    need_root()
    os.mkdir("d")
    touch("d/f", 0o666)
    os.chmod("d", 0o755)

    def other():
        fails(EACCES, os.open, "d/new", os.O_CREAT | os.O_WRONLY)
        fails(EACCES, os.unlink, "d/f")
        fails(EACCES, os.mkdir, "d/e")
        fails(EACCES, os.rename, "d/f", "d/g")
        fails(EACCES, os.symlink, "x", "d/s")
        fails(EEXIST, os.mkdir, "d/f")
        with open("d/f", "a") as f:
            f.write("x")
    as_user(other)


@test
def sticky_directory():
    need_root()
    os.mkdir("d")
    os.chmod("d", 0o1777)
    touch("d/mine")
    os.chown("d/mine", 100, 100)
    touch("d/other")
    os.chown("d/other", 101, 101)

    def user():
        fails(EPERM, os.unlink, "d/other")
        fails(EPERM, os.rename, "d/other", "d/x")
        fails(EPERM, os.rename, "d/mine", "d/other")
        os.rename("d/mine", "d/renamed")
        os.unlink("d/renamed")
    as_user(user, 100, 100)


@test
def access_uses_real_ids():
    need_root()
    touch("f", 0o600)

    def check():
        os.setresuid(100, 0, 0)
        gives(-EACCES, NR.access, b"f", os.R_OK)
        gives(0, NR.access, b"f", os.F_OK)
        r = sc(NR.faccessat2, AT_FDCWD, b"f", os.R_OK, 0x200)
        ok(r in (0, -ENOSYS), "AT_EACCESS uses the effective ids: %s" % name_of(r))
    child_ok(check)
    gives(-EACCES, NR.access, b"f", os.X_OK)
    gives(0, NR.access, b"f", os.R_OK | os.W_OK)
    gives(-EINVAL, NR.access, b"f", 8)
    gives(-ENOENT, NR.access, b"no", 0)
    touch("x", 0o700)
    gives(0, NR.access, b"x", os.X_OK)


@test
def chown_rules():
    need_root()
    touch("f", 0o6755)
    os.chown("f", 100, -1)
    st = os.stat("f")
    eq((st.st_uid, st.st_gid), (100, os.getgid()))
    eq(stat.S_IMODE(st.st_mode), 0o755, "set-id bits are cleared")
    os.chmod("f", 0o6755)

    def owner():
        fails(EPERM, os.chown, "f", 101, -1)
        fails(EPERM, os.chown, "f", -1, 7)
        os.chown("f", -1, 300)
        eq(stat.S_IMODE(os.stat("f").st_mode), 0o755, "cleared for the owner too")
        fails(EPERM, os.chown, "/", 100, 100)
    as_user(owner, 100, 200, [300])
    eq(os.stat("f").st_gid, 300)
    os.symlink("f", "s")
    os.lchown("s", 7, 8)
    eq((os.lstat("s").st_uid, os.stat("f").st_uid), (7, 100))


@test
def only_owners_chmod():
    need_root()
    touch("f", 0o666)

    def other():
        fails(EPERM, os.chmod, "f", 0o777)
        fails(EPERM, os.utime, "f", (1, 1))
        os.utime("f")
    as_user(other)
    os.chmod("f", 0o644)
    as_user(lambda: fails(EACCES, os.utime, "f"))


@test
def set_gid_is_dropped_by_strangers_chmod():
    need_root()
    touch("f", 0o755)
    os.chown("f", 100, 300)

    def owner():
        os.chmod("f", 0o2755)
        eq(stat.S_IMODE(os.stat("f").st_mode), 0o755)
    as_user(owner, 100, 200)


@test
def writing_drops_set_id_bits():
    need_root()
    touch("f", 0o6777)

    def writer():
        with open("f", "a") as f:
            f.write("x")
    as_user(writer)
    eq(stat.S_IMODE(os.stat("f").st_mode), 0o777)


@test
def set_uid_programs_change_the_effective_id():
    need_root()
    import shutil
    shutil.copy("/usr/bin/id", "id")
    os.chown("id", 100, 100)
    os.chmod("id", 0o4755)
    where = os.path.abspath("id")
    if os.statvfs(where).f_flag & os.ST_NOSUID:
        skip("this file system is mounted nosuid")
    r, w = os.pipe()
    os.chmod(os.path.dirname(os.path.abspath(".")), 0o755)

    def user():
        os.dup2(w, 1)
        os.setgroups([])
        os.setgid(55)
        os.setuid(55)
        os.execv(where, ["id", "-u"])
    child_ok(user)
    eq(os.read(r, 100), b"100\n")


@test
def umask_is_returned():
    os.umask(0o077)
    eq(os.umask(0o123), 0o077)
    eq(os.umask(0o7777), 0o123)
    eq(os.umask(0), 0o777)


@test
def truncate_and_exec_permissions():
    need_root()
    touch("f", 0o444)

    def user():
        fails(EACCES, os.truncate, "f", 0)
        fails(EACCES, os.open, "f", os.O_RDONLY | os.O_TRUNC)
        fails(EACCES, os.execv, "./f", ["f"])
    as_user(user)


run()
