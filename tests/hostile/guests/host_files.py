"""Reads host files that others on the host may not read, as root of a sandbox, in every way.

Prints "LEAK how" for each way that works, and "done". Options: dir, a directory of the test;
marker, what its secret files contain.
"""
import ctypes
import json
import mmap
import os
import subprocess
import sys
import tempfile

options = json.loads(sys.argv[1])
HERE, MARKER = options["dir"], options["marker"].encode()
SECRETS = ["shadow", "hard", "link", "private/secret", "private/deep/secret", "home/diary"]
HIDDEN_DIRS = ["private", "private/deep", "home", "listed-not"]
# A place whose name no file of the host has.
OWN = tempfile.mkdtemp()
libc = ctypes.CDLL(None, use_errno=True)
MS_BIND, MS_REC, MNT_DETACH, AT_FDCWD = 4096, 16384, 2, -100


def check(how, data):
    if MARKER in (data if isinstance(data, bytes) else str(data).encode()):
        print("LEAK", how)


def tried(how, action):
    """Runs `action`; an error of Linux is what should happen."""
    try:
        check(how, action() or b"")
    except (OSError, ValueError, subprocess.SubprocessError):
        pass


def read(path, flags=os.O_RDONLY, dir_fd=None):
    fd = os.open(path, flags, dir_fd=dir_fd)
    try:
        return os.read(fd, 1 << 16)
    finally:
        os.close(fd)


def through_path_fd(path):
    fd = os.open(path, os.O_PATH)
    try:
        return read(f"/proc/self/fd/{fd}")
    finally:
        os.close(fd)


def by_handle(path):
    class Handle(ctypes.Structure):
        _fields_ = [("bytes", ctypes.c_uint), ("type", ctypes.c_int), ("data", ctypes.c_ubyte * 128)]

    handle, mount_id = Handle(bytes=128), ctypes.c_int()
    at = ctypes.byref(handle), ctypes.byref(mount_id)
    if libc.name_to_handle_at(AT_FDCWD, path.encode(), *at, 0) != 0:
        raise OSError(ctypes.get_errno(), "name_to_handle_at")
    root = os.open("/", os.O_RDONLY)
    fd = libc.open_by_handle_at(root, ctypes.byref(handle), os.O_RDONLY)
    os.close(root)
    if fd < 0:
        raise OSError(ctypes.get_errno(), "open_by_handle_at")
    return os.read(fd, 1 << 16)


def mapped(path):
    fd = os.open(path, os.O_RDONLY)
    return mmap.mmap(fd, 0, prot=mmap.PROT_READ)[:]


def copied(call):
    def action(path):
        source, target = os.open(path, os.O_RDONLY), os.open(f"{OWN}/target", os.O_RDWR | os.O_CREAT)
        try:
            call(target, source)
            return os.pread(target, 1 << 16, 0)
        finally:
            os.close(source)
            os.close(target)
            os.unlink(f"{OWN}/target")

    return action


def changed(change):
    def action(path):
        change(path)
        return read(path)

    return action


def append(path):
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    os.write(fd, b"more")
    os.close(fd)


def bound(path):
    place = f"{OWN}/place"
    if os.path.isdir(path):
        os.mkdir(place)
    else:
        open(place, "w").close()
    libc.mount(path.encode(), place.encode(), None, MS_BIND | MS_REC, None)
    try:
        return read(place)
    finally:
        libc.umount2(place.encode(), MNT_DETACH)
        os.unlink(place)


def linked(path):
    os.link(path, f"{OWN}/linked")
    try:
        return read(f"{OWN}/linked")
    finally:
        os.unlink(f"{OWN}/linked")


def run(script):
    return subprocess.run(["sh", "-c", script], capture_output=True, timeout=60).stdout


FILE_WAYS = {
    "open": read,
    "open for writing": lambda path: read(path, os.O_RDWR),
    "O_PATH": through_path_fd,
    "a handle": by_handle,
    "mmap": mapped,
    "sendfile": copied(lambda to, of: os.sendfile(to, of, 0, 1 << 16)),
    "copy_file_range": copied(lambda to, of: os.copy_file_range(of, to, 1 << 16)),
    "a bind mount": bound,
    "a hard link": linked,
    "an attribute": lambda path: os.getxattr(path, "user.secret"),
    "names of attributes": lambda path: repr(os.listxattr(path)),
    "an append": changed(append),
    "chmod": changed(lambda path: os.chmod(path, 0o777)),
    "chown": changed(lambda path: os.chown(path, 0, 0)),
    "utime": changed(lambda path: os.utime(path)),
    "a greater size": changed(lambda path: os.truncate(path, 4096)),
}


def places(name):
    """Paths of one file of the test."""
    yield f"{HERE}/{name}"
    for root in ["/proc/self/root", "/proc/1/root", "/proc/thread-self/root", f"{OWN}/up"]:
        yield f"{root}{HERE}/{name}"
    yield f"/proc/self/cwd/../{name}"
    yield f"{HERE}/workplace/../private/../{name}"


os.symlink("/", f"{OWN}/up")
os.chdir(f"{HERE}/workplace")
for name in SECRETS:
    for path in places(name):
        for how, way in FILE_WAYS.items():
            tried(f"{how}: {path}", lambda: way(path))
    directory = os.open(HERE, os.O_RDONLY | os.O_DIRECTORY)
    tried(f"a directory's descriptor: {name}", lambda: read(name, dir_fd=directory))
    os.close(directory)

for name in HIDDEN_DIRS:
    for path in places(name):
        tried(f"a list: {path}", lambda: " ".join(os.listdir(path)) and MARKER)
        tried(f"a walk: {path}", lambda: b"".join(
            read(os.path.join(top, file)) for top, _, files in os.walk(path) for file in files))
    tried(f"chmod of a directory: {name}", lambda: os.chmod(f"{HERE}/{name}", 0o777))
    tried(f"the same: {name}", lambda: " ".join(os.listdir(f"{HERE}/{name}")) and MARKER)

# A parent with another name, and mounts of the whole tree.
os.rename(f"{HERE}/private", f"{HERE}/public")
tried("a renamed parent", lambda: read(f"{HERE}/public/secret"))
tried("a renamed parent's list", lambda: " ".join(os.listdir(f"{HERE}/public")) and MARKER)
os.rename(f"{HERE}/public", f"{OWN}/away")
tried("a parent that was moved away", lambda: read(f"{OWN}/away/secret"))
os.mkdir(M := f"{OWN}/m")
for mount in [
    f"mount --bind / {M} && cat {M}{HERE}/*/* {M}{HERE}/*",
    f"mount --rbind {HERE} {M} && cat {M}/* {M}/*/*",
    f"mount -t overlay o -o lowerdir={HERE}:/usr {M} && cat {M}/* {M}/*/*",
    f"mount -t overlay o -o lowerdir={HERE}/home:/usr {M} && cat {M}/*",
    f"unshare -Urm sh -c 'cat {HERE}/shadow {HERE}/home/*'",
    f"unshare -m --propagation private sh -c 'umount -l /tmp; umount -l /; cat {HERE}/*'",
    f"chroot / cat {HERE}/shadow; cd /; find .{os.path.dirname(HERE)} -xdev -path '*{HERE}/*' -type f | xargs cat",
    f"tar cf - {HERE}; cp -r {HERE} {OWN}/copy && cat {OWN}/copy/* {OWN}/copy/*/*",
    # What is below the file systems of the sandbox are those of the host.
    "umount -l /proc; cat /proc/1/environ /proc/*/environ; umount -l /sys /dev; cat /dev/mem",
]:
    check(mount, run(f"{{ {mount}; }} 2> /dev/null; umount -l {M} 2> /dev/null"))
print("done")
