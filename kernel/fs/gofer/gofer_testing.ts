/**
 * A lab for tests: a kernel of files whose root a real Gofer in a worker serves, and drivers that
 * compare it with the host.
 */

import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { Arena } from "../../../ffi/mem/arena.ts";
import { copyFromBuffer, copyToBuffer } from "../../../ffi/mem/native_memory.ts";
import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import { withServer } from "../../../gofer/server/testing.ts";
import { stringToBytes } from "../../core/bytes.ts";
import { rootCredentials } from "../../cred/credentials.ts";
import { KernelCursor } from "../../mm/cursor.ts";
import { MemoryContext } from "../../mm/memory_context.ts";
import { FakePlatform } from "../../testing/fake_platform.ts";
import { IoHost } from "../../testing/io_host.ts";
import { removePrivileges } from "../../vfs/attributes.ts";
import { FdTable } from "../../vfs/fd_table.ts";
import { type Answer, digest, HostDriver, VfsDriver } from "../../vfs/file_driver_testing.ts";
import { FsContext } from "../../vfs/fs_context.ts";
import { MountNamespace } from "../../vfs/mounts.ts";
import type { FileSystem } from "../../vfs/inode.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import { Vfs } from "../../vfs/vfs.ts";
import { errno, TestCaller } from "../../vfs/vfs_testing.ts";
import { GoferFs } from "./gofer_fs.ts";

const BUFFER_PAGES = 64;

export class GoferLab implements FileLab {
  readonly host: IoHost = new IoHost();
  readonly ctx: MemoryContext;
  readonly vfs: Vfs;
  readonly fs: GoferFs;
  readonly namespace: MountNamespace;
  readonly root: TestCaller;
  readonly client: GoferClient;
  private readonly buffer: number;
  private readonly cursor: KernelCursor = new KernelCursor();

  constructor(client: GoferClient, options: LabOptions) {
    const { isExclusive = true, maxIdleFiles = 512, leaseNs = 0 } = options;
    this.client = client;
    const arena = testArena();
    this.ctx = new MemoryContext(arena, new FakePlatform(arena), this.host);
    this.vfs = new Vfs(this.host);
    const goferOptions = { isExclusive, maxIdleFiles, leaseNs };
    const fs = GoferFs.attach(client, "0", this.vfs, this.ctx, goferOptions);
    if (typeof fs === "number") throw new Error(`attach: ${fs}`);
    this.fs = fs;
    const top = options.cover?.(fs, this) ?? fs;
    this.namespace = MountNamespace.of(TEST_ACCOUNT, this.vfs, top, 0, "root");
    const at = this.namespace.rootPath();
    const context = new FsContext(this.namespace, at, at, 0o022);
    this.root = new TestCaller(new FdTable(TEST_ACCOUNT), context, rootCredentials(), TEST_ACCOUNT);
    this.buffer = arena.base + this.ctx.frames.alloc(BUFFER_PAGES);
  }

  /** The requests that were sent so far. */
  get requests(): number {
    return countOf(this.client);
  }

  read(file: OpenFile, offset: number, len: number): Uint8Array<ArrayBuffer> | number {
    const n = file.read(this.cursor.set(this.buffer, Math.min(len, BUFFER_PAGES * 4096)), offset);
    if (n < 0) return n;
    const bytes = new Uint8Array(n);
    copyToBuffer(bytes, 0, this.buffer, n);
    return bytes;
  }

  write(file: OpenFile, offset: number, bytes: Uint8Array<ArrayBuffer>): number {
    copyFromBuffer(this.buffer, bytes, 0, bytes.length);
    return file.write(this.cursor.set(this.buffer, bytes.length), offset);
  }
}

/** The round trips of each client, counted at its connection's `call`. */
const counts: WeakMap<GoferClient, number> = new WeakMap();
function countOf(client: GoferClient): number {
  return counts.get(client) ?? 0;
}
function countCalls(client: GoferClient): void {
  const { connection } = client, call = connection.call.bind(connection);
  counts.set(client, 0);
  connection.call = (request, reply) => {
    counts.set(client, countOf(client) + 1);
    return call(request, reply);
  };
}

let arena: Arena | null = null;
function testArena(): Arena {
  if (arena === null) arena = Arena.create(256 << 20, 8 << 21);
  else arena.punch(0, arena.size);
  return arena;
}

export interface LabOptions {
  readonly isExclusive?: boolean;
  readonly isReadOnly?: boolean;
  readonly leaseNs?: number;
  readonly maxIdleFiles?: number;
  /** The server's limit of fids. */
  readonly fidsMax?: number;
  /** Makes the root file system over that of the Gofer. */
  readonly cover?: (fs: GoferFs, lab: GoferLab) => FileSystem;
}

/** Runs `body` with a lab over the host directory `dir`. */
export async function withGofer(
  dir: string,
  options: LabOptions,
  body: (lab: GoferLab) => void,
): Promise<void> {
  await withClient(dir, options, (client) => {
    countCalls(client);
    body(new GoferLab(client, options));
  });
}

/** Runs `body` with a client of a Gofer that serves `dir`. */
export async function withClient(
  dir: string,
  options: LabOptions,
  body: (client: GoferClient) => void | Promise<void>,
): Promise<void> {
  const roots = [{ path: dir, isReadOnly: options.isReadOnly ?? false }];
  const { fidsMax } = options;
  // The lab's user is root; only root may create files of root.
  const squash = Deno.uid() !== 0;
  const order = { roots, devices: true, squash, ...(fidsMax === undefined ? {} : { fidsMax }) };
  const log = await withServer(order, {}, body);
  if (log !== "") console.log(log);
}

/**
 * Runs `first` with a lab over a small tree, ends its Gofer, closes its descriptors as the end of a
 * process does, and runs `second` with a client of another Gofer on the same tree, which has to
 * give it to the lab.
 */
export async function overTwoGofers<T>(
  options: LabOptions,
  first: (lab: GoferLab, dir: string) => T,
  second: (lab: GoferLab, client: GoferClient, dir: string, kept: T) => void,
): Promise<void> {
  await inDirectory(async (dir) => {
    const before: { lab: GoferLab; kept: T }[] = [];
    await withGofer(dir, options, (lab) => before.push({ lab, kept: first(lab, dir) }));
    const { lab, kept } = before[0]!;
    for (const file of lab.fs.donated) lab.host.close(file.fd);
    await withClient(dir, options, (client) => second(lab, client, dir, kept));
  });
}

/** A kernel of files, with reads and writes in host memory. */
export interface FileLab {
  readonly root: TestCaller;
  read(file: OpenFile, offset: number, len: number): Uint8Array<ArrayBuffer> | number;
  write(file: OpenFile, offset: number, bytes: Uint8Array<ArrayBuffer>): number;
}

/**
 * The driver of comparing tests (vfs/file_driver_testing.ts), with reads and writes in host memory.
 */
export class GoferDriver extends VfsDriver {
  private lab: FileLab;

  constructor(name: string, lab: FileLab) {
    super(name, lab.root);
    this.lab = lab;
  }

  /** Goes on in a copy of the lab. */
  protected goOnIn(lab: FileLab): void {
    this.lab = lab;
    this.moveTo(lab.root);
  }

  private opened(handle: number): OpenFile {
    const file = this.lab.root.files.get(handle);
    if (file === null) throw new Error(`handle ${handle} is closed`);
    return file;
  }
  override pread(handle: number, offset: number, len: number): Answer {
    const file = this.opened(handle);
    if (!file.canRead) return "EBADF";
    const bytes = this.lab.read(file, offset, len);
    return typeof bytes === "number" ? errno(bytes) : digest(bytes);
  }
  override pwrite(handle: number, offset: number, text: string): Answer {
    const file = this.opened(handle);
    if (!file.canWrite) return "EBADF";
    const caller = this.uid === 0 ? this.lab.root : this.lab.root.as(this.uid);
    if (text !== "") removePrivileges(caller, file);
    return errno(this.lab.write(file, offset, stringToBytes(text)));
  }
  override getxattr(path: string, name: string): Answer {
    return super.getxattr(path, served(name));
  }
  override setxattr(path: string, name: string, value: string, flags: number): Answer {
    return super.setxattr(path, served(name), value, flags);
  }
  override removexattr(path: string, name: string): Answer {
    return super.removexattr(path, served(name));
  }
  override fstat(handle: number): Answer {
    const r = this.opened(handle).inode.refresh();
    return r < 0 ? errno(r) : super.fstat(handle);
  }
}

/** The Gofer serves no trusted.* attributes, so user.* ones replace them. */
export function served(name: string): string {
  return name.replace(/^trusted\./, "user.");
}

/** The driver of the host with the attributes that a Gofer serves. */
export class ServedHostDriver extends HostDriver {
  override getxattr(path: string, name: string): Answer {
    return super.getxattr(path, served(name));
  }
  override setxattr(path: string, name: string, value: string, flags: number): Answer {
    return super.setxattr(path, served(name), value, flags);
  }
  override removexattr(path: string, name: string): Answer {
    return super.removexattr(path, served(name));
  }
}

/** Makes a directory on the host with a small tree in it. */
export async function inTree(
  options: LabOptions,
  body: (lab: GoferLab, dir: string) => void,
): Promise<void> {
  await inDirectory((dir) => withGofer(dir, options, (lab) => body(lab, dir)));
}

async function inDirectory(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-" });
  try {
    Deno.mkdirSync(`${dir}/a/b/c`, { recursive: true });
    Deno.writeTextFileSync(`${dir}/a/b/c/file`, "hello");
    Deno.writeTextFileSync(`${dir}/a/other`, "other");
    Deno.symlinkSync("b/c/file", `${dir}/a/link`);
    await body(dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}
