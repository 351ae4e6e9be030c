"""Attacks of a container's root on another container of its pod: objects that fill the sandbox, and
objects that a pod shares."""

import ctypes
import os
import resource
import signal
import socket
import struct
import time

import net_attacks
from calls import CLONE_NEWNET, CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWUSER, call, children, end, in_child, libc, mount, \
    own_namespaces, scratch, table
from hogs import HOLD, fork, hog, or_raise, user

ATTACKS, attack = table()
# Attacks that need the PID namespace of the victim.
SHARES_PIDS = set()

CLONE_NEWIPC, CLONE_NEWUTS, CLONE_NEWCGROUP = 0x08000000, 0x04000000, 0x02000000


def with_pids(function):
    SHARES_PIDS.add(function.__name__)
    return attack(function)


def hogs(name, make, processes=1, before=None, hold=HOLD):
    def prepared(scale):
        return hog(make, processes, before, hold * scale)
    prepared.__name__ = name
    attack(prepared)


def opened(path):
    return lambda _i: os.open(path, os.O_RDONLY)


# Descriptors and their files. The rounds are long enough to reach the limit.

FILLING = 8
hogs("all_open_files", opened("/dev/null"), 4, None, FILLING)
hogs("all_open_files_of_users", opened("/dev/null"), 8, user)
hogs("all_files_of_the_image", opened("/bin/busybox"), 4, None, FILLING)
hogs("all_mapped_files_of_the_image", lambda i: mapped("/bin/busybox", i), 2)
hogs("all_pipes", lambda _i: os.pipe(), 4, None, FILLING)
hogs("all_eventfds", lambda _i: or_raise(libc.eventfd(0, 0)), 4, None, FILLING)
hogs("all_timerfds", lambda _i: or_raise(libc.timerfd_create(1, 0)), 2)
hogs("all_epoll_sets", lambda _i: watched(or_raise(libc.epoll_create1(0))), 2)
hogs("all_inotify_instances", lambda _i: or_raise(libc.inotify_init()), 8, user)
hogs("all_unix_sockets", lambda _i: socket.socketpair(), 4, None, FILLING)
hogs("all_memfds", lambda _i: os.memfd_create("x"), 2, None, FILLING)
hogs("all_terminals", lambda _i: os.openpty(), 2)
hogs("all_pidfds", lambda _i: os.pidfd_open(os.getpid()), 2)
hogs("all_userfaultfds", lambda _i: call(323, 1), 2)
hogs("all_rings", lambda _i: ring(), 2)
hogs("all_rulesets", lambda _i: ruleset(), 2)


def mapped(path, _i):
    import mmap
    with open(path, "rb") as f:
        return mmap.mmap(f.fileno(), 4096, prot=mmap.PROT_READ, flags=mmap.MAP_SHARED)


def watched(ep):
    for fd in (0, 1):
        libc.epoll_ctl(ep, 1, fd, struct.pack("IQ", 1, 0))
    return ep


def ring():
    return call(425, 64, ctypes.create_string_buffer(120))


def ruleset():
    return call(444, ctypes.c_char_p(struct.pack("QQQ", 0xF, 0, 0)), 8, 0)


# Memory.

def full_memfd(_i):
    fd = os.memfd_create("x")
    os.write(fd, b"x" * (4 << 20))
    return fd


def full_file(at):
    def make(i):
        fd = os.open(f"{at}/{os.getpid()}.{i}", os.O_CREAT | os.O_WRONLY)
        try:
            os.write(fd, b"x" * (1 << 20))
        finally:
            os.close(fd)
    return make


def full_pipe(_i):
    import fcntl
    r, w = os.pipe()
    os.set_blocking(w, False)
    fcntl.fcntl(w, 1031, 1 << 20)
    os.write(w, b"x" * (1 << 20))
    return r, w


def full_socket(_i):
    a, b = socket.socketpair()
    a.setblocking(False)
    a.send(b"x" * 200000)
    return a, b


def full_segment(_i):
    one = or_raise(libc.shmget(0, 4 << 20, 0o1600))
    libc.shmat.restype = ctypes.c_void_p
    at = libc.shmat(one, None, 0)
    libc.shmctl(one, 0, None)
    if at is not None and at != ctypes.c_void_p(-1).value:
        ctypes.memset(at, 1, 4 << 20)


def pages(_i):
    import mmap
    m = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    for at in range(0, 4 << 20, 4096):
        m[at] = 1
    return m


hogs("memory_of_one_process", pages, 1, None, FILLING)
hogs("memory_of_many_processes", pages, 16, None, FILLING)
hogs("memory_of_memfds", full_memfd, 2, None, FILLING)
hogs("memory_of_pipes", full_pipe, 2, None, FILLING)
hogs("memory_of_sockets", full_socket, 2, None, FILLING)
hogs("memory_of_segments", full_segment, 1, None, FILLING)


@attack
def memory_of_deleted_files(_scale):
    own_namespaces(CLONE_NEWNS)
    at = scratch("memory")
    mount("none", "/", "none", 0x44000)
    mount("none", at, "tmpfs", 0, "size=100%")
    return hog(full_file(at), 2, None, FILLING)


hogs("memory_of_dev_shm", full_file("/dev/shm"), 2)


@attack
def memory_of_a_ring(_scale):
    def make(_i):
        params = ctypes.create_string_buffer(120)
        return call(425, 4096, params)
    return hog(make, 2)


@attack
def files_of_dev_shm(_scale):
    def make(i):
        os.close(os.open(f"/dev/shm/{os.getpid()}.{i}", os.O_CREAT | os.O_WRONLY))
    return hog(make, 2)


@attack
def attributes_of_dev_shm(_scale):
    def make(i):
        path = f"/dev/shm/{os.getpid()}.{i // 20}"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        os.setxattr(path, f"user.{i % 20}", b"x" * 2000)
    return hog(make, 2)


# Tasks.

@attack
def all_processes(_scale):
    """Starts small programs, so that the limit of processes comes before that of memory."""
    def go():
        loop = "i=0; while [ $i -lt 6000 ]; do sleep 1000 & i=$((i+1)); done; sleep 1000"
        pid = os.posix_spawn("/bin/busybox", ["sh", "-c", loop], {}, setsid=True)
        time.sleep(4 * HOLD)
        os.kill(-1, signal.SIGKILL) if os.getpid() == 1 else os.killpg(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return go


@attack
def all_processes_without_memory(_scale):
    """Starts children that share the memory of their parent."""
    def go():
        pids = []
        for _ in range(4):
            pid = fork()
            if pid == 0:
                threads()
            pids.append(pid)
        time.sleep(HOLD)
        end(pids)

    def threads():
        import threading
        threading.stack_size(32768)
        libc.prctl(1, 9, 0, 0, 0)
        while True:
            try:
                threading.Thread(target=libc.pause, daemon=True).start()
            except RuntimeError:
                time.sleep(0.01)
    return go


@attack
def zombies(_scale):
    def go():
        pids = []
        until = time.monotonic() + HOLD
        while time.monotonic() < until:
            pid = fork()
            if pid == 0:
                os._exit(0)
            if pid > 0:
                pids.append(pid)
        end(pids)
    return go


@attack
def forks_of_many_users(_scale):
    def work(n):
        user(n)
        while True:
            pid = fork()
            if pid == 0:
                os._exit(0)
            if pid > 0:
                os.waitpid(pid, 0)
    return crowd(work, 32)


def crowd(work, count):
    """Makes a round in which `count` children run `work(n)` for a while."""
    def go():
        pids = []
        for n in range(count):
            pid = fork()
            if pid == 0:
                libc.prctl(1, 9, 0, 0, 0)
                try:
                    work(n)
                finally:
                    os._exit(0)
            if pid > 0:
                pids.append(pid)
        time.sleep(HOLD)
        end(pids)
    return go


@attack
def calls_of_many_users(_scale):
    def work(n):
        user(n)
        while True:
            libc.getppid()
    return crowd(work, 64)


@attack
def calls_of_users_of_namespaces(_scale):
    def work(n):
        user(n)
        own_namespaces(0)
        while True:
            libc.getppid()
    return crowd(work, 64)


@attack
def faults_of_many_users(_scale):
    def work(n):
        user(n)
        while True:
            pages(0).close()
    return crowd(work, 16)


@attack
def programs_of_many_users(_scale):
    """Runs a program as many users: each user has a layout and patched code of its own."""
    def work(n):
        user(n)
        while True:
            os.waitpid(os.posix_spawn("/bin/busybox", ["true"], {}), 0)
    return crowd(work, 48)


hogs("all_posix_timers", lambda _i: posix_timer(), 4)
hogs("all_queued_signals", lambda i: queued_signal(i), 4,
     lambda _n: signal.pthread_sigmask(signal.SIG_BLOCK, range(34, 65)))


def posix_timer():
    made = ctypes.c_int()
    or_raise(libc.syscall(222, 1, (ctypes.c_int * 16)(0, 0, 10, 1), ctypes.byref(made)))


def queued_signal(i):
    or_raise(libc.sigqueue(os.getpid(), 34 + i % 30, None))


# Namespaces, mounts, filters.

def namespaces(name, flags):
    def make(_i):
        call(272, flags)
        kinds = {CLONE_NEWNS: "mnt", CLONE_NEWNET: "net", CLONE_NEWIPC: "ipc", CLONE_NEWUTS: "uts"}
        return os.open(f"/proc/self/ns/{kinds[flags]}", os.O_RDONLY)
    hogs(name, make, 2, lambda _n: own_namespaces(0))


namespaces("all_network_namespaces", CLONE_NEWNET)
namespaces("all_mount_namespaces", CLONE_NEWNS)
namespaces("all_ipc_namespaces", CLONE_NEWIPC)
namespaces("all_uts_namespaces", CLONE_NEWUTS)


def in_mounts(_n):
    own_namespaces(CLONE_NEWNS)
    mount("none", "/", "none", 0x44000)


def one_mount(i):
    mount("none", os.environ["VICTIM_SCRATCH"], "tmpfs")


hogs("all_mounts", one_mount, 2, in_mounts)


@attack
def all_user_namespaces(_scale):
    def work(_n):
        while True:
            pid = fork()
            if pid == 0:
                libc.prctl(1, 9, 0, 0, 0)
                call(272, CLONE_NEWUSER)
                libc.pause()
            if pid < 0:
                time.sleep(0.01)
    return crowd(work, 2)


@attack
def all_links_and_routes(_scale):
    def before(_n):
        net_attacks.own_network()

    def make(i):
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as s:
            dst = struct.pack("HH", 8, 1) + bytes([10, i >> 16 & 255, i >> 8 & 255, i & 255])
            body = struct.pack("BBBBBBBBI", 2, 32, 0, 0, 254, 3, 253, 1, 0) + dst + struct.pack("HHI", 8, 4, 1)
            s.send(struct.pack("IHHII", 16 + len(body), 24, 0x405, i & 0xffff, 0) + body)
            error = struct.unpack_from("i", s.recv(4096), 16)[0]
        if error != 0:
            raise OSError(-error, "route")
    return hog(make, 4, before)


@attack
def all_control_groups(_scale):
    def before(_n):
        own_namespaces(CLONE_NEWNS | CLONE_NEWCGROUP)
        mount("none", "/", "none", 0x44000)
        mount("none", os.environ["VICTIM_SCRATCH"], "cgroup2")

    def make(i):
        os.mkdir(f"{os.environ['VICTIM_SCRATCH']}/{os.getpid()}.{i}")
    return hog(make, 2, before)


@attack
def all_seccomp_filters(_scale):
    from misc_attacks import seccomp

    def work(_n):
        while True:
            pid = fork()
            if pid == 0:
                libc.prctl(1, 9, 0, 0, 0)
                for _ in range(7):
                    seccomp(4000)
                libc.pause()
            if pid < 0:
                time.sleep(0.01)
    return crowd(work, 2)


hogs("all_areas", lambda _i: or_raise(areas()), 8)
hogs("all_descriptor_slots", lambda _i: os.dup2(0, (1 << 20) - 1), 64)
hogs("all_group_lists", lambda i: os.setgroups(range(i * 60000, (i + 1) * 60000)), 2)


def areas():
    import memory_attacks
    return memory_attacks.areas(30000)


# Locks, watches, descriptors in flight.

@attack
def all_record_locks(_scale):
    import fcntl
    at = scratch("locks")

    def make(i):
        fd = os.open(f"{at}/{os.getpid()}.{i // 4000}", os.O_CREAT | os.O_RDWR)
        fcntl.fcntl(fd, 37, struct.pack("hhlli4x", 1, 0, 2 * (i % 4000), 1, 0))
        return fd
    return hog(make, 2)


@attack
def all_inotify_watches(_scale):
    at = scratch("watches")
    for i in range(2000):
        os.mkdir(f"{at}/{i}")
    fds = {}

    def make(i):
        if i % 2000 == 0:
            fds[os.getpid()] = or_raise(libc.inotify_init())
        or_raise(libc.inotify_add_watch(fds[os.getpid()], f"{at}/{i % 2000}".encode(), 0xFFF))
    return hog(make, 4, user)


@attack
def all_descriptors_in_flight(_scale):
    import array
    fds = array.array("i", [0] * 253)

    def make(_i):
        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        a.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, fds)], socket.MSG_DONTWAIT)
        return a, b
    return hog(make, 8, user)


hogs("all_messages_of_sockets", lambda _i: small_messages(), 4)
hogs("all_aio_requests", lambda _i: aio(), 4)
hogs("all_keys", lambda i: or_raise(key(i)), 16, user)
hogs("all_keys_of_root", lambda i: or_raise(key(i)), 2)


def small_messages():
    a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    a.setblocking(False)
    try:
        while True:
            a.send(b"x")
    except BlockingIOError:
        pass
    return a, b


def aio():
    context = ctypes.c_ulong(0)
    or_raise(libc.syscall(206, 512, ctypes.byref(context)))


def key(i):
    return libc.syscall(248, b"user", f"{os.getpid()}.{i}".encode(), b"x", ctypes.c_long(1), ctypes.c_int(-3))


# Objects that a pod shares: its network and its IPC namespace.

def port(kind):
    def make(i):
        s = socket.socket(socket.AF_INET, kind)
        s.bind(("0.0.0.0", 0))
        if kind == socket.SOCK_STREAM:
            s.listen(1)
        return s
    return make


hogs("all_udp_ports", port(socket.SOCK_DGRAM), 2)
hogs("all_tcp_ports", port(socket.SOCK_STREAM), 2)
hogs("all_raw_sockets", lambda _i: socket.socket(socket.AF_INET, socket.SOCK_RAW, 17), 2)
hogs("all_packet_sockets", lambda _i: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x300), 2)
hogs("all_netlink_sockets", lambda _i: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0), 2)
hogs("all_abstract_sockets", lambda i: abstract(i), 2)
hogs("all_memberships", lambda i: member(i), 2)
hogs("all_semaphores", lambda _i: or_raise(libc.semget(0, 250, 0o1600)), 1)
hogs("all_segments", lambda _i: or_raise(libc.shmget(0, 4096, 0o1600)), 1)
hogs("all_system_v_queues", lambda _i: or_raise(libc.msgget(0, 0o1600)), 1)
hogs("all_message_queues", lambda i: queue(i), 1)


def abstract(i):
    s = socket.socket(socket.AF_UNIX)
    s.bind(f"\0{os.getpid()}.{i}")
    return s


def member(i):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for n in range(20):
        group = socket.inet_aton(f"239.1.{i % 200}.{n}") + socket.inet_aton("127.0.0.1")
        s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    return s


def queue(i):
    name = f"/{os.getpid()}.{i}".encode()
    fd = or_raise(libc.mq_open(name, 0o102, 0o600, None))
    libc.mq_send(fd, b"x" * 8192, 8192, 0)
    os.close(fd)


@attack
def packets_of_the_pod(_scale):
    """Floods packet sockets, each of which gets a copy of each packet."""
    def go():
        sockets = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0x300) for _ in range(500)]
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        for _ in range(2000):
            s.sendto(b"x" * 1000, ("127.0.0.1", 9))
        for one in sockets + [s]:
            one.close()
    return go


@attack
def connections_to_one_backlog(_scale):
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(1)

    def make(_i):
        s = socket.socket()
        s.setblocking(False)
        try:
            s.connect(listener.getsockname())
        except BlockingIOError:
            pass
        return s
    return hog(make, 2)


@attack
def listings_of_the_pods_network(_scale):
    held = [port(socket.SOCK_DGRAM)(i) for i in range(8000)]

    def go():
        assert held
        for name in ("udp", "tcp", "unix", "packet", "raw", "netlink", "igmp"):
            net_attacks.read_all(f"/proc/self/net/{name}")
        net_attacks.dump(4, 20, struct.pack("BBBxI48x", socket.AF_INET, 17, 0, 0xFFFFFFFF))
    return go


@attack
def sysctls_by_a_new_proc(_scale):
    """Writes to each writable file of /proc/sys, here and in a new proc mount."""
    def spoil():
        try:
            own_namespaces(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET)
            if os.fork() == 0:
                mount("proc", os.environ["VICTIM_SCRATCH"], "proc")
                write_zeros(os.environ["VICTIM_SCRATCH"] + "/sys")
                os._exit(0)
            os.wait()
        except OSError:
            pass
    return lambda: (write_zeros("/proc/sys"), in_child(spoil), time.sleep(HOLD))


def write_zeros(root):
    for top, _dirs, files in os.walk(root):
        for name in files:
            try:
                with open(os.path.join(top, name), "wb", buffering=0) as f:
                    f.write(b"0\n")
            except OSError:
                pass


@attack
def priorities_of_users_and_groups(_scale):
    """Calls that name a user must not reach processes of that user in the other container."""
    def go():
        for _ in range(200):
            for which in (os.PRIO_USER, os.PRIO_PGRP):
                os.setpriority(which, 0, 19)
            call(251, 3, 0, 3 << 13)
            try:
                os.kill(-1, signal.SIGURG)
            except OSError:
                pass
    return go


@with_pids
def signals_to_all_of_the_pod(_scale):
    def work(_n):
        signal.signal(signal.SIGURG, signal.SIG_IGN)
        while True:
            try:
                os.kill(-1, signal.SIGURG)
                os.kill(-1, 0)
            except OSError:
                pass
    return crowd(work, 8)


@with_pids
def all_processes_of_the_pod(scale):
    return all_processes(scale)


@with_pids
def listings_of_the_pods_processes(_scale):
    pids = children(500)

    def go():
        assert pids
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            for what in ("stat", "status", "maps", "smaps_rollup", "fd", "task"):
                try:
                    path = f"/proc/{name}/{what}"
                    os.listdir(path) if what in ("fd", "task") else net_attacks.read_all(path)
                except OSError:
                    pass
    return go


# Files of the image and of the kernel.

@attack
def names_that_are_not_there(_scale):
    def work(n):
        i = 0
        while True:
            i += 1
            try:
                os.stat(f"/usr/lib/{n}.{i}")
            except OSError:
                pass
    return crowd(work, 8)


@attack
def all_files_of_the_host(_scale):
    """Opens files, each of which the kernel has open on the host too."""
    at = scratch("open")

    def make(i):
        return os.open(f"{at}/{os.getpid()}.{i}", os.O_CREAT | os.O_RDWR)
    return hog(make, 4, None, 3 * FILLING)


@attack
def files_of_the_host(_scale):
    at = scratch("host")

    def work(n):
        os.makedirs(f"{at}/{n}", exist_ok=True)
        while True:
            for i in range(200):
                with open(f"{at}/{n}/{i}", "wb") as f:
                    f.write(b"x" * 4096)
            os.sync()
            os.listdir(f"{at}/{n}")
            for i in range(200):
                os.unlink(f"{at}/{n}/{i}")
    return crowd(work, 4)


@attack
def walks_of_the_image(_scale):
    def work(_n):
        while True:
            for top, _dirs, files in os.walk("/usr/lib/python3"):
                for name in files:
                    try:
                        os.stat(os.path.join(top, name))
                    except OSError:
                        pass
    return crowd(work, 4)


@attack
def walks_of_proc_and_sys(_scale):
    def work(_n):
        while True:
            for root in ("/proc", "/sys"):
                for top, _dirs, files in os.walk(root):
                    for name in files[:20]:
                        try:
                            with open(os.path.join(top, name), "rb", opener=without_waiting) as f:
                                f.read(65536)
                        except OSError:
                            pass
    return crowd(work, 4)


def without_waiting(path, flags):
    return os.open(path, flags | os.O_NONBLOCK)


@attack
def death_of_a_container(_scale):
    """Ends processes that hold pages and descriptors, as the end of a container does."""
    def work(_n):
        pages(0)
        held = [os.pipe() for _ in range(2000)]
        assert held
        libc.pause()

    def go():
        pids = []
        for n in range(60):
            pid = fork()
            if pid == 0:
                work(n)
            pids.append(pid)
        time.sleep(HOLD)
        # All of them end at the same time.
        for pid in pids:
            if pid > 0:
                os.kill(pid, signal.SIGKILL)
        end(pids)
    return go


@attack
def limits_of_every_kind(_scale):
    """Raises and lowers its own limits."""
    def work(_n):
        while True:
            for kind in range(16):
                try:
                    soft, hard = resource.getrlimit(kind)
                    resource.setrlimit(kind, (min(soft, 100), hard))
                    resource.setrlimit(kind, (soft, hard))
                except (ValueError, OSError):
                    pass
    return crowd(work, 4)
