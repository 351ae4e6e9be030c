import { assertEquals } from "@std/assert";
import * as F from "../../../ffi/abi/fcntl.ts";
import { FIOCLEX, FIONBIO, FIONREAD, FIOQSIZE } from "../../../ffi/abi/ioctl.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { sysOpen } from "../fs/open.ts";
import { sysEventfd2 } from "./eventfd.ts";
import * as fd from "./descriptors.ts";
import * as inotify from "./inotify.ts";
import { sysFlock } from "./locks.ts";
import { sysPipe2 } from "./pipe.ts";
import { sysRead, sysWrite } from "./read_write.ts";
import * as storage from "./storage.ts";

const BAD = 8, IN = 0, OUT = 4096, NONE = 999_999, MINUS = -1 >>> 0, MINUS64 = 2 ** 64 - 2048;
/** The largest offset that a number of the lab can be. */
const NEAR_MAX = 2 ** 63 - 1024;

/** A file of ten bytes that may be read and written, one that may be read, a directory, a pipe. */
class FileLab extends CallLab {
  readonly f: number;
  readonly ro: number;
  readonly dir: number;
  readonly r: number;
  readonly w: number;

  constructor() {
    super();
    this.f = Number(this.call(sysOpen, "/f", F.O_CREAT | F.O_RDWR, 0o600));
    this.ro = Number(this.call(sysOpen, "/f", F.O_RDONLY, 0));
    this.dir = Number(this.call(sysOpen, "/", F.O_RDONLY, 0));
    this.call(sysWrite, this.f, "0123456789", 10);
    this.call(sysPipe2, this.memory + OUT, 0);
    [this.r = -1, this.w = -1] = this.readWords(32, OUT, 2);
  }
  fcntl(file: number, command: number, arg: number): number | string {
    return this.call(fd.sysFcntl, file, command, arg);
  }
  /** A struct flock. */
  flock(type: number, whence: number, start: number, len: number, pid = 0): number {
    this.words(32, IN, type | whence << 16, 0);
    this.words(64, IN + 8, start, len, pid);
    return this.memory + IN;
  }
}

Deno.test("dup2, dup3 and F_DUPFD: descriptors and limits", () => {
  const lab = new FileLab(), { sysDup, sysDup2, sysDup3 } = fd, { f } = lab;
  assertEquals([lab.call(sysDup, 99), lab.call(sysDup2, 99, 99)], ["EBADF", "EBADF"]);
  assertEquals([lab.call(sysDup2, f, f), lab.call(sysDup2, f, 1 << 20)], [f, "EBADF"]);
  assertEquals(lab.call(sysDup2, f, MINUS), "EBADF");
  assertEquals([lab.call(sysDup3, f, f, 0), lab.call(sysDup3, 99, 99, 0)], ["EINVAL", "EINVAL"]);
  assertEquals([lab.call(sysDup3, f, 50, 1), lab.call(sysDup3, 99, 50, 0)], ["EINVAL", "EBADF"]);
  assertEquals(lab.fcntl(f, F.F_DUPFD, MINUS), "EINVAL");
  assertEquals([lab.fcntl(f, F.F_DUPFD, 1 << 30), lab.fcntl(99, F.F_DUPFD, MINUS)], [
    "EINVAL",
    "EBADF",
  ]);
  assertEquals([lab.fcntl(f, F.F_DUPFD_CLOEXEC, 40), lab.fcntl(40, F.F_GETFD, 0)], [40, 1]);
  assertEquals([lab.fcntl(f, 9999, 0), lab.fcntl(40, F.F_DUPFD_QUERY, f)], ["EINVAL", 1]);
  for (const [first, last, flags] of [[5, 4, 0], [5, 5, 1], [5, 5, 8]] as const) {
    assertEquals(lab.call(fd.sysCloseRange, first, last, flags), "EINVAL");
  }
});

Deno.test("the owner of a file: processes, groups, stored values", () => {
  const lab = new FileLab(), { f } = lab, out = lab.memory + OUT;
  const ex = (type: number, id: number) => lab.fcntl(f, F.F_SETOWN_EX, lab.words(32, IN, type, id));
  assertEquals([lab.fcntl(f, F.F_GETOWN, 0), lab.fcntl(f, F.F_SETOWN, NONE)], [0, "ESRCH"]);
  assertEquals(lab.fcntl(f, F.F_SETOWN, -NONE >>> 0), "ESRCH");
  assertEquals(lab.fcntl(f, F.F_SETOWN, 0x80000000), "EINVAL");
  assertEquals([lab.fcntl(f, F.F_SETOWN, 1), lab.fcntl(f, F.F_GETOWN, 0)], [0, 1]);
  assertEquals([lab.fcntl(f, F.F_SETOWN, 0), lab.fcntl(f, F.F_GETOWN, 0)], [0, 0]);
  assertEquals(lab.fcntl(f, F.F_SETOWN_EX, BAD), "EFAULT");
  assertEquals([ex(3, 1), ex(1, NONE), ex(1, -1), ex(0, 1)], ["EINVAL", "ESRCH", "ESRCH", 0]);
  for (const command of [F.F_GETOWN_EX, F.F_GETOWNER_UIDS]) {
    assertEquals(lab.fcntl(f, command, BAD), "EFAULT");
  }
  assertEquals([lab.fcntl(f, F.F_GETOWN_EX, out), lab.readWords(32, OUT, 2)], [0, [0, 1]]);
  assertEquals([lab.fcntl(f, F.F_GETOWNER_UIDS, out), lab.readWords(32, OUT, 2)], [0, [0, 0]]);
  assertEquals([lab.fcntl(f, F.F_SETSIG, 65), lab.fcntl(f, F.F_SETSIG, MINUS)], [
    "EINVAL",
    "EINVAL",
  ]);
  assertEquals([lab.fcntl(f, F.F_SETSIG, 64), lab.fcntl(f, F.F_GETSIG, 0)], [0, 64]);
});

Deno.test("record locks: ranges that are none, access, conflicts", () => {
  const lab = new FileLab(), { f, ro } = lab, READ = 0, WRITE = 1;
  const set = (...range: [number, number, number, number]) =>
    lab.fcntl(f, F.F_SETLK, lab.flock(...range));
  assertEquals([lab.fcntl(f, F.F_SETLK, BAD), lab.fcntl(f, F.F_GETLK, BAD)], ["EFAULT", "EFAULT"]);
  assertEquals([set(WRITE, 3, 0, 0), set(3, 0, 0, 0)], ["EINVAL", "EINVAL"]);
  assertEquals([set(WRITE, 0, -1, 1), set(WRITE, 0, 5, -6)], ["EINVAL", "EINVAL"]);
  assertEquals(set(WRITE, 2, NEAR_MAX, 2048), "EOVERFLOW");
  assertEquals(lab.fcntl(ro, F.F_SETLK, lab.flock(WRITE, 0, 0, 0)), "EBADF");
  assertEquals(lab.fcntl(f, F.F_GETLK, lab.flock(2, 0, 0, 0)), "EINVAL", "F_UNLCK is no question");
  assertEquals(lab.fcntl(f, F.F_OFD_SETLK, lab.flock(WRITE, 0, 0, 0, 5)), "EINVAL", "a pid");
  assertEquals([set(READ, 0, 0, 0), set(WRITE, 1, -6, 2)], [0, 0], "10 - 6, two bytes");
  assertEquals(lab.fcntl(f, F.F_OFD_SETLK, lab.flock(WRITE, 0, 0, 4)), "EAGAIN");
  assertEquals(lab.fcntl(f, F.F_OFD_GETLK, lab.flock(READ, 0, 3, 0)), 0);
  assertEquals([lab.readWords(32, IN, 1), lab.readWords(64, IN + 8, 2)], [[WRITE], [4, 2]]);
  assertEquals(lab.readWords(32, IN + 24, 1), [1], "whose it is");
});

Deno.test("flock: the operation, the descriptor, conflicts of descriptions", () => {
  const lab = new FileLab(), { f, ro } = lab;
  assertEquals([lab.call(sysFlock, 99, 16), lab.call(sysFlock, 99, F.LOCK_SH)], [
    "EINVAL",
    "EBADF",
  ]);
  assertEquals(lab.call(sysFlock, 99, 32), 0, "LOCK_MAND is taken and does nothing");
  assertEquals(lab.call(sysFlock, f, F.LOCK_EX), 0);
  assertEquals(lab.call(sysFlock, ro, F.LOCK_SH | F.LOCK_NB), "EAGAIN");
  assertEquals(lab.call(sysFlock, ro, F.LOCK_SH), "-4096", "it waits");
  lab.task.endWait();
  assertEquals([lab.call(sysFlock, f, F.LOCK_UN), lab.call(sysFlock, ro, F.LOCK_EX)], [0, 0]);
});

Deno.test("lseek: whence, then pipes, then where it leads", () => {
  const lab = new FileLab(), { sysLseek } = fd, { f, r } = lab;
  assertEquals(lab.call(sysLseek, 99, 0, 9), "EBADF");
  assertEquals([lab.call(sysLseek, f, 0, 5), lab.call(sysLseek, r, 0, 5)], ["EINVAL", "EINVAL"]);
  assertEquals([lab.call(sysLseek, r, 0, 0), lab.call(sysLseek, f, MINUS64, 0)], [
    "ESPIPE",
    "EINVAL",
  ]);
  assertEquals([lab.call(sysLseek, f, 3, 2), lab.call(sysLseek, f, MINUS64, 1)], [13, "EINVAL"]);
  assertEquals(lab.call(sysLseek, f, 0, 1), 13, "it did not move");
  assertEquals([lab.call(sysLseek, f, 13, 3), lab.call(sysLseek, f, MINUS64, 3)], [
    "ENXIO",
    "ENXIO",
  ]);
  assertEquals([lab.call(sysLseek, f, 0, 3), lab.call(sysLseek, f, 0, 4)], [0, 10], "data, a hole");
});

Deno.test("fsync, sync_file_range, posix_fadvise and readahead", () => {
  const lab = new FileLab(), { f, r, w, dir } = lab, { sysSyncFileRange: range } = storage;
  for (const sync of [storage.sysFsync, storage.sysFdatasync]) {
    assertEquals([lab.call(sync, 99), lab.call(sync, r), lab.call(sync, f)], [
      "EBADF",
      "EINVAL",
      0,
    ]);
  }
  assertEquals(lab.call(range, 99, MINUS64, 0, 0), "EBADF");
  assertEquals([lab.call(range, f, MINUS64, 0, 0), lab.call(range, f, 0, MINUS64, 0)], [
    "EINVAL",
    "EINVAL",
  ]);
  assertEquals([lab.call(range, f, 0, 0, 8), lab.call(range, r, 0, 0, 8)], ["EINVAL", "EINVAL"]);
  assertEquals(lab.call(range, f, NEAR_MAX, 8192, 0), "EINVAL", "it wraps around");
  assertEquals([lab.call(range, r, 0, 0, 0), lab.call(range, f, 0, 0, 7)], ["ESPIPE", 0]);
  const { sysFadvise64: advise, sysReadahead: ahead } = storage;
  assertEquals([lab.call(advise, 99, 0, 0, 9), lab.call(advise, r, 0, MINUS64, 9)], [
    "EBADF",
    "ESPIPE",
  ]);
  assertEquals([lab.call(advise, f, 0, MINUS64, 0), lab.call(advise, f, 0, 0, 6)], [
    "EINVAL",
    "EINVAL",
  ]);
  assertEquals([lab.call(advise, f, MINUS64, 0, 0), lab.call(advise, f, 0, 0, 5)], [0, 0]);
  assertEquals([lab.call(ahead, 99, 0, 0), lab.call(ahead, w, 0, 0)], ["EBADF", "EBADF"]);
  assertEquals([lab.call(ahead, r, 0, 0), lab.call(ahead, dir, 0, 0)], ["EINVAL", "EINVAL"]);
});

Deno.test("ftruncate and fallocate: sizes, descriptors, kinds of files", () => {
  const lab = new FileLab(), { f, ro, r, w, dir } = lab;
  const { sysFtruncate: cut, sysFallocate: grow } = storage;
  const size = () => lab.task.files.get(f)!.inode.size;
  assertEquals([lab.call(cut, 99, MINUS64), lab.call(cut, 99, 0)], ["EINVAL", "EBADF"]);
  for (const file of [ro, r, dir]) assertEquals(lab.call(cut, file, 0), "EINVAL");
  assertEquals([lab.call(cut, f, 5), size()], [0, 5]);
  assertEquals(lab.call(grow, 99, 0, 0, 0), "EBADF");
  assertEquals([lab.call(grow, f, 0, MINUS64, 1), lab.call(grow, f, 0, 0, 0)], [
    "EINVAL",
    "EINVAL",
  ]);
  assertEquals([lab.call(grow, f, 0x80, 0, 1), lab.call(grow, f, 2, 0, 1)], [
    "EOPNOTSUPP",
    "EOPNOTSUPP",
  ]);
  for (const file of [ro, r, dir]) assertEquals(lab.call(grow, file, 0, 0, 1), "EBADF");
  assertEquals([lab.call(grow, w, 0, 0, 1), lab.call(grow, f, 0, NEAR_MAX, 2048)], [
    "ESPIPE",
    "EFBIG",
  ]);
  assertEquals([lab.call(grow, f, 1, 0, 100), size()], [0, 5], "FALLOC_FL_KEEP_SIZE");
  assertEquals([lab.call(grow, f, 0, 0, 100), size()], [0, 100]);
});

Deno.test("inotify: masks, descriptors, paths; one watch a file", () => {
  const lab = new FileLab(), { sysInotifyAddWatch: add, sysInotifyRmWatch: remove } = inotify;
  const MODIFY = 2, ATTRIB = 4, ADD = 0x20000000, CREATE = 0x10000000, ONLYDIR = 0x01000000;
  assertEquals(lab.call(inotify.sysInotifyInit1, 1), "EINVAL");
  assertEquals([lab.call(add, 99, BAD, 0), lab.call(add, 99, BAD, MODIFY)], ["EINVAL", "EBADF"]);
  assertEquals(lab.call(add, 99, BAD, ADD | CREATE | MODIFY), "EBADF");
  assertEquals(lab.call(add, lab.f, BAD, MODIFY), "EINVAL");
  const i = Number(lab.call(inotify.sysInotifyInit1, F.O_NONBLOCK));
  assertEquals(lab.call(add, i, BAD, ADD | CREATE | MODIFY), "EINVAL");
  assertEquals([lab.call(add, i, BAD, MODIFY), lab.call(add, i, "/no", MODIFY)], [
    "EFAULT",
    "ENOENT",
  ]);
  assertEquals(lab.call(add, i, "/f", ONLYDIR | MODIFY), "ENOTDIR");
  for (const unknown of [0x10000, 0x800000]) {
    assertEquals(lab.call(add, i, "/f", MODIFY | unknown), "EINVAL");
  }
  const watch = Number(lab.call(add, i, "/f", MODIFY));
  assertEquals([lab.call(add, i, "/f", CREATE | MODIFY), lab.call(add, i, "/f", ADD | ATTRIB)], [
    "EEXIST",
    watch,
  ]);
  assertEquals([lab.call(remove, 99, watch), lab.call(remove, lab.f, watch)], ["EBADF", "EINVAL"]);
  assertEquals([lab.call(remove, i, 9), lab.call(remove, i, watch), lab.call(remove, i, watch)], [
    "EINVAL",
    0,
    "EINVAL",
  ]);
});

Deno.test("eventfd: sizes, the largest count, room", () => {
  const lab = new CallLab(), out = lab.memory + OUT;
  assertEquals(lab.call(sysEventfd2, 0, 2), "EINVAL");
  const e = Number(lab.call(sysEventfd2, 5, F.O_NONBLOCK));
  const put = (value: bigint) => {
    lab.poke(IN, new Uint8Array(new BigUint64Array([value]).buffer));
    return lab.call(sysWrite, e, lab.memory + IN, 8);
  };
  assertEquals([lab.call(sysRead, e, out, 7), lab.call(sysRead, e, out, 9)], ["EINVAL", 8]);
  assertEquals([lab.readWords(64, OUT, 1), lab.call(sysRead, e, out, 8)], [[5], "EAGAIN"]);
  assertEquals([put(2n ** 64n - 1n), put(2n ** 64n - 2n), put(1n)], ["EINVAL", 8, "EAGAIN"]);
  assertEquals([lab.call(sysWrite, e, BAD, 8), lab.call(sysWrite, e, BAD, 7)], [
    "EFAULT",
    "EINVAL",
  ]);
  assertEquals(lab.call(sysRead, e, out, 8), 8);
  assertEquals(lab.view(OUT, 8).getBigUint64(0, true), 2n ** 64n - 2n);
});

Deno.test("hints, pipe sizes and requests that every descriptor has", () => {
  const lab = new FileLab(), { f, r, dir } = lab, out = lab.memory + OUT, { sysIoctl } = fd;
  assertEquals(lab.fcntl(f, F.F_SET_RW_HINT, BAD), "EFAULT");
  assertEquals(lab.fcntl(f, F.F_SET_RW_HINT, lab.words(64, IN, 6)), "EINVAL");
  assertEquals(lab.fcntl(f, F.F_SET_RW_HINT, lab.words(64, IN, 5)), 0);
  assertEquals([lab.fcntl(f, F.F_GET_RW_HINT, out), lab.readWords(64, OUT, 1)], [0, [5]]);
  assertEquals([lab.fcntl(f, F.F_GETPIPE_SZ, 0), lab.fcntl(r, F.F_SETPIPE_SZ, 4097)], [
    "EBADF",
    8192,
  ]);
  assertEquals([lab.fcntl(r, F.F_SETPIPE_SZ, 0), lab.fcntl(r, F.F_GETPIPE_SZ, 0)], [4096, 4096]);
  assertEquals([lab.call(sysIoctl, 99, FIONBIO, BAD), lab.call(sysIoctl, f, FIONBIO, BAD)], [
    "EBADF",
    "EFAULT",
  ]);
  assertEquals([lab.call(sysIoctl, f, FIONREAD, BAD), lab.call(sysIoctl, r, FIOQSIZE, out)], [
    "EFAULT",
    "ENOTTY",
  ]);
  assertEquals([lab.call(sysIoctl, f, FIOQSIZE, out), lab.readWords(64, OUT, 1)], [0, [10]]);
  assertEquals([lab.call(sysIoctl, f, 0x9999, 0), lab.call(sysIoctl, dir, FIOCLEX, 0)], [
    "ENOTTY",
    0,
  ]);
  assertEquals(lab.fcntl(dir, F.F_GETFD, 0), 1);
});
