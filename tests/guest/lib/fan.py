"""fanotify for guest tests: calls, event records as tuples, file handles."""

import ctypes
import os
import select
import struct

from lib.guest import NR, sc, skip

ACCESS, MODIFY, ATTRIB, CLOSE_WRITE, CLOSE_NOWRITE, OPEN = 1, 2, 4, 8, 16, 32
MOVED_FROM, MOVED_TO, CREATE, DELETE, DELETE_SELF, MOVE_SELF = 64, 128, 256, 512, 1024, 2048
OPEN_EXEC, Q_OVERFLOW = 0x1000, 0x4000
OPEN_PERM, ACCESS_PERM, OPEN_EXEC_PERM = 0x10000, 0x20000, 0x40000
EVENT_ON_CHILD, RENAME, ONDIR = 0x8000000, 0x10000000, 0x40000000

CLOEXEC, NONBLOCK, CONTENT, PRE_CONTENT = 1, 2, 4, 8
UNLIMITED_QUEUE, UNLIMITED_MARKS = 0x10, 0x20
PIDFD, TID, FID, DIR_FID, NAME, TARGET_FID = 0x80, 0x100, 0x200, 0x400, 0x800, 0x1000

ADD, REMOVE, DONT_FOLLOW, ONLYDIR, MOUNT, IGNORED_MASK = 1, 2, 4, 8, 0x10, 0x20
SURV_MODIFY, FLUSH, FILESYSTEM, EVICTABLE, IGNORE = 0x40, 0x80, 0x100, 0x200, 0x400

ALLOW, DENY = 1, 2
T_FID, T_DFID_NAME, T_DFID, T_PIDFD, T_OLD, T_NEW = 1, 2, 3, 4, 10, 12


def init(flags, event_flags=os.O_RDONLY):
    r = sc(NR.fanotify_init, flags, event_flags)
    if r == -38:
        skip("this kernel has no fanotify")
    if r < 0:
        raise OSError(-r, os.strerror(-r))
    return r


def mark(fd, flags, mask, path=".", dirfd=-100):
    text = None if path is None else path.encode()
    r = sc(NR.fanotify_mark, fd, flags, mask, dirfd, text)
    if r < 0:
        raise OSError(-r, os.strerror(-r))
    return r


class Event:
    def __init__(self, mask, fd, pid, records):
        self.mask, self.fd, self.pid, self.records = mask, fd, pid, records

    def path(self):
        return os.readlink("/proc/self/fd/%d" % self.fd)


def parse(data):
    events = []
    while data:
        size, vers, _, meta, mask, fd, pid = struct.unpack_from("=IBBHQii", data)
        assert vers == 3 and meta == 24, (vers, meta)
        records, at = [], meta
        while at < size:
            kind, pad, length = struct.unpack_from("=BBH", data, at)
            assert pad == 0 and length > 4, (pad, length)
            body = data[at + 4:at + length]
            if kind == T_PIDFD:
                records.append((kind, struct.unpack("=i", body)[0]))
            else:
                fsid = body[:8]
                n, handle_type = struct.unpack_from("=Ii", body, 8)
                handle = body[16:16 + n]
                name = body[16 + n:].split(b"\0")[0].decode() if kind in (T_DFID_NAME, T_OLD, T_NEW) else None
                records.append((kind, (fsid, handle_type, handle), name))
            at += length
        assert at == size, (at, size)
        events.append(Event(mask, fd, pid, records))
        data = data[size:]
    return events


def read(fd, size=8192):
    return parse(os.read(fd, size))


def pending(fd):
    """Reads all events that are queued, of a group that may block."""
    events = []
    while select.select([fd], [], [], 0)[0]:
        events += read(fd)
    return events


def masks(fd):
    events = pending(fd)
    for e in events:
        if e.fd >= 0:
            os.close(e.fd)
    return [e.mask for e in events]


def answer(fd, event, response):
    os.write(fd, struct.pack("=iI", event.fd, response))


class Statfs(ctypes.Structure):
    _fields_ = [("front", ctypes.c_long * 7), ("fsid", ctypes.c_ubyte * 8), ("rest", ctypes.c_long * 8)]


def handle_of(path):
    """Returns (fsid, type, handle) of a file, as events have them."""
    buf = ctypes.create_string_buffer(8 + 128)
    struct.pack_into("=Ii", buf, 0, 128, 0)
    mount = ctypes.c_int()
    AT_HANDLE_FID = 0x200
    r = sc(NR.name_to_handle_at, -100, path.encode(), buf, mount, AT_HANDLE_FID)
    if r < 0:
        raise OSError(-r, os.strerror(-r))
    n, kind = struct.unpack_from("=Ii", buf, 0)
    st = Statfs()
    assert sc(NR.statfs, path.encode(), st) == 0
    return bytes(st.fsid), kind, buf.raw[8:8 + n]
