/**
 * Tests of load.ts: static, dynamic and position-independent programs, scripts, limits, malformed
 * files.
 */
import { PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { assert, assertEquals } from "@std/assert";
import * as E from "../../ffi/abi/elf.ts";
import { E2BIG, EINVAL, EIO, ELIBBAD, ELOOP, ENOENT, ENOEXEC } from "../../ffi/abi/errno.ts";
import { writeExecutable } from "../../ffi/asm/elf_executable.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import { GuestSimulator } from "../testing/fake_platform.ts";
import { FrameFileBacking, HostFileBacking, MemoryLab } from "../testing/memory_lab.ts";
import { OpenFile } from "../vfs/open_file.ts";
import { load, type LoadedProgram, type LoadRequest, type ProgramOpener } from "./load.ts";
import { ImageFile } from "./image_file_testing.ts";
import { parseScript } from "./script.ts";
import { StringList } from "./string_list.ts";

const cpu = { hwcap: 0xbfebfbff, hwcap2: 0, minSignalStack: 2048 };

/** @param isDirect mappings are of the host's file */
function imageFile(lab: MemoryLab, bytes: Uint8Array<ArrayBuffer>, isDirect: boolean): ImageFile {
  return new ImageFile(
    bytes,
    isDirect ? new HostFileBacking(lab, bytes) : new FrameFileBacking(lab, bytes),
  );
}

class Opener implements ProgramOpener {
  readonly files: Map<string, OpenFile> = new Map();
  openExec(path: string): OpenFile | number {
    return this.files.get(path)?.hold() ?? -ENOENT;
  }
  identify() {
    return { uid: 1, euid: 2, gid: 3, egid: 4, isSecure: true };
  }
}

function request(path: string, argv: string[], envp: string[] = []): LoadRequest {
  const lists = { argv: StringList.of(argv), envp: StringList.of(envp) };
  return { path, ...lists, cpu, isPathGone: false };
}

function text(s: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(s);
}

function program(options: { pie?: boolean; interp?: string } = {}): Uint8Array<ArrayBuffer> {
  const base = options.pie ? 0 : 0x400000;
  const code = new Uint8Array(5000).fill(0x90), data = new Uint8Array(100).fill(7);
  return new Uint8Array(writeExecutable(base + 0x1010, [
    { vaddr: base + 0x1000, bytes: code, read: true, write: false, exec: true },
    { vaddr: base + 0x4000, bytes: data, memSize: 20000, read: true, write: true, exec: false },
  ], options));
}

function loaded(r: LoadedProgram | number): LoadedProgram {
  if (typeof r === "number") throw new Error(`load failed: ${r}`);
  while (r.stack.writeStrings() > 0);
  return r;
}

/** Reads argv, envp and the auxiliary vector as a program does. */
function readStack(mm: MemoryManager, sp: number) {
  const argc = mm.load64(sp), argv: (string | number)[] = [], envp: (string | number)[] = [];
  let at = sp + 8;
  for (let i = 0; i < argc; i++, at += 8) argv.push(mm.cstring(mm.load64(at), 200_000));
  assertEquals(mm.load64(at), 0);
  for (at += 8; mm.load64(at) !== 0; at += 8) envp.push(mm.cstring(mm.load64(at), 200_000));
  const aux = new Map<number, number>();
  for (at += 8; mm.load64(at) !== E.AT_NULL; at += 16) aux.set(mm.load64(at), mm.load64(at + 8));
  return { argv, envp, aux };
}

Deno.test("a static program is mapped, its bss is zero, its stack is complete", () => {
  const lab = new MemoryLab(), opener = new Opener();
  for (const isDirect of [true, false]) {
    for (const pie of [false, true]) {
      const mm = lab.newManager(), guest = new GuestSimulator(mm);
      const file = imageFile(lab, program({ pie }), isDirect);
      const argv = ["prog", "", "a b"], env = ["X=1", "Y=\xff"];
      const r = loaded(load(mm, file, opener, request("/bin/prog", argv, env)));
      const bias = pie ? mm.layout.pieBase - 0x1000 : 0x400000;
      assertEquals(r.entry, bias + 0x1010);
      assertEquals(guest.execute(r.entry), 0);
      assertEquals(guest.read(r.entry), 0x90);
      assertEquals(guest.write(r.entry, 1), -11);
      assertEquals(guest.read(bias + 0x4000 + 99), 7);
      for (let i = 100; i < 20000; i += 123) assertEquals(guest.read(bias + 0x4000 + i), 0);
      assertEquals(guest.write(bias + 0x4000 + 19999, 1), 0);
      assertEquals(r.stack.pointer % 16, 0);
      const { argv: args, envp, aux } = readStack(mm, r.stack.pointer);
      assertEquals(args, argv);
      assertEquals(envp, env);
      assertEquals(aux.get(E.AT_ENTRY), r.entry);
      assertEquals(aux.get(E.AT_BASE), 0);
      assertEquals(aux.get(E.AT_PHENT), 56);
      assert(aux.has(E.AT_PHDR));
      assertEquals([aux.get(E.AT_UID), aux.get(E.AT_EGID), aux.get(E.AT_SECURE)], [1, 4, 1]);
      assertEquals(mm.cstring(aux.get(E.AT_EXECFN)!, 100), "/bin/prog");
      assertEquals(mm.cstring(aux.get(E.AT_PLATFORM)!, 100), "x86_64");
      assertEquals(mm.cstring(mm.program.argStart, 100), "prog");
      assertEquals(mm.program.auxv.length, (aux.size + 1) * 16);
      assert(mm.brk(0) >= bias + 0x4000 + 20000);
      assertEquals(mm.brk(mm.brk(0) + 5000), mm.break.end);
      r.file.drop();
      assertEquals(file.refs, 1);
      mm.destroy();
    }
  }
  lab.close();
});

Deno.test("the vDSO and its data page are mapped and announced", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), guest = new GuestSimulator(mm);
  const frame = lab.ctx.frames.alloc(3);
  lab.ctx.vdso = {
    vvarFrame: frame,
    vvarBytes: PAGE_SIZE,
    imageFrame: frame + PAGE_SIZE,
    imageBytes: PAGE_SIZE + 10,
    cpusAt: frame,
  };
  const file = imageFile(lab, program(), true);
  const r = loaded(load(mm, file, new Opener(), request("p", ["p"])));
  const at = readStack(mm, r.stack.pointer).aux.get(E.AT_SYSINFO_EHDR)!;
  assertEquals(guest.execute(at), 0);
  assertEquals(guest.read(at - PAGE_SIZE), 0);
  assertEquals(guest.write(at, 1), -11);
  const names = mm.vmas.list.map((v) => mm.nameOf(v)).filter((n) => n.startsWith("["));
  assertEquals(names, ["[vvar]", "[vdso]", "[stack]"]);
  assertEquals(mm.mprotect(at, PAGE_SIZE, PROT_READ | PROT_WRITE), -13);
  const child = mm.fork(TEST_ACCOUNT);
  assert(typeof child !== "number");
  assertEquals(child.load8(at), 0);
  child.destroy();
  mm.destroy();
  assertEquals(lab.ctx.frames.refs(frame), 1);
  lab.close();
});

Deno.test("a dynamic program starts in its interpreter", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), opener = new Opener();
  const loader = imageFile(lab, program({ pie: true }), true);
  opener.files.set("/lib/ld.so", loader);
  const file = imageFile(lab, program({ pie: true, interp: "/lib/ld.so" }), true);
  const r = loaded(load(mm, file, opener, request("p", ["p"])));
  const { aux } = readStack(mm, r.stack.pointer);
  const base = aux.get(E.AT_BASE)!;
  assertEquals(r.entry, base + 0x1010);
  assert(base > mm.layout.pieBase);
  assertEquals(aux.get(E.AT_ENTRY)! % PAGE_SIZE, 0x10);
  assertEquals(loader.refs, 1);
  opener.files.delete("/lib/ld.so");
  assertEquals(load(lab.newManager(), file, opener, request("p", ["p"])), -ENOENT);
  opener.files.set("/lib/ld.so", imageFile(lab, text("x".repeat(500)), true));
  assertEquals(load(lab.newManager(), file, opener, request("p", ["p"])), -ELIBBAD);
  opener.files.set("/lib/ld.so", imageFile(lab, text("x"), true));
  assertEquals(load(lab.newManager(), file, opener, request("p", ["p"])), -EIO);
  lab.close();
});

Deno.test("the host's own programs load", () => {
  const lab = new MemoryLab(), opener = new Opener();
  const ld = "/lib64/ld-linux-x86-64.so.2";
  opener.files.set(ld, imageFile(lab, Deno.readFileSync(ld), true));
  for (const path of ["/bin/true", ld, "/bin/sh"]) {
    const mm = lab.newManager(), guest = new GuestSimulator(mm);
    const file = imageFile(lab, Deno.readFileSync(path), true);
    const r = loaded(load(mm, file, opener, request(path, [path], ["PATH=/bin"])));
    assertEquals(guest.execute(r.entry), 0, path);
    const { argv, aux } = readStack(mm, r.stack.pointer);
    assertEquals(argv, [path]);
    const types = [E.PT_PHDR, E.PT_LOAD];
    assert(types.includes(mm.load32(aux.get(E.AT_PHDR)!)), "program headers are in memory");
  }
  lab.close();
});

Deno.test("scripts lead to their interpreter", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), opener = new Opener();
  const interpreter = imageFile(lab, program(), true);
  opener.files.set("/bin/i", interpreter);
  opener.files.set("/bin/mid", imageFile(lab, text("#!/bin/i  -x y \n"), true));
  const file = imageFile(lab, text("#! /bin/mid arg\necho"), true);
  const r = loaded(load(mm, file, opener, request("/s", ["s0", "one"])));
  const { argv, aux } = readStack(mm, r.stack.pointer);
  assertEquals(argv, ["/bin/i", "-x y", "/bin/mid", "arg", "/s", "one"]);
  assertEquals(mm.cstring(aux.get(E.AT_EXECFN)!, 10), "/s");
  assert(r.file === interpreter);
  assertEquals([file.refs, interpreter.refs], [1, 2]);
  opener.files.set("/loop", imageFile(lab, text("#!/loop\n"), true));
  const loop = imageFile(lab, text("#!/loop\n"), true);
  assertEquals(load(lab.newManager(), loop, opener, request("/s", ["s"])), -ELOOP);
  const gone = { ...request("/dev/fd/3", ["s"]), isPathGone: true };
  assertEquals(load(lab.newManager(), file, opener, gone), -ENOENT);
  const missing = imageFile(lab, text("#!/none\n"), true);
  assertEquals(load(lab.newManager(), missing, opener, request("/s", ["s"])), -ENOENT);
  for (const bad of ["", "echo hi\n", "#!\n", "#!   \t \n", "#!" + "a".repeat(300), "#!\0\n"]) {
    const bytes = imageFile(lab, text(bad), true);
    assertEquals(load(lab.newManager(), bytes, opener, request("/s", ["s"])), -ENOEXEC, bad);
  }
  lab.close();
});

Deno.test("the first line of a script is cut as Linux cuts it", () => {
  const parse = (s: string) => {
    const head = new Uint8Array(256);
    head.set(text(s).subarray(0, 256));
    return parseScript(head);
  };
  assertEquals(parse("#!/bin/sh"), { interpreter: "/bin/sh", argument: null });
  assertEquals(parse("#! /bin/sh \t\n"), { interpreter: "/bin/sh", argument: null });
  assertEquals(parse("#!/bin/sh a  b\t\nx"), { interpreter: "/bin/sh", argument: "a  b" });
  assertEquals(parse("#!/b " + "c".repeat(400)), {
    interpreter: "/b",
    argument: "c".repeat(250),
  });
  assertEquals(parse("#!/bin/sh\0zzz\n"), { interpreter: "/bin/sh", argument: null });
});

Deno.test("strings beyond the limits are E2BIG", () => {
  const lab = new MemoryLab(), opener = new Opener();
  const file = imageFile(lab, program(), true);
  const run = (argv: string[], env: string[], stack = 8 << 20): number => {
    const mm = lab.newManager();
    mm.limits.stack = stack;
    const r = load(mm, file, opener, request("p", argv, env));
    mm.destroy();
    return typeof r === "number" ? r : 0;
  };
  assertEquals(run(["x".repeat(131071)], []), 0);
  assertEquals(run(["x".repeat(131072)], []), -E2BIG);
  const many = new Array<string>(20).fill("y".repeat(100_000));
  assertEquals(run(["p"], many), 0);
  assertEquals(run(["p"], [...many, "z".repeat(98_000)]), -E2BIG);
  assertEquals(run(["p"], many, 1 << 20), -E2BIG);
  assertEquals(run(new Array<string>(300_000).fill(""), []), -E2BIG);
  assertEquals(run([], []), 0);
  lab.close();
});

Deno.test("broken ELF files are errors, and nothing leaks", () => {
  const lab = new MemoryLab(64 << 20), opener = new Opener();
  opener.files.set("/lib/ld.so", imageFile(lab, program({ pie: true }), true));
  const good = program({ pie: true, interp: "/lib/ld.so" });
  let seed = 4711;
  const random = (n: number): number => {
    seed = Math.imul(seed, 1103515245) + 12345 >>> 0;
    return (seed >>> 8) % n;
  };
  const outcomes = new Map<number, number>();
  const used = lab.ctx.frames.usedBytes;
  for (let round = 0; round < 400; round++) {
    const bytes = round % 4 === 0 ? good.slice(0, random(good.length)) : good.slice();
    for (let k = random(6); k >= 0; k--) {
      const at = random(Math.min(bytes.length, 64 + 56 * 6));
      bytes[at] = [0, 0xff, 0x7f, 1, random(256)][random(5)]!;
    }
    const mm = lab.newManager(), file = imageFile(lab, bytes, true);
    const r = load(mm, file, opener, request("p", ["p"]));
    if (typeof r !== "number") r.file.drop();
    const key = typeof r === "number" ? r : 0;
    outcomes.set(key, (outcomes.get(key) ?? 0) + 1);
    assert(key > -200 && key <= 0);
    mm.destroy();
    assertEquals(file.refs, 1);
    if (file.backing instanceof HostFileBacking) {
      assertEquals(file.backing.holds, 0);
      file.backing.close();
    }
    assertEquals(lab.ctx.frames.usedBytes, used);
  }
  assert(outcomes.size > 3);
  const elf32 = good.slice();
  elf32[E.EI_CLASS] = E.ELFCLASS32;
  const file = imageFile(lab, elf32, true);
  assertEquals(load(lab.newManager(), file, opener, request("p", ["p"])), -ENOEXEC);
  lab.close();
});

Deno.test("an executable stack is made only when asked for", () => {
  const lab = new MemoryLab(), opener = new Opener();
  const elf = (stackExec: boolean): Uint8Array<ArrayBuffer> =>
    new Uint8Array(writeExecutable(0x401000, [
      { vaddr: 0x401000, bytes: new Uint8Array(16), read: true, write: false, exec: true },
    ], { stackExec }));
  for (const stackExec of [false, true]) {
    const mm = lab.newManager();
    const file = imageFile(lab, elf(stackExec), true);
    const r = loaded(load(mm, file, opener, request("p", ["p"])));
    const prot = mm.vmas.find(r.stack.pointer)!.prot;
    assertEquals((prot & PROT_EXEC) !== 0, stackExec);
  }
  lab.close();
});

Deno.test("an entry point that underflows is refused", () => {
  const lab = new MemoryLab(), mm = lab.newManager(), base = 0x600000000000;
  const code = { bytes: new Uint8Array(64).fill(0x90), read: true, write: false, exec: true };
  const segments = [{ vaddr: base + PAGE_SIZE, ...code }];
  const bytes = new Uint8Array(writeExecutable(base + PAGE_SIZE, segments, { pie: true }));
  new DataView(bytes.buffer).setBigUint64(E.Ehdr.at.entry, 16n, true);
  const file = imageFile(lab, bytes, true);
  assertEquals(load(mm, file, new Opener(), request("p", ["p"])), -EINVAL);
  lab.close();
});
