/**
 * One simulated sandbox: a whole kernel on a simulated host and platform, with virtual time and
 * accidents, driven by guests that a seed makes up. The same seed gives the same run, call by call.
 */

import { Arena, WINDOW_BYTES } from "../../ffi/mem/arena.ts";
import { AT_FDCWD, O_CREAT, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import { dropContainer } from "../../kernel/containers.ts";
import * as quotas from "../../kernel/core/quota.ts";
import { rootCredentials } from "../../kernel/cred/credentials.ts";
import type { GoferClient } from "../../gofer/client/gofer_client.ts";
import { GoferFs } from "../../kernel/fs/gofer/gofer_fs.ts";
import { TmpfsFs } from "../../kernel/fs/tmpfs/tmpfs.ts";
import { InitCaller, startInit } from "../../kernel/init.ts";
import type { ContainmentOptions } from "../../kernel/containment.ts";
import { SandboxKernel } from "../../kernel/kernel.ts";
import { LoopDriver } from "../../kernel/loop_driver.ts";
import { violations } from "../../kernel/observe/invariants.ts";
import { Limits } from "../../kernel/task/limits.ts";
import type { Container } from "../../kernel/task/container.ts";
import { Task } from "../../kernel/task/task.ts";
import type { Caller } from "../../kernel/vfs/caller.ts";
import { mkdirAt } from "../../kernel/vfs/create.ts";
import { addMount } from "../../kernel/vfs/mount_operations.ts";
import { FileSystem } from "../../kernel/vfs/inode.ts";
import { MountNamespace } from "../../kernel/vfs/mounts.ts";
import { openAt } from "../../kernel/vfs/open.ts";
import { findAt } from "../../kernel/vfs/status.ts";
import { BufferCursor } from "../../kernel/vfs/vfs_testing.ts";
import { FakeSpace } from "../../kernel/testing/fake_platform.ts";
import { Random } from "../harness/seeded.ts";
import { image } from "./guest.ts";
import { SimHost } from "./sim_host.ts";
import { SimContext, SimPlatform } from "./sim_platform.ts";

/** Sizes that a sandbox may have: small ones run out of memory. */
const ARENA_BYTES = 16 << 20, WINDOWS = 4;
/** How long guest code may run between two stops, ns. */
const STEP_NS = 200_000;
/** The buffer of sendfile(2), which a kernel keeps once it had to make one. */
const KEPT_BYTES = 65536;
const QUOTAS: readonly (readonly [string, quotas.Quota])[] = Object.entries(quotas).flatMap((
  [name, value],
) => value instanceof quotas.Quota ? [[name, value] as const] : []);
/** Quotas that are compared before the first guest and after the last. */
const COUNTED: readonly string[] = ["memory", "bytes charged", ...QUOTAS.map(([name]) => name)];
const MOUNTS: readonly (readonly [string, string])[] = [
  ["/proc", "proc"],
  ["/dev", "devtmpfs"],
  ["/tmp", "tmpfs"],
];

interface Outcome {
  /** Stops of guests. */
  readonly steps: number;
  /** Calls by the time of the end that were blocked for good. */
  readonly isStuck: boolean;
}

/** What a simulation runs: a kernel, and what it runs on. */
export interface SimulatedWorld {
  readonly chance: Random;
  readonly arena: Arena;
  readonly host: SimHost;
  readonly platform: SimPlatform;
  readonly kernel: SandboxKernel;
}

/** @param arenaBytes small arenas run out of memory */
export function newWorld(
  seed: number,
  options: ContainmentOptions,
  arenaBytes: number = ARENA_BYTES,
): SimulatedWorld {
  const chance = new Random(seed), arena = Arena.create(arenaBytes, WINDOWS * WINDOW_BYTES);
  const host = new SimHost(chance, arenaBytes), platform = new SimPlatform(arena, chance);
  const driver = new LoopDriver(host, platform);
  const kernel = new SandboxKernel(host, driver, arena, { hostname: "sim", ...options });
  return { chance, arena, host, platform, kernel };
}

export class Simulation {
  readonly seed: number;
  readonly kernel: SandboxKernel;
  readonly platform: SimPlatform;
  readonly #host: SimHost;
  readonly #arena: Arena;
  readonly #maxSteps: number;
  readonly #gofer: GoferClient | null;
  #isEnding: boolean = false;
  #isStuck: boolean = false;
  #container: Container | null = null;
  readonly #world: SimulatedWorld;
  /** Frames and quotas in use before the first guest. */
  #usedAtStart: readonly number[];

  /** Called at each stop of a guest. */
  onStep: () => void = () => {};

  /** @param maxSteps stops of guests, then all is killed @param gofer whose root "0" is at /host */
  constructor(
    seed: number,
    maxSteps: number,
    gofer: GoferClient | null = null,
    options: ContainmentOptions = { panicOnBug: true },
    world: SimulatedWorld = newWorld(seed, options),
  ) {
    const { chance } = world;
    this.seed = seed;
    this.#maxSteps = maxSteps;
    this.#gofer = gofer;
    this.#world = world;
    this.#arena = world.arena;
    this.#host = world.host;
    this.platform = world.platform;
    this.kernel = world.kernel;
    this.#usedAtStart = this.#used();
    this.#host.isGuestRunning = () => {
      this.#endInTime();
      return this.platform.runningCount > 0;
    };
    this.#host.onStuck = () => {
      if (this.#isEnding) throw new Error(`nothing can end any more: ${this.describe()}`);
      this.#isStuck = true;
      this.#end();
    };
    this.platform.onStep = () => {
      this.#host.nowNs += chance.below(STEP_NS);
      this.#endInTime();
      this.onStep();
    };
  }

  /**
   * Runs until all guests have ended. @throws what the kernel threw, or an error that names what is
   * wrong
   */
  run(): Outcome {
    const { kernel } = this, account = kernel.accounts.root;
    const root = new TmpfsFs(account, kernel.memory.frames, kernel.vfs, {
      pages: 0,
      inodes: 0,
      mode: 0o755,
    });
    const namespace = MountNamespace.of(account, kernel.vfs, root, 0, "root");
    const caller = new InitCaller(account, namespace, rootCredentials(), 0);
    this.#fill(caller);
    const task = startInit(kernel, namespace, {
      args: ["/prog"],
      env: [],
      cwd: "/",
      umask: 0o22,
      cred: rootCredentials(),
      limits: new Limits(null),
      leadsSession: true,
      files: [],
    });
    if (!(task instanceof Task)) throw new Error(`no init: ${task.errno} ${task.what}`);
    task.group.isUnkillable = true;
    this.#container = task.group.container;
    caller.files.drop();
    caller.fs.drop();
    return this.goOn();
  }

  /** Ends `run` or `goOn` before the next turn. */
  stop(): void {
    this.kernel.loop.stop();
  }

  /** Runs on after `stop`, as `run` does. */
  goOn(): Outcome {
    this.kernel.loop.server.isStopped = false;
    this.kernel.run();
    this.platform.reap();
    return { steps: this.platform.steps, isStuck: this.#isStuck };
  }

  /**
   * Another simulation that goes on from here as this one does.
   *
   * @param copyWorld makes a copy of the world of this one
   */
  copy(copyWorld: (world: SimulatedWorld) => SimulatedWorld): Simulation {
    const world = copyWorld(this.#world);
    const copy = new Simulation(this.seed, this.#maxSteps, this.#gofer, {}, world);
    copy.#isEnding = this.#isEnding;
    copy.#isStuck = this.#isStuck;
    copy.#container = world.kernel.pids.groups.get(1)?.container ?? null;
    copy.#usedAtStart = this.#usedAtStart;
    return copy;
  }

  passTime(ns: number): void {
    this.#host.nowNs += ns;
  }

  /** Checks the kernel's structures, at a stop of a guest or at the end. */
  violations(): string[] {
    return violations(this.kernel);
  }

  close(): void {
    this.#arena.close();
  }

  /** Not part of the kernel's state: what it runs on. */
  isOutside(value: object): boolean {
    return value === this.#host || value === this.platform || value instanceof FakeSpace ||
      value instanceof SimContext || value === this.kernel.loop;
  }

  #endInTime(): void {
    if (!this.#isEnding && this.platform.steps > this.#maxSteps) this.#end();
  }

  #end(): void {
    this.#isEnding = this.platform.isEnding = true;
  }

  #fill(caller: InitCaller): void {
    const file = openAt(caller, AT_FDCWD, "/prog", O_WRONLY | O_CREAT, 0o755);
    if (typeof file === "number") throw new Error(`no /prog: ${file}`);
    const n = file.write(new BufferCursor(image), 0);
    if (n !== image.length) throw new Error(`/prog: ${n}`);
    file.drop();
    for (const [path, type] of MOUNTS) {
      const fs = this.kernel.fsTypes.find(type)?.create(caller, type, "");
      this.#mount(caller, path, type, fs);
    }
    if (this.#gofer !== null) {
      const options = { isExclusive: true, maxIdleFiles: 8, leaseNs: 0 };
      const { vfs, memory } = this.kernel;
      const fs = GoferFs.attach(this.#gofer, "0", vfs, memory, options);
      this.#mount(caller, "/host", "gofer", fs);
    }
    for (const path of ["/d", "/d/e"]) mkdirAt(caller, AT_FDCWD, path, 0o755);
  }

  #mount(caller: Caller, path: string, type: string, fs: unknown): void {
    mkdirAt(caller, AT_FDCWD, path, 0o755);
    const at = findAt(caller, AT_FDCWD, path, 0);
    if (!(fs instanceof FileSystem) || typeof at === "number") throw new Error(`no ${path}`);
    addMount(caller, fs, at, 0, type);
  }

  /** The tasks that are left, and their calls. */
  describe(): string {
    const tasks = [...this.kernel.pids.tasks.values()];
    return tasks.map((t) => `task ${t.tid} of ${t.group.pid}, state ${t.state}, call ${t.nr}`).join(
      "; ",
    );
  }

  /** Without long lists of groups, which are kept until the sandbox ends (cred/group_lists.ts). */
  #used(): number[] {
    const { memory, accounts: { root } } = this.kernel, lists = quotas.GROUP_LIST_BYTES;
    const charged = root.bytes - lists.countOf(root) * lists.bytesEach;
    const counts = QUOTAS.map(([, quota]) => quota === lists ? 0 : quota.countOf(root));
    return [memory.frames.usedBytes, charged, ...counts];
  }

  /**
   * What must hold when all guests ended: lines about what does not. Nothing can be run any more.
   */
  leftovers(): string[] {
    const { kernel, platform } = this, found: string[] = [];
    if (kernel.pids.tasks.size > 0) found.push(`tasks: ${this.describe()}`);
    // The first process is not reaped.
    const groups = [...kernel.pids.groups.values()].filter((group) => group.pid !== 1);
    if (groups.length > 0) found.push(`processes ${groups.map((group) => group.pid)}`);
    if (platform.contexts.size > 0) found.push(`${platform.contexts.size} contexts`);
    const spaces = [...platform.spaces].filter((space) => !space.isDestroyed);
    if (spaces.length > 0) found.push(`${spaces.length} address spaces`);
    if (this.#container !== null) dropContainer(this.#container);
    // These outlive processes.
    const { shm, sem, msg, mq } = kernel.namespaces.ipc;
    for (const segment of shm.table.all()) shm.remove(segment);
    for (const set of sem.table.all()) sem.remove(set);
    for (const queue of msg.table.all()) msg.remove(queue);
    mq.fs.destroy();
    kernel.net.rights.collect();
    while (!kernel.vfs.deferred.isEmpty) kernel.vfs.deferred.step();
    while (kernel.memory.reclaim());
    for (const [i, now] of this.#used().entries()) {
      const more = now - this.#usedAtStart[i]!;
      if (more !== 0 && (i > 0 || more !== KEPT_BYTES)) {
        found.push(`${more} more of ${COUNTED[i]}`);
      }
    }
    return found;
  }
}
