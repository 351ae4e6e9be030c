/**
 * What a world is made of: the machine of a kernel, and two containers with a process of root and
 * one of an ordinary user each.
 */

import { AT_FDCWD, O_CREAT, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import { Arena, WINDOW_BYTES } from "../../../ffi/mem/arena.ts";
import { newContainer } from "../../../kernel/containers.ts";
import * as quotas from "../../../kernel/core/quota.ts";
import { NO_CAPS, rootCredentials, userCredentials } from "../../../kernel/cred/credentials.ts";
import { TmpfsFs } from "../../../kernel/fs/tmpfs/tmpfs.ts";
import { ContainerCaller, startIn } from "../../../kernel/init.ts";
import { SandboxKernel } from "../../../kernel/kernel.ts";
import { LoopDriver } from "../../../kernel/loop_driver.ts";
import type { Container } from "../../../kernel/task/container.ts";
import { Limits } from "../../../kernel/task/limits.ts";
import { Task } from "../../../kernel/task/task.ts";
import { FakePlatform } from "../../../kernel/testing/fake_platform.ts";
import { IoHost } from "../../../kernel/testing/io_host.ts";
import { FakeContext } from "../../../kernel/testing/task_lab.ts";
import { mkdirAt } from "../../../kernel/vfs/create.ts";
import { FileSystem } from "../../../kernel/vfs/inode.ts";
import { addMount } from "../../../kernel/vfs/mount_operations.ts";
import { MountNamespace } from "../../../kernel/vfs/mounts.ts";
import { openAt } from "../../../kernel/vfs/open.ts";
import { findAt } from "../../../kernel/vfs/status.ts";
import { BufferCursor } from "../../../kernel/vfs/vfs_testing.ts";
import { image } from "../../sim/guest.ts";

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
/** The ordinary users of the two containers. */
export const USER_UIDS: readonly number[] = [1000, 2000];
const MOUNTS: readonly (readonly [string, string])[] = [
  ["/proc", "proc"],
  ["/sys", "sysfs"],
  ["/dev", "devtmpfs"],
  ["/tmp", "tmpfs"],
  ["/cgroup", "cgroup2"],
];

/** What a kernel runs on. */
export class Machine {
  readonly arena: Arena = Arena.create(ARENA_BYTES, WINDOWS * WINDOW_BYTES);
  readonly host: IoHost = new IoHost();
  readonly platform: FakePlatform = new FakePlatform(this.arena);
  /** The contexts that were asked for all their registers. */
  readonly full: FakeContext[] = [];

  constructor() {
    const { platform } = this;
    this.host.memoryBytes = ARENA_BYTES;
    platform.contextMaker = (space) =>
      new FakeContext(space, platform.fpuSize, (ctx) => this.full.push(ctx));
  }
}

export interface WorldParts {
  readonly kernel: SandboxKernel;
  readonly machine: Machine;
  /** The container of the sandbox's first process. */
  readonly init: Container;
  readonly containers: readonly Container[];
  /** The first task of each actor. */
  readonly actors: readonly Task[];
  /** Of each quota, before there were containers. */
  readonly countsAtStart: readonly number[];
}

export function newWorld(): WorldParts {
  const machine = new Machine(), { arena, host, platform } = machine;
  const kernel = new SandboxKernel(host, new LoopDriver(host, platform), arena, {
    hostname: "fuzz",
  });
  // Made at its first use, and kept.
  kernel.namespaceFiles.pathOf(kernel.namespaces.uts, kernel.vfs);
  const countsAtStart = objectCounts(kernel), init = makeContainer(kernel, "first");
  start(kernel, init, 0);
  const containers = ["a", "b"].map((id) => makeContainer(kernel, id));
  const actors = containers.flatMap((container, i) => {
    return [start(kernel, container, 0), start(kernel, container, USER_UIDS[i]!)];
  });
  return { kernel, machine, init, containers, actors, countsAtStart };
}

function makeContainer(kernel: SandboxKernel, id: string): Container {
  const { memory, vfs } = kernel, account = kernel.accounts.root;
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
  fill(kernel, caller);
  caller.files.drop();
  caller.fs.drop();
  return container;
}

function fill({ fsTypes }: SandboxKernel, caller: ContainerCaller): void {
  write(caller, "/prog", image, 0o755);
  write(caller, "/suid", image, 0o4755);
  write(caller, "/secret", new TextEncoder().encode("secret"), 0o600);
  for (const [path, type] of MOUNTS) {
    mkdirAt(caller, AT_FDCWD, path, 0o755);
    const fs = fsTypes.find(type)?.create(caller, type, "");
    const at = findAt(caller, AT_FDCWD, path, 0);
    if (!(fs instanceof FileSystem) || typeof at === "number") throw new Error(`no ${path}`);
    addMount(caller, fs, at, 0, type);
  }
  for (const path of ["/d", "/d/e", "/tmp/m", "/tmp/w"]) mkdirAt(caller, AT_FDCWD, path, 0o777);
}

function write(
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

function start(kernel: SandboxKernel, container: Container, uid: number): Task {
  const caps = uid === 0 ? CAPS : NO_CAPS;
  const cred = { ...userCredentials(uid, uid, [], caps), bounding: CAPS };
  const task = startIn(kernel, container, {
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
