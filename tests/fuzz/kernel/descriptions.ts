/**
 * Calls for attacks on the borders between users and containers: files of /proc and /sys that
 * change something, control groups, mounts, namespaces, credentials, keys, set-ID programs. One
 * line a call: its name and how its arguments are drawn, by the words of WORDS.
 *
 * Neighbour: ../../sim/calls.ts has the calls for all else.
 */

import { NAMES } from "../../../ffi/abi/syscall_numbers.ts";
import type { Random } from "../../harness/seeded.ts";
import type { Call, Holdings, Memory } from "../../sim/calls.ts";

type Draw = (c: Random, own: Holdings, m: Memory) => number;

const text = (s: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(`${s}\0`);
const one = (list: readonly string[]): Draw => (c, _, m) => m.put(text(c.pick(list)));
const some = (values: readonly number[]): Draw => (c) => c.pick(values);

const PATHS: readonly string[] = [
  "/",
  "/d",
  "/d/e",
  "/d/x",
  "/secret",
  "/suid",
  "/tmp",
  "/tmp/m",
  "/tmp/m/x",
  "/tmp/w",
  "/tmp/w/work",
  "/proc",
  "/proc/self",
  "/proc/1/root/secret",
  "/proc/1/mem",
  "/proc/self/mem",
  "/proc/self/ns/user",
  "/proc/self/ns/mnt",
  "/proc/1/ns/mnt",
  "/proc/1/ns/pid",
  "/proc/1/cwd",
  "/proc/self/fd/3",
  "/proc/self/root",
  "/sys",
  "/sys/kernel",
  "/cgroup",
  "/cgroup/g",
  "/cgroup/g/h",
];
const CHANGING: readonly string[] = [
  "/proc/self/uid_map",
  "/proc/self/gid_map",
  "/proc/self/setgroups",
  "/proc/self/oom_score_adj",
  "/proc/1/oom_score_adj",
  "/proc/self/comm",
  "/proc/self/coredump_filter",
  "/proc/self/timerslack_ns",
  "/proc/self/clear_refs",
  "/proc/self/loginuid",
  "/proc/sys/kernel/hostname",
  "/proc/sys/kernel/domainname",
  "/proc/sys/kernel/shmmax",
  "/proc/sys/kernel/pid_max",
  "/proc/sys/kernel/randomize_va_space",
  "/proc/sys/net/ipv4/ip_forward",
  "/proc/sys/net/ipv4/ping_group_range",
  "/proc/sys/fs/pipe-max-size",
  "/proc/sys/fs/protected_symlinks",
  "/proc/sys/user/max_user_namespaces",
  "/proc/sys/vm/overcommit_memory",
  "/cgroup/cgroup.procs",
  "/cgroup/cgroup.subtree_control",
  "/cgroup/g/cgroup.procs",
  "/cgroup/g/cgroup.freeze",
  "/cgroup/g/cgroup.kill",
  "/cgroup/g/pids.max",
  "/cgroup/g/memory.max",
  "/cgroup/g/cpu.max",
  "/cgroup/g/cgroup.type",
];
const TEXTS: readonly string[] = [
  "0",
  "1",
  "-1",
  "0 0 1",
  "0 1000 1",
  "0 0 4294967295",
  "deny",
  "allow",
  "max",
  "+pids +memory +cpu",
  "-pids",
  "threaded",
  "100 1000",
  "65536",
  "name",
  "-1000",
];
const TYPES: readonly string[] = [
  "tmpfs",
  "proc",
  "sysfs",
  "cgroup2",
  "overlay",
  "mqueue",
  "devpts",
];
const OPTIONS: readonly string[] = [
  "",
  "size=64k",
  "mode=777",
  "lowerdir=/d,upperdir=/tmp/m,workdir=/tmp",
  "lowerdir=/d,upperdir=/tmp/m,workdir=/tmp/w",
  "lowerdir=/d,upperdir=/tmp/m,workdir=/tmp/w",
  "lowerdir=/d/e:/d,upperdir=/tmp/m,workdir=/tmp/w",
  "lowerdir=/cgroup:/proc,upperdir=/tmp/w,workdir=/tmp/m",
  "lowerdir=/d:/tmp",
  "lowerdir=/proc:/sys:/d",
  "hidepid=2",
];

const WORDS: Readonly<Record<string, Draw>> = {
  zero: () => 0,
  minus: () => -1,
  cwd: (c, own) => c.below(4) === 0 ? c.pick(own.fds) : -100,
  fd: (c, own) => c.pick(own.fds),
  path: one(PATHS),
  changing: one(CHANGING),
  text: one(TEXTS),
  type: one(TYPES),
  options: one(OPTIONS),
  overlay: one(["overlay"]),
  layers: one(OPTIONS.filter((text) => text.startsWith("lowerdir"))),
  program: one(["/suid", "/prog"]),
  vector: (_, __, m) => m.put(new Uint8Array(16)),
  length: (c) => 1 + c.below(16),
  rw: some([1, 2, 0o2001, 0o200000]),
  attribute: one(["user.a", "security.capability", "trusted.a", "system.posix_acl_access"]),
  mountflags: some([
    0,
    0x1000,
    0x5000,
    0x2000,
    1 << 17,
    1 << 18,
    1 << 19,
    1 << 20,
    0x44000,
    0x84000,
    0x104000,
    0x1021,
    0x1020,
  ]),
  unmountflags: some([0, 2, 4, 8]),
  treeflags: some([1, 1, 0x8001, 0]),
  moveflags: some([4, 0x44, 0]),
  mode: some([0o4755, 0o2755, 0o777, 0o700, 0]),
  id: some([0, 1000, 2000, -1, 65534]),
  namespaces: some([
    0x10000000,
    0x10020000,
    0x30020000,
    0x20000000,
    0x2000000,
    0x4000000,
    0x40000000,
    0x8000000,
    0x80,
  ]),
  clone: some([17, 0x10000011, 0x30000011, 0x20000011, 0x10020011]),
  pid: some([1, 2, 3, 4, 5, 6, 7, -1, 0]),
  signal: some([0, 9, 10, 18, 19]),
  prctl: some([1, 4, 8, 23, 24, 28, 36, 38, 47]),
  argument: (c) => c.below(64),
  ptrace: some([0x4206, 16, 7, 17, 0x4207, 1, 4]),
  keyring: some([-1, -2, -3, -4, -5, -6]),
  keytype: one(["user", "keyring", "logon"]),
  keyctl: some([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 15, 18, 21]),
  header: (_, __, m) => m.put(new Uint8Array([0x22, 5, 8, 0x20, 0, 0, 0, 0])),
  caps: (c, _, m) => {
    const bytes = new Uint8Array(24);
    for (const at of [0, 1, 2, 3, 12, 16]) bytes[at] = c.below(256);
    return m.put(bytes);
  },
  out: (_, __, m) => m.room(64),
};

const LIST = `
openat cwd changing rw
openat cwd changing rw
openat cwd path rw
write fd text length
write fd text length
pwrite64 fd text length zero
mount type path type zero options
mount path path zero mountflags zero
mount path path type mountflags options
mount path path overlay zero layers
mount path path overlay zero layers
umount2 path unmountflags
open_tree cwd path treeflags
move_mount fd path cwd path moveflags
fsopen type zero
fsconfig fd argument text text zero
fsmount fd zero zero
pivot_root path path
unshare namespaces
unshare namespaces
setns fd namespaces
clone clone zero zero zero zero
setuid id
setgid id
setresuid id id id
setresgid id id id
setfsuid id
setgroups zero zero
capset header caps
prctl prctl argument zero zero zero
chmod path mode
chown path id id
fchownat cwd path id id zero
setxattr path attribute text length zero
removexattr path attribute
execve program vector vector
chroot path
chdir path
ptrace ptrace pid zero argument
kill pid signal
pidfd_open pid zero
pidfd_getfd fd fd zero
pidfd_send_signal fd signal zero zero
process_vm_writev pid vector argument vector argument zero
kcmp pid pid argument fd fd
prlimit64 pid argument zero out
setpriority zero pid argument
sched_setaffinity pid length out
add_key keytype text text length keyring
request_key keytype text zero keyring
keyctl keyctl keyring keyring argument argument
sethostname text length
mkdirat cwd path mode
symlinkat path cwd path
linkat cwd path cwd path zero
renameat2 cwd path cwd path zero
mknodat cwd path mode zero
landlock_create_ruleset out length zero
landlock_restrict_self fd zero
name_to_handle_at cwd path out out zero
`;

interface Template {
  readonly nr: number;
  readonly draws: readonly Draw[];
}

const TEMPLATES: readonly Template[] = LIST.trim().split("\n").map((line) => {
  const [name = "", ...words] = line.split(" "), nr = NAMES.indexOf(name);
  if (nr < 0) throw new Error(`no such call: ${name}`);
  const draws = words.map((word) => {
    const draw = WORDS[word];
    if (draw === undefined) throw new Error(`no such argument: ${word}`);
    return draw;
  });
  return { nr, draws };
});

export function drawFurtherCall(c: Random, own: Holdings, m: Memory): Call {
  const { nr, draws } = c.pick(TEMPLATES);
  return { nr, args: draws.map((draw) => draw(c, own, m)) };
}
