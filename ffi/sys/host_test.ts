/**
 * Tests of the thin layers: raw calls, errors, strings, files, epoll, descriptor passing, signals.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { EAGAIN, EBADF, EEXIST, EINTR, EINVAL, EMFILE, ENOENT, ENOSYS } from "../abi/errno.ts";
import { EPOLLET, EPOLLHUP, EPOLLIN, EPOLLOUT } from "../abi/epoll.ts";
import { AT_FDCWD, F_GETFD, FD_CLOEXEC, O_CLOEXEC, O_NONBLOCK, O_RDONLY } from "../abi/fcntl.ts";
import { POLLHUP, POLLIN } from "../abi/poll.ts";
import { Rlimit, RLIMIT_NOFILE } from "../abi/resource.ts";
import { SIGALRM, SIGBUS, SIGKILL, SIGSEGV, SIGUSR2, SIGWINCH } from "../abi/signal.ts";
import { SIGEV_THREAD_ID, Sigevent } from "../abi/siginfo.ts";
import {
  AF_UNIX,
  MSG_DONTWAIT,
  SCM_MAX_FD,
  SOCK_CLOEXEC,
  SOCK_SEQPACKET,
  SOCK_STREAM,
} from "../abi/socket.ts";
import { S_IFMT, S_IFREG, Stat } from "../abi/stat.ts";
import {
  SYS_getpid,
  SYS_gettid,
  SYS_prlimit64,
  SYS_timer_create,
  SYS_timer_delete,
  SYS_timer_settime,
} from "../abi/syscall_numbers.ts";
import { CLOCK_MONOTONIC, Itimerspec, Timespec } from "../abi/time.ts";
import { addressOf, allocBuffer, scratch } from "./cstring.ts";
import { Epoll } from "./epoll.ts";
import { check, errnoName, isErr, SyscallError } from "./errors.ts";
import { recvFds, sendFds } from "./fdpass.ts";
import * as files from "./files.ts";
import { syscall } from "./native.ts";
import { defaultSignal, ignoreSignal, signalToEventfd, signalToSocket } from "./signals.ts";

const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

function makePipe(flags = O_CLOEXEC): [number, number] {
  const ends = files.pipe(flags);
  assert(typeof ends !== "number");
  return ends;
}

function makeSockets(): [number, number] {
  const ends = files.socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC);
  assert(typeof ends !== "number");
  return ends;
}

function closeAll(...fds: number[]): void {
  for (const fd of fds) assertEquals(files.close(fd), 0);
}

Deno.test("syscall() returns results and negative errno", () => {
  assertEquals(syscall(SYS_getpid), Deno.pid);
  assertEquals(syscall(100_000), -ENOSYS);
  assertEquals([files.close(-1), files.openat(AT_FDCWD, "/no/such", 0)], [-EBADF, -ENOENT]);
});

Deno.test("errors have names", () => {
  assertEquals([errnoName(2), errnoName(-2), errnoName(4000)], ["ENOENT", "ENOENT", "errno 4000"]);
  assertEquals([isErr(-1), isErr(-4095), isErr(-4096), isErr(0)], [true, true, false, false]);
  assertEquals(check(7, "anything"), 7);
  const error = assertThrows(() => check(-ENOENT, "openat"), SyscallError, "openat: ENOENT");
  assert(error instanceof SyscallError);
  assertEquals([error.errno, error.syscallName], [ENOENT, "openat"]);
});

Deno.test("C strings end in NUL, in slots of their own, and cannot lie", () => {
  const first = scratch.cstr("grüße", 0);
  const second = scratch.cstr(new Uint8Array([0xff, 0x2f]), 3);
  assertEquals([first, second], [scratch.base, scratch.base + 3 * 8192]);
  assertEquals(decode(scratch.u8.slice(0, 8)), "grüße\0");
  assertEquals(scratch.u8.slice(3 * 8192, 3 * 8192 + 3), new Uint8Array([0xff, 0x2f, 0]));
  scratch.cstr("x".repeat(8191));
  for (const bad of ["x".repeat(8192), "é".repeat(4096), "a\0b", new Uint8Array([65, 0, 66])]) {
    assertThrows(() => scratch.cstr(bad), RangeError);
  }
  assertEquals(scratch.cstr(""), scratch.base);
  assertThrows(() => scratch.area(15), RangeError);
});

Deno.test("addressOf() is where the bytes are, for small and moved buffers too", () => {
  const small = new Uint8Array(4);
  const address = addressOf(small);
  const [reader, writer] = makePipe();
  assertEquals(files.write(writer, scratch.cstr("abcd"), 4), 4);
  const garbage: Uint8Array[] = [];
  for (let i = 0; i < 10_000; i++) garbage.push(new Uint8Array(48)); // makes V8 collect garbage
  assertEquals(files.read(reader, address, 4), 4);
  assertEquals([decode(small), addressOf(small)], ["abcd", address]);
  const part = allocBuffer(100).subarray(10, 20);
  assertEquals(addressOf(part) - addressOf(new Uint8Array(part.buffer)), 10);
  assertEquals(addressOf(new Uint8Array(0)), 0);
  assertEquals(garbage.length, 10_000);
  closeAll(reader, writer);
});

Deno.test("files: stat, poll and duplicates", () => {
  const fd = check(files.openat(AT_FDCWD, "/proc/self/status", O_RDONLY | O_CLOEXEC), "openat");
  const at = scratch.areaOffset(0);
  assertEquals(files.fstat(fd, scratch.area(0)), 0);
  assertEquals(scratch.dv.getUint32(at + Stat.at.mode, true) & S_IFMT, S_IFREG);
  const copy = files.dup(fd, 200);
  assert(copy >= 200);
  assertEquals(files.fcntl(copy, F_GETFD), FD_CLOEXEC);
  const [reader, writer] = makePipe(O_CLOEXEC | O_NONBLOCK);
  assertEquals(files.poll(reader, POLLIN, 0), 0);
  assertEquals(files.read(reader, scratch.area(0), 1), -EAGAIN);
  files.close(writer);
  assertEquals(files.poll(reader, POLLIN, -1), POLLHUP);
  closeAll(fd, copy, reader);
});

Deno.test("epoll reports tokens and events, polls, and waits for nanoseconds", () => {
  const epoll = new Epoll(4);
  const [reader, writer] = makePipe();
  assertEquals(epoll.add(reader, EPOLLIN, 0xffff_fffe), 0);
  assertEquals(epoll.add(reader, EPOLLIN, 1), -EEXIST);
  assertEquals([epoll.wait(0), epoll.waitNs(0), epoll.waitNs(1000), epoll.waitNs(2e6)], [
    0,
    0,
    0,
    0,
  ]);
  files.write(writer, scratch.cstr("x"), 1);
  assertEquals([epoll.wait(-1), epoll.token(0), epoll.events(0)], [1, 0xffff_fffe, EPOLLIN]);
  assertEquals([epoll.waitNs(-1), epoll.waitNs(5e12)], [1, 1]);
  assertEquals(epoll.mod(reader, EPOLLIN | EPOLLET, 9), 0);
  assertEquals([epoll.wait(0), epoll.token(0), epoll.wait(0)], [1, 9, 0]);
  assertEquals(epoll.add(writer, EPOLLOUT, 3), 0);
  assertEquals([epoll.wait(0), epoll.token(0), epoll.events(0)], [1, 3, EPOLLOUT]);
  assertEquals([epoll.del(writer), epoll.del(writer)], [0, -ENOENT]);
  files.close(writer);
  assertEquals([epoll.wait(-1), epoll.events(0) & EPOLLHUP], [1, EPOLLHUP]);
  files.close(reader);
  epoll.close();
});

Deno.test("epoll gives at most its capacity, and the rest next time", () => {
  const epoll = new Epoll(2);
  const fds = [1, 2, 3].map((token) => {
    const fd = check(files.eventfd(1), "eventfd");
    epoll.add(fd, EPOLLIN | EPOLLET, token);
    return fd;
  });
  const tokens: number[] = [];
  for (let n = epoll.wait(0); n > 0; n = epoll.wait(0)) {
    assert(n <= 2);
    for (let i = 0; i < n; i++) tokens.push(epoll.token(i));
  }
  assertEquals(tokens.sort(), [1, 2, 3]);
  closeAll(...fds);
  epoll.close();
});

Deno.test("descriptors travel with their message and arrive close-on-exec", () => {
  const [a, b] = makeSockets();
  const [reader, writer] = makePipe();
  assertEquals(sendFds(a, new TextEncoder().encode("take"), [reader, writer]), 4);
  const buffer = new Uint8Array(16);
  const got = recvFds(b, buffer);
  assert(typeof got !== "number");
  assertEquals([got.len, got.fds.length, decode(buffer.slice(0, 4))], [4, 2, "take"]);
  const [reader2, writer2] = got.fds;
  assert(reader2 !== undefined && writer2 !== undefined);
  assertEquals(files.fcntl(reader2, F_GETFD), FD_CLOEXEC);
  files.write(writer2, scratch.cstr("z"), 1);
  assertEquals(files.read(reader, scratch.area(0), 1), 1);
  assertEquals(sendFds(a, new Uint8Array([1]), []), 1);
  assertEquals(recvFds(b, buffer), { len: 1, fds: [] });
  assertEquals(recvFds(b, buffer, MSG_DONTWAIT), -EAGAIN);
  files.close(a);
  assertEquals(recvFds(b, buffer), { len: 0, fds: [] });
  closeAll(b, reader, writer, reader2, writer2);
});

Deno.test("descriptor passing: the most there can be, too many, none that is open, no data", () => {
  const [a, b] = makeSockets();
  const byte = new Uint8Array(1);
  assertEquals(sendFds(a, byte, new Array<number>(SCM_MAX_FD).fill(b)), 1);
  const got = recvFds(b, byte);
  assert(typeof got !== "number");
  assertEquals(got.fds.length, SCM_MAX_FD);
  closeAll(...got.fds);
  assertEquals(sendFds(a, byte, new Array<number>(SCM_MAX_FD + 1).fill(b)), -EINVAL);
  assertEquals([sendFds(a, byte, [99_999]), sendFds(a, new Uint8Array(0), [b])], [-EBADF, -EINVAL]);
  closeAll(a, b);
});

Deno.test("a full descriptor table is an error, and leaves no descriptor behind", () => {
  const [a, b] = makeSockets();
  const byte = new Uint8Array(1);
  assertEquals(sendFds(a, byte, [a, a, a, a]), 1);
  const open = () => Array.from(Deno.readDirSync("/proc/self/fd")).length;
  const before = open();
  const top = files.dup(a);
  files.close(top);
  // The limit leaves room for two more descriptors beyond the lowest free one.
  syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, 0, scratch.area(3));
  const at = scratch.areaOffset(3);
  const soft = scratch.dv.getBigUint64(at + Rlimit.at.cur, true);
  scratch.dv.setBigUint64(at + Rlimit.at.cur, BigInt(top + 1), true);
  assertEquals(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, scratch.area(3), 0), 0);
  const result = recvFds(b, byte);
  scratch.dv.setBigUint64(at + Rlimit.at.cur, soft, true);
  assertEquals(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, scratch.area(3), 0), 0);
  assertEquals([result, open()], [-EMFILE, before]);
  closeAll(a, b);
});

Deno.test("a signal adds to its eventfd while JS keeps running", () => {
  const fd = signalToEventfd(SIGUSR2);
  assertEquals(signalToEventfd(SIGUSR2), fd);
  const epoll = new Epoll();
  epoll.add(fd, EPOLLIN, 77);
  assertEquals(epoll.wait(0), 0);
  Deno.kill(Deno.pid, "SIGUSR2");
  // the signal itself may interrupt a wait
  for (let n = epoll.wait(5000); n === 0; n = epoll.wait(5000));
  assertEquals(epoll.token(0), 77);
  assertEquals(files.read(fd, scratch.area(0), 8), 8);
  assertEquals(scratch.dv.getUint32(scratch.areaOffset(0), true), 1);
  assertEquals(files.read(fd, scratch.area(0), 8), -EAGAIN);
  ignoreSignal(SIGUSR2);
  Deno.kill(Deno.pid, "SIGUSR2");
  assertEquals(files.read(fd, scratch.area(0), 8), -EAGAIN);
  epoll.close();
});

Deno.test("a signal sends its message", () => {
  const pair = files.socketpair(AF_UNIX, SOCK_SEQPACKET);
  if (typeof pair === "number") throw new Error(`socketpair: ${pair}`);
  const messages = new Map([[SIGUSR2, "from usr2 ##"], [SIGALRM, "from alrm ##"]]);
  for (const [signo, text] of messages) {
    signalToSocket(signo, pair[0], new TextEncoder().encode(text));
  }
  // One after the other: a signal that is pending already is not sent a second time.
  for (const name of ["SIGALRM", "SIGUSR2", "SIGUSR2"] as const) {
    Deno.kill(Deno.pid, name);
    let n = -EINTR;
    while (n === -EINTR) n = files.read(pair[1], scratch.area(0), 64);
    const at = scratch.areaOffset(0), text = new TextDecoder().decode(scratch.u8.slice(at, at + n));
    assertEquals(text, name === "SIGALRM" ? "from alrm ##" : "from usr2 ##");
  }
  for (const signo of messages.keys()) ignoreSignal(signo);
  assertThrows(() => signalToSocket(SIGUSR2, pair[0], new Uint8Array(11)), RangeError, "11 bytes");
  closeAll(...pair);
});

Deno.test("a signal does not end a poll", () => {
  const came = signalToEventfd(SIGALRM), [reader, writer] = makePipe();
  const event = new DataView(allocBuffer(Sigevent.size).buffer);
  event.setInt32(Sigevent.at.signo, SIGALRM, true);
  event.setInt32(Sigevent.at.notify, SIGEV_THREAD_ID, true);
  event.setInt32(Sigevent.at.tid, syscall(SYS_gettid), true);
  const address = addressOf(new Uint8Array(event.buffer));
  assertEquals(syscall(SYS_timer_create, CLOCK_MONOTONIC, address, scratch.area(0)), 0);
  const timer = scratch.dv.getInt32(scratch.areaOffset(0), true);
  const every = new DataView(allocBuffer(Itimerspec.size).buffer), periodNs = 20e6;
  for (const at of [Itimerspec.at.interval, Itimerspec.at.value]) {
    every.setInt32(at + Timespec.at.nsec, periodNs, true);
  }
  const spec = addressOf(new Uint8Array(every.buffer));
  assertEquals(syscall(SYS_timer_settime, timer, 0, spec, 0), 0);
  assertEquals(files.poll(reader, POLLIN, 200), 0);
  assertEquals(syscall(SYS_timer_delete, timer), 0);
  assertEquals(files.read(came, scratch.area(0), 8), 8);
  ignoreSignal(SIGALRM);
  closeAll(reader, writer);
});

Deno.test("signals that cannot be had are refused", () => {
  for (const signo of [0, -1, 65, SIGKILL, SIGSEGV, SIGBUS, NaN]) {
    assertThrows(() => signalToEventfd(signo), RangeError, "cannot be handled");
    assertThrows(() => ignoreSignal(signo), RangeError);
  }
  defaultSignal(SIGWINCH);
  Deno.kill(Deno.pid, "SIGWINCH");
});
