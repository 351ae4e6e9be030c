/**
 * The calls of simulated guests, as data. Most are drawn from a list of calls that work together,
 * with arguments that make sense more often than not; the others are any row of the kernel's table,
 * with any value of its types.
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { NAMES, SYS_prlimit64, SYS_ptrace } from "../../ffi/abi/syscall_numbers.ts";
import { ALL_ROWS } from "../../kernel/syscalls/x86_64.ts";
import type { Random } from "../harness/seeded.ts";
import { DATA, HANDLER, RESTORER } from "./guest.ts";

export interface Call {
  readonly nr: number;
  readonly args: readonly number[];
  /** The use of a result. */
  readonly gives?: "fd" | "map";
}

/** Guest memory for arguments. */
export interface Memory {
  /** Bytes, and where they are now. */
  put(bytes: Uint8Array<ArrayBuffer>): number;
  /** A buffer of so many bytes for a call's output. */
  room(len: number): number;
}

/** The descriptors and addresses of the caller. */
export interface Holdings {
  readonly fds: readonly number[];
  readonly maps: readonly number[];
}

type Draw = (c: Random, own: Holdings, m: Memory) => number;

const bytes = (...parts: readonly number[]) => new Uint8Array(parts);
const text = (s: string) => new TextEncoder().encode(`${s}\0`);

function words(...values: readonly number[]): Uint8Array<ArrayBuffer> {
  const view = new DataView(new ArrayBuffer(8 * values.length));
  values.forEach((v, i) => view.setBigInt64(8 * i, BigInt(v), true));
  return new Uint8Array(view.buffer);
}

const PATHS = [
  "/",
  ".",
  "/f",
  "/g",
  "/d",
  "/d/a",
  "/d/b",
  "/d/e/f",
  "/l",
  "/tmp",
  "/tmp/x",
  "/dev/null",
  "/fifo",
  "/host",
  "/host/a",
  "/host/d",
  "/host/d/b",
];
const READABLE = [
  ...PATHS,
  "/dev/zero",
  "/dev/ptmx",
  "/proc/self/maps",
  "/proc/self/status",
  "/proc/1/stat",
  "",
];
const PROGRAMS = ["/prog", "/prog", "/prog", "/f", "/d"];
const EDGES = [
  0,
  1,
  2,
  7,
  8,
  4095,
  4096,
  65536,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 47,
  -1,
  -4096,
  -(2 ** 31),
];

const some = (values: readonly number[]): Draw => (c) => c.pick(values);
const below = (n: number): Draw => (c) => c.below(n);
const bits = (values: readonly number[]): Draw => (c) =>
  values.reduce((sum, v) => c.below(3) === 0 ? sum | v : sum, 0);
const atMost = (len: number): Draw => (c, _, m) => c.below(50) === 0 ? c.pick(EDGES) : m.room(len);
const path = (list: readonly string[]): Draw => (c, _, m) => m.put(text(c.pick(list)));
const struct =
  (make: (c: Random, own: Holdings, m: Memory) => readonly number[]): Draw => (c, own, m) =>
    m.put(words(...make(c, own, m)));

const fd: Draw = (c, own) => c.below(8) === 0 ? c.below(24) - 1 : c.pick(own.fds);
const pid: Draw = some([0, 1, 2, 3, 4, 5, -1, 9]);
const soon: Draw = struct((c) => [0, c.below(2_000_000)]);
const sigset: Draw = struct((c) => [c.below(2) === 0 ? 0 : c.below(1 << 30)]);
const iov: Draw = struct((c, _, m) => [m.room(256), c.below(256), m.room(64), c.below(64)]);

/** How an argument is drawn, by the letter words below and by the types of the kernel's table. */
const DRAWS: Readonly<Record<string, Draw>> = {
  zero: () => 0,
  cwd: (c, own, m) => c.below(4) === 0 ? fd(c, own, m) : -100,
  dirfd: (c, own, m) => c.below(4) === 0 ? fd(c, own, m) : -100,
  fd,
  path: path(PATHS),
  readable: path(READABLE),
  program: path(PROGRAMS),
  str: path(["tmpfs", "proc", "user.a", "lo", "x"]),
  argv: struct((_, __, m) => [m.put(text("/prog")), 0]),
  buf: atMost(4096),
  out: atMost(4096),
  stat: atMost(256),
  size: (c) => c.below(20) === 0 ? c.pick(EDGES) : c.below(4096),
  long: (c) => c.below(8) === 0 ? c.pick(EDGES) : c.below(64),
  ulong: (c) => c.below(8) === 0 ? c.pick(EDGES) : c.below(64),
  int: (c) => c.below(8) === 0 ? c.pick(EDGES) : c.below(16),
  uint: (c) => c.below(8) === 0 ? c.pick(EDGES) : c.below(16),
  hex: (c) => c.below(3) === 0 ? 0 : 1 << c.below(31),
  off: (c) => c.below(10) === 0 ? c.pick(EDGES) : c.below(1 << 18),
  ptr: atMost(512),
  mode: some([0o644, 0o755, 0o600, 0o777, 0o4755, 0]),
  iov,
  iovs: below(3),
  oflags: bits([
    1,
    2,
    0o100,
    0o100,
    0o200,
    0o1000,
    0o2000,
    0o4000,
    0o2000000,
    0o200000,
    0o10000000,
  ]),
  whence: below(6),
  fallocmode: some([0, 1, 3, 0x10, 8, 0x20]),
  fdflags: bits([0o4000, 0o2000000]),
  fcntl: some([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 36, 37, 38, 1024, 1025, 1030, 1031, 1032]),
  ioctl: some([0x5401, 0x5413, 0x541b, 0x5421, 0x5450, 0x80045430, 0x5410, 0x540f]),
  address: (c, own) =>
    c.below(6) === 0 ? DATA + PAGE_SIZE * c.below(32) : own.maps.length > 0 ? c.pick(own.maps) : 0,
  maplen: (c) => PAGE_SIZE * (1 + c.below(40)),
  prot: some([0, 1, 3, 3, 3, 5, 7]),
  mapflags: some([0x22, 0x22, 0x21, 0x01, 0x02, 0x122, 0x8022]),
  fdornone: (c, own, m) => c.below(2) === 0 ? -1 : fd(c, own, m),
  remapflags: some([0, 1, 1, 3, 5]),
  advice: some([0, 4, 4, 8, 9, 10, 11, 14, 15, 16, 17, 18, 19, 22, 23]),
  page: (c) => PAGE_SIZE * c.below(8),
  cloneflags: some([
    17,
    17,
    0x4111,
    0x100 | 0x200 | 0x400 | 0x800 | 0x10000,
    0x10f00,
    0x200 | 17,
    0x20000011,
    0x10000011,
  ]),
  stack: (c) => DATA + 0x10000 + 16 * c.below(1024),
  status: below(256),
  waitflags: bits([1, 2, 8, 0x20000000, 0x40000000]),
  idtype: below(4),
  waitopts: bits([4, 4, 1, 2, 8, 0x01000000]),
  pid,
  pidself: some([0, 0, 1, 2, 3]),
  sig: some([0, 1, 2, 9, 10, 10, 12, 13, 14, 15, 17, 18, 19, 20, 23, 34, 64]),
  sigaction: struct((c) => [
    c.pick([0, 1, HANDLER, HANDLER]),
    0x04000000 | c.pick([0, 0, 4, 0x10000000, 0x40000000, 0x80000000]),
    RESTORER,
    c.below(1 << 20),
  ]),
  sigset,
  eight: () => 8,
  how: below(3),
  timespec: soon,
  itimer: struct((c) => [0, c.below(3) * 5000, 0, c.below(20_000)]),
  itimerspec: struct((c) => [0, c.below(3) * 5_000_000, 0, c.below(20_000_000)]),
  clock: some([0, 1, 1, 4, 7, 2]),
  timerid: below(3),
  absolute: some([0, 0, 0, 1]),
  timeout: some([0, 1, 5, 5, 20]),
  epollop: some([1, 1, 1, 2, 3]),
  epollevent: (c, own, m) => {
    const out = new DataView(new ArrayBuffer(12));
    out.setUint32(0, c.pick([1, 4, 5, 0x80000001, 0x40000001, 0x10000001]), true);
    out.setUint32(4, fd(c, own, m) >>> 0, true);
    return m.put(new Uint8Array(out.buffer));
  },
  pollfds: (c, own, m) => {
    const out = new DataView(new ArrayBuffer(16));
    for (const at of [0, 8]) {
      out.setInt32(at, fd(c, own, m), true);
      out.setInt16(at + 4, c.pick([1, 4, 5]), true);
    }
    return m.put(new Uint8Array(out.buffer));
  },
  two: () => 2,
  futexword: (c) => DATA + 4 * c.below(4),
  futexop: some([0, 128, 1, 129, 3, 131, 4, 9, 137, 10, 138, 6, 134, 7, 135, 8]),
  family: some([1, 1, 1, 2, 2, 10, 16]),
  socktype: some([1, 1, 2, 2, 5, 3, 0x801, 0x80002]),
  sockaddr: (c, _, m) =>
    m.put(c.pick([
      bytes(1, 0, 0, 97),
      bytes(1, 0, 47, 115, 0),
      bytes(2, 0, 31, 144, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
      bytes(2, 0, 0, 0, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0),
    ])),
  addrlen: some([4, 5, 16, 16, 2, 110]),
  msgflags: bits([0x40, 0x40, 0x4000, 2, 0x20, 0x100]),
  msghdr: struct((c, own, m) => {
    const right = new DataView(new ArrayBuffer(24));
    right.setUint32(0, 20, true);
    right.setUint32(8, 1, true);
    right.setUint32(12, 1, true);
    right.setInt32(16, fd(c, own, m), true);
    const control = c.below(2) === 0 ? 0 : m.put(new Uint8Array(right.buffer));
    return [0, 0, iov(c, own, m), 2, control, control === 0 ? 0 : 24, 0];
  }),
  level: some([1, 1, 6, 0, 41]),
  option: below(40),
  intptr: (c, _, m) => m.put(words(c.below(3))),
  intlen: some([4, 8]),
  count: below(8),
  ipckey: some([0, 0, 5, 6]),
  ipcid: below(4),
  ipcflags: some([0o1600, 0o600, 0o1666, 0o3600]),
  ipccmd: some([0, 1, 2, 3, 11, 12, 13, 14, 16, 17]),
  sembuf: (c, _, m) =>
    m.put(bytes(c.below(2), 0, c.pick([0, 1, 255]), c.pick([0, 255]), 0, c.pick([0, 8, 16]))),
  msgbuf: struct((c) => [1 + c.below(3), 7]),
  nameflags: bits([1, 2, 4]),
  atflags: some([0, 0, 0x100, 0x200, 0x400, 0x1000]),
  mountflags: some([0, 1, 0x1000, 0x5000, 0x20, 1 << 18, 1 << 20]),
  umountflags: some([0, 2, 4, 8]),
  unshare: some([0x20000, 0x200, 0x400, 0x10000000, 0x20000000, 0x40000000, 0x4000000, 0x8000000]),
  watchmask: some([0xfff, 2, 0x300, 0x40000fff]),
  splicelen: below(70_000),
  prctl: some([1, 2, 3, 4, 15, 16, 36, 37, 38, 39]),
  ptrace: some([0, 7, 16, 17, 0x4206, 0x4207, 24, 1, 4, 12]),
  uid: some([0, 0, 1000, 65534, -1]),
  argument: (c) => c.below(2) === 0 ? c.below(64) : DATA + c.below(4096),
};

/** `>fd` and `>map` tell what the result is; all others name the arguments. */
const LIST = `
openat cwd readable oflags mode >fd
openat cwd path oflags mode >fd
read fd buf size
write fd buf size
readv fd iov iovs
writev fd iov iovs
pread64 fd buf size off
pwrite64 fd buf size off
close fd
dup fd >fd
dup2 fd fd
fcntl fd fcntl argument
ioctl fd ioctl buf
lseek fd off whence
ftruncate fd off
fallocate fd fallocmode off size
pipe2 out fdflags
fstat fd stat
getdents64 fd buf size
mkdirat cwd path mode
mknodat cwd path mode zero
unlinkat cwd path atflags
renameat2 cwd path cwd path nameflags
linkat cwd path cwd path atflags
symlinkat path cwd path
flock fd count
copy_file_range fd zero fd zero splicelen zero
sendfile fd fd zero splicelen
splice fd zero fd zero splicelen count
tee fd fd splicelen count
vmsplice fd iov iovs count
mmap zero maplen prot mapflags fdornone page >map
munmap address maplen
mremap address maplen maplen remapflags zero >map
mprotect address maplen prot
madvise address maplen advice
msync address maplen count
mlock address maplen
brk zero
fork
fork
vfork
clone cloneflags stack out out zero
clone cloneflags stack out out zero
execve program argv argv
exit status
exit_group status
wait4 pid out waitflags zero
waitid idtype pid out waitopts zero
kill pid sig
tgkill pidself pidself sig
rt_sigaction sig sigaction zero eight
rt_sigprocmask how sigset zero eight
rt_sigtimedwait sigset zero timespec eight
rt_sigsuspend sigset eight
rt_sigqueueinfo pid sig out
sigaltstack zero out
pidfd_open pidself zero >fd
pidfd_send_signal fd sig zero zero
nanosleep timespec zero
clock_nanosleep clock absolute timespec zero
setitimer how itimer zero
timer_create clock zero out
timer_settime timerid absolute itimerspec zero
timer_delete timerid
timerfd_create clock fdflags >fd
timerfd_settime fd absolute itimerspec zero
eventfd2 count fdflags >fd
signalfd4 fdornone sigset eight fdflags >fd
epoll_create1 zero >fd
epoll_ctl fd epollop fd epollevent
epoll_wait fd out count timeout
poll pollfds two timeout
futex futexword futexop count timespec futexword count
socket family socktype zero >fd
socketpair family socktype zero out
bind fd sockaddr addrlen
listen fd count
connect fd sockaddr addrlen
accept4 fd zero zero fdflags >fd
sendto fd buf size msgflags zero zero
recvfrom fd buf size msgflags zero zero
sendmsg fd msghdr msgflags
recvmsg fd msghdr msgflags
shutdown fd how
setsockopt fd level option intptr intlen
getsockopt fd level option out intptr
shmget ipckey maplen ipcflags
shmat ipcid zero zero >map
shmdt address
shmctl ipcid ipccmd out
semget ipckey two ipcflags
semop ipcid sembuf count
semctl ipcid count ipccmd argument
msgget ipckey ipcflags
msgsnd ipcid msgbuf eight msgflags
msgrcv ipcid out eight zero msgflags
msgctl ipcid ipccmd out
mq_open str oflags mode zero >fd
mq_timedsend fd buf count zero timespec
mq_timedreceive fd buf size zero timespec
memfd_create str count >fd
inotify_init1 fdflags >fd
inotify_add_watch fd path watchmask
setpgid pidself pidself
setsid
getpgid pidself
prctl prctl argument zero zero zero
ptrace ptrace pid zero argument
process_vm_readv pid iov iovs iov iovs zero
mount str path str mountflags zero
umount2 path umountflags
unshare unshare
setns fd zero
setuid uid
setresuid uid uid uid
chdir path
chroot path
userfaultfd fdflags >fd
io_uring_setup count out >fd
io_uring_enter fd count count zero zero zero
sched_yield
alarm count
pause
`;

interface Template {
  readonly nr: number;
  readonly draws: readonly Draw[];
  readonly gives?: "fd" | "map";
}

function drawOf(word: string): Draw {
  const draw = DRAWS[word];
  if (draw === undefined) throw new Error(`no such argument: ${word}`);
  return draw;
}

const TEMPLATES: readonly Template[] = LIST.trim().split("\n").map((line) => {
  const [name = "", ...rest] = line.split(" "), nr = NAMES.indexOf(name);
  if (nr < 0) throw new Error(`no such call: ${name}`);
  const draws = rest.filter((word) => !word.startsWith(">")).map(drawOf);
  if (rest.includes(">fd")) return { nr, draws, gives: "fd" };
  return rest.includes(">map") ? { nr, draws, gives: "map" } : { nr, draws };
});

const ANY: readonly Template[] = ALL_ROWS.map((row) => ({
  nr: row.nr,
  draws: row.args.split(" ").filter((t) => t !== "").map((t) => DRAWS[t] ?? DRAWS.argument!),
}));

/** One in so many calls is any row of the table. */
const ANYTHING = 6;

export function drawCall(c: Random, own: Holdings, m: Memory): Call {
  const { nr, draws, gives } = c.pick(c.below(ANYTHING) === 0 ? ANY : TEMPLATES);
  const args = draws.map((draw) => draw(c, own, m));
  // The first process gets no limit: one of no CPU time would end it, and with it the sandbox.
  if (nr === SYS_ptrace && args[1] === 1) args[1] = 2;
  if (nr === SYS_prlimit64 && args[0] === 1) args[0] = 2;
  return gives === undefined ? { nr, args } : { nr, args, gives };
}
