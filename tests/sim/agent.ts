/**
 * One simulated guest thread: it draws a call, writes its arguments into guest memory and makes it,
 * touches memory, and returns from signal handlers. It remembers descriptors and addresses that
 * calls returned.
 *
 * Neighbours: calls.ts has the calls and the values of their arguments.
 */

import { WNOHANG } from "../../ffi/abi/wait.ts";
import { SIGKILL, SIGSEGV } from "../../ffi/abi/signal.ts";
import { PAGE_SIZE, PROT_READ, PROT_WRITE } from "../../ffi/abi/mman.ts";
import { ECHILD } from "../../ffi/abi/errno.ts";
import { load8, store8 } from "../../ffi/mem/native_memory.ts";
import {
  SYS_exit_group,
  SYS_fork,
  SYS_kill,
  SYS_rt_sigreturn,
  SYS_sched_yield,
  SYS_wait4,
} from "../../ffi/abi/syscall_numbers.ts";
import { Task } from "../../kernel/task/task.ts";
import {
  ACCESS_READ,
  ACCESS_WRITE,
  TRAP_FAULT,
  TRAP_NONE,
  TRAP_SYSCALL,
} from "../../platform/platform.ts";
import { Random } from "../harness/seeded.ts";
import { type Call, drawCall, type Memory } from "./calls.ts";
import { DATA, DATA_BYTES, HANDLER } from "./guest.ts";
import type { SimContext, SimPlatform } from "./sim_platform.ts";

const WALL = 0x40000000;
/** One in so many stops is an access to memory; one in so many of those is to memory of mmap(2). */
const TOUCH = 6, TOUCH_MAPPED = 3;
/** LIMIT: what an agent remembers. */
const KEPT = 8;

/** Arguments go to the process's own memory. */
class GuestMemory implements Memory {
  readonly #task: Task;
  #next: number;

  constructor(task: Task, start: number) {
    this.#task = task;
    this.#next = start;
  }
  put(bytes: Uint8Array<ArrayBuffer>): number {
    const at = this.room(bytes.length);
    this.#task.mm.copyOut(at, bytes, 0, bytes.length);
    return at;
  }
  room(len: number): number {
    const end = DATA + DATA_BYTES;
    if (this.#next + len > end) this.#next = DATA;
    const at = this.#next;
    this.#next += len + 15 & ~15;
    return Math.min(at, end - 1);
  }
}

export class Agent {
  readonly #chance: Random;
  readonly #platform: SimPlatform;
  #call: Call | null = null;
  /** The last descriptors and addresses that calls returned. */
  readonly fds: number[] = [0, 1, 2];
  readonly maps: number[] = [];
  /** Its last wait found no children. */
  #isLast: boolean = false;
  #hasKilled: boolean = false;

  constructor(platform: SimPlatform) {
    this.#platform = platform;
    this.#chance = new Random(platform.chance.below(1 << 30) + 1);
  }

  /** Does from now on what the other agent does. */
  imitate(other: Agent): void {
    this.#chance.imitate(other.#chance);
    this.#call = other.#call;
    this.fds.splice(0, Infinity, ...other.fds);
    this.maps.splice(0, Infinity, ...other.maps);
    this.#isLast = other.#isLast;
    this.#hasKilled = other.#hasKilled;
  }

  /** The next stop of `ctx`; TRAP_NONE when the thread runs on. */
  step(ctx: SimContext): void {
    if (ctx.rip === HANDLER) return this.#make(ctx, { nr: SYS_rt_sigreturn, args: [] });
    const { owner } = ctx;
    if (!(owner instanceof Task)) throw new Error("a guest without a task");
    if (owner.group.pid === 1) return this.#make(ctx, this.#initCall());
    if (this.#chance.below(TOUCH) === 0) return this.#touch(ctx);
    const memory = new GuestMemory(owner, DATA + this.#chance.below(DATA_BYTES / 2));
    this.#make(ctx, drawCall(this.#chance, this, memory));
  }

  /**
   * The first process makes children and waits for them; at the end it kills and waits until there
   * are none.
   */
  #initCall(): Call {
    const { isEnding } = this.#platform;
    const waits = { nr: SYS_wait4, args: [-1, 0, isEnding ? WALL : WALL | WNOHANG, 0] };
    if (isEnding) {
      if (this.#isLast) return { nr: SYS_exit_group, args: [0] };
      this.#hasKilled = !this.#hasKilled;
      return this.#hasKilled ? { nr: SYS_kill, args: [-1, SIGKILL] } : waits;
    }
    const kind = this.#chance.below(4);
    if (kind === 0) return { nr: SYS_fork, args: [] };
    return kind === 1 ? { nr: SYS_sched_yield, args: [] } : waits;
  }

  #make(ctx: SimContext, call: Call): void {
    this.#call = call;
    ctx.trap = TRAP_SYSCALL;
    ctx.nr = call.nr;
    ctx.args.words.fill(0);
    call.args.forEach((value, i) => {
      const n = value < 0 ? value + 2 ** 64 : value;
      ctx.args.words[2 * i] = value < 0 ? value | 0 : n % 2 ** 32;
      ctx.args.words[2 * i + 1] = value < 0 ? Math.floor(value / 2 ** 32) : Math.floor(n / 2 ** 32);
    });
  }

  #touch(ctx: SimContext): void {
    const mapped = this.maps.length > 0 && this.#chance.below(TOUCH_MAPPED) !== 0;
    const base = mapped ? this.#chance.pick(this.maps) : DATA;
    const addr = base + this.#chance.below(4 * PAGE_SIZE), isWrite = this.#chance.below(2) === 0;
    const entry = ctx.space.table.get(Math.floor(addr / PAGE_SIZE));
    const need = isWrite ? PROT_WRITE : PROT_READ;
    if (entry !== undefined && entry.file < 0 && (entry.prot & need) !== 0) {
      const host = ctx.space.platform.arena.base + entry.offset + addr % PAGE_SIZE;
      if (isWrite) store8(host, this.#chance.below(256));
      else load8(host);
      ctx.trap = TRAP_NONE;
      return;
    }
    ctx.trap = TRAP_FAULT;
    ctx.faultAddr = addr;
    ctx.faultAccess = isWrite ? ACCESS_WRITE : ACCESS_READ;
    ctx.signo = SIGSEGV;
    ctx.isFull = true;
  }

  /** The call returned. */
  returned(result: number): void {
    const call = this.#call;
    this.#call = null;
    if (call?.nr === SYS_wait4) this.#isLast = this.#platform.isEnding && result === -ECHILD;
    if (call === null || result < 0) return;
    if (call.gives === "fd") keep(this.fds, result);
    else if (call.gives === "map") keep(this.maps, result);
  }

  /** The thread continues elsewhere: in a signal handler, after one, or in a new program. */
  jumped(): void {
    this.#call = null;
  }
}

function keep(list: number[], value: number): void {
  list.push(value);
  if (list.length > KEPT) list.shift();
}
