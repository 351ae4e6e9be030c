/** Files larger than the part that is mapped at once, and more files than there are windows. */

import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE, PROT_NONE, PROT_READ } from "../../ffi/abi/mman.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import { eax, rbx, rcx, rdi } from "../../ffi/asm/registers.ts";
import { MFD_CLOEXEC } from "../../ffi/abi/fcntl.ts";
import { BUS_ADRERR, SEGV_ACCERR, SEGV_MAPERR } from "../../ffi/abi/siginfo.ts";
import { Arena } from "../../ffi/mem/arena.ts";
import { close, ftruncate, memfdCreate } from "../../ffi/sys/files.ts";
import { named } from "../../tests/harness/machine.ts";
import { CODE, Lab, RW, setReg } from "../conformance/lab.ts";
import * as p from "../platform.ts";
import { tryPlatform } from "../select/registry.ts";
import { createKvmPlatform } from "./kvm_platform.ts";

const GIB = 2 ** 30, STRETCH = 2 * 2 ** 20;
const BASE = 0x100000000000 + 5 * PAGE_SIZE;
const code = new Assembler().label("read").mov(rdi, mem(rbx)).mov(eax, 1).syscall();
code.label("write").mov(mem(rbx), rcx).mov(eax, 2).syscall();

function test(name: string, windows: number, body: (lab: Lab) => void): void {
  Deno.test({
    ...named(name, tryPlatform("kvm")),
    fn: () => {
      const arena = Arena.create(64 * 2 ** 20, 0);
      const platform = createKvmPlatform(arena, { cpus: 2, windows });
      try {
        body(new Lab(arena, platform));
      } finally {
        platform.destroy();
        arena.close();
      }
    },
  });
}

/** An empty file. */
function withFile(lab: Lab, bytes: number, body: (file: number, fd: number) => void): void {
  const fd = memfdCreate("large", MFD_CLOEXEC);
  ftruncate(fd, bytes);
  const file = lab.platform.registerFile(fd);
  body(file, fd);
  lab.platform.unregisterFile(file);
  close(fd);
}

/** Reads and writes one address after the other in a space. */
class Prober {
  readonly #lab: Lab;
  readonly #thread: p.Context;

  constructor(lab: Lab, space: p.AddressSpace) {
    this.#lab = lab;
    lab.load(space, code);
    this.#thread = lab.thread(space);
  }

  #go(label: string, addr: number, value: number): p.Context {
    const c = this.#thread;
    setReg(c, p.RIP, CODE + code.offsetOf(label));
    setReg(c, p.RBX, addr);
    setReg(c, p.RCX, value);
    c.resumeAll(false);
    assert(this.#lab.next() === c);
    return c;
  }

  read(addr: number): number {
    const c = this.#go("read", addr, 0);
    assertEquals([c.trap, c.nr], [p.TRAP_SYSCALL, 1]);
    return c.args.u64(0);
  }

  write(addr: number, value: number): void {
    const c = this.#go("write", addr, value);
    assertEquals([c.trap, c.nr], [p.TRAP_SYSCALL, 2]);
  }

  refused(label: "read" | "write", addr: number, code: number): void {
    const c = this.#go(label, addr, 0);
    assertEquals([c.trap, c.sigcode, c.faultAddr], [p.TRAP_FAULT, code, addr]);
  }
}

test("a file of 100 GiB is mapped only where it is touched", 64, (lab) => {
  withFile(lab, 100 * GIB, (file, fd) => {
    const space = lab.space(), start = performance.now(), end = BASE + 100 * GIB;
    space.mapFile(BASE, 100 * GIB, file, 0, RW);
    assert(performance.now() - start < 1000);
    const probe = new Prober(lab, space), places = [BASE, BASE + 7 * GIB + 8, end - 8];
    for (const [i, addr] of places.entries()) probe.write(addr, i + 1);
    // Maps a part again over pages that were touched; the pages around it stay.
    space.mapFile(BASE + 7 * GIB, PAGE_SIZE, file, 7 * GIB, RW);
    assertEquals(places.map((addr) => probe.read(addr)), [1, 2, 3]);
    space.protect(BASE, 50 * GIB, PROT_READ);
    for (const addr of [BASE, BASE + 7 * GIB + 8, BASE + 9 * GIB]) {
      probe.refused("write", addr, SEGV_ACCERR);
    }
    space.protect(BASE + 60 * GIB, GIB, PROT_NONE);
    probe.refused("read", BASE + 60 * GIB, SEGV_ACCERR);
    space.unmap(BASE + 70 * GIB, GIB);
    probe.refused("read", BASE + 70 * GIB, SEGV_MAPERR);
    probe.refused("read", end, SEGV_MAPERR);
    const child = space.fork();
    assert(child !== null);
    const inChild = new Prober(lab, child);
    assertEquals([...places, BASE + 80 * GIB].map((addr) => inChild.read(addr)), [1, 2, 3, 0]);
    ftruncate(fd, GIB);
    probe.refused("read", BASE + 7 * GIB, BUS_ADRERR);
    probe.refused("read", BASE + 20 * GIB, BUS_ADRERR);
    ftruncate(fd, 100 * GIB);
    assertEquals([BASE, BASE + 7 * GIB].map((addr) => probe.read(addr)), [1, 0]);
    for (const one of [space, child]) one.destroy();
  });
});

test(
  "one page that is mapped alone does not hide the end of the file from the others",
  64,
  (lab) => {
    withFile(lab, 64 * STRETCH, (file, fd) => {
      const space = lab.space(), probe = new Prober(lab, space);
      space.mapFile(BASE, 64 * STRETCH, file, 0, RW);
      space.mapFile(BASE + 3 * PAGE_SIZE, PAGE_SIZE, file, 3 * PAGE_SIZE, RW);
      ftruncate(fd, PAGE_SIZE);
      probe.refused("read", BASE + 3 * PAGE_SIZE, BUS_ADRERR);
      probe.refused("read", BASE + 4 * PAGE_SIZE, BUS_ADRERR);
      assertEquals(probe.read(BASE), 0);
      space.destroy();
    });
  },
);

test("the space with most windows gives them up when there is none, and none ends", 8, (lab) => {
  withFile(lab, 64 * STRETCH, (file) => {
    const [one, two] = [lab.space(), lab.space()],
      probes = [one, two].map((s) => new Prober(lab, s));
    one.mapFile(BASE, 64 * STRETCH, file, 0, RW);
    for (let i = 0; i < 40; i++) probes[0]!.write(BASE + i * STRETCH, 100 + i);
    withFile(lab, 3 * STRETCH, (small) => {
      two.mapFile(BASE, 3 * STRETCH, small, 0, RW);
      for (let i = 0; i < 3; i++) probes[1]!.write(BASE + i * STRETCH, 200 + i);
      for (let i = 0; i < 40; i++) assertEquals(probes[0]!.read(BASE + i * STRETCH), 100 + i);
      for (let i = 0; i < 3; i++) assertEquals(probes[1]!.read(BASE + i * STRETCH), 200 + i);
    });
    assertEquals([one.broken, two.broken], [false, false]);
    for (const space of [one, two]) space.destroy();
  });
});
