import { assertEquals } from "@std/assert";
import { SIGPIPE } from "../../../ffi/abi/signal.ts";
import * as S from "../../../ffi/abi/socket.ts";
import { BlockingLab } from "../../testing/blocking_lab.ts";
import { sysClose } from "../../syscalls/io/descriptors.ts";
import { sysRead, sysWrite } from "../../syscalls/io/read_write.ts";
import * as options from "./options.ts";
import * as receive from "./receive.ts";
import * as send from "./send.ts";
import * as socket from "./socket.ts";

const BLOCK = "-4096";

const HEADER = 1024, NAME = 2048, IOV = 3072, DATA = 4096, CONTROL = 65536;

class Lab extends BlockingLab {
  pair(type: number): [number, number] {
    assertEquals(this.call(socket.sysSocketpair, S.AF_UNIX, type, 0, this.memory), 0);
    const dv = this.view(0, 8);
    return [dv.getInt32(0, true), dv.getInt32(4, true)];
  }

  /** A struct msghdr at HEADER with one buffer at DATA. */
  header(bytes: number, control: Uint8Array<ArrayBuffer> | number = 0): number {
    const u8 = new Uint8Array(56), dv = new DataView(u8.buffer);
    const put = (at: number, n: number) => dv.setBigUint64(at, BigInt(n), true);
    put(S.Msghdr.at.iov, this.memory + IOV);
    put(S.Msghdr.at.iovlen, 1);
    if (typeof control !== "number") this.poke(CONTROL, control);
    put(S.Msghdr.at.control, this.memory + CONTROL);
    put(S.Msghdr.at.controllen, typeof control === "number" ? control : control.length);
    this.poke(HEADER, u8);
    this.poke64(IOV, this.memory + DATA);
    this.poke64(IOV + 8, bytes);
    return this.memory + HEADER;
  }
  /** msg_controllen and msg_flags after a receive. */
  answer(): [number, number] {
    const dv = this.view(HEADER, 56);
    return [dv.getUint32(S.Msghdr.at.controllen, true), dv.getUint32(S.Msghdr.at.flags, true)];
  }
}

/** One control message. */
function control(
  type: number,
  words: number[],
  length = 16 + words.length * 4,
): Uint8Array<ArrayBuffer> {
  const u8 = new Uint8Array(16 + Math.ceil(words.length / 2) * 8), dv = new DataView(u8.buffer);
  dv.setUint32(0, length, true);
  dv.setInt32(8, S.SOL_SOCKET, true);
  dv.setInt32(12, type, true);
  words.forEach((word, i) => dv.setInt32(16 + 4 * i, word, true));
  return u8;
}

Deno.test("descriptors travel, get new numbers, and are refused when they are none", () => {
  const lab = new Lab(), [a, b] = lab.pair(S.SOCK_STREAM), before = lab.task.files.count;
  assertEquals(lab.call(send.sysSendmsg, a, lab.header(3, control(S.SCM_RIGHTS, [a, b])), 0), 3);
  assertEquals(lab.call(receive.sysRecvmsg, b, lab.header(100, 64), S.MSG_CMSG_CLOEXEC), 3);
  assertEquals(lab.answer(), [24, S.MSG_CMSG_CLOEXEC]);
  const got = lab.view(CONTROL + 16, 8).getInt32(0, true);
  assertEquals([lab.task.files.count, lab.task.files.isCloexec(got)], [before + 2, true]);
  assertEquals(lab.task.files.get(got) === lab.task.files.get(a), true);
  const refused = (c: Uint8Array<ArrayBuffer>) => lab.call(send.sysSendmsg, a, lab.header(3, c), 0);
  assertEquals(refused(control(S.SCM_RIGHTS, [a, 99])), "EBADF");
  assertEquals(refused(control(S.SCM_RIGHTS, new Array(254).fill(a))), "EINVAL");
  assertEquals(refused(control(S.SCM_RIGHTS, [a], 15)), "EINVAL");
  assertEquals(refused(control(S.SCM_RIGHTS, [a], 1000)), "EINVAL");
  assertEquals(refused(control(77, [1])), "EINVAL");
  assertEquals(refused(control(S.SCM_CREDENTIALS, [999, 0, 0])), "ESRCH");
  assertEquals(lab.task.files.get(a)!.refs, 2, "nothing is held by what was refused");
});

Deno.test("descriptors beyond the control buffer are closed, with MSG_CTRUNC", () => {
  const lab = new Lab(), [a, b] = lab.pair(S.SOCK_DGRAM), file = lab.task.files.get(a)!;
  const sendTwo = () =>
    lab.call(send.sysSendmsg, a, lab.header(1, control(S.SCM_RIGHTS, [a, a])), 0);
  sendTwo();
  assertEquals(lab.call(receive.sysRecvmsg, b, lab.header(10, 20), 0), 1);
  assertEquals([lab.answer(), file.refs], [[20, S.MSG_CTRUNC], 2]);
  sendTwo();
  assertEquals(lab.call(receive.sysRecvmsg, b, lab.header(10, 8), 0), 1);
  assertEquals([lab.answer(), file.refs], [[0, S.MSG_CTRUNC], 2]);
  sendTwo();
  assertEquals(lab.call(sysRead, b, lab.memory + DATA, 10), 1);
  assertEquals(file.refs, 2);
});

Deno.test("a stream send that waits goes on, and sends its descriptors once", () => {
  const lab = new Lab(), [a, b] = lab.pair(S.SOCK_STREAM), file = lab.task.files.get(b)!;
  const header = lab.header(300_000, control(S.SCM_RIGHTS, [b]));
  assertEquals(lab.start(send.sysSendmsg, a, header, 0), BLOCK);
  assertEquals([lab.task.progress.done, file.refs], [212992, 2]);
  lab.task.io2.set(lab.memory + DATA, 212992);
  assertEquals(file.read(lab.task.io2, -1), 212992);
  assertEquals([lab.again(), file.refs], [300_000, 1]);
});

Deno.test("MSG_WAITALL collects over several waits; a time-out returns the bytes so far", () => {
  const lab = new Lab(), [a, b] = lab.pair(S.SOCK_STREAM), at = lab.memory + DATA;
  assertEquals(lab.start(receive.sysRecvfrom, b, at, 6, S.MSG_WAITALL, 0, 0), BLOCK);
  const out = lab.task.files.get(a)!;
  const write = (text: string) => {
    lab.poke(8192, new TextEncoder().encode(text));
    lab.task.io2.set(lab.memory + 8192, text.length);
    out.write(lab.task.io2, -1);
  };
  write("abc");
  assertEquals([lab.again(), lab.task.progress.done], [-4096, 3]);
  write("def");
  assertEquals([lab.again(), lab.textAt(DATA, 6)], [6, "abcdef"]);
  const time = new Uint8Array(16);
  new DataView(time.buffer).setUint32(8, 1000, true);
  lab.poke(NAME, time);
  const set = lab.call(options.sysSetsockopt, b, 1, S.SO_RCVTIMEO, lab.memory + NAME, 16);
  assertEquals(set, 0);
  assertEquals(lab.start(receive.sysRecvfrom, b, at, 6, S.MSG_WAITALL, 0, 0), BLOCK);
  write("gh");
  assertEquals(lab.again(), -4096);
  lab.kernel.host.nowNs += 2_000_000;
  assertEquals(lab.again(), 2);
  assertEquals(lab.start(receive.sysRecvfrom, b, at, 6, 0, 0, 0), BLOCK);
  lab.kernel.host.nowNs += 2_000_000;
  assertEquals(lab.again(), -11);
});

Deno.test("EPIPE raises SIGPIPE on streams, except with MSG_NOSIGNAL", () => {
  const lab = new Lab(), [a, b] = lab.pair(S.SOCK_STREAM), pending = lab.task.signals.pending;
  lab.call(sysClose, b);
  assertEquals(lab.call(send.sysSendto, a, "x", 1, S.MSG_NOSIGNAL, 0, 0), "EPIPE");
  assertEquals(pending.set.has(SIGPIPE), false);
  assertEquals(lab.call(sysWrite, a, "x", 1), "EPIPE");
  assertEquals(pending.set.has(SIGPIPE), true);
});

Deno.test("hostile headers are errors", () => {
  const lab = new Lab(), [a] = lab.pair(S.SOCK_STREAM);
  assertEquals(lab.call(send.sysSendmsg, a, 8, 0), "EFAULT");
  const header = lab.header(3);
  lab.poke64(HEADER + S.Msghdr.at.iovlen, 1025);
  assertEquals(lab.call(send.sysSendmsg, a, header, 0), "EMSGSIZE");
  lab.header(3);
  lab.poke64(HEADER + S.Msghdr.at.controllen, 2 ** 40);
  assertEquals(lab.call(send.sysSendmsg, a, header, 0), "ENOBUFS");
  lab.header(3);
  lab.poke(HEADER + S.Msghdr.at.namelen, new Uint8Array([255, 255, 255, 255]));
  assertEquals(lab.call(send.sysSendmsg, a, header, 0), "EINVAL");
  lab.header(3);
  lab.poke64(IOV, 8);
  assertEquals(lab.call(send.sysSendmsg, a, header, 0), "EFAULT");
  assertEquals(lab.call(socket.sysSocket, 1000, 1, 0), "EAFNOSUPPORT");
  assertEquals(lab.call(socket.sysSocket, S.AF_UNIX, 1 | 0x100000, 0), "EINVAL");
  assertEquals(lab.call(socket.sysSocketpair, S.AF_UNIX, 1, 0, 8), "EFAULT");
  assertEquals(lab.call(socket.sysBind, a, 8, 3), "EFAULT");
  assertEquals(lab.call(socket.sysBind, a, 0, -1), "EINVAL");
  assertEquals(lab.call(socket.sysBind, a, 0, 129), "EINVAL");
  assertEquals(lab.call(options.sysGetsockopt, a, 1, S.SO_TYPE, lab.memory, 8), "EFAULT");
  assertEquals(lab.call(options.sysSetsockopt, a, 1, S.SO_KEEPALIVE, lab.memory, 3), "EINVAL");
});

Deno.test("accept waits, and gives the peer's name", () => {
  const lab = new Lab(), listener = lab.call(socket.sysSocket, S.AF_UNIX, 1, 0) as number;
  lab.poke(NAME, new Uint8Array([1, 0, 0, 97]));
  assertEquals(lab.call(socket.sysBind, listener, lab.memory + NAME, 4), 0);
  assertEquals(lab.call(socket.sysListen, listener, 1), 0);
  lab.poke(DATA, new Uint8Array([110, 0, 0, 0]));
  const args = [listener, lab.memory, lab.memory + DATA] as const;
  assertEquals(lab.start(socket.sysAccept, ...args), BLOCK);
  const client = lab.call(socket.sysSocket, S.AF_UNIX, 1, 0) as number;
  assertEquals(lab.call(socket.sysConnect, client, lab.memory + NAME, 4), 0);
  assertEquals([lab.again(), lab.view(DATA, 4).getInt32(0, true)], [client + 1, 2]);
});

Deno.test("several messages in one call: their number and their contents", () => {
  const lab = new Lab(), [a, b] = lab.pair(S.SOCK_DGRAM);
  const headers = (count: number) => {
    lab.header(4);
    const one = lab.bytes(HEADER, 56);
    for (let i = 0; i < count; i++) lab.poke(HEADER + i * 64, one);
    return lab.memory + HEADER;
  };
  assertEquals(lab.call(send.sysSendmmsg, a, headers(3), 3, 0), 3);
  assertEquals(lab.view(HEADER + 64 + 56, 4).getUint32(0, true), 4);
  assertEquals(lab.call(receive.sysRecvmmsg, b, headers(5), 5, S.MSG_WAITFORONE, 0), 3);
  assertEquals(lab.call(receive.sysRecvmmsg, b, headers(5), 5, S.MSG_DONTWAIT, 0), "EAGAIN");
  lab.call(send.sysSendmmsg, a, headers(1), 1, 0);
  assertEquals(lab.start(receive.sysRecvmmsg, b, headers(2), 2, 0, 0), BLOCK);
  assertEquals(lab.task.progress.step, 1);
  lab.task.interrupted = true;
  assertEquals(lab.again(), 1);
});
