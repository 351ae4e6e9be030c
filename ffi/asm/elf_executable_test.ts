import { assertEquals, assertThrows } from "@std/assert";
import { Assembler } from "./assembler.ts";
import { type ExecutableOptions, type Segment, writeExecutable } from "./elf_executable.ts";
import { mem, rip } from "./operands.ts";
import { eax, edi, rax, rcx, rdx, rsi, rsp } from "./registers.ts";

const BASE = 0x400000;
const WRITE = 1;
const EXIT = 60;

function text(vaddr: number, bytes: Uint8Array): Segment {
  return { vaddr, bytes, read: true, write: false, exec: true };
}

function data(vaddr: number, bytes: Uint8Array, memSize?: number): Segment {
  const segment = { vaddr, bytes, read: true, write: true, exec: false };
  return memSize === undefined ? segment : { ...segment, memSize };
}

function exit(code: number): Uint8Array {
  return new Assembler().mov(edi, code).mov(eax, EXIT).syscall().assemble();
}

interface Ending {
  readonly code: number;
  readonly signal: string | null;
  readonly stdout: string;
}

async function run(entry: number, segments: Segment[], opts?: ExecutableOptions): Promise<Ending> {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeFile(`${dir}/a.out`, writeExecutable(entry, segments, opts), { mode: 0o755 });
    const { code, signal, stdout } = await new Deno.Command(`${dir}/a.out`).output();
    return { code, signal, stdout: new TextDecoder().decode(stdout) };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("a program prints and exits with its code", async () => {
  const a = new Assembler();
  a.mov(eax, WRITE).mov(edi, 1).lea(rsi, rip("hello")).mov(rdx, 6).syscall();
  a.mov(edi, 42).mov(eax, EXIT).syscall();
  a.label("hello").asciz("hello\n");
  assertEquals(await run(BASE, [text(BASE, a.assemble(BASE))]), {
    code: 42,
    signal: null,
    stdout: "hello\n",
  });
});

Deno.test("a position-independent program runs wherever the kernel puts it", async () => {
  const a = new Assembler();
  a.lea(rax, rip("number")).mov(edi, mem(rax)).mov(eax, EXIT).syscall();
  a.label("number").dd(43);
  assertEquals((await run(0x1000, [text(0x1000, a.assemble())], { pie: true })).code, 43);
});

Deno.test("segments may be unordered, off page borders, larger than their bytes", async () => {
  const dataAt = 0x500123, bssAt = 0x600f00;
  const a = new Assembler();
  a.mov(eax, mem(null, dataAt)).mov(mem(null, bssAt + 0x2000), eax);
  a.mov(edi, mem(null, bssAt + 0x2000)).add(edi, mem(null, bssAt + 0x2004));
  a.mov(eax, EXIT).syscall();
  const ending = await run(BASE + 0x10, [
    data(bssAt, new Uint8Array(), 0x3000),
    data(dataAt, Uint8Array.of(44, 0, 0, 0), 0x1800),
    text(BASE + 0x10, a.assemble(BASE + 0x10)),
  ]);
  assertEquals(ending, { code: 44, signal: null, stdout: "" });
});

Deno.test("protections hold: writing to text, running data", async () => {
  const poke = new Assembler().mov(mem(null, BASE), eax).assemble();
  assertEquals((await run(BASE, [text(BASE, poke)])).signal, "SIGSEGV");
  const leap = new Assembler().mov(eax, 0x500000).jmp(rax).assemble();
  const segments = [text(BASE, leap), data(0x500000, exit(5))];
  assertEquals((await run(BASE, segments)).signal, "SIGSEGV");
});

Deno.test("the stack is executable only on request", async () => {
  const a = new Assembler();
  a.sub(rsp, 64).lea(rsi, rip("code"));
  for (const at of [0, 8]) a.mov(rcx, mem(rsi, at)).mov(mem(rsp, at), rcx);
  a.jmp(rsp).label("code").bytes(exit(45)).zero(16);
  const segments = [text(BASE, a.assemble())];
  assertEquals((await run(BASE, segments, { stackExec: true })).code, 45);
  assertEquals((await run(BASE, segments)).signal, "SIGSEGV");
});

Deno.test("the interpreter runs in place of the program", async () => {
  const interp = await Deno.makeTempFile();
  try {
    const file = writeExecutable(0x1000, [text(0x1000, exit(46))], { pie: true });
    await Deno.writeFile(interp, file);
    await Deno.chmod(interp, 0o755);
    assertEquals((await run(BASE, [text(BASE, exit(1))], { interp })).code, 46);
  } finally {
    await Deno.remove(interp);
  }
});

Deno.test("layouts that cannot be loaded are refused by address", () => {
  const ret = Uint8Array.of(0xc3);
  const bad: [Segment[], string][] = [
    [[text(BASE, ret), data(BASE, ret)], "0x400000 shares a page"],
    [[text(BASE, ret), data(BASE + 0xfff, ret)], "0x400fff shares a page"],
    [[data(BASE, ret, 0x1001), data(BASE + 0x1000, ret)], "0x401000 shares a page"],
    [[data(BASE, new Uint8Array())], "memory size of 0"],
    [[data(BASE, new Uint8Array(9), 8)], "9 bytes but a memory size of 8"],
    [[data(2 ** 47 - 1, ret, 2)], "outside of the address space"],
    [[data(-4096, ret)], "outside of the address space"],
    [[data(0.5, ret)], "outside of the address space"],
  ];
  for (const [segments, message] of bad) {
    assertThrows(() => writeExecutable(BASE, segments), RangeError, message);
  }
});
