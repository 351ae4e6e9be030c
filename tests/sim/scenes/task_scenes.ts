/** Scenes of processes: signals, timers, tracers, supervisors, groups and namespaces. */

import { type ActingGuest, ints, join } from "./acting_guest.ts";
import type { Scenes } from "./scene.ts";

const SIGHUP = 1, SIGKILL = 9, SIGUSR1 = 10, SIGALRM = 14, SIGCONT = 18, SIGSTOP = 19;
const SIGCHLD = 17, CLONE_FILES = 0x400, CLONE_VFORK = 0x4000, CLONE_VM = 0x100;
const SECOND_NS = 1_000_000_000;
const WNOHANG = 1, WUNTRACED = 2;
const CLONE_NEWUSER = 0x10000000, CLONE_NEWPID = 0x20000000, CLONE_NEWNS = 0x20000;
const CLONE_NEWUTS = 0x4000000, CLONE_NEWNET = 0x40000000, CLONE_NEWIPC = 0x8000000;
const CLONE_NEWCGROUP = 0x2000000, CLONE_NEWTIME = 0x80;
const NOTIF_RECV = 0xc0502100, NOTIF_SEND = 0xc0182101;

function signals(...numbers: readonly number[]): Uint8Array<ArrayBuffer> {
  return ints(8, numbers.reduce((sum, signo) => sum + 2 ** (signo - 1), 0));
}

/** A child of the guest, or the news of it. */
function wait(guest: ActingGuest, options: number = WNOHANG): unknown {
  const status = guest.room(4), pid = guest.call("wait4", -1, status, options, 0);
  return [pid, guest.bytes(status, 4)];
}

/** A filter that sends getuid(2) to a supervisor. */
function supervised(guest: ActingGuest, child: ActingGuest): number {
  const filter = child.put(join(
    ...[[0x20, 0, 0, 0], [0x15, 0, 1, 102], [6, 0, 0, 0x7fc00000], [6, 0, 0, 0x7fff0000]].map(
      ([code = 0, yes = 0, no = 0, k = 0]) => join(ints(2, code), ints(1, yes, no), ints(4, k)),
    ),
  ));
  child.must("prctl", 38, 1, 0, 0, 0);
  const fd = child.must("seccomp", 1, 8, join(ints(8, 4, filter)));
  guest.must("fcntl", fd, 1, 0);
  return fd;
}

function answer(guest: ActingGuest, fd: number, at: number): unknown {
  const id = guest.put(
    join(ints(4, guest.word(at), guest.word(at + 4)), ints(8, 4321), ints(8, 0)),
  );
  return guest.call("ioctl", fd, NOTIF_SEND, id);
}

export const TASK_SCENES: Scenes = {
  "pending signals, with and without values": (guest) => {
    guest.must("rt_sigprocmask", 0, signals(SIGHUP, SIGUSR1, 34), 0, 8);
    guest.must("kill", guest.tid, SIGHUP);
    guest.must("tgkill", guest.tid, guest.tid, SIGUSR1);
    for (const value of [11, 12]) {
      const info = join(ints(4, 34, 0, -1, 0, guest.tid, 0), ints(8, value), new Uint8Array(96));
      guest.must("rt_sigqueueinfo", guest.tid, 34, info);
    }
    const fd = guest.must("signalfd4", -1, signals(34), 8, 0o4000);
    return (world) => {
      const g = guest.in(world), at = g.room(128), zero = g.put(ints(8, 0, 0));
      const seen: unknown[] = [g.call("rt_sigpending", at, 8), g.bytes(at, 8), g.read(fd, 128)];
      for (let i = 0; i < 3; i++) {
        seen.push(g.call("rt_sigtimedwait", signals(SIGHUP, SIGUSR1, 34), at, zero, 8));
        seen.push(g.bytes(at, 32));
      }
      return seen;
    };
  },

  "timers of all kinds": (guest) => {
    guest.must("rt_sigprocmask", 0, signals(SIGALRM, SIGUSR1), 0, 8);
    const fd = guest.must("timerfd_create", 1, 0o4000), id = guest.room(4);
    guest.must("timerfd_settime", fd, 0, ints(8, 1, 0, 2, 0), 0);
    guest.must("timer_create", 1, join(ints(8, 5), ints(4, SIGUSR1, 0), new Uint8Array(48)), id);
    const timer = guest.word(id);
    guest.must("timer_settime", timer, 0, ints(8, 0, 500_000_000, 3, 0), 0);
    guest.must("setitimer", 0, ints(8, 0, 0, 5, 0), 0);
    const sleeper = guest.fork();
    sleeper.waits("clock_nanosleep", 1, 0, ints(8, 4, 0), 0);
    return (world) => {
      const g = guest.in(world), at = g.room(32), seen: unknown[] = [];
      for (let i = 0; i < 3; i++) {
        seen.push(g.read(fd, 8), g.call("timer_gettime", timer, at), g.bytes(at, 32));
        seen.push(g.call("getitimer", 0, at), g.bytes(at, 32), sleeper.in(world).result);
        seen.push(g.call("timer_getoverrun", timer), g.call("rt_sigpending", at, 8));
        seen.push(g.bytes(at, 8));
        world.pass(2 * SECOND_NS);
      }
      return seen;
    };
  },

  "zombies, a stopped child and an orphan": (guest) => {
    const ended = guest.fork(), stopped = guest.fork(), parent = guest.fork();
    const orphan = parent.fork();
    ended.call("exit_group", 7);
    guest.must("kill", stopped.tid, SIGSTOP);
    parent.must("setsid");
    parent.call("exit_group", 3);
    return (world) => {
      const g = guest.in(world), o = orphan.in(world);
      const seen = [wait(g, WNOHANG | WUNTRACED), wait(g, WNOHANG | WUNTRACED)];
      seen.push(wait(g, WNOHANG | WUNTRACED), o.call("getppid"), o.call("getsid", 0));
      seen.push(g.call("kill", stopped.tid, SIGCONT), stopped.in(world).call("getpid"));
      seen.push(g.call("kill", stopped.tid, SIGKILL), wait(g));
      return seen;
    };
  },

  "a parent that waits for its child": (guest) => {
    const child = guest.fork();
    guest.waits("wait4", -1, guest.room(4), 0, 0);
    return (world) => {
      child.in(world).call("exit_group", 9);
      return guest.in(world).result;
    };
  },

  "a parent in vfork": (guest) => {
    const sibling = guest.fork();
    guest.waits("clone", CLONE_VFORK | CLONE_VM | SIGCHLD, 0, 0, 0, 0);
    const tid = sibling.tid + 1;
    return (world) => {
      const child = guest.in(world).other(tid), parent = child.call("getppid");
      child.call("exit_group", 5);
      const { result } = guest.in(world);
      return [parent, result, wait(guest.in(world))];
    };
  },

  "threads, one of which has ended first": (guest) => {
    const leader = guest.fork(), thread = leader.thread();
    thread.must("prctl", 15, "worker", 0, 0, 0);
    leader.call("exit", 0);
    return (world) => {
      const t = thread.in(world), text = t.readFile("/proc/self/task/" + thread.tid + "/comm");
      const seen = [t.call("getpid"), t.call("gettid"), text, leader.in(world).state];
      t.call("exit_group", 2);
      return [...seen, wait(guest.in(world))];
    };
  },

  "a child that a tracer has stopped": (guest) => {
    const child = guest.fork();
    child.must("ptrace", 0, 0, 0, 0);
    child.call("kill", child.tid, SIGSTOP);
    const stop = guest.room(4);
    guest.must("wait4", child.tid, stop, 0, 0);
    return (world) => {
      const g = guest.in(world), c = child.in(world), regs = g.room(256);
      const seen: unknown[] = [g.bytes(stop, 4), g.call("ptrace", 12, child.tid, 0, regs)];
      seen.push(g.bytes(regs, 216), g.call("ptrace", 24, child.tid, 0, 0), c.call("getpid"));
      seen.push(wait(g), g.call("ptrace", 24, child.tid, 0, 0), wait(g));
      seen.push(g.call("ptrace", 17, child.tid, 0, 0), c.call("getppid"));
      return seen;
    };
  },

  "a tracee that was seized, and stands at a call": (guest) => {
    const child = guest.fork();
    guest.must("ptrace", 0x4206, child.tid, 0, 1);
    guest.must("ptrace", 0x4207, child.tid, 0, 0);
    guest.must("wait4", child.tid, guest.room(4), 0, 0);
    guest.must("ptrace", 24, child.tid, 0, 0);
    child.call("getuid");
    return (world) => {
      const g = guest.in(world), c = child.in(world), seen: unknown[] = [wait(g)];
      const info = g.room(128);
      seen.push(g.call("ptrace", 0x420e, child.tid, 88, info), g.bytes(info, 64));
      seen.push(g.call("ptrace", 7, child.tid, 0, 0), c.result, c.call("getpid"));
      return seen;
    };
  },

  "a call that waits for a supervisor": (guest) => {
    const child = guest.fork(CLONE_FILES | SIGCHLD), fd = supervised(guest, child);
    child.call("getuid");
    return (world) => {
      const g = guest.in(world), at = g.room(80), taken = g.call("ioctl", fd, NOTIF_RECV, at);
      const seen = [taken, g.bytes(at + 8, 72), answer(g, fd, at), child.in(world).result];
      return [...seen, child.in(world).call("getgid")];
    };
  },

  "a call that a supervisor has taken": (guest) => {
    const child = guest.fork(CLONE_FILES | SIGCHLD), fd = supervised(guest, child);
    const at = guest.room(80);
    child.call("getuid");
    guest.must("ioctl", fd, NOTIF_RECV, at);
    return (world) => {
      const g = guest.in(world), seen = [answer(g, fd, at), child.in(world).result];
      return [...seen, answer(g, fd, at)];
    };
  },

  "sessions and process groups": (guest) => {
    const leader = guest.fork();
    leader.must("setsid");
    const one = leader.fork(), other = leader.fork();
    one.must("setpgid", 0, 0);
    leader.must("setpgid", other.tid, one.tid);
    return (world) => {
      const l = leader.in(world), o = other.in(world);
      const seen = [o.call("getpgid", 0), o.call("getsid", 0), l.call("getpgid", one.tid)];
      seen.push(l.call("kill", -one.tid, SIGKILL));
      return [...seen, wait(l), wait(l), wait(l)];
    };
  },

  "namespaces of all kinds, and processes in them": (guest) => {
    const child = guest.fork();
    child.must(
      "unshare",
      CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWNET |
        CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWCGROUP | CLONE_NEWTIME,
    );
    child.writeFile("/proc/self/setgroups", "deny");
    child.writeFile("/proc/self/uid_map", "0 0 1");
    child.writeFile("/proc/self/gid_map", "0 0 1");
    child.must("sethostname", "inner", 5);
    child.must("mount", "none", "/tmp", "tmpfs", 0, "size=64k");
    child.writeFile("/tmp/inside", "text");
    const inner = child.fork(), at = child.must("openat", -100, "/proc/self/ns/uts", 0, 0);
    return (world) => {
      const c = child.in(world), i = inner.in(world), name = i.room(400);
      const seen: unknown[] = [i.call("getpid"), i.call("uname", name), i.bytes(name + 65, 8)];
      seen.push(i.readFile("/tmp/inside"), guest.in(world).readFile("/tmp/inside"));
      seen.push(c.readFile("/proc/self/uid_map"), i.call("sethostname", "other", 5));
      seen.push(c.call("uname", name), c.bytes(name + 65, 8), c.call("setns", at, 0));
      return [...seen, i.readFile("/proc/net/dev"), c.readFile("/proc/self/mountinfo")];
    };
  },

  "processes in control groups, with memory charged to them": (guest) => {
    const child = guest.fork(), frozen = guest.fork();
    for (const group of ["one", "two"]) guest.must("mkdirat", -100, `/cgroup/${group}`, 0o755);
    guest.writeFile("/cgroup/cgroup.subtree_control", "+memory +pids +cpu");
    guest.writeFile("/cgroup/one/cgroup.procs", `${child.tid}`);
    guest.writeFile("/cgroup/two/cgroup.procs", `${frozen.tid}`);
    guest.writeFile("/cgroup/one/memory.high", "8388608");
    guest.writeFile("/cgroup/one/pids.max", "1");
    const at = child.must("mmap", 0, 1 << 20, 3, 0x22, -1, 0);
    child.store(at, new Uint8Array(1 << 19).fill(3));
    guest.writeFile("/cgroup/two/cgroup.freeze", "1");
    return (world) => {
      const g = guest.in(world), c = child.in(world), seen: unknown[] = [];
      const look = () => {
        const files = ["one/memory.current", "one/pids.current", "two/cgroup.events"];
        seen.push(...files.map((name) => g.readFile(`/cgroup/${name}`)));
      };
      look();
      seen.push(c.call("clone", SIGCHLD, 0, 0, 0, 0), c.call("munmap", at, 1 << 20));
      g.writeFile("/cgroup/two/cgroup.freeze", "0");
      seen.push(frozen.in(world).call("getpid"));
      g.writeFile("/cgroup/cgroup.procs", `${child.tid}`);
      look();
      seen.push(
        c.call("clone", SIGCHLD, 0, 0, 0, 0) ?? 0,
        g.call("unlinkat", -100, "/cgroup/one", 512),
      );
      return seen;
    };
  },

  "descriptors of processes": (guest) => {
    const child = guest.fork(), fd = guest.must("pidfd_open", child.tid, 0), poller = guest.fork();
    poller.waits("poll", join(ints(4, fd), ints(2, 1, 0)), 1, -1);
    return (world) => {
      const g = guest.in(world), seen: unknown[] = [g.call("pidfd_send_signal", fd, 0, 0, 0)];
      seen.push(g.call("pidfd_send_signal", fd, SIGKILL, 0, 0), poller.in(world).result);
      const info = g.room(128);
      return [...seen, g.call("waitid", 3, fd, info, 4, 0), g.bytes(info, 32)];
    };
  },

  "credentials, limits and attributes of a process": (guest) => {
    const child = guest.fork();
    child.must("prlimit64", 0, 7, ints(8, 20, 30), 0);
    child.must("setgroups", 3, ints(4, 5, 6, 7));
    child.must("setpriority", 0, 0, 5);
    child.must("prctl", 1, SIGUSR1, 0, 0, 0);
    child.must("sched_setscheduler", 0, 3, ints(4, 0));
    child.must("umask", 0o77);
    child.must("personality", 0x0040000);
    child.must("setresuid", 1000, 1000, 0);
    return (world) => {
      const c = child.in(world), text = c.readFile("/proc/self/status");
      const kept = text.split("\n").filter((line) => !/^(Vm|Rss|voluntary|nonvol)/.test(line));
      return [
        kept,
        c.readFile("/proc/self/limits"),
        c.call("getpriority", 0, 0),
        c.call("sched_getscheduler", 0),
        c.call("personality", 0xffffffff),
        c.call("umask", 0),
      ];
    };
  },

  "handlers, an alternate stack and a call that a signal interrupts": (guest) => {
    const [r] = guest.pair("pipe2"), child = guest.fork(), handler = 0x401100;
    child.must("rt_sigaction", SIGUSR1, ints(8, handler, 0xc000000, 0x401200, 0), 0, 8);
    child.must("sigaltstack", ints(8, child.room(4096), 0, 4096), 0);
    child.waits("read", r, child.room(8), 8);
    return (world) => {
      const c = child.in(world), killed = guest.in(world).call("kill", child.tid, SIGUSR1);
      const seen = [killed, c.state, c.registers()];
      c.returnFromHandler();
      return [...seen, c.state, c.registers()];
    };
  },
};
