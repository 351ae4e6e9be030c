import { assertEquals } from "@std/assert";
import { O_CREAT, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { IPPROTO_TCP, TCP_NODELAY } from "../../../ffi/abi/inet.ts";
import { RLIMIT_NOFILE } from "../../../ffi/abi/resource.ts";
import * as S from "../../../ffi/abi/socket.ts";
import { sysOpen } from "../../syscalls/fs/open.ts";
import { sysSetrlimit } from "../../syscalls/system/limits.ts";
import { PidFd } from "../../task/pidfd.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { sysGetsockopt, sysSetsockopt } from "./options.ts";
import { sysRecvmsg } from "./receive.ts";
import { sysSendto } from "./send.ts";
import { sysSocket, sysSocketpair } from "./socket.ts";

const BAD = 8, VALUE = 0, LENGTH = 64, HEADER = 1024, IOV = 2048, CONTROL = 3072, DATA = 4096;
const CONTROL_BYTES = 24;

class OptionLab extends CallLab {
  readonly a: number;
  readonly b: number;

  constructor() {
    super();
    this.call(sysSocketpair, S.AF_UNIX, S.SOCK_STREAM, 0, this.memory);
    [this.a = -1, this.b = -1] = this.readWords(32, 0, 2);
  }
  set(fd: number, level: number, name: number, value: number, length = 4): number | string {
    return this.call(sysSetsockopt, fd, level, name, this.words(32, VALUE, value), length);
  }
  get(fd: number, level: number, name: number, room = 4, value = this.memory): number | string {
    this.words(32, VALUE, 77);
    return this.call(sysGetsockopt, fd, level, name, value, this.words(32, LENGTH, room));
  }
  /** The value that `get` stored, and its length. */
  get answer(): number[] {
    return [...this.readWords(32, VALUE, 1), ...this.readWords(32, LENGTH, 1)];
  }
  /** Receives a byte: level and type of its control message with an int, and the flags. */
  receive(fd: number, room: number): [number[], number] {
    const { at, size } = S.Msghdr;
    this.poke(HEADER, new Uint8Array(size));
    this.words(64, HEADER + at.iov, this.words(64, IOV, this.memory + DATA, 1), 1);
    this.words(64, HEADER + at.control, this.memory + CONTROL, room);
    assertEquals(this.call(sysRecvmsg, fd, this.memory + HEADER, 0), 1);
    const [used = 0] = this.readWords(64, HEADER + at.controllen, 1);
    const words = used === 0 ? [] : this.readWords(32, CONTROL + 8, 3);
    return [words, this.readWords(32, HEADER + at.flags, 1)[0]!];
  }
}

Deno.test("setsockopt checks descriptor, length and value, in Linux's order", () => {
  const lab = new OptionLab(), file = Number(lab.call(sysOpen, "/f", O_CREAT | O_RDWR, 0o600));
  const name = S.SO_KEEPALIVE,
    set = (fd: number, length: number) => lab.set(fd, 1, name, 1, length);
  assertEquals([set(99, -1), set(file, -1), set(lab.a, -1)], ["EBADF", "ENOTSOCK", "EINVAL"]);
  assertEquals(lab.call(sysSetsockopt, lab.a, 1, name, BAD, 4), "EFAULT");
  assertEquals([set(lab.a, 0), set(lab.a, 4), lab.get(lab.a, 1, name)], ["EINVAL", 0, 0]);
  assertEquals([lab.answer, lab.set(lab.a, 1, 9999, 1), lab.set(lab.a, 99, 1, 1)], [
    [1, 4],
    "ENOPROTOOPT",
    "EOPNOTSUPP",
  ]);
});

Deno.test("getsockopt cuts the value to its room, and returns its length", () => {
  const lab = new OptionLab(), get = (room: number) => lab.get(lab.a, 1, S.SO_TYPE, room);
  assertEquals([get(4), lab.answer, get(100), lab.answer], [0, [1, 4], 0, [1, 4]]);
  lab.words(32, VALUE, -1);
  assertEquals([get(1), lab.readWords(32, LENGTH, 1), lab.bytes(VALUE, 1)[0]], [0, [1], 1]);
  assertEquals([get(0), lab.answer, get(-1)], [0, [77, 0], "EINVAL"]);
  assertEquals(lab.call(sysGetsockopt, lab.a, 1, S.SO_TYPE, lab.memory, BAD), "EFAULT");
  assertEquals([lab.get(lab.a, 1, S.SO_TYPE, 4, BAD), lab.get(99, 1, S.SO_TYPE)], [
    "EFAULT",
    "EBADF",
  ]);
  assertEquals([lab.get(lab.a, 1, 9999), lab.get(lab.a, 99, 1)], ["ENOPROTOOPT", "EOPNOTSUPP"]);
});

Deno.test("options of a protocol are the socket's", () => {
  const lab = new OptionLab(), tcp = Number(lab.call(sysSocket, S.AF_INET, S.SOCK_STREAM, 0));
  assertEquals([lab.get(tcp, IPPROTO_TCP, TCP_NODELAY), lab.answer], [0, [0, 4]]);
  assertEquals(lab.set(tcp, IPPROTO_TCP, TCP_NODELAY, 1), 0);
  assertEquals([lab.get(tcp, IPPROTO_TCP, TCP_NODELAY), lab.answer], [0, [1, 4]]);
});

Deno.test("SO_PEERPIDFD returns a pidfd of the peer, or nothing is left behind", () => {
  const lab = new OptionLab(), { files } = lab.task, { count } = files;
  const peer = (fd: number, value = lab.memory) => lab.get(fd, 1, S.SO_PEERPIDFD, 4, value);
  assertEquals([peer(lab.a, BAD), files.count], ["EFAULT", count]);
  assertEquals(peer(lab.a), 0);
  const [fd = -1, length] = lab.answer;
  assertEquals([length, files.get(fd) instanceof PidFd, files.isCloexec(fd)], [4, true, true]);
  const alone = Number(lab.call(sysSocket, S.AF_UNIX, S.SOCK_STREAM, 0));
  const tcp = Number(lab.call(sysSocket, S.AF_INET, S.SOCK_STREAM, 0));
  assertEquals([peer(alone), peer(tcp)], ["ENODATA", "ENODATA"]);
  lab.call(sysSetrlimit, RLIMIT_NOFILE, lab.words(64, DATA, tcp + 1, tcp + 1));
  assertEquals([peer(lab.a), files.count], ["EMFILE", count + 3]);
  lab.kernel.pids.groups.delete(1);
  assertEquals(peer(lab.a), "EINVAL", "it ended");
});

Deno.test("SO_PASSPIDFD adds a pidfd of the sender to what arrives, if it has room", () => {
  const lab = new OptionLab(), { files } = lab.task;
  assertEquals(lab.set(lab.b, 1, S.SO_PASSPIDFD, 1), 0);
  for (let i = 0; i < 2; i++) lab.call(sysSendto, lab.a, "x", 1, 0, 0, 0);
  const { count } = files, [words, flags] = lab.receive(lab.b, CONTROL_BYTES);
  assertEquals([words.slice(0, 2), flags & S.MSG_CTRUNC], [[S.SOL_SOCKET, S.SCM_PIDFD], 0]);
  assertEquals(files.get(words[2]!) instanceof PidFd, true);
  const [none, cut] = lab.receive(lab.b, 16);
  assertEquals([none, cut & S.MSG_CTRUNC, files.count], [[], S.MSG_CTRUNC, count + 1]);
});
