import { assert, assertEquals, assertThrows } from "@std/assert";
import { PAGE_SIZE, PROT_READ } from "../../ffi/abi/mman.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import { eax, rax, rbx, rdi, rdx } from "../../ffi/asm/registers.ts";
import { MFD_CLOEXEC, O_RDONLY } from "../../ffi/abi/fcntl.ts";
import { AT_FDCWD } from "../../ffi/abi/fcntl.ts";
import { TRAP_TRACE } from "../../ffi/abi/siginfo.ts";
import { SIGTRAP } from "../../ffi/abi/signal.ts";
import { SYS_mlock } from "../../ffi/abi/syscall_numbers.ts";
import { Arena } from "../../ffi/mem/arena.ts";
import { timeStampCounter } from "../../ffi/sys/clock.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close, eventfd, ftruncate, memfdCreate, openat } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { openFiles } from "../conformance/host_view.ts";
import { caller, CODE, DATA, describe, Lab, reg, RW, setReg } from "../conformance/lab.ts";
import { USER_SS } from "../platform.ts";
import * as p from "../platform.ts";
import { tryPlatform } from "../select/registry.ts";
import { named } from "../../tests/harness/machine.ts";
import { WINDOWS_BYTES } from "./guest_physical.ts";
import { createKvmPlatform, type KvmOptions } from "./kvm_platform.ts";

/**
 * Mappings that only a machine has, by name or by size. V8 makes and removes mappings of its own
 * meanwhile.
 */
function machineMappings(): number {
  return Deno.readTextFileSync("/proc/self/maps").split("\n").filter((line) => {
    const [start, end] = line.split(" ")[0]!.split("-").map((address) => parseInt(address, 16));
    return /kvm|memfd:dvisor-tables/.test(line) || end! - start! >= WINDOWS_BYTES / 2;
  }).length;
}

/** Kicks of a thread that faults. */
const KICKS = 500;
const ARENA_BYTES = 256 * 1024 * 1024;
const problem = tryPlatform("kvm");

function test(name: string, body: (lab: Lab) => void, options: KvmOptions = {}): void {
  Deno.test({
    ...named(name, problem),
    fn: () => {
      const arena = Arena.create(ARENA_BYTES, 0);
      const platform = createKvmPlatform(arena, options);
      try {
        body(new Lab(arena, platform));
      } finally {
        platform.destroy();
        arena.close();
      }
    },
  });
}

test("a guest's time stamp counter is the host's, as its vDSO believes", (lab) => {
  const code = new Assembler().rdtsc().shl(rdx, 32).or(rax, rdx).mov(rdi, rax).mov(eax, 1);
  const before = timeStampCounter();
  const c = lab.run(code.syscall());
  lab.expectCall(c, 1);
  assert(c.args.u64(0) > before && c.args.u64(0) < timeStampCounter());
});

test("threads that never call share few processors", (lab) => {
  const space = lab.space();
  lab.load(space, new Assembler().label("again").lock().inc(mem(rbx), 4).jmp("again"));
  const data = lab.map(space, DATA);
  const threads = Array.from({ length: 7 }, (_, i) => {
    const c = lab.thread(space);
    setReg(c, p.RBX, DATA + 4 * i);
    c.resumeAll(true);
    return c;
  });
  assertEquals(lab.platform.runningCount, 7);
  const has = (i: number) => lab.arena.dv.getUint32(data + 4 * i, true) > 0;
  lab.until(() => threads.every((_, i) => has(i)), "each thread has run");
  for (const c of threads) {
    c.interrupt();
    lab.expect(c, p.TRAP_INTERRUPT);
  }
  assertEquals(lab.platform.runningCount, 0);
}, { cpus: 2 });

test("threads that wait for a processor are interrupted and released there", (lab) => {
  const space = lab.space();
  lab.load(space, new Assembler().label("again").jmp("again"));
  const threads = [lab.thread(space), lab.thread(space), lab.thread(space)];
  for (const c of threads) c.resumeAll(true);
  threads[2]!.interrupt();
  lab.expect(threads[2]!, p.TRAP_INTERRUPT);
  threads[1]!.release();
  threads[0]!.release();
  threads[2]!.resumeAll(false);
  assertEquals(lab.platform.runningCount, 2); // the released one that runs is still in the machine
  lab.until(() => lab.platform.runningCount === 1, "it has");
  threads[2]!.interrupt();
  lab.expect(threads[2]!, p.TRAP_INTERRUPT);
}, { cpus: 1 });

test("FPU state of threads that take turns on one processor is their own", (lab) => {
  const space = lab.space();
  const code = new Assembler().label("again").db(0x66, 0x0f, 0x7e, 0xc7); // movd edi, xmm0
  lab.load(space, code.mov(eax, 1).syscall().jmp("again"));
  const threads = [1, 2, 3].map((i) => {
    const c = lab.thread(space);
    new DataView(c.fpu.buffer).setUint32(160, 1000 + i, true);
    new DataView(c.fpu.buffer).setUint32(512, 3, true);
    new DataView(c.fpu.buffer).setUint32(24, 0x1f80, true);
    c.resumeAll(true);
    return c;
  });
  const turns = [0, 0, 0];
  for (let last = -1; turns.some((n) => n < 3);) {
    const c = lab.next(), index = threads.indexOf(c);
    assertEquals([c.trap, c.nr], [p.TRAP_SYSCALL, 1]);
    assertEquals(c.args.u64(0), 1001 + index);
    if (index !== last) turns[index]!++;
    last = index;
    c.resumeRet(0);
    lab.platform.tick(performance.now() * 1e6);
  }
}, { cpus: 1 });

test("an exception that is pending when its thread is stopped reaches no other thread", (lab) => {
  const faulty = [
    new Assembler().ud2(),
    new Assembler().mov(rax, mem(null, DATA)),
    new Assembler().int3(),
  ].map((code) => lab.run(code));
  const sound = lab.run(new Assembler().label("again").jmp("again"));
  const stop = (c: p.Context) => {
    c.interrupt();
    assert(lab.next() === c);
  };
  for (const c of [sound, ...faulty]) {
    stop(c);
    c.fetchRegs();
    setReg(c, p.RIP, CODE);
  }
  for (let i = 0; i < KICKS; i++) {
    const c = faulty[i % faulty.length]!, until = performance.now() + i % 61 / 1000;
    c.resumeAll(false);
    while (performance.now() < until);
    stop(c);
    sound.resumeAll(false);
    stop(sound);
    assertEquals(sound.trap, p.TRAP_INTERRUPT, `${describe(sound)} after ${describe(c)}`);
  }
}, { cpus: 1 });

test("a breakpoint that is on its way when its thread is stopped is not lost", (lab) => {
  const code = new Assembler().label("again").add(rbx, 1).label("trap").int3().jmp("again");
  const c = lab.run(code), trap = CODE + code.offsetOf("trap");
  for (let i = 0, traps = 0; i < 2 * KICKS; i++) {
    const until = performance.now() + i % 61 / 1000;
    while (performance.now() < until);
    c.interrupt();
    assert(lab.next() === c);
    c.fetchRegs();
    if (c.trap === p.TRAP_EXCEPTION) traps++;
    const passed = Number(reg(c, p.RBX)) - (c.rip === trap ? 1 : 0);
    assertEquals(traps, passed, `after ${i} stops: ${describe(c)}`);
    c.resumeAll(false);
  }
}, { cpus: 1 });

test("threads that load ss all the time are stopped, and do not affect a stepped thread", (lab) => {
  const loads = new Assembler().mov(eax, USER_SS).label("again").db(0x8e, 0xd0).jmp("again");
  const loader = lab.run(loads);
  const walker = lab.run(new Assembler().label("again").add(rbx, 1).jmp("again"));
  for (const c of [loader, walker]) {
    c.interrupt();
    assert(lab.next() === c);
    c.fetchRegs();
  }
  setReg(walker, p.EFLAGS, 0x302);
  for (let i = 0; i < KICKS; i++) {
    setReg(loader, p.EFLAGS, i % 3 === 0 ? 0x302 : 0x202);
    loader.resumeAll(false);
    const until = performance.now() + i % 31 / 1000;
    while (performance.now() < until);
    loader.interrupt();
    assert(lab.next() === loader);
    walker.resumeAll(false);
    lab.expect(walker, p.TRAP_EXCEPTION);
    assertEquals([walker.signo, walker.sigcode], [SIGTRAP, TRAP_TRACE], describe(walker));
    walker.fetchRegs();
    setReg(walker, p.EFLAGS, 0x302);
  }
}, { cpus: 1 });

test("locked memory is removed too", (lab) => {
  const code = new Assembler().label("again").inc(mem(null, DATA), 4).jmp("again");
  for (let round = 0; round < 10; round++) {
    const space = lab.space();
    lab.load(space, code);
    const data = lab.map(space, DATA), count = () => lab.arena.dv.getUint32(data, true);
    const c = lab.thread(space);
    c.resumeAll(true);
    check(syscall(SYS_mlock, lab.arena.base + data, PAGE_SIZE), "mlock");
    lab.until(() => count() > 0, "the thread has written");
    space.unmap(DATA, PAGE_SIZE);
    space.flush();
    const taken = count();
    lab.expect(c, p.TRAP_FAULT);
    assertEquals([count(), c.faultAddr], [taken, DATA]);
    space.destroy();
  }
});

test("a file that grows again gives its pages again", (lab) => {
  const fd = memfdCreate("kvm", MFD_CLOEXEC);
  ftruncate(fd, 3 * PAGE_SIZE);
  const file = lab.platform.registerFile(fd);
  const space = lab.space();
  lab.load(
    space,
    new Assembler().label("again").mov(rdi, mem(rbx)).mov(eax, 1).syscall().jmp("again"),
  );
  space.mapFile(DATA, 3 * PAGE_SIZE, file, 0, RW);
  const c = lab.thread(space);
  setReg(c, p.RBX, DATA + 2 * PAGE_SIZE);
  c.resumeAll(true);
  lab.expectCall(c, 1);
  for (let round = 0; round < 3; round++) {
    ftruncate(fd, PAGE_SIZE);
    c.resumeRet(0);
    lab.expect(c, p.TRAP_FAULT);
    assertEquals([c.signo, c.faultAddr], [7, DATA + 2 * PAGE_SIZE]);
    ftruncate(fd, 3 * PAGE_SIZE);
    c.fetchRegs();
    c.resumeAll(false);
    lab.expectCall(c, 1);
  }
  lab.platform.unregisterFile(file);
  close(fd);
});

test("windows on files are counted: used, copied by a fork, given back", (lab) => {
  const fd = memfdCreate("kvm", MFD_CLOEXEC);
  ftruncate(fd, 64 * 2 ** 20);
  const before = openFiles(), mappings = machineMappings();
  for (let round = 0; round < 5; round++) {
    const file = lab.platform.registerFile(fd);
    const space = lab.space();
    space.mapFile(DATA, 64 * 2 ** 20 - PAGE_SIZE, file, 0, RW);
    space.mapFile(DATA, PAGE_SIZE, file, PAGE_SIZE, PROT_READ); // over its own frame
    space.mapFile(DATA, PAGE_SIZE, file, PAGE_SIZE, PROT_READ); // the same again
    const child = space.fork();
    assert(child !== null);
    lab.platform.unregisterFile(file);
    space.destroy();
    child.unmap(DATA, 30 * 2 ** 20);
    lab.map(child, DATA + 30 * 2 ** 20, 8);
    child.destroy();
    assert(!space.fork() && !child.fork());
    lab.reset();
  }
  assertEquals([openFiles(), machineMappings()], [before, mappings]);
  close(fd);
});

test("a file is not mapped for more than its descriptor allows", (lab) => {
  const fd = openat(AT_FDCWD, "/proc/self/exe", O_RDONLY);
  const file = lab.platform.registerFile(fd);
  const good = lab.space(), bad = lab.space();
  good.mapFile(DATA, PAGE_SIZE, file, 0, PROT_READ);
  assert(!good.broken);
  bad.mapFile(DATA, PAGE_SIZE, file, 0, RW);
  assert(bad.broken);
  assertEquals(bad.fork(), null);
  assertEquals(lab.platform.registerFile(98765), -9);
  close(fd);
});

test("the page of old calls calls", (lab) => {
  const space = lab.space();
  const code = new Assembler().movabs(rax, 0xffff_ffff_ff60_0000n).call(rax).label("behind").ud2();
  lab.load(space, code);
  lab.map(space, DATA);
  const c = lab.thread(space, CODE, DATA + PAGE_SIZE);
  c.resumeAll(true);
  lab.expectCall(c, 96);
  assertEquals([c.rip, c.rsp], [CODE + code.offsetOf("behind"), DATA + PAGE_SIZE]);
  c.resumeRet(7);
  lab.expect(c, p.TRAP_EXCEPTION);
  c.fetchRegs();
  assertEquals(reg(c, p.RAX), 7n);
});

test("a destroyed platform leaves nothing behind", () => {
  const arena = Arena.create(ARENA_BYTES, 0);
  const once = () => {
    const platform = createKvmPlatform(arena);
    const lab = new Lab(arena, platform);
    lab.expectCall(lab.run(caller(3)), 3);
    lab.run(new Assembler().label("again").jmp("again"));
    platform.destroy();
  };
  once();
  const before = openFiles(), mappings = machineMappings();
  for (let i = 0; i < 3; i++) once();
  assert(openFiles() <= before + 3, `${before} files before, ${openFiles()} after`); // of the lab
  assertEquals(machineMappings(), mappings);
  arena.close();
});

test("a platform that cannot start names the failure, and leaves nothing behind", () => {
  const arena = Arena.create(ARENA_BYTES, 0);
  createKvmPlatform(arena).destroy();
  const before = [openFiles(), machineMappings()], seen = new Set<string>();
  const fillers = takeAllDescriptors();
  for (let room = 1; room < 12; room++) {
    close(fillers.pop()!);
    try {
      createKvmPlatform(arena, { cpus: 4 }).destroy();
      seen.add("it starts");
    } catch (error) {
      seen.add((error as Error).message);
    }
  }
  fillers.forEach(close);
  assert(seen.size > 3 && seen.has("it starts"), [...seen].join("; "));
  assertEquals([openFiles(), machineMappings()], before);
  arena.close();
});

test("a device that is no /dev/kvm is refused with a sentence", (lab) => {
  const fd = memfdCreate("kvm", MFD_CLOEXEC);
  assertThrows(
    () => createKvmPlatform(lab.arena, { device: fd }),
    Error,
    "/dev/kvm is not the device",
  );
});

function takeAllDescriptors(): number[] {
  const taken: number[] = [];
  for (let fd = eventfd(); fd >= 0; fd = eventfd()) taken.push(fd);
  return taken;
}
