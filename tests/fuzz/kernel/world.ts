/**
 * The world that fuzzed programs run in: a whole kernel without guests, with two containers, and in
 * each a process of root and one of an ordinary user. The fuzzer plays the guests: a call is made,
 * what became ready runs, and time passes when nothing is ready.
 *
 * Neighbours: program.ts (what is run), oracles.ts (what must hold afterwards).
 */

import { SIGKILL } from "../../../ffi/abi/signal.ts";
import { Arena, WINDOW_BYTES } from "../../../ffi/mem/arena.ts";
import { AT_FDCWD, O_CREAT, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import { dropContainer, newContainer } from "../../../kernel/containers.ts";
import * as quotas from "../../../kernel/core/quota.ts";
import { NO_CAPS, rootCredentials, userCredentials } from "../../../kernel/cred/credentials.ts";
import { TmpfsFs } from "../../../kernel/fs/tmpfs/tmpfs.ts";
import { ContainerCaller, startIn } from "../../../kernel/init.ts";
import { SandboxKernel } from "../../../kernel/kernel.ts";
import { LoopDriver } from "../../../kernel/loop_driver.ts";
import { dispatch, onFull, runQueued } from "../../../kernel/syscalls/dispatch.ts";
import type { Container } from "../../../kernel/task/container.ts";
import { onException } from "../../../kernel/task/exception.ts";
import { killGroup } from "../../../kernel/task/exit_request.ts";
import { Limits } from "../../../kernel/task/limits.ts";
import { getReg } from "../../../kernel/task/registers.ts";
import { BLOCKED, DEAD, Task } from "../../../kernel/task/task.ts";
import { FakePlatform } from "../../../kernel/testing/fake_platform.ts";
import { FakeContext } from "../../../kernel/testing/task_lab.ts";
import { IoHost } from "../../../kernel/testing/io_host.ts";
import { mkdirAt } from "../../../kernel/vfs/create.ts";
import { FileSystem } from "../../../kernel/vfs/inode.ts";
import { addMount } from "../../../kernel/vfs/mount_operations.ts";
import { MountNamespace } from "../../../kernel/vfs/mounts.ts";
import { openAt } from "../../../kernel/vfs/open.ts";
import { findAt } from "../../../kernel/vfs/status.ts";
import { BufferCursor } from "../../../kernel/vfs/vfs_testing.ts";
import { RIP, RSP, TRAP_INTERRUPT, TRAP_SYSCALL } from "../../../platform/platform.ts";
import { DATA, DATA_BYTES, image } from "../../sim/guest.ts";

/** The capabilities that Docker gives to a container's root. */
const CAPS = { lo: 0xa80425fb, hi: 0 };
const ARENA_BYTES = 32 << 20, WINDOWS = 4;
export const QUOTAS: readonly (readonly [string, quotas.Quota])[] = Object.entries(quotas).flatMap((
  [name, value],
) => value instanceof quotas.Quota ? [[name, value] as const] : []);

/**
 * How many objects of each kind a kernel has, without the addresses, links and routes of the
 * sandbox's own network namespace, which outlives the containers that change it.
 */
export function objectCounts({ accounts, namespaces }: SandboxKernel): number[] {
  const { links } = namespaces.net;
  const own = links.links.reduce((sum, link) => {
    return sum + (link === links.lo ? 0 : 1) + link.addresses.length + link.neighbours.size;
  }, links.routes.addedCount);
  return QUOTAS.map(([, quota]) => {
    return quota.countOf(accounts.root) - (quota === quotas.NET_OBJECTS ? own : 0);
  });
}
/** LIMIT: turns until what one call set off has come to rest. */
const MAX_TURNS = 20_000;
/** How far time jumps when all wait, ns. */
const JUMP_NS = 50_000_000;
/** The ordinary users of the two containers. */
export const USER_UIDS: readonly number[] = [1000, 2000];
const MOUNTS: readonly (readonly [string, string])[] = [
  ["/proc", "proc"],
  ["/sys", "sysfs"],
  ["/dev", "devtmpfs"],
  ["/tmp", "tmpfs"],
  ["/cgroup", "cgroup2"],
];

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
  readonly #arena: Arena;
  readonly #host: IoHost = new IoHost();
  readonly #platform: FakePlatform;
  readonly #full: FakeContext[] = [];
  readonly #init: Container;
  /** The first task of each actor; another of the same process when that has ended. */
  readonly #actors: Task[] = [];

  constructor() {
    this.#arena = Arena.create(ARENA_BYTES, WINDOWS * WINDOW_BYTES);
    this.#host.memoryBytes = ARENA_BYTES;
    this.#platform = new FakePlatform(this.#arena);
    this.#platform.contextMaker = (space) =>
      new FakeContext(space, this.#platform.fpuSize, (ctx) => this.#full.push(ctx));
    this.kernel = new SandboxKernel(
      this.#host,
      new LoopDriver(this.#host, this.#platform),
      this.#arena,
      {
        hostname: "fuzz",
      },
    );
    // Made at its first use, and kept.
    this.kernel.namespaceFiles.pathOf(this.kernel.namespaces.uts, this.kernel.vfs);
    this.countsAtStart = objectCounts(this.kernel);
    this.#init = this.#makeContainer("first");
    this.#start(this.#init, 0);
    this.containers = ["a", "b"].map((id) => this.#makeContainer(id));
    for (const [i, container] of this.containers.entries()) {
      this.#actors.push(this.#start(container, 0), this.#start(container, USER_UIDS[i]!));
    }
    this.settle();
  }

  #makeContainer(id: string): Container {
    const { kernel } = this, { memory, vfs } = kernel, account = kernel.accounts.root;
    const root = new TmpfsFs(account, memory.frames, vfs, { pages: 0, inodes: 0, mode: 0o755 });
    const mounts = MountNamespace.of(account, vfs, root, 0, id);
    const container = newContainer(kernel, {
      id,
      accounts: kernel.accounts.open(),
      mounts,
      hostname: id,
      shares: {},
    });
    const caller = new ContainerCaller(container, rootCredentials(), 0);
    this.#fill(caller);
    caller.files.drop();
    caller.fs.drop();
    return container;
  }

  #fill(caller: ContainerCaller): void {
    this.#write(caller, "/prog", image, 0o755);
    this.#write(caller, "/suid", image, 0o4755);
    this.#write(caller, "/secret", new TextEncoder().encode("secret"), 0o600);
    for (const [path, type] of MOUNTS) {
      mkdirAt(caller, AT_FDCWD, path, 0o755);
      const fs = this.kernel.fsTypes.find(type)?.create(caller, type, "");
      const at = findAt(caller, AT_FDCWD, path, 0);
      if (!(fs instanceof FileSystem) || typeof at === "number") throw new Error(`no ${path}`);
      addMount(caller, fs, at, 0, type);
    }
    for (const path of ["/d", "/d/e", "/tmp/m", "/tmp/w"]) mkdirAt(caller, AT_FDCWD, path, 0o777);
  }

  #write(
    caller: ContainerCaller,
    path: string,
    bytes: Uint8Array<ArrayBuffer>,
    mode: number,
  ): void {
    const file = openAt(caller, AT_FDCWD, path, O_WRONLY | O_CREAT, mode);
    if (typeof file === "number") throw new Error(`no ${path}: ${file}`);
    if (file.write(new BufferCursor(bytes), 0) !== bytes.length) throw new Error(`short ${path}`);
    file.drop();
  }

  #start(container: Container, uid: number): Task {
    const caps = uid === 0 ? CAPS : NO_CAPS;
    const cred = { ...userCredentials(uid, uid, [], caps), bounding: CAPS };
    const task = startIn(this.kernel, container, {
      args: ["/prog"],
      env: [],
      cwd: "/",
      umask: 0o22,
      cred,
      limits: new Limits(null),
      leadsSession: true,
      files: [],
    }, null);
    if (!(task instanceof Task)) throw new Error(`not started: ${task.errno} ${task.what}`);
    return task;
  }

  /** The task that makes the next call of an actor; null: none of its process can. */
  taskOf(actor: Actor): Task | null {
    const first = this.#actors[actor]!;
    const task = isRunning(first) ? first : first.group.tasks.find(isRunning);
    return task ?? null;
  }

  /**
   * The task makes a call; what became ready has run then. The result, or null if there is none
   * yet.
   */
  call(task: Task, nr: number, args: readonly number[]): number | null {
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
    this.settle();
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
    const { kernel } = this, host = this.#host;
    host.nowNs += ns;
    kernel.clock.nowNs = host.nowNs;
    kernel.timers.expire(host.nowNs);
    this.settle();
  }

  /** Runs what is ready, and interrupts what was asked for, until nothing moves. */
  settle(): void {
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      const ctx = this.#full.shift();
      if (ctx !== undefined) {
        if (ctx.owner instanceof Task) onFull(ctx.owner);
        continue;
      }
      const task = this.kernel.loop.runQueue.shift();
      if (task !== null) {
        runQueued(task);
        continue;
      }
      if (!this.kernel.vfs.deferred.isEmpty) {
        this.kernel.vfs.deferred.step();
        continue;
      }
      // A call that only let the others go first is due at once.
      if (this.kernel.timers.nextDeadlineNs <= this.#host.nowNs) {
        this.kernel.timers.expire(this.#host.nowNs);
        continue;
      }
      if (!this.#interruptOne()) return;
    }
    throw new Error("the tasks do not come to rest");
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

  /** All processes of both containers are killed, and the containers are gone. */
  end(): void {
    for (const container of [...this.containers, this.#init]) {
      for (const group of [...container.groups]) killGroup(group, SIGKILL);
    }
    for (let i = 0; i < 100 && this.kernel.pids.tasks.size > 0; i++) {
      this.settle();
      for (const space of [...this.#platform.spaces]) if (space.isDestroyed) space.die();
      this.pass();
    }
    for (const container of [...this.containers, this.#init]) dropContainer(container);
    const { vfs: { deferred }, net } = this.kernel;
    net.rights.collect();
    while (!deferred.isEmpty) deferred.step();
    while (this.kernel.memory.reclaim());
  }

  close(): void {
    this.#arena.close();
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
