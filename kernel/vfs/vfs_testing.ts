/**
 * What tests of files need: a host with a clock that a test moves, a cursor over a JS buffer, and a
 * small kernel of files (a tmpfs in a mount namespace, and a caller).
 */

import { TEST_ACCOUNT } from "../core/account_testing.ts";
import type { Account } from "../core/account.ts";
import { Arena } from "../../ffi/mem/arena.ts";
import { copyFromBuffer, copyToBuffer } from "../../ffi/mem/native_memory.ts";
import { EFAULT } from "../../ffi/abi/errno.ts";
import { AT_FDCWD, O_CREAT, O_RDONLY, O_TRUNC, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import { ERRNO_NAMES } from "../../ffi/abi/errno.ts";
import type { Host } from "../core/host.ts";
import type { Waiter } from "../core/wait.ts";
import {
  type Credentials,
  NO_CAPS,
  rootCredentials,
  userCredentials,
} from "../cred/credentials.ts";
import { TmpfsFs } from "../fs/tmpfs/tmpfs.ts";
import type { TmpfsOptions } from "../fs/tmpfs/options.ts";
import { FifoOpener } from "../ipc/fifo.ts";
import { FrameAllocator } from "../mm/frames.ts";
import type { FrameStore } from "../mm/frame_pool.ts";
import { IoCursor } from "../mm/io_cursor.ts";
import type { Caller } from "./caller.ts";
import { FdTable } from "./fd_table.ts";
import { FsContext } from "./fs_context.ts";
import { MountNamespace } from "./mounts.ts";
import { openAt } from "./open.ts";
import type { OpenFile } from "./open_file.ts";
import { SpecialFiles, type SpecialOpener } from "./special_files.ts";
import { Vfs } from "./vfs.ts";

/** A host whose clock stands still until `sec` or `nsec` are set; it has no files. */
export class TestHost implements Host {
  sec: number = 1_700_000_000;
  nsec: number = 0;
  monotonic: number = 0;
  monotonicOffsetNs: number = 0;
  readonly cpuCount = 1;
  memoryBytes: number = 1 << 30;
  machineBytes: number = 1 << 30;
  fileLimit: number = 1 << 20;
  readonly heap = null;

  /** One microsecond later. */
  tick(): void {
    this.nsec += 1000;
  }
  monotonicNs(): number {
    return this.monotonic;
  }
  holdEvents(_isHeld: boolean): void {}
  end(): void {}
  realtimeSec(): number {
    return this.sec;
  }
  realtimeNsec(): number {
    return this.nsec;
  }
  processCpuNs(): number {
    return -1;
  }
  kernelCpuNs(): number {
    return -1;
  }
  currentCpu(): number {
    return -1;
  }
  avoidCpu(): void {}
  random(buf: Uint8Array<ArrayBuffer>): void {
    buf.fill(7);
  }
  read(): number {
    return -1;
  }
  write(): number {
    return -1;
  }
  preadv(): number {
    return -1;
  }
  pwritev(): number {
    return -1;
  }
  ftruncate(): number {
    return -1;
  }
  fallocate(): number {
    return -1;
  }
  fsync(): number {
    return -1;
  }
  lseek(): number {
    return -1;
  }
  fileSize(): number {
    return -1;
  }
  fileStatus(): number {
    return -1;
  }
  close(): void {}
  ioctl(): number {
    return -1;
  }
  pollNow(): number {
    return 0;
  }
  watch(_fd: number, _events: number, _waiter: Waiter): number {
    return 0;
  }
  arm(): number {
    return 0;
  }
  unwatch(): void {}
}

/** A cursor over a JS buffer; bytes from `faultAt` on are a bad address. */
export class BufferCursor extends IoCursor {
  readonly buffer: Uint8Array<ArrayBuffer>;
  faultAt: number;

  constructor(buffer: Uint8Array<ArrayBuffer>, faultAt: number = Infinity) {
    super();
    this.buffer = buffer;
    this.remaining = buffer.length;
    this.faultAt = faultAt;
  }

  private reach(len: number): number {
    return Math.max(0, Math.min(len, this.remaining, this.faultAt - this.done));
  }
  private settle(n: number, wanted: number): number {
    if (n === 0 && wanted > 0) return -EFAULT;
    this.advance(n);
    return n;
  }

  override putHost(src: number, len: number): number {
    const n = this.reach(len);
    return this.settle(copyToBuffer(this.buffer, this.done, src, n), len);
  }
  override putBytes(src: Uint8Array<ArrayBuffer>, offset: number, len: number): number {
    const n = this.reach(len);
    this.buffer.set(src.subarray(offset, offset + n), this.done);
    return this.settle(n, len);
  }
  override putZeros(len: number): number {
    const n = this.reach(len);
    this.buffer.fill(0, this.done, this.done + n);
    return this.settle(n, len);
  }
  override takeHost(dst: number, len: number): number {
    const n = this.reach(len);
    return this.settle(copyFromBuffer(dst, this.buffer, this.done, n), len);
  }
  override takeBytes(dst: Uint8Array<ArrayBuffer>, offset: number, len: number): number {
    const n = this.reach(len);
    dst.set(this.buffer.subarray(this.done, this.done + n), offset);
    return this.settle(n, len);
  }
  override hostSegments(): number {
    return -EFAULT;
  }
  override advance(len: number): void {
    this.done += len;
    this.remaining -= len;
  }
}

export class TestCaller implements Caller {
  readonly files: FdTable;
  readonly fs: FsContext;
  cred: Credentials;
  readonly account: Account;

  constructor(files: FdTable, fs: FsContext, cred: Credentials, account: Account) {
    this.account = account;
    this.files = files;
    this.fs = fs;
    this.cred = cred;
  }

  /** A caller with the same root and working directory, and other credentials. */
  as(uid: number, gid: number = uid, groups: number[] = []): TestCaller {
    return new TestCaller(
      this.files,
      this.fs,
      userCredentials(uid, gid, groups, NO_CAPS),
      this.account,
    );
  }
}

/** A kernel of files: `root` is a caller with all capabilities at "/" of a tmpfs. */
export class TestFiles {
  readonly host: TestHost = new TestHost();
  readonly frames: FrameAllocator;
  readonly vfs: Vfs;
  readonly tmpfs: TmpfsFs;
  readonly namespace: MountNamespace;
  readonly root: TestCaller;
  readonly account: Account = TEST_ACCOUNT;

  /** @param fifo opens FIFOs */
  constructor(options: TmpfsOptions = { mode: 0o755 }, fifo: SpecialOpener | null = null) {
    this.frames = new FrameAllocator(arenaSlice());
    const special = new SpecialFiles(fifo ?? new FifoOpener(this.frames));
    this.vfs = new Vfs(this.host, { special });
    this.tmpfs = new TmpfsFs(this.account, this.frames, this.vfs, options);
    this.namespace = MountNamespace.of(this.account, this.vfs, this.tmpfs, 0, "tmpfs");
    const at = this.namespace.rootPath();
    const fs = new FsContext(this.namespace, at, at, 0o022);
    this.root = new TestCaller(new FdTable(this.account), fs, rootCredentials(), this.account);
  }
}

const SLICES = 8, SLICE_BYTES = 64 << 20;
let arena: Arena | null = null;
let nextSlice = 0;

/**
 * One sparse arena for all tests of a process, in slices: the last eight `TestFiles` may be used at
 * the same time.
 */
function arenaSlice(): FrameStore {
  const whole = arena ??= Arena.create(SLICES * SLICE_BYTES, 0);
  const start = (nextSlice++ % SLICES) * SLICE_BYTES;
  whole.punch(start, SLICE_BYTES);
  return {
    base: whole.base + start,
    size: SLICE_BYTES,
    punch: (off, len) => whole.punch(start + off, len),
    nextData: (off) => whole.nextData(start + off) - start,
    copyWithin: (to, from, len) => whole.copyWithin(start + to, start + from, len),
  };
}

/** "ENOENT" for -2, the number for a result, "object" for anything else: what tests compare. */
export function errno(r: unknown): string | number {
  if (typeof r !== "number") return "object";
  return r < 0 ? ERRNO_NAMES[-r] ?? `${r}` : r;
}

/** Opens a file, or fails the test. */
export function mustOpen(caller: Caller, path: string, flags: number, mode = 0o644): OpenFile {
  const file = openAt(caller, AT_FDCWD, path, flags, mode);
  if (typeof file === "number") throw new Error(`open ${path}: ${errno(file)}`);
  return file;
}

export function writeText(caller: Caller, path: string, text: string): void {
  const file = mustOpen(caller, path, O_WRONLY | O_CREAT | O_TRUNC);
  const bytes = new TextEncoder().encode(text);
  const n = file.write(new BufferCursor(bytes), 0);
  file.drop();
  if (n !== bytes.length) throw new Error(`write ${path}: ${errno(n)}`);
}

export function readBytes(file: OpenFile, offset: number, len: number): Uint8Array<ArrayBuffer> {
  const io = new BufferCursor(new Uint8Array(len));
  const n = file.read(io, offset);
  if (n < 0) throw new Error(`read: ${errno(n)}`);
  return io.buffer.slice(0, n);
}

export function readText(caller: Caller, path: string): string {
  const file = mustOpen(caller, path, O_RDONLY);
  const text = new TextDecoder().decode(readBytes(file, 0, file.inode.size));
  file.drop();
  return text;
}

/** The names of a directory in its order, without "." and "..". */
export function listDir(caller: Caller, path: string): string[] {
  const file = mustOpen(caller, path, O_RDONLY);
  const names: string[] = [];
  file.readdir((name) => {
    if (name !== "." && name !== "..") names.push(name);
    return true;
  });
  file.drop();
  return names;
}
