import { assertEquals } from "@std/assert";
import * as A from "../../../ffi/abi/aio.ts";
import { AT_FDCWD, O_CREAT, O_RDONLY, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { POLLIN } from "../../../ffi/abi/poll.ts";
import { sysOpenat } from "../../syscalls/fs/open.ts";
import { sysEventfd2 } from "../../syscalls/io/eventfd.ts";
import { sysPipe2 } from "../../syscalls/io/pipe.ts";
import { sysWrite } from "../../syscalls/io/read_write.ts";
import { CallLab } from "../../testing/call_lab.ts";
import * as aio from "./aio.ts";

const BAD = 8, ID = 0, LIST = 64, REQUEST = 128, OUT = 4096, DATA = 8192;
const BLOCKED = "-4096", CWD = AT_FDCWD + 2 ** 32;

interface Request {
  readonly opcode?: number;
  readonly fd?: number;
  readonly buf?: number;
  readonly bytes?: number;
  readonly offset?: number;
  readonly reserved?: number;
  readonly rwFlags?: number;
  readonly eventFd?: number;
}

class AioLab extends CallLab {
  readonly context: number;
  readonly file: number;

  constructor() {
    super();
    this.poke64(ID, 0);
    assertEquals(this.call(aio.sysIoSetup, 4, this.memory + ID), 0);
    this.context = this.readWords(64, ID, 1)[0] ?? 0;
    this.file = Number(this.call(sysOpenat, CWD, "/f", O_RDWR | O_CREAT, 0o644));
  }
  submit(request: Request): number | string {
    const dv = new DataView(new ArrayBuffer(A.Iocb.size)), { at } = A.Iocb;
    dv.setBigUint64(at.data, 7n, true);
    dv.setInt32(at.rwFlags, request.rwFlags ?? 0, true);
    dv.setUint16(at.opcode, request.opcode ?? A.IOCB_CMD_PWRITE, true);
    dv.setInt32(at.fildes, request.fd ?? this.file, true);
    dv.setBigUint64(at.buf, BigInt(request.buf ?? this.memory + DATA), true);
    dv.setBigUint64(at.nbytes, BigInt(request.bytes ?? 4), true);
    dv.setBigInt64(at.offset, BigInt(request.offset ?? 0), true);
    dv.setBigUint64(at.reserved2, BigInt(request.reserved ?? 0), true);
    if (request.eventFd !== undefined) {
      dv.setUint32(at.flags, A.IOCB_FLAG_RESFD, true);
      dv.setInt32(at.resfd, request.eventFd, true);
    }
    this.poke(REQUEST, new Uint8Array(dv.buffer));
    // A turn begins.
    this.kernel.clock.nowNs = this.kernel.host.nowNs;
    const list = this.words(64, LIST, this.memory + REQUEST);
    return this.call(aio.sysIoSubmit, this.context, 1, list);
  }
  /** Events that are there: data, object, result of each; nothing is waited for. */
  events(): number[] | string {
    const now = this.words(64, 32, 0, 0);
    const n = this.call(aio.sysIoGetevents, this.context, 0, 8, this.memory + OUT, now);
    if (typeof n === "string") return n;
    return this.readWords(64, OUT, 4 * n).filter((_, i) => i % 4 === 2);
  }
}

Deno.test("io_setup and io_destroy: the pointer, the number, contexts that are there", () => {
  const lab = new AioLab(), id = lab.memory + ID, { sysIoSetup, sysIoDestroy } = aio;
  assertEquals(lab.call(sysIoSetup, 4, BAD), "EFAULT");
  assertEquals(lab.call(sysIoSetup, 4, id), "EINVAL", "a context is there");
  lab.poke64(ID, 0);
  assertEquals(lab.call(sysIoSetup, 0, id), "EINVAL");
  assertEquals(lab.call(sysIoSetup, 0x10000000, id), "EINVAL");
  assertEquals([lab.call(sysIoDestroy, 1), lab.call(sysIoDestroy, lab.context)], ["EINVAL", 0]);
  assertEquals(lab.call(sysIoDestroy, lab.context), "EINVAL");
  assertEquals(lab.events(), "EINVAL");
});

Deno.test("io_submit: contexts, lists, requests that are wrong", () => {
  const lab = new AioLab(), { sysIoSubmit } = aio;
  const reader = Number(lab.call(sysOpenat, CWD, "/f", O_RDONLY, 0));
  assertEquals(lab.call(sysIoSubmit, 1, 1, lab.memory + LIST), "EINVAL");
  assertEquals(lab.call(sysIoSubmit, lab.context, 1, BAD), "EFAULT");
  assertEquals(lab.call(sysIoSubmit, lab.context, 1, lab.words(64, LIST, BAD)), "EFAULT");
  assertEquals(lab.call(sysIoSubmit, lab.context, 0, BAD), 0);
  assertEquals([lab.submit({ reserved: 1 }), lab.submit({ fd: 99 })], ["EINVAL", "EBADF"]);
  assertEquals(lab.submit({ eventFd: 99 }), "EBADF");
  assertEquals(lab.submit({ eventFd: lab.file }), "EINVAL");
  assertEquals(lab.submit({ opcode: A.IOCB_CMD_NOOP }), "EINVAL");
  assertEquals([lab.submit({ offset: -1 }), lab.submit({ fd: reader })], ["EINVAL", "EBADF"]);
  assertEquals(lab.submit({ rwFlags: 1 << 20 }), "EOPNOTSUPP");
  assertEquals(lab.submit({ opcode: A.IOCB_CMD_FSYNC, bytes: 1 }), "EINVAL");
  assertEquals(lab.submit({ opcode: A.IOCB_CMD_POLL, buf: 0x10000, bytes: 0 }), "EINVAL");
  assertEquals(lab.events(), []);
});

Deno.test("reads and writes are performed, and their events are got", () => {
  const lab = new AioLab(), eventFd = Number(lab.call(sysEventfd2, 0, 0));
  lab.poke(DATA, new TextEncoder().encode("text"));
  assertEquals([lab.submit({ offset: 2, eventFd }), lab.events()], [1, [4]]);
  const into = lab.memory + DATA + 100, read = A.IOCB_CMD_PREAD;
  assertEquals(lab.submit({ opcode: read, buf: into, bytes: 16 }), 1);
  assertEquals([lab.events(), lab.textAt(DATA + 100, 6)], [[6], "\0\0text"]);
  const vector = lab.words(64, DATA + 200, lab.memory + DATA, 3, lab.memory + DATA, 1);
  assertEquals(lab.submit({ opcode: A.IOCB_CMD_PWRITEV, buf: vector, bytes: 2, offset: 6 }), 1);
  assertEquals(lab.submit({ opcode: A.IOCB_CMD_PREADV, buf: vector, bytes: 2, offset: 8 }), 1);
  assertEquals(lab.events(), [4, 2]);
  for (const opcode of [A.IOCB_CMD_FSYNC, A.IOCB_CMD_FDSYNC]) {
    assertEquals(lab.submit({ opcode, buf: 0, bytes: 0 }), 1);
  }
  assertEquals(lab.events(), [0, 0]);
});

Deno.test("a poll is pending until its file is ready or it is cancelled", () => {
  const lab = new AioLab(), request = lab.memory + REQUEST;
  lab.call(sysPipe2, lab.memory + OUT, 0);
  const [fd = -1, writer = -1] = lab.readWords(32, OUT, 2);
  const poll = { opcode: A.IOCB_CMD_POLL, fd, buf: POLLIN, bytes: 0 };
  assertEquals([lab.submit(poll), lab.events()], [1, []]);
  assertEquals(lab.call(aio.sysIoCancel, lab.context, BAD), "EFAULT");
  assertEquals(lab.call(aio.sysIoCancel, lab.context, lab.memory + LIST), "EINVAL");
  assertEquals(lab.call(aio.sysIoCancel, lab.context, request), "EINPROGRESS");
  assertEquals(lab.call(aio.sysIoCancel, lab.context, request), "EINVAL");
  lab.events();
  assertEquals([lab.submit(poll), lab.call(sysWrite, writer, "x", 1)], [1, 1]);
  assertEquals(lab.events(), [POLLIN]);
});

Deno.test("io_getevents and io_pgetevents: bounds, pointers, masks, a wait", () => {
  const lab = new AioLab(), out = lab.memory + OUT, { context } = lab;
  const get = (...args: number[]) => lab.call(aio.sysIoGetevents, context, ...args);
  assertEquals([get(2, 1, out, 0), get(-1 >>> 0, 0, out, 0)], ["EINVAL", "EINVAL"]);
  assertEquals(get(0, 1, out, BAD), "EFAULT");
  assertEquals(get(0, 1, out, lab.words(64, 32, 0, 1e9)), "EINVAL");
  assertEquals(get(1, 1, out, 0), BLOCKED);
  lab.submit({});
  assertEquals([get(1, 1, BAD, 0), get(1, 1, out, 0)], ["EFAULT", 1]);
  const masked = (set: number, size: number) => {
    const sig = lab.words(64, 16, set, size);
    return lab.call(aio.sysIoPgetevents, context, 0, 1, out, lab.words(64, 32, 0, 0), sig);
  };
  assertEquals(lab.call(aio.sysIoPgetevents, context, 0, 1, out, 0, BAD), "EFAULT");
  assertEquals([masked(lab.memory, 4), masked(BAD, 8)], ["EINVAL", "EFAULT"]);
  assertEquals(masked(lab.memory + DATA, 8), 0);
});
