import { assertEquals } from "@std/assert";
import { AT_FDCWD, O_APPEND, O_CREAT, O_RDONLY, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { sysOpenat } from "../fs/open.ts";
import { sysPipe2 } from "./pipe.ts";
import { sysPwrite64, sysRead, sysWrite } from "./read_write.ts";
import * as splice from "./splice.ts";

const BAD = 8, OFFSET = 512, OUT = 4096, CWD = AT_FDCWD + 2 ** 32;
const NONBLOCK = 2, UNKNOWN = 16, BLOCKED = "-4096";

class SpliceLab extends CallLab {
  readonly file: number = this.open("/f", O_RDWR | O_CREAT);
  readonly dir: number = this.open("/", O_RDONLY);
  readonly reader: number;
  readonly writer: number;
  readonly otherReader: number;
  readonly otherWriter: number;

  constructor() {
    super();
    [this.reader = -1, this.writer = -1] = this.pipe();
    [this.otherReader = -1, this.otherWriter = -1] = this.pipe();
    this.poke(0, new TextEncoder().encode("0123456789"));
    this.call(sysPwrite64, this.file, this.memory, 10, 0);
  }
  open(path: string, flags: number): number {
    return Number(this.call(sysOpenat, CWD, path, flags, 0o644));
  }
  pipe(): number[] {
    this.call(sysPipe2, this.memory + OUT, 0);
    return this.readWords(32, OUT, 2);
  }
  /** What a pipe has. */
  taken(fd: number): string {
    const n = Number(this.call(sysRead, fd, this.memory + OUT, 100));
    return this.textAt(OUT, n);
  }
  /** The address of an offset. */
  at(offset: number): number {
    return this.words(64, OFFSET, offset);
  }
}

Deno.test("sendfile: descriptors, offsets, kinds of files", () => {
  const lab = new SpliceLab(), { file, writer, reader, dir } = lab;
  const send = (to: number, from: number, offset: number, len = 4) =>
    lab.call(splice.sysSendfile, to, from, offset, len);
  assertEquals([send(writer, file, BAD), send(writer, 99, 0)], ["EFAULT", "EBADF"]);
  assertEquals([send(writer, writer, 0), send(99, file, 0)], ["EBADF", "EBADF"]);
  assertEquals([send(file, reader, lab.at(0)), send(writer, file, lab.at(-1))], [
    "ESPIPE",
    "EINVAL",
  ]);
  assertEquals([send(reader, file, 0), send(writer, dir, 0)], ["EBADF", "EINVAL"]);
  assertEquals([send(lab.open("/f", O_RDWR | O_APPEND), file, 0), send(file, reader, 0)], [
    "EINVAL",
    "EINVAL",
  ]);
  assertEquals([send(writer, file, lab.at(3)), lab.readWords(64, OFFSET, 1)], [4, [7]]);
  assertEquals([lab.taken(reader), send(writer, file, lab.at(99))], ["3456", 0]);
});

Deno.test("copy_file_range: flags, kinds, a range over itself", () => {
  const lab = new SpliceLab(), { file, dir, reader } = lab, to = lab.open("/g", O_RDWR | O_CREAT);
  const copy = (from: number, inAt: number, target: number, outAt: number, len = 4, flags = 0) =>
    lab.call(splice.sysCopyFileRange, from, inAt, target, outAt, len, flags);
  assertEquals([copy(99, 0, to, 0), copy(file, BAD, to, 0)], ["EBADF", "EFAULT"]);
  assertEquals([copy(file, 0, to, 0, 4, 1), copy(dir, 0, to, 0)], ["EINVAL", "EISDIR"]);
  assertEquals([copy(reader, 0, to, 0), copy(file, lab.at(-1), to, 0)], ["EINVAL", "EINVAL"]);
  assertEquals(copy(file, 0, lab.open("/f", O_RDONLY), lab.at(20)), "EBADF");
  assertEquals(copy(file, lab.at(0), file, lab.words(64, OFFSET + 8, 2)), "EINVAL");
  assertEquals(copy(file, lab.at(2), to, lab.words(64, OFFSET + 8, 1)), 4);
  assertEquals(lab.readWords(64, OFFSET, 2), [6, 5]);
  assertEquals([copy(file, lab.at(99), to, 0), lab.taken(to)], [0, "\x002345"]);
});

Deno.test("splice: flags, sides, offsets, a wait", () => {
  const lab = new SpliceLab(), { file, reader, writer, otherWriter } = lab;
  const move = (from: number, inAt: number, to: number, outAt: number, len = 4, flags = 0) =>
    lab.call(splice.sysSplice, from, inAt, to, outAt, len, flags);
  assertEquals([move(99, 0, 99, 0, 0, UNKNOWN), move(file, 0, writer, 0, 4, UNKNOWN)], [
    0,
    "EINVAL",
  ]);
  assertEquals([move(99, 0, writer, 0), move(file, 0, reader, 0)], ["EBADF", "EBADF"]);
  assertEquals([move(reader, lab.at(0), file, 0), move(file, 0, writer, lab.at(0))], [
    "ESPIPE",
    "ESPIPE",
  ]);
  assertEquals([move(file, 0, file, 0), move(lab.dir, 0, writer, 0)], ["EINVAL", "EINVAL"]);
  assertEquals([move(file, BAD, writer, 0), move(file, lab.at(-1), writer, 0)], [
    "EFAULT",
    "EINVAL",
  ]);
  assertEquals(move(reader, 0, writer, 0), "EINVAL", "both ends of one pipe");
  assertEquals(move(reader, 0, file, 0, 4, NONBLOCK), "EAGAIN");
  assertEquals(move(reader, 0, file, 0), BLOCKED);
  lab.task.endWait();
  assertEquals([move(file, lab.at(6), writer, 0, 9), lab.readWords(64, OFFSET, 1)], [4, [10]]);
  assertEquals([move(reader, 0, otherWriter, 0), lab.taken(lab.otherReader)], [4, "6789"]);
});

Deno.test("tee and vmsplice: what is no pipe, bytes that stay, vectors", () => {
  const lab = new SpliceLab(), { file, reader, writer, otherWriter } = lab;
  const tee = (from: number, to: number, len = 4, flags = 0) =>
    lab.call(splice.sysTee, from, to, len, flags);
  const vector = lab.words(64, OFFSET, lab.memory, 3, lab.memory + 5, 2);
  const vmsplice = (fd: number, iov: number, count: number, flags = 0) =>
    lab.call(splice.sysVmsplice, fd, iov, count, flags);
  assertEquals([tee(reader, otherWriter, 4, UNKNOWN), tee(99, 99, 0)], ["EINVAL", 0]);
  assertEquals([tee(99, otherWriter), tee(file, otherWriter)], ["EBADF", "EINVAL"]);
  assertEquals([tee(reader, writer), tee(reader, otherWriter, 4, NONBLOCK)], ["EINVAL", "EAGAIN"]);
  assertEquals(lab.call(sysWrite, writer, lab.memory, 4), 4);
  assertEquals([tee(reader, otherWriter), lab.taken(reader)], [4, "0123"]);
  assertEquals(lab.taken(lab.otherReader), "0123");
  assertEquals([vmsplice(writer, vector, 2, UNKNOWN), vmsplice(99, vector, 2)], [
    "EINVAL",
    "EBADF",
  ]);
  assertEquals([vmsplice(writer, vector, 0), vmsplice(file, vector, 2)], [0, "EBADF"]);
  assertEquals([vmsplice(writer, BAD, 1), vmsplice(writer, vector, 1025)], ["EFAULT", "EINVAL"]);
  assertEquals([vmsplice(writer, vector, 2), lab.taken(reader)], [5, "01256"]);
  assertEquals(vmsplice(reader, vector, 2, NONBLOCK), "EAGAIN");
});
