import { assertEquals, assertThrows } from "@std/assert";
import { BpfAssembler, SECCOMP_DATA } from "./bpf.ts";

const ALLOW = 0x7fff0000;
const KILL = 0x80000000;

type Row = [code: number, jt: number, jf: number, k: number];

/** The program as rows of `struct sock_filter`. */
function rows(bpf: BpfAssembler): Row[] {
  const out = bpf.assemble();
  const view = new DataView(out.buffer);
  return Array.from({ length: out.length / 8 }, (_, i) => [
    view.getUint16(8 * i, true),
    out[8 * i + 2] ?? -1,
    out[8 * i + 3] ?? -1,
    view.getUint32(8 * i + 4, true),
  ]);
}

Deno.test("a filter by architecture and call number", () => {
  const bpf = new BpfAssembler()
    .ldAbs(SECCOMP_DATA.arch).jeq(0xc000003e, undefined, "kill")
    .ldAbs(SECCOMP_DATA.nr).jeq(39, "allow").jge(0x200, "kill", "allow")
    .label("kill").ret(KILL)
    .label("allow").ret(ALLOW);
  assertEquals(rows(bpf), [
    [0x20, 0, 0, 4],
    [0x15, 0, 3, 0xc000003e],
    [0x20, 0, 0, 0],
    [0x15, 2, 0, 39],
    [0x35, 0, 1, 0x200],
    [0x06, 0, 0, KILL],
    [0x06, 0, 0, ALLOW],
  ]);
});

Deno.test("every instruction has the code of linux/bpf_common.h", () => {
  const bpf = new BpfAssembler()
    .ld(7).add(1).sub(2).or(3).and(-1).xor(5).lsh(6).rsh(7)
    .jgt(8, "end").jset(9, "end", "end").ja("end")
    .label("end").retA();
  assertEquals(rows(bpf), [
    [0x00, 0, 0, 7],
    [0x04, 0, 0, 1],
    [0x14, 0, 0, 2],
    [0x44, 0, 0, 3],
    [0x54, 0, 0, 0xffffffff],
    [0xa4, 0, 0, 5],
    [0x64, 0, 0, 6],
    [0x74, 0, 0, 7],
    [0x25, 2, 0, 8],
    [0x45, 1, 1, 9],
    [0x05, 0, 0, 0],
    [0x16, 0, 0, 0],
  ]);
});

Deno.test("offsets are those of struct seccomp_data", () => {
  const { nr, arch, ipLo, ipHi, argLo, argHi } = SECCOMP_DATA;
  assertEquals([nr, arch, ipLo, ipHi], [0, 4, 8, 12]);
  assertEquals([argLo(0), argHi(0), argLo(5), argHi(5)], [16, 20, 56, 60]);
  for (const bad of [-1, 6, 0.5, NaN]) {
    assertThrows(() => argLo(bad), RangeError, `${bad}`);
    assertThrows(() => argHi(bad), RangeError, `${bad}`);
  }
});

/** `jeq` over `between` instructions. */
function jumpOver(between: number): BpfAssembler {
  const bpf = new BpfAssembler().ldAbs(0).jeq(1, "verdict");
  for (let i = 0; i < between; i++) bpf.add(1);
  return bpf.label("verdict").ret(ALLOW);
}

Deno.test("conditional jumps reach 255 instructions, unconditional ones any", () => {
  assertEquals(rows(jumpOver(255))[1], [0x15, 255, 0, 1]);
  assertThrows(() => jumpOver(256).assemble(), RangeError, '"verdict" is 256 instructions away');
  const far = new BpfAssembler().ldAbs(0).ja("far").jeq(1, "far2", "far2").label("far2");
  for (let i = 0; i < 4000; i++) far.add(1);
  assertEquals(rows(far.label("far").ret(0))[1], [0x05, 0, 0, 4001]);
});

Deno.test("the false branch is checked as the true one", () => {
  const bpf = new BpfAssembler().ldAbs(0).jeq(1, undefined, "else");
  for (let i = 0; i < 256; i++) bpf.add(1);
  assertThrows(() => bpf.label("else").ret(0).assemble(), RangeError, '"else" is 256');
});

Deno.test("labels that are missing, bound twice, behind or at the end are named", () => {
  const bpf = () => new BpfAssembler();
  assertThrows(() => bpf().jeq(1, "x").ret(0).assemble(), Error, '"x" is not bound');
  assertThrows(() => bpf().label("x").label("x"), Error, '"x" is bound twice');
  assertThrows(() => bpf().label("x").ja("x").ret(0).assemble(), RangeError, '"x" lies behind');
  assertThrows(() => bpf().ja("x").ret(0).label("x").assemble(), RangeError, '"x" is at the end');
});

Deno.test("programs that the kernel would refuse are refused here", () => {
  const bpf = () => new BpfAssembler();
  assertThrows(() => bpf().assemble(), Error, "must end in ret");
  assertThrows(() => bpf().ldAbs(0).assemble(), Error, "must end in ret");
  for (const bad of [-4, 2, 64, NaN]) assertThrows(() => bpf().ldAbs(bad), RangeError, `${bad}`);
  for (const bad of [-1, 32]) assertThrows(() => bpf().lsh(bad), RangeError, `${bad}`);
  for (const bad of [2 ** 32, -(2 ** 31) - 1, 0.5]) {
    assertThrows(() => bpf().ret(bad), RangeError, `${bad}`);
  }
  const long = bpf();
  for (let i = 0; i < 4096; i++) long.add(1);
  assertThrows(() => long.ret(0).assemble(), RangeError, "4097");
});
