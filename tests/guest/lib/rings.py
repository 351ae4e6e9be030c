"""io_uring for guest tests: a ring, its requests and its completions."""

import ctypes
import errno as E
import mmap
import socket
import struct

from lib.guest import NR, SYS, eq, sc, skip

SYS.update(io_uring_setup=425, io_uring_enter=426, io_uring_register=427)

NOP, READV, WRITEV, FSYNC, READ_FIXED, WRITE_FIXED, POLL_ADD, POLL_REMOVE = range(8)
SENDMSG, RECVMSG, TIMEOUT, TIMEOUT_REMOVE, ACCEPT, CANCEL, LINK_TIMEOUT, CONNECT = range(9, 17)
FALLOCATE, OPENAT, CLOSE, FILES_UPDATE, STATX, READ, WRITE, FADVISE, MADVISE = range(17, 26)
SEND, RECV, OPENAT2, EPOLL_CTL, SPLICE, PROVIDE, REMOVE, TEE = range(26, 34)
SHUTDOWN, RENAMEAT, UNLINKAT, MKDIRAT, SYMLINKAT, LINKAT, MSG_RING = range(34, 41)
READ_MULTI, WAITID, FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAITV, INSTALL, FTRUNCATE = range(49, 56)
FIXED_FILE, DRAIN, LINK, HARDLINK, ASYNC, SELECT, SKIP = 1, 2, 4, 8, 16, 32, 64
CUR = 2**64 - 1
POLLIN, POLLOUT = 1, 4
kept = []


def keep(value):
    """Keeps an object alive to the end of the test: the kernel has its address."""
    kept.append(value)
    return value


def memory(size=4096):
    """Maps fresh memory. Returns its address."""
    return ctypes.addressof(ctypes.c_char.from_buffer(keep(mmap.mmap(-1, size))))


def at(address, n):
    return ctypes.string_at(address, n)


def pointer(value):
    if isinstance(value, bytes):
        value = ctypes.create_string_buffer(value)
    if isinstance(value, (ctypes.Array, ctypes.Structure)):
        kept.append(value)
        return ctypes.addressof(value)
    return value


def tcp_pair():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen()
    a = socket.create_connection(s.getsockname())
    b = s.accept()[0]
    kept.append((a, b))
    return a, b


class Ring:
    def __init__(self, entries=8, flags=0, cq=0, places=None):
        """Makes a ring; `places` are mappings for rings and requests (IORING_SETUP_NO_MMAP)."""
        p = bytearray(120)
        struct.pack_into("III", p, 0, 0, cq, flags)
        if places is not None:
            for at, place in zip((112, 72), places):
                struct.pack_into("Q", p, at, ctypes.addressof(ctypes.c_char.from_buffer(place)))
        c = (ctypes.c_char * 120).from_buffer(p)
        self.fd = sc(NR.io_uring_setup, entries, c)
        if self.fd in (-E.ENOSYS, -E.EPERM):
            skip("no io_uring on this machine")
        if self.fd < 0:
            raise OSError(-self.fd, "io_uring_setup")
        self.sq, self.cq, self.flags = struct.unpack_from("III", p, 0)
        self.features = struct.unpack_from("I", p, 20)[0]
        (self.o_head, self.o_tail, self.o_mask, self.o_n, self.o_flags, self.o_dropped,
         self.o_array) = struct.unpack_from("7I", p, 40)
        (self.c_head, self.c_tail, self.c_mask, self.c_n, self.c_over, self.c_cqes,
         self.c_flags) = struct.unpack_from("7I", p, 80)
        self.sqe_bytes, self.cqe_bytes = 128 if flags & 0x400 else 64, 32 if flags & 0x800 else 16
        if places is not None:
            self.ring, self.sqes = places
            return
        size = max(self.o_array + 4 * self.sq, self.c_cqes + self.cqe_bytes * self.cq)
        rw = mmap.PROT_READ | mmap.PROT_WRITE
        self.ring = mmap.mmap(self.fd, size, mmap.MAP_SHARED, rw, offset=0)
        self.sqes = mmap.mmap(self.fd, self.sqe_bytes * self.sq, mmap.MAP_SHARED, rw, offset=0x10000000)

    def word(self, at):
        return struct.unpack_from("I", self.ring, at)[0]

    def put(self, op, fd=-1, addr=0, size=0, off=0, data=0, flags=0, op_flags=0, ioprio=0, buf=0,
            file_index=0, personality=0, addr3=0):
        tail = self.word(self.o_tail)
        i = tail & (self.sq - 1)
        struct.pack_into("<BBHiQQIIQHHiQQ", self.sqes, self.sqe_bytes * i, op, flags, ioprio, fd,
                         pointer(off), pointer(addr), size, op_flags, data, buf, personality,
                         file_index, addr3, 0)
        if self.flags & 0x10000 == 0:
            struct.pack_into("I", self.ring, self.o_array + 4 * i, i)
        struct.pack_into("I", self.ring, self.o_tail, (tail + 1) & 0xFFFFFFFF)

    def enter(self, submit, wait=0, flags=None, arg=0, size=0):
        if flags is None:
            flags = 1 if wait else 0
        return sc(NR.io_uring_enter, self.fd, submit, wait, flags, arg, size)

    def take(self):
        """Takes all queued completions: (user_data, result, flags)."""
        out, head, tail = [], self.word(self.c_head), self.word(self.c_tail)
        while head != tail:
            out.append(struct.unpack_from("<Qii", self.ring,
                                          self.c_cqes + self.cqe_bytes * (head & (self.cq - 1))))
            head = (head + 1) & 0xFFFFFFFF
        struct.pack_into("I", self.ring, self.c_head, head)
        return out

    def do(self, *args, **kw):
        """Submits a request and waits for it. Returns its result."""
        self.put(*args, **kw)
        eq(self.enter(1, 1), 1)
        got = self.take()
        eq(len(got), 1, "completions")
        return got[0][1]

    def results(self, submit, wait):
        eq(self.enter(submit, wait), submit)
        return {d: r for d, r, _ in self.take()}


def span(seconds):
    return pointer(struct.pack("qq", int(seconds), int(seconds % 1 * 1e9)))
