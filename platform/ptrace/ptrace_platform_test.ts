import { assert, assertEquals, assertThrows } from "@std/assert";
import { SIGCONT, SIGPROF, SIGSTOP, SIGTERM, SIGUSR1, SIGUSR2 } from "../../ffi/abi/signal.ts";
import { SYS_tgkill } from "../../ffi/abi/syscall_numbers.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import { eax, rax, rbx, rdi } from "../../ffi/asm/registers.ts";
import { Arena } from "../../ffi/mem/arena.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { descendants, stubsWithMapping } from "../conformance/host_view.ts";
import { caller, CODE, DATA, Lab, reg } from "../conformance/lab.ts";
import { RBX, TRAP_INTERRUPT, TRAP_SYSCALL } from "../platform.ts";
import { createPtracePlatform, type PtraceOptions } from "./ptrace_platform.ts";

const ARENA_BYTES = 16 * 1024 * 1024;

function withLab(body: (lab: Lab) => void, options: PtraceOptions = {}): void {
  const arena = Arena.create(ARENA_BYTES, 0);
  const platform = createPtracePlatform(arena, options);
  try {
    body(new Lab(arena, platform));
  } finally {
    platform.destroy();
    arena.close();
  }
}

Deno.test("signals that others send to a stub are not seen by the guest", () => {
  withLab((lab) => {
    const space = lab.space();
    lab.load(space, new Assembler().label("again").inc(rbx).jmp("again"));
    const spinner = lab.thread(space);
    spinner.resumeAll(true);
    lab.load(space, caller(3), CODE + 0x10000);
    const c = lab.thread(space, CODE + 0x10000);
    c.resumeAll(true);
    lab.expectCall(c, 3);
    const [pid] = stubsWithMapping(CODE);
    assert(pid !== undefined);
    const threads = [...Deno.readDirSync(`/proc/${pid}/task`)].map((entry) => Number(entry.name));
    for (const signo of [SIGUSR1, SIGUSR2, SIGTERM, SIGSTOP, SIGCONT, SIGPROF]) {
      for (const tid of threads) assertEquals(syscall(SYS_tgkill, pid, tid, signo), 0);
      c.resumeRet(0);
      lab.expectCall(c, 3);
      space.mapArena(DATA, 4096, lab.pages(), 3); // a batch of the helper thread
    }
    spinner.interrupt();
    lab.expect(spinner, TRAP_INTERRUPT);
    spinner.fetchRegs();
    assert(reg(spinner, RBX) > 0n);
  });
});

Deno.test("limits: no space and no thread beyond them, and again when there is room", () => {
  withLab((lab) => {
    const spaces = [lab.space(), lab.space()];
    assertEquals(lab.platform.newAddressSpace(), null);
    assertEquals(spaces[0]!.fork(), null);
    const threads = [lab.thread(spaces[0]!), lab.thread(spaces[0]!)];
    assertEquals(spaces[1]!.newContext(), null);
    threads[0]!.release();
    assert(spaces[0]!.newContext() !== null);
    spaces[0]!.destroy();
    lab.until(() => spaces[0]!.ackedSeq === spaces[0]!.seq, "the stub is gone");
    assert(lab.platform.newAddressSpace() !== null);
    assert(spaces[1]!.newContext() !== null);
  }, { maxSpaces: 2, maxThreads: 5 }); // the zygote and two helpers have three
});

Deno.test("a guest cannot write the pages of its stub, and calls from there are its own", () => {
  withLab((lab) => {
    const { maxUserAddress } = lab.platform;
    for (const page of [0, 1]) {
      const write = new Assembler().movabs(rbx, maxUserAddress + page * 4096).mov(mem(rbx), rax);
      const c = lab.run(write);
      assertEquals([lab.next(), c.signo, c.faultAddr], [c, 11, maxUserAddress + page * 4096]);
    }
    const jump = new Assembler().movabs(rbx, maxUserAddress).mov(rdi, 5).mov(eax, 60).jmp(rbx);
    const c = lab.run(jump);
    lab.expect(c, TRAP_SYSCALL);
    assertEquals([c.nr, c.args.u64(0), c.rip], [60, 5, maxUserAddress + 2]);
  });
});

Deno.test("a mapping that the host refuses breaks its space only", () => {
  withLab((lab) => {
    const space = lab.space();
    space.mapFile(DATA, 4096, 9999, 0, 1); // no such file
    space.flush();
    assert(space.broken);
    assertEquals(space.fork(), null);
    space.mapArena(DATA, 4096, 0, 1);
    space.destroy();
    const c = lab.run(caller(5));
    lab.expectCall(c, 5);
    assert(!c.space.broken);
  });
});

Deno.test("a bad descriptor cannot be registered", () => {
  withLab((lab) => {
    assertEquals(lab.platform.registerFile(54321), -9);
    assert(lab.platform.registerFile(lab.arena.fd) >= 0);
  });
});

Deno.test("a platform that cannot start names the failure, and leaves nothing behind", () => {
  const before = descendants();
  const arena = Arena.create(ARENA_BYTES, 0);
  const start = () => createPtracePlatform(arena, { maxThreads: 0 });
  assertThrows(start, RangeError, "too many traced threads"); // when the zygote is running
  assertEquals(descendants(), before);
  arena.close();
});

Deno.test("stubs end when their tracer is killed", async () => {
  const lab = import.meta.resolve("../conformance/lab.ts");
  const platform = import.meta.resolve("./ptrace_platform.ts");
  const arena = import.meta.resolve("../../ffi/mem/arena.ts");
  const assembler = import.meta.resolve("../../ffi/asm/assembler.ts");
  const script = `
    import { Lab } from "${lab}";
    import { createPtracePlatform } from "${platform}";
    import { Arena } from "${arena}";
    import { Assembler } from "${assembler}";
    const arena = Arena.create(${ARENA_BYTES}, 0);
    const lab = new Lab(arena, createPtracePlatform(arena));
    for (let i = 0; i < 3; i++) lab.run(new Assembler().label("again").jmp("again"));
    console.log("up");
    setInterval(() => {}, 1000);`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--ext=ts", "--no-check", script],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  assertEquals(new TextDecoder().decode(value), "up\n");
  const stubs = [...descendants()].filter((pid) => pid !== child.pid);
  assertEquals(stubs.length, 4);
  child.kill("SIGKILL");
  await child.status;
  await reader.cancel();
  const isAlive = (pid: number) => {
    try {
      return !/^State:\s+Z/m.test(Deno.readTextFileSync(`/proc/${pid}/status`));
    } catch {
      return false;
    }
  };
  const deadline = performance.now() + 10_000;
  while (stubs.some(isAlive)) assert(performance.now() < deadline, "stubs live on");
});
