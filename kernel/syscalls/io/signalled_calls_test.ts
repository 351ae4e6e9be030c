import { assertEquals } from "@std/assert";
import * as F from "../../../ffi/abi/fcntl.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { sysMkdir } from "../fs/names.ts";
import { sysOpenat } from "../fs/open.ts";
import { sysRtSigaction } from "../../signal/calls/actions.ts";
import { sysFcntl } from "./descriptors.ts";
import { sysPipe2 } from "./pipe.ts";
import { sysRead, sysWrite } from "./read_write.ts";

const OUT = 4096, CWD = F.AT_FDCWD + 2 ** 32, SIGIO = 29, REALTIME = 40, FASYNC = 0x2000;

class SignalLab extends CallLab {
  constructor() {
    super();
    // Caught: the default action would end the process.
    const action = this.words(64, OUT, 0x1000, 0x04000000, 0x1000, 0);
    for (const signo of [SIGIO, REALTIME]) {
      assertEquals(this.call(sysRtSigaction, signo, action, 0, 8), 0);
    }
  }
  open(path: string, flags: number): number {
    return Number(this.call(sysOpenat, CWD, path, flags, 0o644));
  }
  pipe(): number[] {
    this.call(sysPipe2, this.memory + OUT, 0);
    return this.readWords(32, OUT, 2);
  }
  fcntl(fd: number, command: number, arg: number): number | string {
    return this.call(sysFcntl, fd, command, arg >>> 0);
  }
  /** Whether a signal came, which is taken. */
  got(signo: number): boolean {
    return this.task.group.pending.take(signo) !== null;
  }
}

Deno.test("F_NOTIFY: directories, one signal or many, an end", () => {
  const lab = new SignalLab(), dir = lab.open("/", F.O_RDONLY);
  const file = lab.open("/f", F.O_RDWR | F.O_CREAT);
  assertEquals(lab.fcntl(file, F.F_NOTIFY, F.DN_CREATE), "ENOTDIR");
  assertEquals(lab.fcntl(99, F.F_NOTIFY, F.DN_CREATE), "EBADF");
  assertEquals(lab.fcntl(dir, F.F_NOTIFY, F.DN_CREATE), 0);
  lab.call(sysMkdir, "/a", 0o755);
  assertEquals([lab.got(SIGIO), lab.call(sysMkdir, "/b", 0o755), lab.got(SIGIO)], [true, 0, false]);
  assertEquals(lab.fcntl(dir, F.F_NOTIFY, F.DN_CREATE | F.DN_MULTISHOT), 0);
  for (const name of ["/c", "/d"]) {
    lab.call(sysMkdir, name, 0o755);
    assertEquals(lab.got(SIGIO), true, name);
  }
  assertEquals(lab.fcntl(dir, F.F_NOTIFY, 0), 0);
  lab.call(sysMkdir, "/e", 0o755);
  assertEquals(lab.got(SIGIO), false);
});

Deno.test("O_ASYNC: owners, signals, both ends of a pipe", () => {
  const lab = new SignalLab(), [reader = -1, writer = -1] = lab.pipe();
  assertEquals(lab.fcntl(reader, F.F_SETFL, FASYNC), 0);
  lab.call(sysWrite, writer, lab.memory, 1);
  assertEquals(lab.got(SIGIO), false, "it has no owner");
  assertEquals([lab.fcntl(reader, F.F_SETOWN, 1), lab.fcntl(reader, F.F_GETOWN, 0)], [0, 1]);
  lab.call(sysWrite, writer, lab.memory, 1);
  assertEquals(lab.got(SIGIO), true);
  assertEquals([lab.fcntl(reader, F.F_SETSIG, 65), lab.fcntl(reader, F.F_SETSIG, REALTIME)], [
    "EINVAL",
    0,
  ]);
  lab.call(sysWrite, writer, lab.memory, 1);
  assertEquals([lab.got(SIGIO), lab.got(REALTIME)], [false, true]);
  assertEquals(lab.fcntl(reader, F.F_SETFL, 0), 0);
  lab.call(sysWrite, writer, lab.memory, 1);
  assertEquals([lab.got(SIGIO), lab.got(REALTIME)], [false, false]);
  lab.call(sysRead, reader, lab.memory, 100);
  assertEquals(lab.fcntl(reader, F.F_SETOWN, -99), "ESRCH");
});

Deno.test("leases: kinds of files, what is there, an end", () => {
  const lab = new SignalLab(),
    file = lab.open("/f", F.O_RDONLY | F.O_CREAT),
    dir = lab.open("/", 0);
  assertEquals(lab.fcntl(file, F.F_GETLEASE, 0), F.F_UNLCK);
  assertEquals(lab.fcntl(dir, F.F_SETLEASE, F.F_RDLCK), "EINVAL");
  assertEquals(lab.fcntl(file, F.F_SETLEASE, 9), "EINVAL");
  assertEquals(lab.fcntl(file, F.F_SETLEASE, F.F_UNLCK), "EAGAIN", "there is none");
  assertEquals(lab.fcntl(file, F.F_SETLEASE, F.F_RDLCK), 0);
  assertEquals(lab.fcntl(file, F.F_GETLEASE, 0), F.F_RDLCK);
  assertEquals(lab.fcntl(file, F.F_SETLEASE, F.F_UNLCK), 0);
  assertEquals(lab.fcntl(file, F.F_GETLEASE, 0), F.F_UNLCK);
});
