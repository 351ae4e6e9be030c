/**
 * Trees of files in memory under random calls, while their kernel is replaced by copies of itself
 * again and again, and while snapshots of it come and go. Each copy answers as a tree that was
 * never copied, and each snapshot stays what it was.
 */

import { assert, assertEquals } from "@std/assert";
import { AT_FDCWD } from "../../ffi/abi/fcntl.ts";
import { rootCredentials } from "../../kernel/cred/credentials.ts";
import type { Account } from "../../kernel/core/account.ts";
import * as quotas from "../../kernel/core/quota.ts";
import { memoryOverlay } from "../../kernel/fs/overlay/memory_overlay.ts";
import { DIRS, populate } from "../../kernel/fs/overlay/overlay_testing.ts";
import { TmpfsFs } from "../../kernel/fs/tmpfs/tmpfs.ts";
import type { SandboxKernel } from "../../kernel/kernel.ts";
import { mkdirAt } from "../../kernel/vfs/create.ts";
import { Exerciser, Random } from "../../kernel/vfs/exerciser_testing.ts";
import { FdTable } from "../../kernel/vfs/fd_table.ts";
import { type FileDriver, VfsDriver } from "../../kernel/vfs/file_driver_testing.ts";
import { FsContext } from "../../kernel/vfs/fs_context.ts";
import { MountNamespace } from "../../kernel/vfs/mounts.ts";
import { findAt } from "../../kernel/vfs/status.ts";
import { TestCaller } from "../../kernel/vfs/vfs_testing.ts";
import { isFull } from "../harness/machine.ts";
import { endKernel, type Forked, HeldSnapshot } from "./forked_world.ts";
import { newWorld, type SimulatedWorld } from "./simulation.ts";

const SEEDS = isFull ? 60 : 6, CALLS = 1500;
const ARENA_BYTES = 256 << 20;
/** A call in so many comes after a snapshot. */
const SNAPSHOT_ONE_IN = 40;
const SNAPSHOTS_MAX = 5;
/** The buffer of an overlay, which a copy makes anew. */
const COPY_BUFFER_BYTES = 1 << 20;

/** What a test keeps of a kernel: a caller. */
interface Guest {
  readonly files: FdTable;
  readonly fs: FsContext;
  readonly account: Account;
}

function callerOf({ files, fs, account }: Guest): TestCaller {
  return new TestCaller(files, fs, rootCredentials(), account);
}

function guestOn(account: Account, namespace: MountNamespace): Guest {
  const at = namespace.rootPath();
  return { files: new FdTable(account), fs: new FsContext(namespace, at, at, 0o022), account };
}

/** A kernel whose root is a tmpfs, or an overlay with half of its files below. */
function newTree(world: SimulatedWorld, isOverlay: boolean, seed: number): Forked<Guest> {
  const { kernel } = world, { vfs, memory: { frames }, accounts: { root: account } } = kernel;
  const lower = new TmpfsFs(account, frames, vfs, { pages: 0, inodes: 0, mode: 0o755 });
  let guest = guestOn(account, MountNamespace.of(account, vfs, lower, 0, "root"));
  for (const dir of DIRS) mkdirAt(callerOf(guest), AT_FDCWD, dir, 0o777);
  enterDeep(guest);
  populate(new VfsDriver("lower", callerOf(guest)), seed);
  if (isOverlay) {
    const overlay = memoryOverlay(account, lower.root, frames, vfs, "");
    guest = guestOn(account, MountNamespace.of(account, vfs, overlay, 0, "overlay"));
    enterDeep(guest);
  }
  // Inodes are made and freed all the time.
  if (seed % 2 === 0) vfs.dentries.maxUnused = 8;
  return { kernel, guest };
}

function enterDeep(guest: Guest): void {
  const cwd = findAt(callerOf(guest), AT_FDCWD, "/t1/t2/t3/t4", 0);
  if (typeof cwd === "number") throw new Error("no working directory");
  guest.fs.setCwd(cwd);
}

/** All that root can see, with inode numbers and times. */
function dump(guest: Guest): string {
  const caller = callerOf(guest), driver = new VfsDriver("dump", caller), lines: string[] = [];
  const left = ["/t1"];
  for (let dir = left.pop(); dir !== undefined; dir = left.pop()) {
    for (const item of `${driver.list(dir)}`.split(" ")) {
      const [name, type] = item.split(":");
      if (name === "." || name === "..") continue;
      const path = `${dir}/${name}`, found = findAt(caller, AT_FDCWD, path, 0x100);
      if (typeof found === "number") throw new Error(`${path}: ${found}`);
      const inode = found.dentry.inode!;
      lines.push(`${path} ${inode.ino} ${inode.mtimeSec} ${inode.ctimeSec} ${inode.blocks}`);
      lines.push(`${driver.stat(path, 0x100)} ${type === "10" ? driver.readlink(path) : ""}`);
      lines.push(`${driver.listxattr(path)}`);
      if (type === "4") left.push(path);
      if (type !== "8") continue;
      const handle = driver.open(path, 0, 0);
      if (typeof handle !== "number") throw new Error(`${path}: ${handle}`);
      lines.push(`${driver.pread(handle, 0, 60000)}`);
      driver.close(handle);
    }
  }
  return lines.join("\n");
}

interface Kept {
  readonly snapshot: HeldSnapshot<Guest>;
  readonly content: string;
  readonly usedBytes: number;
}

/** Calls of a tree whose kernel becomes a copy of itself at random moments. */
class CopiedTree {
  readonly driver: FileDriver;
  readonly #world: SimulatedWorld;
  readonly #random: Random;
  #now: Forked<Guest>;
  #inner: VfsDriver;
  #uid: number = 0;
  #snapshots: Kept[] = [];
  copies: number = 0;

  constructor(world: SimulatedWorld, tree: Forked<Guest>, seed: number) {
    this.#world = world;
    this.#random = new Random(seed);
    this.#now = tree;
    this.#inner = new VfsDriver("copied", callerOf(tree.guest));
    const driver = new VfsDriver("copied", callerOf(tree.guest));
    this.driver = new Proxy(driver, { get: (_target, key) => this.#member(key) });
  }

  get kernel(): SandboxKernel {
    return this.#now.kernel;
  }

  #member(key: string | symbol): unknown {
    if (key === "name") return "copied";
    return (...args: unknown[]) => {
      if (key === "setUser") this.#uid = args[0] as number;
      else if (this.#random.below(SNAPSHOT_ONE_IN) === 0) this.#step();
      this.#world.host.nowNs += 1_000_000_000;
      return Reflect.apply(Reflect.get(this.#inner, key), this.#inner, args);
    };
  }

  #step(): void {
    const random = this.#random, held = this.#snapshots;
    if (held.length > 0 && random.chance(40)) this.#tryOut(random.pick(held));
    if (held.length >= SNAPSHOTS_MAX) this.#drop(random.below(held.length));
    const { usedBytes } = this.kernel.memory.frames;
    const kept = { snapshot: new HeldSnapshot(this.#world, this.#now), content: "", usedBytes };
    held.push({ ...kept, content: random.chance(50) ? dump(this.#now.guest) : "" });
    if (random.chance(60)) this.#become(kept.snapshot.fork());
  }

  /** The tree goes on as the copy. */
  #become(copy: Forked<Guest>): void {
    const old = this.#now;
    this.#now = copy;
    if (old.kernel !== this.#world.kernel) endKernel(old.kernel);
    this.#inner = new VfsDriver("copied", callerOf(copy.guest));
    this.#inner.setUser(this.#uid);
    this.copies++;
  }

  /** Makes a copy of an old snapshot, compares it, and makes random changes. */
  #tryOut({ snapshot, content, usedBytes }: Kept): void {
    const { kernel, guest } = snapshot.fork();
    const less = usedBytes - kernel.memory.frames.usedBytes;
    assert(less === 0 || less === COPY_BUFFER_BYTES, `${less} bytes less are used`);
    if (content !== "") assertEquals(dump(guest), content);
    new Exerciser([new VfsDriver("branch", callerOf(guest))], options(this.#random.next())).run();
    endKernel(kernel);
  }

  #drop(index: number): void {
    for (const { snapshot } of this.#snapshots.splice(index, 1)) snapshot.release();
  }

  /** Ends the tree as unmounting does, and drops all snapshots. */
  end(): void {
    while (this.#snapshots.length > 0) this.#drop(0);
    this.driver.setUser(0);
    this.#inner.destroy();
  }
}

function options(seed: number, calls: number = 60) {
  return {
    ...{ seed, calls, users: false, acls: true, devices: [0x103] },
    renameFlags: [0, 0, 0, 1, 2, 3, 8],
    fallocateModes: [0, 1, 3, 2, 0x10, 8, 0x20, 0x200],
  };
}

function exercise(isOverlay: boolean, seed: number): number {
  const world = newWorld(seed, {}, ARENA_BYTES), model = newWorld(seed, {}, ARENA_BYTES);
  try {
    const tree = new CopiedTree(world, newTree(world, isOverlay, seed), seed);
    const plain = newTree(model, isOverlay, seed);
    const still = new VfsDriver("plain", callerOf(plain.guest));
    new Exerciser([tree.driver, still], { ...options(seed, CALLS), users: true }).run();
    tree.end();
    const { pool } = world.kernel.memory.frames, { root } = tree.kernel.accounts;
    assertEquals(countsOf(root), countsOf(model.kernel.accounts.root));
    endKernel(tree.kernel);
    if (tree.kernel !== world.kernel) endKernel(world.kernel);
    pool.settle();
    assertEquals(pool.heldBytes, 0);
    assert(!pool.isShared);
    return tree.copies;
  } catch (cause) {
    throw new Error(`seed ${seed}`, { cause });
  } finally {
    world.arena.close();
    model.arena.close();
  }
}

function countsOf(account: Account): number[] {
  const { TMPFS_INODES, TMPFS_BYTES } = quotas;
  return [TMPFS_INODES.countOf(account), TMPFS_BYTES.countOf(account)];
}

for (const isOverlay of [false, true]) {
  const kind = isOverlay ? "an overlay" : "a tmpfs";
  Deno.test(`copies of ${kind} answer as one that was never copied, and snapshots stay`, () => {
    let copies = 0;
    for (let seed = 1; seed <= SEEDS; seed++) copies += exercise(isOverlay, seed);
    assert(copies > SEEDS * 5, `${copies} copies`);
  });
}

Deno.test("a tmpfs that is being freed is freed in the copy, too", () => {
  const world = newWorld(1, {}, ARENA_BYTES), { kernel } = world, { frames } = kernel.memory;
  const others = countsOf(kernel.accounts.root);
  const fs = new TmpfsFs(kernel.accounts.root, frames, kernel.vfs, { pages: 0, inodes: 0 });
  const guest = guestOn(fs.root.account, MountNamespace.of(fs.root.account, kernel.vfs, fs, 0, ""));
  const driver = new VfsDriver("freed", callerOf(guest));
  for (let i = 0; i < 30; i++) {
    driver.mkdir(`/d${i}`, 0o755);
    for (let k = 0; k < 10; k++) {
      const handle = driver.open(`/d${i}/f${k}`, 0o102, 0o644);
      if (typeof handle !== "number") throw new Error(`${handle}`);
      driver.pwrite(handle, 0, "text");
      driver.close(handle);
      driver.link(`/d${i}/f${k}`, `/d${(i + 1) % 30}/g${k}`, 0);
    }
  }
  const counts = countsOf(kernel.accounts.root);
  fs.free(200);
  assert(countsOf(kernel.accounts.root)[0]! < counts[0]!);
  const snapshot = new HeldSnapshot(world, {
    kernel,
    guest: { ...guest, fs: guest.fs, freed: fs },
  });
  const copy = snapshot.fork();
  assertEquals(copy.kernel.memory.frames.usedBytes, frames.usedBytes);
  for (const one of [{ kernel, guest: { freed: fs } }, copy]) {
    one.guest.freed.free(Infinity);
    assertEquals(countsOf(one.kernel.accounts.root), others);
    endKernel(one.kernel);
  }
  snapshot.release();
  frames.pool.settle();
  assertEquals(frames.pool.heldBytes, 0);
  world.arena.close();
});
