/** Scenes of files: locks, leases, watches, files that are read half, overlays, terminals. */

import { type ActingGuest, ints, join } from "./acting_guest.ts";
import type { Scenes } from "./scene.ts";

const O_RDWR = 2, O_CREAT = 0o100, O_DIRECTORY = 0o200000, O_NONBLOCK = 0o4000;
const F_SETLK = 6, F_SETLKW = 7, F_GETLK = 5, F_OFD_SETLK = 37, F_SETLEASE = 1024, F_NOTIFY = 1026;
const LOCK_SH = 1, LOCK_EX = 2, LOCK_UN = 8, LOCK_NB = 4;
const SIGHUP = 1, SIGINT = 2, SIGIO = 29, IGNORED = ints(8, 1, 0, 0, 0);
const AT_REMOVEDIR = 0x200;
const CLONE_NEWUSER = 0x10000000, CLONE_NEWNS = 0x20000;
const TIOCSPTLCK = 0x40045431, TIOCGPTN = 0x80045430, TIOCSCTTY = 0x540e;
const POLLIN = 1;

function lock(type: number, start: number, length: number): Uint8Array<ArrayBuffer> {
  return join(ints(2, type, 0, 0, 0), ints(8, start, length), ints(4, 0, 0));
}

function open(guest: ActingGuest, path: string, flags: number): number {
  return guest.must("openat", -100, path, flags, 0o644);
}

/** A process with all capabilities in namespaces of its own. */
function superUser(guest: ActingGuest): ActingGuest {
  const child = guest.fork();
  child.must("unshare", CLONE_NEWUSER | CLONE_NEWNS);
  child.writeFile("/proc/self/setgroups", "deny");
  for (const map of ["uid_map", "gid_map"]) child.writeFile(`/proc/self/${map}`, "0 0 1");
  return child;
}

/** The names of a part of a directory, as they are listed. */
function list(guest: ActingGuest, fd: number, bytes: number): unknown {
  const at = guest.room(bytes), result = guest.call("getdents64", fd, at, bytes);
  return [result, result === null || result <= 0 ? "" : guest.bytes(at, result)];
}

/** A file of /proc of which some bytes are read already. */
function readHalf(...paths: readonly string[]): Scenes[string] {
  return (guest) => {
    const fds = paths.map((path) => open(guest, path, 0));
    for (const fd of fds) guest.must("read", fd, guest.room(40), 40);
    return (world) => fds.map((fd) => guest.in(world).read(fd, 2048));
  };
}

export const FILE_SCENES: Scenes = {
  "record locks, with a process that waits": (guest) => {
    guest.writeFile("/tmp/locked", "0123456789");
    const fd = open(guest, "/tmp/locked", O_RDWR), waiter = guest.fork(), other = guest.fork();
    guest.must("fcntl", fd, F_SETLK, lock(1, 0, 5));
    guest.must("fcntl", fd, F_SETLK, lock(0, 7, 2));
    waiter.waits("fcntl", fd, F_SETLKW, lock(1, 3, 4));
    const own = open(other, "/tmp/locked", O_RDWR);
    other.must("fcntl", own, F_OFD_SETLK, lock(0, 8, 1));
    return (world) => {
      const g = guest.in(world), o = other.in(world), at = o.put(lock(1, 0, 0));
      const seen: unknown[] = [o.call("fcntl", own, F_GETLK, at), o.bytes(at, 32)];
      seen.push(o.call("fcntl", own, F_SETLK, lock(1, 7, 1)));
      seen.push(g.call("fcntl", fd, F_SETLK, lock(2, 0, 0)), waiter.in(world).result);
      return [
        ...seen,
        g.call("fcntl", fd, F_GETLK, at),
        g.bytes(at, 32),
        g.readFile("/proc/locks"),
      ];
    };
  },

  "locks of whole files, with a process that waits": (guest) => {
    guest.writeFile("/tmp/flocked", "x");
    const fd = open(guest, "/tmp/flocked", O_RDWR), waiter = guest.fork();
    guest.must("flock", fd, LOCK_EX);
    const own = open(waiter, "/tmp/flocked", O_RDWR);
    waiter.waits("flock", own, LOCK_SH);
    return (world) => {
      const g = guest.in(world), seen = [g.call("flock", fd, LOCK_UN), waiter.in(world).result];
      return [...seen, g.call("flock", fd, LOCK_EX | LOCK_NB)];
    };
  },

  "a lease that another process breaks": (guest) => {
    guest.writeFile("/tmp/leased", "x");
    guest.must("rt_sigprocmask", 0, ints(8, 2 ** (SIGIO - 1)), 0, 8);
    const fd = open(guest, "/tmp/leased", O_RDWR), breaker = guest.fork();
    breaker.must("close", fd);
    guest.must("fcntl", fd, F_SETLEASE, 1);
    breaker.waits("openat", -100, "/tmp/leased", 0, 0);
    return (world) => {
      const g = guest.in(world), at = g.room(8), seen = [g.call("rt_sigpending", at, 8)];
      seen.push(g.word(at), g.call("fcntl", fd, 1025, 0), g.call("fcntl", fd, F_SETLEASE, 2));
      return [...seen, breaker.in(world).result];
    };
  },

  "a lease that is broken by time": (guest) => {
    guest.writeFile("/tmp/timed", "x");
    guest.must("rt_sigprocmask", 0, ints(8, 2 ** (SIGIO - 1)), 0, 8);
    const fd = open(guest, "/tmp/timed", O_RDWR), breaker = guest.fork();
    breaker.must("close", fd);
    guest.must("fcntl", fd, F_SETLEASE, 1);
    breaker.waits("openat", -100, "/tmp/timed", 1, 0);
    return (world) => {
      for (let i = 0; i < 5; i++) world.pass(10_000_000_000);
      return [breaker.in(world).result, guest.in(world).call("fcntl", fd, 1025, 0)];
    };
  },

  "watches of inotify, with events": (guest) => {
    const fd = guest.must("inotify_init1", O_NONBLOCK);
    guest.must("inotify_add_watch", fd, "/tmp", 0xfff);
    guest.writeFile("/tmp/watched", "x");
    guest.must("inotify_add_watch", fd, "/tmp/watched", 0xfff);
    guest.must("renameat2", -100, "/tmp/watched", -100, "/tmp/moved", 0);
    return (world) => {
      const g = guest.in(world), first = g.read(fd, 1000);
      g.call("unlinkat", -100, "/tmp/moved", 0);
      return [first, g.read(fd, 1000), g.call("inotify_rm_watch", fd, 1), g.read(fd, 1000)];
    };
  },

  "marks of fanotify, with events": (guest) => {
    const fd = guest.must("fanotify_init", 0xe00 | 2, 0);
    guest.must(
      "fanotify_mark",
      fd,
      1,
      0x40000000 + 0x8000000 + 0xfff - 0xf0 - 0x10 - 0xc00,
      -100,
      "/tmp",
    );
    guest.writeFile("/tmp/fan", "x");
    return (world) => {
      const g = guest.in(world), first = g.read(fd, 1000);
      g.call("unlinkat", -100, "/tmp/fan", 0);
      return [first, g.read(fd, 1000)];
    };
  },

  "a directory that signals its changes": (guest) => {
    guest.must("rt_sigprocmask", 0, ints(8, 2 ** (SIGIO - 1)), 0, 8);
    const fd = open(guest, "/tmp", O_DIRECTORY);
    guest.must("fcntl", fd, F_NOTIFY, 0x80000000 + 4);
    return (world) => {
      const g = guest.in(world), at = g.room(8);
      g.writeFile("/tmp/noticed", "x");
      return [
        g.call("rt_sigpending", at, 8),
        g.word(at),
        g.call("unlinkat", -100, "/tmp/noticed", 0),
      ];
    };
  },

  "directories that are listed half": (guest) => {
    const dirs = ["/", "/proc", "/proc/self", "/proc/self/fd", "/dev", "/sys", "/tmp", "/cgroup"];
    for (const name of ["a", "b", "c", "d"]) guest.writeFile(`/tmp/${name}-file`, name);
    const fds = dirs.map((path) => open(guest, path, O_DIRECTORY));
    for (const fd of fds) list(guest, fd, 96);
    return (world) => fds.map((fd) => list(guest.in(world), fd, 4096));
  },

  "texts of a process that are read half": readHalf(
    ..."status stat maps smaps limits mounts mountinfo environ auxv pagemap".split(" ").map(
      (name) => `/proc/self/${name}`,
    ),
  ),

  "texts of the system that are read half": readHalf(
    ..."stat meminfo cpuinfo mounts filesystems net/tcp net/unix net/dev net/route net/snmp".split(
      " ",
    )
      .map((name) => `/proc/${name}`),
  ),

  "settings and descriptors in /proc": (guest) => {
    const fd = open(guest, "/proc/self/fdinfo/0".replace("0", String(open(guest, "/tmp", 0))), 0);
    const name = open(guest, "/proc/sys/kernel/hostname", O_RDWR),
      self = open(guest, "/proc/self", 0);
    const kmsg = guest.call("openat", -100, "/dev/kmsg", O_NONBLOCK, 0) ?? -1;
    return (world) => {
      const g = guest.in(world), seen: unknown[] = [g.read(fd, 300), g.read(name, 64)];
      const link = g.room(64);
      seen.push(g.call("readlinkat", self, "exe", link, 64), g.bytes(link, 16), g.read(kmsg, 512));
      return [
        ...seen,
        g.call("openat", self, "ns/mnt", 0, 0),
        g.call("pwrite64", name, "new", 3, 0),
      ];
    };
  },

  "files without names, sparse, sealed and mapped": (guest) => {
    const fd = guest.must("memfd_create", "sealed", 2),
      gone = open(guest, "/tmp/gone", O_RDWR | O_CREAT);
    guest.must("ftruncate", fd, 1 << 20);
    guest.must("pwrite64", fd, "far", 3, 600_000);
    guest.must("fcntl", fd, 1033, 6);
    guest.must("write", gone, "still here", 10);
    guest.must("unlinkat", -100, "/tmp/gone", 0);
    const shared = guest.must("mmap", 0, 8192, 3, 1, gone, 0), child = guest.fork();
    guest.store(shared, ints(4, 42));
    return (world) => {
      const g = guest.in(world), c = child.in(world);
      c.store(shared + 4, ints(4, 43));
      const seen: unknown[] = [g.word(shared), g.word(shared + 4), g.call("lseek", gone, 0, 0)];
      seen.push(g.read(gone, 64), g.call("ftruncate", fd, 0), g.call("lseek", fd, 0, 3));
      return [...seen, g.call("fcntl", fd, 1034, 0), g.call("ftruncate", gone, 4096)];
    };
  },

  "an overlay with files that were copied up, and one that is gone": (guest) => {
    for (const dir of ["low", "up", "work", "all"]) {
      guest.must("mkdirat", -100, `/tmp/${dir}`, 0o755);
    }
    for (const name of ["one", "two", "three"]) guest.writeFile(`/tmp/low/${name}`, name);
    const user = superUser(guest), options = "lowerdir=/tmp/low,upperdir=/tmp/up,workdir=/tmp/work";
    user.must("mount", "none", "/tmp/all", "overlay", 0, options);
    const read = open(user, "/tmp/all/two", 0), dir = open(user, "/tmp/all", O_DIRECTORY);
    user.writeFile("/tmp/all/one", "changed");
    user.must("unlinkat", -100, "/tmp/all/three", 0);
    user.writeFile("/tmp/all/four", "new");
    list(user, dir, 48);
    return (world) => {
      const u = user.in(world), seen: unknown[] = [list(u, dir, 4096), u.read(read, 9)];
      u.writeFile("/tmp/all/two", "later");
      seen.push(...["one", "two", "three", "four"].map((name) => u.readFile(`/tmp/all/${name}`)));
      return [...seen, guest.in(world).readFile("/tmp/up/two"), u.call("umount2", "/tmp/all", 2)];
    };
  },

  "mounts of a new file system that is not attached": (guest) => {
    const user = superUser(guest), fs = user.must("fsopen", "tmpfs", 0);
    user.must("fsconfig", fs, 1, "size", "32k", 0);
    user.must("fsconfig", fs, 6, 0, 0, 0);
    const mount = user.must("fsmount", fs, 0, 0), tree = user.must("open_tree", -100, "/tmp", 1);
    return (world) => {
      const u = user.in(world), seen: unknown[] = [u.call("mkdirat", mount, "in", 0o755)];
      seen.push(
        u.call("move_mount", mount, "", -100, "/tmp", 4),
        u.call("openat", -100, "/tmp/in", 0, 0),
      );
      return [
        ...seen,
        u.call("move_mount", tree, "", -100, "/d", 4),
        u.readFile("/proc/self/mounts"),
      ];
    };
  },

  "terminals with a line that is not finished": (guest) => {
    const user = superUser(guest);
    user.must("mkdirat", -100, "/tmp/pts", 0o755);
    user.must("mount", "none", "/tmp/pts", "devpts", 0, "newinstance,ptmxmode=666");
    const master = open(user, "/tmp/pts/ptmx", O_RDWR), number = user.room(4);
    user.must("ioctl", master, TIOCSPTLCK, ints(4, 0));
    user.must("ioctl", master, TIOCGPTN, number);
    user.must("setsid");
    for (const signo of [SIGHUP, SIGINT]) user.must("rt_sigaction", signo, IGNORED, 0, 8);
    const slave = open(user, `/tmp/pts/${user.word(number)}`, O_RDWR);
    user.call("ioctl", slave, TIOCSCTTY, 0);
    user.must("write", master, "unfinis", 7);
    user.must("write", slave, "output\n", 7);
    user.must("ioctl", slave, 0x5414, ints(2, 33, 77, 0, 0));
    const reader = user.fork();
    reader.waits("read", slave, reader.room(64), 64);
    return (world) => {
      const u = user.in(world), size = u.room(8);
      const seen: unknown[] = [u.read(master, 64), u.call("write", master, "hed\n", 4)];
      seen.push(reader.in(world).result, u.read(master, 64), u.call("ioctl", slave, 0x5413, size));
      seen.push(u.bytes(size, 8), u.call("write", master, "\x03", 1), reader.in(world).state);
      return [...seen, u.call("close", master), u.read(slave, 9)];
    };
  },

  "epoll instances that watch each other": (guest) => {
    const inner = guest.must("epoll_create1", 0), outer = guest.must("epoll_create1", 0);
    const [r, w] = guest.pair("pipe2"), [r2, w2] = guest.pair("pipe2");
    guest.must("epoll_ctl", inner, 1, r, ints(4, 0x80000000 + POLLIN, 1, 0));
    guest.must("epoll_ctl", inner, 1, r2, ints(4, 0x40000000 + POLLIN, 2, 0));
    guest.must("epoll_ctl", outer, 1, inner, ints(4, POLLIN, 3, 0));
    guest.must("write", w2, "ready", 5);
    const waiter = guest.fork(), other = waiter.must("epoll_create1", 0);
    waiter.must("epoll_ctl", other, 1, r, ints(4, POLLIN, 4, 0));
    waiter.waits("epoll_wait", other, waiter.room(64), 4, -1);
    return (world) => {
      const g = guest.in(world), at = g.room(64), seen: unknown[] = [];
      const look = (fd: number) => seen.push(g.call("epoll_wait", fd, at, 4, 0), g.bytes(at, 36));
      look(outer);
      look(inner);
      look(inner);
      seen.push(g.call("write", w, "x", 1), waiter.in(world).result);
      look(inner);
      look(inner);
      seen.push(g.call("epoll_ctl", inner, 3, r2, ints(4, POLLIN, 5, 0)));
      look(inner);
      return seen;
    };
  },

  "calls that wait for several files": (guest) => {
    const [r, w] = guest.pair("pipe2"), fd = guest.must("eventfd2", 0, 0);
    const poller = guest.fork(), selector = guest.fork();
    const fds = join(ints(4, r), ints(2, POLLIN, 0), ints(4, fd), ints(2, POLLIN, 0));
    poller.waits("ppoll", fds, 2, poller.put(ints(8, 90, 0)), 0, 8);
    selector.waits("select", 64, ints(8, 2 ** r + 2 ** fd), 0, 0, ints(8, 1, 0));
    return (world) => {
      const seen = [guest.in(world).call("write", w, "x", 1), poller.in(world).result];
      return [...seen, selector.in(world).result];
    };
  },

  "attributes, links and times of files": (guest) => {
    guest.writeFile("/tmp/first", "text");
    guest.must("linkat", -100, "/tmp/first", -100, "/tmp/second", 0);
    guest.must("symlinkat", "first", -100, "/tmp/third");
    guest.must("setxattr", "/tmp/first", "user.colour", "red", 3, 0);
    guest.must("utimensat", -100, "/tmp/first", ints(8, 5, 6, 7, 8), 0);
    guest.must("fchmodat", -100, "/tmp/first", 0o4711);
    guest.must("mknodat", -100, "/tmp/fifo", 0o10644, 0);
    const opener = guest.fork();
    opener.waits("openat", -100, "/tmp/fifo", 0, 0);
    return (world) => {
      const g = guest.in(world), at = g.room(256), seen: unknown[] = [];
      for (const name of ["first", "second", "third"]) {
        seen.push(g.call("statx", -100, `/tmp/${name}`, 0x100, 0x7ff, at), g.bytes(at, 144));
      }
      seen.push(g.call("getxattr", "/tmp/second", "user.colour", at, 64), g.bytes(at, 3));
      seen.push(g.call("openat", -100, "/tmp/fifo", 1 | O_NONBLOCK, 0), opener.in(world).result);
      return [
        ...seen,
        g.call("unlinkat", -100, "/tmp/first", AT_REMOVEDIR),
        g.readFile("/tmp/third"),
      ];
    };
  },

  "rules of landlock": (guest) => {
    const child = guest.fork(),
      rules = child.must("landlock_create_ruleset", ints(8, 0x1fff), 8, 0);
    const dir = child.must("openat", -100, "/tmp", 0o10000000, 0);
    child.must("landlock_add_rule", rules, 1, join(ints(8, 0xfff), ints(4, dir)), 0);
    child.must("prctl", 38, 1, 0, 0, 0);
    child.must("landlock_restrict_self", rules, 0);
    return (world) => {
      const c = child.in(world), again = c.call("landlock_restrict_self", rules, 0);
      return [
        again,
        c.call("openat", -100, "/secret", 0, 0),
        c.call("openat", -100, "/tmp/n", 0o101, 0o600),
      ];
    };
  },
};
