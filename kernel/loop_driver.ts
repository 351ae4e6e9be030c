/**
 * Drives the loops of all kernels of a process on one thread: it gives each kernel its turns and
 * the stops of its tasks, polls host descriptors, and sleeps in one place when no kernel has work,
 * after it has spun within a budget. No wake-up is lost: `prepareSleep` publishes that the thread
 * sleeps and looks for traps once more.
 *
 * A single kernel takes its stops from the platform itself. Several compete for turns as the
 * accounts of one kernel do (docs/internals/turns.md). Design, and attacks on it:
 * docs/internals/snapshots.md, "Several kernels in a process".
 */

import { POLLIN } from "../ffi/abi/poll.ts";
import type { Context, Platform } from "../platform/platform.ts";
import type { Host } from "./core/host.ts";
import { Waiter } from "./core/wait.ts";
import type { Loop } from "./loop.ts";
import { SpinPolicy } from "./spin_policy.ts";
import type { Task } from "./task/task.ts";

/** Longest time between two polls of host descriptors while a loop is busy, ns. */
const HOST_POLL_NS = 100_000;
const TICK_NS = 1_000_000;

/**
 * The host's side of sleeping: one epoll set with the doorbell and every watched host descriptor.
 */
export interface HostEvents {
  /**
   * Dispatches ready events; waits at most `timeoutNs` (0: does not wait; Infinity: without limit).
   */
  poll(timeoutNs: number): void;
}

/** The end of a kernel, which takes several steps. */
interface EndingKernel {
  readonly isDone: boolean;
  /** True: another step is possible at once. */
  step(): boolean;
}

/** A kernel that takes turns, and what it has used of them. */
class Member {
  readonly loop: Loop;
  /** Takes the failure of the kernel (null: none) when it runs no more; null: there is no other. */
  readonly onEnd: ((failure: unknown) => void) | null;
  /** The time that it was served, as virtual time: a member that begins starts at the level. */
  servedNs: number;
  isWaiting: boolean = false;

  constructor(loop: Loop, onEnd: ((failure: unknown) => void) | null, servedNs: number) {
    this.loop = loop;
    this.onEnd = onEnd;
    this.servedNs = servedNs;
  }
}

export class LoopDriver {
  readonly spin: SpinPolicy;
  readonly platform: Platform;
  private readonly host: Host & HostEvents;
  private readonly members: Member[] = [];
  private readonly byKernel: Map<object, Loop> = new Map();
  /** Kernels whose ends are not complete. */
  private readonly ends: EndingKernel[] = [];
  /** The one whose turn it is. */
  private serving: Loop | null = null;
  /** Virtual time of the member that was served last. */
  private levelNs: number = 0;
  /** The value of `spin.isApart` that platform and host were last set to. */
  private isApart: boolean = false;
  /** `prepareSleep` has published that the thread sleeps. */
  private isAsleep: boolean = false;
  private nextTickNs: number = 0;
  private nextHostPollNs: number = 0;

  /** @param host whose clock, processors and descriptors all kernels use */
  constructor(host: Host & HostEvents, platform: Platform) {
    this.platform = platform;
    this.host = host;
    this.spin = new SpinPolicy(host.cpuCount, platform.sleepCostNs);
    platform.setSpinBudget(this.spin.guestNs);
    watchEnds(platform, host);
  }

  /**
   * Gives a kernel turns, until its loop is stopped.
   *
   * @param onEnd called then. Without it a kernel that fails beside others ends them too.
   */
  add(loop: Loop, onEnd: ((failure: unknown) => void) | null = null): void {
    if (this.byKernel.has(loop.kernel)) return;
    this.members.push(new Member(loop, onEnd, this.levelNs));
    this.byKernel.set(loop.kernel, loop);
    loop.kernel.oom.join();
    if (this.members.length > 1) this.share();
  }

  /** Gives the end of a kernel its steps. */
  finish(end: EndingKernel): void {
    this.ends.push(end);
  }

  /** True: another step is possible at once. */
  private stepEnds(): boolean {
    const { ends } = this;
    let isMore = false;
    for (let left = ends.length; left > 0; left--) {
      // One that fails is left, with what it has not given back.
      const end = ends.shift()!;
      if (end.step()) isMore = true;
      if (!end.isDone) ends.push(end);
    }
    return isMore;
  }

  /** Several kernels get their stops from here. */
  private share(): void {
    for (const { loop: { server } } of this.members) server.takeFrom(this);
  }

  /** Gives back to the last kernel what it had: nothing waits for it here. */
  private unshare(): void {
    const { loop } = this.members[0]!;
    if (loop.server.inbox.length === 0 && !loop.quiescence.isAsked) loop.server.takeFrom(null);
  }

  /** Hands the stops that the platform has to the kernels of their tasks. */
  distribute(): void {
    const { platform } = this;
    for (let ctx = platform.poll(); ctx !== null; ctx = platform.poll()) this.handOver(ctx);
  }

  private handOver(ctx: Context): void {
    const task = ctx.owner as Task | null;
    // The kernel of a task that has gone may have gone as well.
    if (task !== null) this.byKernel.get(task.kernel)?.server.inbox.push(ctx);
  }

  /**
   * Runs until the loops of all kernels are stopped, and ends are complete. This is the only fence
   * around work for guests: an exception ends the process that caused it, and its kernel and all
   * others go on.
   *
   * @throws KernelBug if a kernel cannot go on that is alone, or whose end has no listener
   */
  run(): void {
    for (;;) {
      try {
        this.recover();
        this.drive();
        return;
      } catch (cause) {
        this.contain(cause);
      }
    }
  }

  /** Called after a fault: what it left is put in order, in each kernel. */
  private recover(): void {
    if (this.isAsleep) this.wakeUp();
    for (const { loop } of this.members) {
      this.serving = loop;
      loop.recover();
    }
    this.serving = null;
  }

  /** A fault outside of all turns may have lost wake-ups of each kernel. */
  private contain(cause: unknown): void {
    const { serving } = this;
    this.serving = null;
    for (const member of [...this.members]) {
      const { loop } = member;
      if (serving !== null && loop !== serving) continue;
      try {
        loop.contain(cause);
      } catch (failure) {
        if (member.onEnd === null) throw failure;
        loop.stop();
        this.end(member, failure);
      }
    }
  }

  private drive(): void {
    const { spin, host, platform, members } = this, cpus = host.cpuCount;
    let idleSinceNs = -1;
    while (this.hasMembers() || this.ends.length > 0) {
      const now = host.monotonicNs() - host.monotonicOffsetNs;
      const running = platform.runningCount, share = running > cpus ? cpus / running : 1;
      const member = members.length === 1 ? members[0]! : this.next(now);
      let handled = 0;
      if (member !== null) {
        const { loop } = member;
        this.serving = loop;
        loop.kernel.clock.share = share;
        handled = loop.turn(now + loop.host.monotonicOffsetNs);
        this.serving = null;
        if (members.length > 1) this.charge(member, now);
      }
      if (now >= this.nextTickNs) this.tick(now);
      if (now >= this.nextHostPollNs) this.pollHost(now);
      if (handled > 0 || this.hasWork()) {
        spin.found(handled);
        if (spin.isApart !== this.isApart) this.changeSpin();
        idleSinceNs = -1;
        continue;
      }
      if (idleSinceNs < 0) idleSinceNs = now;
      if (now - idleSinceNs < spin.loopBudgetNs(running)) continue;
      if (this.reclaim()) continue;
      this.sleep(running);
      if (spin.isApart !== this.isApart) this.changeSpin();
      idleSinceNs = -1;
    }
  }

  /** Lets members whose loops are stopped go. False: there are no others. HOT */
  private hasMembers(): boolean {
    const { members } = this;
    for (let i = members.length - 1; i >= 0; i--) {
      const member = members[i]!;
      if (member.loop.server.isStopped) this.end(member, null);
    }
    return members.length > 0;
  }

  private end(member: Member, failure: unknown): void {
    const { members } = this, { loop } = member;
    members.splice(members.indexOf(member), 1);
    this.byKernel.delete(loop.kernel);
    loop.kernel.oom.leave();
    if (members.length === 1) this.unshare();
    loop.quiescence.end();
    member.onEnd?.(failure);
  }

  /** The member with work that was served least; null: none has work. */
  private next(now: number): Member | null {
    this.distribute();
    let least: Member | null = null;
    for (const member of this.members) {
      const { loop } = member;
      if (!loop.isDue(now + loop.host.monotonicOffsetNs)) {
        member.isWaiting = false;
        continue;
      }
      // One that had no work saves nothing up.
      if (!member.isWaiting) member.servedNs = Math.max(member.servedNs, this.levelNs);
      member.isWaiting = true;
      if (least === null || member.servedNs < least.servedNs) least = member;
    }
    if (least !== null) this.levelNs = least.servedNs;
    return least;
  }

  /** Charges a member with its turn, which began at `startNs`. */
  private charge(member: Member, startNs: number): void {
    const { host } = this;
    member.servedNs += host.monotonicNs() - host.monotonicOffsetNs - startNs;
  }

  /** HOT */
  private hasWork(): boolean {
    for (let i = 0; i < this.members.length; i++) if (this.members[i]!.loop.hasWork) return true;
    return false;
  }

  /**
   * Gives free memory back: true when there is more to do, a loop is stopped, or nothing is left
   * that could end a sleep.
   */
  private reclaim(): boolean {
    const { members, ends } = this;
    let isMore = ends.length > 0 && this.stepEnds();
    if (members.length + ends.length === 0) return true;
    for (let i = 0; i < members.length; i++) {
      const { loop } = members[i]!;
      // A timer may have stopped it just now.
      if (loop.server.isStopped || loop.reclaim()) isMore = true;
    }
    return isMore;
  }

  private pollHost(now: number): void {
    this.nextHostPollNs = now + HOST_POLL_NS;
    this.host.poll(0);
    this.members[0]?.loop.server.turns?.end("events", -1);
  }

  private tick(now: number): void {
    this.nextTickNs = now + TICK_NS;
    this.platform.tick(now);
    if (this.isApart) this.lookAround();
    if (this.ends.length > 0) this.stepEnds();
    if (this.members.length === 1) this.unshare();
  }

  private changeSpin(): void {
    this.isApart = this.spin.isApart;
    this.platform.setSpinBudget(this.spin.guestNs);
    if (this.isApart) this.stayApart();
    else this.host.avoidCpu(-1);
  }

  /** Moves the thread off its present core, because a guest thread runs there or last ran there. */
  private stayApart(): void {
    this.host.avoidCpu(this.host.currentCpu());
    this.platform.setLoopCpu(this.host.currentCpu());
  }

  /**
   * Keeps the thread off the guest's core while a core is free. Otherwise guest threads on its core
   * do not spin (`setLoopCpu`).
   */
  private lookAround(): void {
    const cpu = this.host.currentCpu();
    const isAlone = this.platform.runningCount < this.host.cpuCount;
    if (isAlone && cpu === this.platform.guestCpu) this.stayApart();
    else this.platform.setLoopCpu(cpu);
  }

  /** @param running guest threads that could end the sleep */
  private sleep(running: number): void {
    const { platform, host, members } = this;
    if (!platform.prepareSleep()) return;
    this.isAsleep = true;
    // A guest thread that escapes its interrupt must not profit from a thread that sleeps on.
    let left = platform.isKicking || this.ends.length > 0 ? TICK_NS : Infinity;
    const now = host.monotonicNs() - host.monotonicOffsetNs;
    for (let i = 0; i < members.length; i++) {
      const { loop } = members[i]!;
      left = Math.min(left, loop.sleepNs(now + loop.host.monotonicOffsetNs, running));
    }
    if (left > 0) this.host.poll(left);
    this.wakeUp();
    this.serveAfterSleep(running);
  }

  private wakeUp(): void {
    this.isAsleep = false;
    this.platform.finishSleep();
  }

  /** A single kernel serves the first trap behind a sleep at once. */
  private serveAfterSleep(running: number): void {
    const { platform, members } = this, only = members.length === 1 ? members[0]!.loop : null;
    if (only !== null && only.quiescence.isAsked) return;
    const ctx = platform.poll();
    if (ctx === null) return;
    this.spin.slept(platform.guestGapNs, running);
    if (only === null || !only.server.isAlone) return this.handOver(ctx);
    this.serving = only;
    only.server.serveAlone(ctx);
    this.serving = null;
  }
}

/** Looks for stubs that ended, when the platform's descriptor is readable. */
class EndWatch extends Waiter {
  private readonly platform: Platform;
  private readonly host: Host;

  constructor(platform: Platform, host: Host) {
    super();
    this.platform = platform;
    this.host = host;
  }

  override onWake(): void {
    this.platform.reap();
    this.host.arm(this.platform.endsFd, POLLIN);
  }
}

function watchEnds(platform: Platform, host: Host): void {
  if (platform.endsFd >= 0) host.watch(platform.endsFd, POLLIN, new EndWatch(platform, host));
}
