import { assertEquals } from "@std/assert";
import * as B from "../../../ffi/abi/bpf.ts";
import { AT_FDCWD, O_CREAT, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { NO_CAPS } from "../../cred/credentials.ts";
import { sysOpenat } from "../../syscalls/fs/open.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { sysBpf } from "./bpf.ts";

const BAD = 8, ATTR = 0, CODE = 1024, LICENSE = 2048, LOG = 4096, CWD = AT_FDCWD + 2 ** 32;
/** r0 = 1, and the end. */
const PROGRAM: readonly number[] = [0xb7, 1, 0x95, 0];

interface Load {
  readonly type?: number;
  readonly code?: readonly number[];
  readonly count?: number;
  readonly insns?: number;
  readonly license?: number;
  readonly log?: readonly [level: number, size: number, addr: number];
  readonly flags?: number;
  readonly rest?: number;
}

class BpfLab extends CallLab {
  bpf(command: number, size = 144, addr = this.memory + ATTR): number | string {
    return this.call(sysBpf, command, addr, size);
  }
  /** Fills the attributes with zeros, and then with these words. */
  attributes(...words: readonly number[]): void {
    this.words(32, ATTR, ...Array.from({ length: 36 }, (_, i) => words[i] ?? 0));
  }
  load(load: Load = {}): number | string {
    const code = load.code ?? PROGRAM, { at } = B.BpfLoad;
    this.attributes(load.type ?? B.BPF_PROG_TYPE_CGROUP_DEVICE, load.count ?? code.length / 2);
    this.words(32, CODE, ...code);
    this.poke(LICENSE, new TextEncoder().encode("GPL\0"));
    this.poke64(ATTR + at.insns, load.insns ?? this.memory + CODE);
    this.poke64(ATTR + at.license, load.license ?? this.memory + LICENSE);
    const [level, size, addr] = load.log ?? [0, 0, 0];
    this.words(32, ATTR + at.logLevel, level, size);
    this.poke64(ATTR + at.logBuf, addr);
    this.words(32, ATTR + at.progFlags, load.flags ?? 0);
    this.words(32, ATTR + at.rest, load.rest ?? 0);
    return this.bpf(B.BPF_PROG_LOAD);
  }
  weaken(): void {
    this.task.cred = { ...this.task.cred, effective: NO_CAPS };
  }
}

Deno.test("bpf: sizes, pointers, privilege, commands", () => {
  const lab = new BpfLab();
  lab.attributes();
  assertEquals([lab.bpf(B.BPF_PROG_LOAD, 4097), lab.bpf(B.BPF_PROG_LOAD, 144, BAD)], [
    "E2BIG",
    "EFAULT",
  ]);
  assertEquals(lab.bpf(99), "EINVAL");
  lab.weaken();
  assertEquals(lab.bpf(99), "EPERM");
});

Deno.test("BPF_PROG_LOAD: types, instructions, the log", () => {
  const lab = new BpfLab(), log = lab.memory + LOG;
  const wrong: readonly [Load, string][] = [
    [{ rest: 1 }, "EINVAL"],
    [{ flags: 1 << 20 }, "EINVAL"],
    [{ count: 0 }, "E2BIG"],
    [{ count: 1 << 24 }, "E2BIG"],
    [{ type: 999 }, "EINVAL"],
    [{ insns: BAD }, "EFAULT"],
    [{ license: BAD }, "EFAULT"],
    [{ log: [1, 0, log] }, "EINVAL"],
    [{ log: [0, 256, log] }, "EINVAL"],
    [{ log: [8, 256, log] }, "EINVAL"],
    [{ log: [1, 256, BAD] }, "EFAULT"],
    [{ code: [0x95, 0] }, "EACCES"],
  ];
  for (const [load, error] of wrong) assertEquals(lab.load(load), error, JSON.stringify(load));
  assertEquals(lab.load({ code: [0x95, 0], log: [1, 2, log] }), "ENOSPC");
  assertEquals([lab.load(), lab.task.files.isCloexec(0)], [0, true]);
  assertEquals(lab.load({ log: [1, 256, log] }), 1);
});

Deno.test("programs are found by id, and attached to control groups alone", () => {
  const lab = new BpfLab(), file = Number(lab.call(sysOpenat, CWD, "/f", O_RDWR | O_CREAT, 0o644));
  const device = B.BPF_CGROUP_DEVICE, program = Number(lab.load());
  lab.attributes(0);
  assertEquals([lab.bpf(B.BPF_PROG_GET_NEXT_ID), typeof lab.readWords(32, 4, 1)[0]], [0, "number"]);
  const [id = 0] = lab.readWords(32, 4, 1);
  lab.attributes(id);
  assertEquals(typeof lab.bpf(B.BPF_PROG_GET_FD_BY_ID), "number");
  assertEquals(lab.bpf(B.BPF_PROG_GET_NEXT_ID), "ENOENT");
  lab.attributes(0x7fffffff);
  assertEquals([lab.bpf(B.BPF_PROG_GET_NEXT_ID), lab.bpf(B.BPF_PROG_GET_FD_BY_ID)], [
    "EINVAL",
    "ENOENT",
  ]);
  const attach = (target: number, fd: number, type: number, flags = 0) => {
    lab.attributes(target, fd, type, flags);
    return lab.bpf(B.BPF_PROG_ATTACH);
  };
  assertEquals([attach(file, program, device, 8), attach(file, program, 99)], ["EINVAL", "EINVAL"]);
  assertEquals([attach(file, 99, device), attach(file, file, device)], ["EBADF", "EINVAL"]);
  assertEquals(attach(file, program, device), "EBADF", "no directory of a control group");
  assertEquals(lab.bpf(B.BPF_PROG_DETACH), "EBADF");
  lab.attributes(file, program, 99);
  assertEquals(lab.bpf(B.BPF_PROG_DETACH), "EINVAL");
  lab.attributes(file, device, 8);
  assertEquals(lab.bpf(B.BPF_PROG_QUERY), "EINVAL");
  lab.attributes(file, 99);
  assertEquals(lab.bpf(B.BPF_PROG_QUERY), "EINVAL");
  lab.attributes(file, device);
  assertEquals(lab.bpf(B.BPF_PROG_QUERY), "EBADF");
});
