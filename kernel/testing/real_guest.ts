/**
 * A guest thread on a real platform that reads and writes as a test asks: its program fetches the
 * next access by a system call, and its faults go to the memory manager.
 */

import { Assembler } from "../../ffi/asm/assembler.ts";
import { mem } from "../../ffi/asm/operands.ts";
import { eax, edi, r8b, rdi, rdx, rsi } from "../../ffi/asm/registers.ts";
import { PROT_EXEC, PROT_READ } from "../../ffi/abi/mman.ts";
import * as M from "../../ffi/abi/mman.ts";
import { EPOLLET, EPOLLIN } from "../../ffi/abi/epoll.ts";
import { Epoll } from "../../ffi/sys/epoll.ts";
import {
  type Context,
  CSGSFS,
  EFLAGS,
  type Platform,
  R8,
  RDI,
  RDX,
  RIP,
  RSI,
  TRAP_FAULT,
  TRAP_SYSCALL,
  USER_CS,
  USER_SS,
} from "../../platform/platform.ts";
import type { MemoryManager } from "../mm/memory_manager.ts";
import type { Guest } from "./memory_world.ts";

const CODE = 0x10000000, PATIENCE_MS = 20_000;
/** The epoll set that waits for each platform's doorbell. */
const bells = new WeakMap<Platform, Epoll>();

const program = new Assembler().label("top").mov(eax, 1000).syscall();
program.cmp(rdx, 1).je("write").movzx(edi, mem(rsi), 1).jmp("top");
program.label("write").mov(mem(rsi), r8b).xor(rdi, rdi).jmp("top");
const code = new Uint8Array(program.assemble(CODE));

export class RealGuest implements Guest {
  private readonly mm: MemoryManager;
  private readonly platform: Platform;
  private readonly ctx: Context;
  private isStarted: boolean = false;
  faults: number = 0;

  /** `inherits`: the program is mapped already (in a child of fork). */
  constructor(mm: MemoryManager, inherits: boolean) {
    this.mm = mm;
    this.platform = mm.ctx.platform;
    if (!inherits) {
      const flags = M.MAP_PRIVATE | M.MAP_ANONYMOUS | M.MAP_FIXED;
      mm.mmap(CODE, 4096, PROT_READ | PROT_EXEC, flags, null, 0);
      mm.writeForced(CODE, code, 0, code.length);
    }
    const ctx = mm.space.newContext();
    if (ctx === null) throw new Error("no context");
    this.ctx = ctx;
    for (let i = 0; i < ctx.regs.byteLength; i += 4) ctx.regs.setUint32(i, 0, true);
    this.set(RIP, CODE);
    this.set(EFLAGS, 0x202);
    ctx.regs.setUint32(CSGSFS, USER_CS, true);
    ctx.regs.setUint32(CSGSFS + 4, USER_SS * 0x10000, true);
  }

  read(addr: number): number {
    return this.access(addr, 0, 0);
  }
  write(addr: number, value: number): number {
    return this.access(addr, 1, value);
  }

  private set(at: number, value: number): void {
    this.ctx.regs.setUint32(at, value % 2 ** 32, true);
    this.ctx.regs.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
  }

  private access(addr: number, op: number, value: number): number {
    const { ctx } = this;
    if (!this.isStarted) {
      this.isStarted = true;
      ctx.resumeAll(true);
      const trap = this.next();
      if (trap !== TRAP_SYSCALL) throw new Error(`the guest does not start: trap ${trap}`);
    }
    ctx.fetchRegs();
    this.set(RSI, addr);
    this.set(RDX, op);
    this.set(R8, value);
    ctx.resumeAll(false);
    for (let attempt = 0; attempt < 200; attempt++) {
      const trap = this.next();
      if (trap === TRAP_SYSCALL) return ctx.args.u64(0);
      if (trap !== TRAP_FAULT) throw new Error(`trap ${trap} at 0x${addr.toString(16)}`);
      this.faults++;
      if (ctx.faultAddr !== addr) throw new Error(`fault at 0x${ctx.faultAddr.toString(16)}`);
      const signo = this.mm.handleFault(ctx.faultAddr, ctx.faultAccess, ctx.signo);
      ctx.fetchRegs();
      if (signo === 0) {
        ctx.resumeAll(false);
        continue;
      }
      this.set(RIP, CODE);
      this.set(RDI, 0);
      ctx.resumeAll(false);
      if (this.next() !== TRAP_SYSCALL) throw new Error("the guest is lost");
      return -signo;
    }
    throw new Error(`no progress at 0x${addr.toString(16)}`);
  }

  /** Waits for the next trap of this context, the only one that runs. */
  private next(): number {
    const { platform } = this, bell = bellOf(platform), deadline = performance.now() + PATIENCE_MS;
    while (performance.now() < deadline) {
      for (let i = 0; i < 1000; i++) {
        const ctx = platform.poll();
        if (ctx === this.ctx) return ctx.trap;
      }
      platform.tick(performance.now() * 1e6);
      if (!platform.prepareSleep()) continue;
      bell.wait(100);
      platform.finishSleep();
    }
    throw new Error("nothing stopped");
  }
}

function bellOf(platform: Platform): Epoll {
  let bell = bells.get(platform);
  if (bell === undefined) {
    bells.set(platform, bell = new Epoll());
    bell.add(platform.doorbellFd, EPOLLIN | EPOLLET, 0);
  }
  return bell;
}
