/**
 * The platform of a simulation: its guest threads are objects. The seed decides which running one
 * stops next, and its agent (agent.ts) what it does then. Host processes die, and forks of them
 * fail, when the seed says so.
 */

import type { Arena } from "../../ffi/mem/arena.ts";
import { FakePlatform, FakeSpace } from "../../kernel/testing/fake_platform.ts";
import { getReg, setReg } from "../../kernel/task/registers.ts";
import { Task } from "../../kernel/task/task.ts";
import {
  Context,
  CSGSFS,
  RAX,
  RIP,
  RSP,
  TRAP_DEATH,
  TRAP_FULL,
  TRAP_INTERRUPT,
  TRAP_NONE,
} from "../../platform/platform.ts";
import type { Random } from "../harness/seeded.ts";
import { Agent } from "./agent.ts";

/**
 * One in so many: looks that find no context stopped, forks that fail, turns with a death, and
 * stops of the world with one.
 */
const NOBODY = 4, NO_BIRTH = 40, DEATH = 4000, STOP_DEATH = 400;

export class SimContext extends Context {
  readonly fpu: Uint8Array<ArrayBuffer>;
  readonly space: FakeSpace;
  readonly #platform: SimPlatform;
  readonly agent: Agent;
  /** Where it stopped last: there its call returns, whichever way it is resumed. */
  #stoppedAt: number = -1;
  isRunning: boolean = false;
  isKicked: boolean = false;

  constructor(platform: SimPlatform, space: FakeSpace) {
    super();
    this.#platform = platform;
    this.space = space;
    this.fpu = new Uint8Array(platform.fpuSize);
    this.agent = new Agent(platform);
    platform.contexts.add(this);
  }

  override get rip(): number {
    return getReg(this.regs, RIP);
  }
  override set rip(value: number) {
    setReg(this.regs, RIP, value);
  }
  override get rsp(): number {
    return getReg(this.regs, RSP);
  }
  override set rsp(value: number) {
    setReg(this.regs, RSP, value);
  }

  /** Goes on as the other context would, which is of a platform that this one's was copied from. */
  imitate(other: SimContext): void {
    this.agent.imitate(other.agent);
    this.#stoppedAt = other.#stoppedAt;
    this.isKicked = other.isKicked;
    this.isFull = other.isFull;
  }

  override fetchRegs(): void {
    setReg(this.regs, CSGSFS, 0x33 + 0x2b * 2 ** 48);
  }
  override fetchFpu(): void {
    if (!this.isFull) throw new Error("fetchFpu of a context that is not full");
  }

  override resumeRet(result: number): void {
    setReg(this.regs, RAX, result);
    this.agent.returned(result);
    this.#run();
  }
  override resumeAll(_withFpu: boolean): void {
    const result = Number(this.regs.getBigInt64(RAX, true));
    if (this.rip === this.#stoppedAt) this.agent.returned(result);
    else this.agent.jumped();
    this.#run();
  }
  #run(): void {
    if (this.isReleased) throw new Error("resumed after its release");
    if (this.isRunning) throw new Error("resumed while it runs");
    this.trap = TRAP_NONE;
    this.isFull = this.isNew = false;
    this.isKicked = false;
    this.space.flush();
    if (this.space.isDestroyed || this.#platform.dead.has(this.space)) {
      this.trap = TRAP_DEATH;
      this.#platform.report(this);
    } else this.#platform.start(this);
  }

  get isInit(): boolean {
    return this.owner instanceof Task && this.owner.group.pid === 1;
  }

  /** Runs guest code to its next stop. */
  stop(): void {
    this.#stoppedAt = this.rip;
    if (this.#platform.dead.has(this.space)) this.trap = TRAP_DEATH;
    else if (this.isKicked) {
      this.trap = TRAP_INTERRUPT;
      this.isFull = true;
    } else this.agent.step(this);
  }

  override requestFull(): void {
    this.trap = TRAP_FULL;
    this.isFull = true;
    this.#platform.report(this);
  }
  override park(): void {}
  override interrupt(): void {
    if (this.isRunning) this.isKicked = true;
  }
  override release(): void {
    this.isReleased = true;
    this.owner = null;
    this.#platform.forget(this);
  }
}

export class SimPlatform extends FakePlatform {
  override runningCount: number = 0;
  readonly chance: Random;
  /** Contexts that are not released. */
  readonly contexts: Set<SimContext> = new Set();
  /** Spaces whose host process was killed from outside. */
  readonly dead: Set<FakeSpace> = new Set();
  /** Stops of guest code. */
  steps: number = 0;
  /** Called after each stop. */
  onStep: () => void = () => {};
  /** Not null: the world is being stopped. Running guests are interrupted, or stop before that. */
  stopChance: Random | null = null;
  /** Ends the run: no more accidents, and the first process kills the others. */
  isEnding: boolean = false;
  readonly #running: SimContext[] = [];
  readonly #reports: SimContext[] = [];

  constructor(arena: Arena, chance: Random) {
    super(arena);
    this.chance = chance;
    this.isLazy = true;
    this.acksAtOnce = false;
    this.acksOnFlush = true;
    this.contextMaker = (space) => new SimContext(this, space);
  }

  override newAddressSpace(): FakeSpace {
    return new SimSpace(this);
  }
  override newTemplate(): FakeSpace {
    return new SimSpace(this);
  }

  hasAccident(oneIn: number): boolean {
    return this.steps > 0 && !this.isEnding && this.chance.below(oneIn) === 0;
  }

  start(ctx: SimContext): void {
    ctx.isRunning = true;
    this.#running.push(ctx);
    this.runningCount = this.#running.length;
  }
  report(ctx: SimContext): void {
    this.#reports.push(ctx);
  }
  forget(ctx: SimContext): void {
    this.contexts.delete(ctx);
    this.#remove(this.#running, ctx);
    this.#remove(this.#reports, ctx);
    ctx.isRunning = false;
    this.runningCount = this.#running.length;
  }
  #remove(list: SimContext[], ctx: SimContext): void {
    const at = list.indexOf(ctx);
    if (at >= 0) list.splice(at, 1);
  }

  /**
   * Goes on as the other platform, which has other contexts and the same tasks.
   *
   * @param copyOf the context here that stands for one of the other platform; null: it has ended
   */
  imitate(other: SimPlatform, copyOf: (context: SimContext) => SimContext | null): void {
    this.steps = other.steps;
    this.isEnding = other.isEnding;
    for (const context of other.contexts) copyOf(context)?.imitate(context);
    for (
      const [from, take] of [[other.#running, this.start], [other.#reports, this.report]] as const
    ) {
      for (const context of from) {
        const copy = copyOf(context);
        if (copy !== null) take.call(this, copy);
      }
    }
  }

  /** No host process has died, or is about to. */
  get isSound(): boolean {
    return this.dead.size === 0;
  }

  override poll(): Context | null {
    const reported = this.#reports.shift();
    if (reported !== undefined) return reported;
    if (this.stopChance !== null) return this.#interrupted(this.stopChance);
    if (this.#running.length === 0 || this.chance.below(NOBODY) === 0) return null;
    const ctx = this.chance.pick(this.#running);
    if (!ctx.isInit && this.hasAccident(DEATH)) this.dead.add(ctx.space);
    this.#halt(ctx);
    this.steps++;
    this.onStep();
    ctx.stop();
    return ctx.trap === TRAP_NONE ? (this.start(ctx), null) : ctx;
  }
  /** The next stop while the world is being stopped. Time does not go on. */
  #interrupted(chance: Random): Context | null {
    const kicked = this.#running.filter((one) => one.isKicked);
    if (kicked.length === 0) return null;
    const ctx = chance.pick(kicked);
    if (!ctx.isInit && !this.isEnding && chance.below(STOP_DEATH) === 0) this.dead.add(ctx.space);
    ctx.isKicked = chance.below(2) === 0;
    this.#halt(ctx);
    ctx.stop();
    if (!ctx.space.isDestroyed) ctx.space.flush(); // the guest wrote its arguments
    if (ctx.trap !== TRAP_NONE) return ctx;
    this.start(ctx);
    ctx.isKicked = true;
    return null;
  }
  #halt(ctx: SimContext): void {
    this.#remove(this.#running, ctx);
    this.runningCount = this.#running.length;
    ctx.isRunning = false;
  }
  override prepareSleep(): boolean {
    return this.#reports.length === 0;
  }

  /** Ends the host processes of destroyed spaces. */
  override reap(): void {
    for (const space of [...this.spaces]) if (space.isDestroyed) space.die();
  }
  override tick(_nowNs: number): void {
    this.reap();
  }
}

export class SimSpace extends FakeSpace {
  readonly #host: SimPlatform;

  constructor(platform: SimPlatform) {
    super(platform);
    this.#host = platform;
  }

  override fork(): FakeSpace | null {
    if (this.#host.hasAccident(NO_BIRTH)) return null;
    this.flush();
    const child = new SimSpace(this.#host);
    for (const [page, entry] of this.table) child.table.set(page, entry);
    return child;
  }
  override destroy(): void {
    const { contexts } = this.#host;
    for (const context of [...contexts]) if (context.space === this) context.release();
    super.destroy();
  }
  override newContext(): Context | null {
    return this.#host.hasAccident(NO_BIRTH) ? null : super.newContext();
  }
}
