/**
 * The world that fuzzed programs run in: a whole kernel without guests, with two containers, and in
 * each a process of root and one of an ordinary user. The fuzzer plays the guests: a call is made,
 * what became ready runs, and time passes when nothing is ready.
 *
 * Neighbours: world_parts.ts (what is in it), program.ts (what is run), oracles.ts (what must hold
 * afterwards).
 */

import { SIGKILL } from "../../../ffi/abi/signal.ts";
import { dropContainer } from "../../../kernel/containers.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { dispatch, onFull, runQueued } from "../../../kernel/syscalls/dispatch.ts";
import type { Container } from "../../../kernel/task/container.ts";
import { onException } from "../../../kernel/task/exception.ts";
import { killGroup } from "../../../kernel/task/exit_request.ts";
import { getReg } from "../../../kernel/task/registers.ts";
import { BLOCKED, DEAD, Task } from "../../../kernel/task/task.ts";
import { FakeContext } from "../../../kernel/testing/task_lab.ts";
import { RIP, RSP, TRAP_INTERRUPT, TRAP_SYSCALL } from "../../../platform/platform.ts";
import { DATA, DATA_BYTES } from "../../sim/guest.ts";
import { type Machine, newWorld, type WorldParts } from "./world_parts.ts";

/** LIMIT: turns until what one call set off has come to rest. */
const MAX_TURNS = 20_000;
/** How far time jumps when all wait, ns. */
const JUMP_NS = 50_000_000;
/** The name of the set-ID program. */
export const SET_ID = "suid";

/** Makes calls: container 0 or 1, root or its user. */
export type Actor = 0 | 1 | 2 | 3;
export const ACTORS: readonly Actor[] = [0, 1, 2, 3];
export const containerOf = (actor: Actor): 0 | 1 => actor < 2 ? 0 : 1;
export const isRootActor = (actor: Actor): boolean => actor % 2 === 0;

export class World {
  readonly kernel: SandboxKernel;
  readonly containers: readonly Container[];
  /** Containers in which a set-ID program was executed. */
  readonly gained: Set<number> = new Set();
  /** Of each quota, before there were containers. */
  readonly countsAtStart: readonly number[];
  readonly #machine: Machine;
  readonly #init: Container;
  /** The first task of each actor; another of the same process when that has ended. */
  readonly #actors: readonly Task[];

  /** @param copied the parts of a copy; without, the world is a new one */
  constructor(copied: WorldParts | null = null) {
    const { kernel, machine, init, containers, actors, countsAtStart } = copied ?? newWorld();
    this.kernel = kernel;
    this.containers = containers;
    this.countsAtStart = countsAtStart;
    this.#machine = machine;
    this.#init = init;
    this.#actors = actors;
    if (copied === null) this.settle();
  }

  /** `copyParts` makes the parts of another world, which is in the same state. */
  copy(copyParts: (parts: WorldParts) => WorldParts): World {
    const { kernel, containers, countsAtStart } = this;
    const parts = { kernel, containers, countsAtStart, init: this.#init, actors: this.#actors };
    const copy = new World(copyParts({ ...parts, machine: this.#machine }));
    for (const container of this.gained) copy.gained.add(container);
    return copy;
  }

  /** The task that makes the next call of an actor; null: none of its process can. */
  taskOf(actor: Actor): Task | null {
    const first = this.#actors[actor]!;
    const task = isRunning(first) ? first : first.group.tasks.find(isRunning);
    return task ?? null;
  }

  /**
   * The task makes a call; what became ready has run then, for so many turns. The result, or null
   * if there is none yet.
   */
  call(task: Task, nr: number, args: readonly number[], turns: number = Infinity): number | null {
    const ctx = contextOf(task);
    ctx.isRunning = false;
    ctx.result = null;
    ctx.trap = TRAP_SYSCALL;
    ctx.nr = nr;
    ctx.rip = getReg(ctx.regs, RIP);
    ctx.rsp = getReg(ctx.regs, RSP);
    ctx.args.words.fill(0);
    args.forEach((value, i) => {
      const n = value < 0 ? value + 2 ** 64 : value;
      ctx.args.words[2 * i] = value < 0 ? value | 0 : n % 2 ** 32;
      ctx.args.words[2 * i + 1] = value < 0 ? Math.floor(value / 2 ** 32) : Math.floor(n / 2 ** 32);
    });
    dispatch(task);
    if (turns === Infinity) this.settle();
    else this.goOn(turns);
    return task.state === DEAD || !ctx.isRunning ? null : ctx.result;
  }

  /** Bytes at an address of the task's memory, which may not be there. */
  store(task: Task, addr: number, bytes: Uint8Array<ArrayBuffer>): void {
    if (addr >= DATA && addr + bytes.length <= DATA + DATA_BYTES) {
      task.mm.copyOut(addr, bytes, 0, bytes.length);
    }
  }

  /** Time passes. */
  pass(ns: number = JUMP_NS): void {
    const { kernel } = this, host = this.#machine.host;
    host.nowNs += ns;
    kernel.clock.nowNs = host.nowNs;
    kernel.timers.expire(host.nowNs);
    this.settle();
  }

  /** Runs what is ready, and interrupts what was asked for, until nothing moves. */
  settle(): void {
    if (!this.goOn(MAX_TURNS)) throw new Error("the tasks do not come to rest");
  }

  /** The same for so many turns at most; true: nothing moves. All registers are in objects. */
  goOn(turns: number): boolean {
    for (let left = turns; left > 0; left--) if (!this.#turn()) return true;
    while (this.#takeFull());
    return false;
  }

  #takeFull(): boolean {
    const ctx = this.#machine.full.shift();
    if (ctx?.owner instanceof Task) onFull(ctx.owner);
    return ctx !== undefined;
  }

  #turn(): boolean {
    if (this.#takeFull()) return true;
    const { loop, timers, vfs: { deferred } } = this.kernel, task = loop.runQueue.shift();
    const { nowNs } = this.#machine.host;
    if (task !== null) runQueued(task);
    else if (!deferred.isEmpty) deferred.step();
    // A call that only let the others go first is due at once.
    else if (timers.nextDeadlineNs <= nowNs) timers.expire(nowNs);
    else return this.#interruptOne();
    return true;
  }

  #interruptOne(): boolean {
    for (const task of this.kernel.pids.tasks.values()) {
      if (!(task.ctx instanceof FakeContext) || !task.ctx.wasInterrupted) continue;
      const { ctx } = task;
      ctx.wasInterrupted = false;
      if (!ctx.isRunning) continue;
      ctx.isRunning = false;
      ctx.trap = TRAP_INTERRUPT;
      ctx.isFull = true;
      onException(task);
      return true;
    }
    return false;
  }

  /** Interrupts all tasks that run guest code: they return to it from a stop. */
  interruptAll(): void {
    for (const { ctx } of this.kernel.pids.tasks.values()) {
      if (ctx instanceof FakeContext && ctx.isRunning) ctx.interrupt();
    }
    this.settle();
  }

  /** All processes of both containers are killed, and the containers are gone. */
  end(): void {
    for (const container of [...this.containers, this.#init]) {
      for (const group of [...container.groups]) killGroup(group, SIGKILL);
    }
    for (let i = 0; i < 100 && this.kernel.pids.tasks.size > 0; i++) {
      this.settle();
      for (const space of [...this.#machine.platform.spaces]) if (space.isDestroyed) space.die();
      this.pass();
    }
    for (const container of [...this.containers, this.#init]) dropContainer(container);
    const { vfs: { deferred }, net } = this.kernel;
    net.rights.collect();
    while (!deferred.isEmpty) deferred.step();
    while (this.kernel.memory.reclaim());
  }

  close(): void {
    this.#machine.arena.close();
  }
}

function isRunning(task: Task): boolean {
  return task.state !== DEAD && task.state !== BLOCKED && task.ctx instanceof FakeContext &&
    task.ctx.isRunning;
}

function contextOf(task: Task): FakeContext {
  if (!(task.ctx instanceof FakeContext)) throw new Error("not a fake context");
  return task.ctx;
}
