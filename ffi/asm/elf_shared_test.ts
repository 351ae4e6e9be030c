import { assertEquals, assertNotEquals, assertThrows } from "@std/assert";
import { Assembler } from "./assembler.ts";
import { writeSharedObject } from "./elf_shared.ts";
import { mem, rip } from "./operands.ts";
import { eax, edi, rax, rdi, rsi, xmm0 } from "./registers.ts";

/** Puts `file` into a memfd, loads it with `load` and closes both. */
function withMemfd<T>(file: Uint8Array<ArrayBuffer>, load: (path: string) => T): T {
  const libc = Deno.dlopen("libc.so.6", {
    memfd_create: { parameters: ["buffer", "u32"], result: "i32" },
    write: { parameters: ["i32", "buffer", "usize"], result: "isize" },
    close: { parameters: ["i32"], result: "i32" },
  });
  const fd = libc.symbols.memfd_create(new TextEncoder().encode("elf_shared_test\0"), 1);
  try {
    assertEquals(libc.symbols.write(fd, file, BigInt(file.length)), BigInt(file.length));
    return load(`/proc/self/fd/${fd}`);
  } finally {
    libc.symbols.close(fd);
    libc.close();
  }
}

Deno.test("functions of a shared object in a memfd can be called", () => {
  const a = new Assembler();
  a.label("pid").mov(eax, 39).syscall().ret();
  a.align(16).label("sum").lea(rax, mem(rdi, 1, rsi, 4)).ret();
  a.align(16).label("half").mov(eax, 2).cvtsi2sd(xmm0, rax).ret();
  a.align(16).label("table").lea(rax, rip("numbers")).mov(eax, mem(rax, 0, rdi, 4)).ret();
  a.align(4, 0).label("numbers").dd(10, 20, 30);
  const names = ["pid", "sum", "half", "table"];
  const symbols = Object.fromEntries(names.map((name) => [name, a.offsetOf(name)]));

  withMemfd(writeSharedObject(a.assemble(), symbols), (path) => {
    const library = Deno.dlopen(path, {
      pid: { parameters: [], result: "i32" },
      sum: { parameters: ["i64", "i64"], result: "i64" },
      half: { parameters: [], result: "f64" },
      table: { parameters: ["i32"], result: "i32" },
    });
    assertEquals(library.symbols.pid(), Deno.pid);
    assertEquals(library.symbols.sum(2n ** 40n, 3n), 2n ** 40n + 13n);
    assertEquals(library.symbols.half(), 2);
    assertEquals(library.symbols.table(2), 30);
    library.close();
  });
});

Deno.test("tables over a page and code over a megabyte load", () => {
  const a = new Assembler();
  const symbols: Record<string, number> = {};
  for (let i = 0; i < 500; i++) {
    symbols[`function_number_${i}`] = a.length;
    a.lea(eax, mem(rdi, i)).ret().zero(3000);
  }
  withMemfd(writeSharedObject(a.assemble(), symbols), (path) => {
    const parameters = ["i32"] as const;
    const library = Deno.dlopen(path, {
      function_number_0: { parameters, result: "i32" },
      function_number_250: { parameters, result: "i32" },
      function_number_499: { parameters, result: "i32" },
    });
    assertEquals(library.symbols.function_number_0(7), 7);
    assertEquals(library.symbols.function_number_250(7), 257);
    assertEquals(library.symbols.function_number_499(7), 506);
    library.close();
  });
});

Deno.test("a name that is not exported is not found", () => {
  const file = writeSharedObject(new Assembler().mov(eax, edi).ret().assemble(), { same: 0 });
  withMemfd(file, (path) => {
    assertThrows(
      () => Deno.dlopen(path, { other: { parameters: [], result: "void" } }),
      Error,
      "other",
    );
  });
});

/** `dlvsym` finds a symbol only under the right version. */
Deno.test("the symbols of a vDSO have a version", () => {
  const vdso = { soname: "libtest.so.1", version: "TEST_1.0" };
  const file = writeSharedObject(
    new Assembler().mov(eax, 5).ret().assemble(),
    { five: 0 },
    { vdso },
  );
  withMemfd(file, (path) => {
    const libc = Deno.dlopen("libc.so.6", {
      dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
      dlvsym: { parameters: ["pointer", "buffer", "buffer"], result: "pointer" },
      dlclose: { parameters: ["pointer"], result: "i32" },
    });
    const text = (s: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(`${s}\0`);
    const { dlopen, dlvsym, dlclose } = libc.symbols;
    const handle = dlopen(text(path), 2);
    assertNotEquals(handle, null);
    assertNotEquals(dlvsym(handle, text("five"), text("TEST_1.0")), null);
    assertEquals(dlvsym(handle, text("five"), text("TEST_2.0")), null);
    assertEquals(dlvsym(handle, text("four"), text("TEST_1.0")), null);
    dlclose(handle);
    libc.close();
  });
});

Deno.test("code is mapped read-only, and no stack becomes executable", () => {
  const before = executableStacks();
  const file = writeSharedObject(new Assembler().ret().assemble(), { nothing: 0 });
  withMemfd(file, (path) => {
    const library = Deno.dlopen(path, { nothing: { parameters: [], result: "void" } });
    const lines = maps().filter((line) => line.includes("elf_shared_test"));
    assertEquals(lines.map((line) => line.split(" ")[1]), ["rw-p", "r-xp"]);
    assertEquals(executableStacks(), before);
    library.close();
  });
});

function maps(): string[] {
  return Deno.readTextFileSync("/proc/self/maps").split("\n");
}

function executableStacks(): number {
  return maps().filter((line) => line.includes("[stack") && line.includes("x")).length;
}

Deno.test("symbols outside of the code are refused by name", () => {
  const code = new Assembler().ret().assemble();
  for (const offset of [1, -1, 0.5, NaN]) {
    assertThrows(() => writeSharedObject(code, { lost: offset }), RangeError, '"lost"');
  }
  assertThrows(() => writeSharedObject(new Uint8Array(), { lost: 0 }), RangeError, '"lost"');
});
