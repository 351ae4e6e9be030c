import { assertEquals } from "@std/assert";
import { RLIMIT_NOFILE } from "../../../ffi/abi/resource.ts";
import { SIGPIPE } from "../../../ffi/abi/signal.ts";
import * as F from "../../../ffi/abi/fcntl.ts";
import { EPOLL_CTL_ADD, EPOLLIN } from "../../../ffi/abi/epoll.ts";
import { BlockingLab } from "../../testing/blocking_lab.ts";
import * as fsOpen from "../fs/open.ts";
import * as copy from "./splice.ts";
import * as epoll from "../../epoll/calls/epoll.ts";
import * as fd from "./descriptors.ts";
import * as pipe from "./pipe.ts";
import * as poll from "./poll.ts";
import * as rw from "./read_write.ts";

const BLOCK = "-4096";

class Lab extends BlockingLab {
  pipe(flags = 0): [number, number] {
    assertEquals(this.call(pipe.sysPipe2, this.memory, flags), 0);
    const dv = this.view(0, 8);
    return [dv.getInt32(0, true), dv.getInt32(4, true)];
  }
  isPending(sig: number): boolean {
    return this.task.signals.pending.set.has(sig);
  }
}

const DATA = 4096;

Deno.test("a read of an empty pipe waits, and runs again", () => {
  const lab = new Lab(), [r, w] = lab.pipe(), at = lab.memory + DATA;
  assertEquals(lab.start(rw.sysRead, r, at, 10), BLOCK);
  assertEquals(lab.call(rw.sysWrite, w, "hello", 5), 5);
  assertEquals([lab.again(), lab.textAt(DATA, 5)], [5, "hello"]);
});

Deno.test("a long write continues where it stopped, and an interrupt keeps written bytes", () => {
  const lab = new Lab(), [r, w] = lab.pipe(), at = lab.memory + DATA;
  assertEquals(lab.start(rw.sysWrite, w, at, 150_000), BLOCK);
  assertEquals(lab.task.progress.done, 65536);
  const file = lab.task.files.get(r)!;
  lab.task.io2.set(at, 65536);
  assertEquals(file.read(lab.task.io2, -1), 65536);
  assertEquals(lab.again(), -4096);
  assertEquals(lab.task.progress.done, 131072);
  lab.task.interrupted = true;
  assertEquals(lab.again(), 131072);
});

Deno.test("a write without readers raises SIGPIPE", () => {
  const lab = new Lab(), [r, w] = lab.pipe();
  lab.call(fd.sysClose, r);
  assertEquals([lab.call(rw.sysWrite, w, "x", 1), lab.isPending(SIGPIPE)], ["EPIPE", true]);
});

Deno.test("bad buffers are EFAULT; pages moved before the fault count", () => {
  const lab = new Lab(), [r, w] = lab.pipe(), end = lab.memory + (1 << 20);
  assertEquals(lab.call(rw.sysWrite, w, 8, 4), "EFAULT");
  assertEquals(lab.call(rw.sysWrite, w, end - 4, 100), "EFAULT");
  assertEquals(lab.call(rw.sysWrite, w, end - 4100, 8192), 4096);
  assertEquals(lab.call(rw.sysRead, r, 8, 4), "EFAULT");
  assertEquals(lab.call(rw.sysRead, r, end - 2, 100), 2);
  assertEquals(lab.call(rw.sysRead, r, lab.memory, 2 ** 63), "EFAULT");
  assertEquals(lab.call(rw.sysRead, w, lab.memory, 1), "EBADF");
  assertEquals(lab.call(rw.sysWrite, 99, lab.memory, 1), "EBADF");
});

Deno.test("a failed pipe2 leaves no descriptors", () => {
  const lab = new Lab();
  assertEquals(lab.call(pipe.sysPipe2, 8, 0), "EFAULT");
  assertEquals(lab.call(pipe.sysPipe2, lab.memory, 1 << 30), "EINVAL");
  lab.task.group.limits.soft[RLIMIT_NOFILE] = 1;
  assertEquals(lab.call(pipe.sysPipe2, lab.memory, 0), "EMFILE");
  assertEquals([lab.task.files.count, lab.kernel.memory.frames.refs(0) >= 0], [0, true]);
});

Deno.test("poll takes no more descriptors than a process can have", () => {
  const lab = new Lab();
  lab.task.group.limits.soft[RLIMIT_NOFILE] = Infinity;
  assertEquals(lab.call(poll.sysPoll, lab.memory, (1 << 20) + 1, 0), "EINVAL");
  assertEquals(lab.call(poll.sysPoll, lab.memory, 2 ** 32 - 1, 0), "EINVAL");
});

Deno.test("poll waits on all files at once, for as long as its time-out", () => {
  const lab = new Lab(), [r1] = lab.pipe(), [r2, w2] = lab.pipe();
  const fds = new Uint8Array(24), dv = new DataView(fds.buffer);
  [r1, r2, -1].forEach((n, i) => {
    dv.setInt32(i * 8, n, true);
    dv.setInt16(i * 8 + 4, 1, true);
  });
  lab.poke(DATA, fds);
  assertEquals(lab.start(poll.sysPoll, lab.memory + DATA, 3, 1000), BLOCK);
  lab.call(rw.sysWrite, w2, "x", 1);
  assertEquals(lab.kernel.queued.length >= 0, true);
  assertEquals(lab.start(poll.sysPoll, lab.memory + DATA, 3, 0), 1);
  assertEquals(
    [lab.view(DATA + 6, 2).getInt16(0, true), lab.view(DATA + 14, 2).getInt16(0, true)],
    [
      0,
      1,
    ],
  );
  assertEquals(lab.call(poll.sysPoll, 8, 1, 0), "EFAULT");
  assertEquals(lab.call(poll.sysPoll, lab.memory, 2_000_000, 0), "EINVAL");
});

Deno.test("a poll that times out returns 0; an unknown descriptor is POLLNVAL", () => {
  const lab = new Lab(), [r] = lab.pipe();
  lab.poke(DATA, new Uint8Array([r, 0, 0, 0, 1, 0, 0, 0]));
  assertEquals(lab.start(poll.sysPoll, lab.memory + DATA, 1, 1), BLOCK);
  lab.kernel.host.nowNs += 2_000_000;
  assertEquals(lab.again(), 0);
  lab.poke(DATA, new Uint8Array([77, 0, 0, 0, 1, 0, 0, 0]));
  assertEquals(lab.call(poll.sysPoll, lab.memory + DATA, 1, 1000), 1);
  assertEquals(lab.view(DATA + 6, 2).getInt16(0, true), 0x20);
});

Deno.test("epoll_wait stores events up to a fault, and loses none", () => {
  const lab = new Lab(), [r1, w1] = lab.pipe(), [r2, w2] = lab.pipe();
  const set = lab.call(epoll.sysEpollCreate1, 0) as number, end = lab.memory + (1 << 20);
  const event = new Uint8Array(12);
  new DataView(event.buffer).setUint32(0, EPOLLIN, true);
  lab.poke(DATA, event);
  for (const n of [r1, r2]) {
    assertEquals(lab.call(epoll.sysEpollCtl, set, EPOLL_CTL_ADD, n, lab.memory + DATA), 0);
  }
  assertEquals(lab.start(epoll.sysEpollWait, set, lab.memory, 10, -1), BLOCK);
  lab.call(rw.sysWrite, w1, "x", 1);
  lab.call(rw.sysWrite, w2, "x", 1);
  assertEquals(lab.again(), 2);
  assertEquals(lab.call(epoll.sysEpollWait, set, end - 12, 10, 0), 1);
  assertEquals(lab.call(epoll.sysEpollWait, set, end - 4, 10, 0), "EFAULT");
  assertEquals(lab.call(epoll.sysEpollWait, set, lab.memory, 10, 0), 2);
  assertEquals(lab.call(epoll.sysEpollWait, set, lab.memory, 0, 0), "EINVAL");
  assertEquals(lab.call(epoll.sysEpollWait, r1, lab.memory, 1, 0), "EINVAL");
  assertEquals(lab.call(epoll.sysEpollCtl, set, EPOLL_CTL_ADD, r1, 8), "EFAULT");
});

Deno.test("splice takes from a pipe only the bytes that its target accepts", () => {
  const lab = new Lab(), [r1, w1] = lab.pipe(F.O_NONBLOCK), [r2, w2] = lab.pipe(F.O_NONBLOCK);
  lab.call(fd.sysFcntl, w2, F.F_SETPIPE_SZ, 4096);
  lab.call(rw.sysWrite, w1, lab.memory, 10_000);
  assertEquals(lab.call(copy.sysSplice, r1, 0, w2, 0, 10_000, 0), 4096);
  assertEquals(lab.call(copy.sysSplice, r1, 0, w2, 0, 10_000, 0), "EAGAIN");
  assertEquals(lab.call(rw.sysRead, r2, lab.memory, 10_000), 4096);
  assertEquals(lab.call(rw.sysRead, r1, lab.memory, 10_000), 5904);
  const f = lab.call(fsOpen.sysOpen, "/f", F.O_RDWR | F.O_CREAT, 0o644) as number;
  lab.call(rw.sysWrite, f, "0123456789", 10);
  lab.poke64(DATA, 4);
  assertEquals(lab.call(copy.sysSplice, f, lab.memory + DATA, w2, 0, 3, 0), 3);
  assertEquals([lab.view(DATA, 8).getUint32(0, true), lab.call(rw.sysRead, r2, lab.memory, 9)], [
    7,
    3,
  ]);
  assertEquals(lab.textAt(0, 3), "456");
});

Deno.test("sendfile waits in the middle and counts everything", () => {
  const lab = new Lab(), [r, w] = lab.pipe(), at = lab.memory + DATA;
  const f = lab.call(fsOpen.sysOpen, "/f", F.O_RDWR | F.O_CREAT, 0o644) as number;
  lab.call(rw.sysWrite, f, at, 100_000);
  assertEquals(lab.call(copy.sysSendfile, w, f, 0, 100), 0, "the position is at the end");
  lab.poke64(0, 0);
  assertEquals(lab.call(copy.sysSendfile, w, f, lab.memory, 100_000), 65536);
  assertEquals(lab.view(0, 8).getUint32(0, true), 65536);
  assertEquals(lab.start(copy.sysSendfile, w, f, lab.memory, 100_000), BLOCK);
  assertEquals(lab.call(rw.sysRead, r, at, 100_000), 65536);
  lab.task.progress.reset();
  assertEquals(lab.again(), 34464);
});

Deno.test("descriptors: limits of dup, close_range, flags", () => {
  const lab = new Lab(), [r] = lab.pipe();
  assertEquals(lab.call(fd.sysDup2, r, r), r);
  assertEquals(lab.call(fd.sysDup3, r, r, 0), "EINVAL");
  assertEquals(lab.call(fd.sysFcntl, r, F.F_DUPFD, 50), 50);
  assertEquals(lab.call(fd.sysFcntl, r, F.F_DUPFD_CLOEXEC, 50), 51);
  assertEquals(lab.call(fd.sysFcntl, 51, F.F_GETFD), 1);
  assertEquals(lab.call(fd.sysFcntl, r, 9999, 0), "EINVAL");
  assertEquals(lab.call(fd.sysCloseRange, 50, 2 ** 32 - 1, 0), 0);
  assertEquals([lab.call(fd.sysClose, 50), lab.task.files.count], ["EBADF", 2]);
  assertEquals(lab.call(fd.sysCloseRange, 5, 4, 0), "EINVAL");
});
