/** A sandbox's memory for unit tests: arena, platform and fake host, and backings of both kinds. */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import type { Account } from "../core/account.ts";
import { EFAULT, ENOMEM } from "../../ffi/abi/errno.ts";
import { MFD_CLOEXEC } from "../../ffi/abi/fcntl.ts";
import { Arena } from "../../ffi/mem/arena.ts";
import { copy, copyFromBuffer, fill } from "../../ffi/mem/native_memory.ts";
import { close, ftruncate, memfdCreate, pread } from "../../ffi/sys/files.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { pwrite } from "../../ffi/sys/files.ts";
import type { Platform } from "../../platform/platform.ts";
import { Backing, type FileIdentity } from "../mm/backing.ts";
import type { AddressLayout } from "../mm/address_layout.ts";
import { MemoryContext } from "../mm/memory_context.ts";
import { PatchedSites } from "../mm/patched_sites.ts";
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { MemoryManager } from "../mm/memory_manager.ts";
import { FakeHost } from "./fake_host.ts";
import { FakePlatform, type FakeSpace } from "./fake_platform.ts";

let nextIno = 100;

/** The memory of a sandbox on any platform. */
export class Lab<P extends Platform> {
  readonly arena: Arena;
  readonly platform: P;
  readonly host: FakeHost = new FakeHost();
  readonly ctx: MemoryContext;
  readonly layout: AddressLayout;
  readonly sites: PatchedSites;

  constructor(arena: Arena, platform: P) {
    this.arena = arena;
    this.platform = platform;
    this.ctx = new MemoryContext(arena, platform, this.host);
    this.layout = this.ctx.newLayout();
    this.sites = new PatchedSites(this.ctx, TEST_ACCOUNT);
  }

  /** Makes a memory of this lab's only user. */
  newManager(account: Account = TEST_ACCOUNT): MemoryManager {
    const space = this.platform.newAddressSpace();
    if (space === null) throw new Error("no address space");
    const mm = new MemoryManager(account, this.ctx, space);
    mm.layout = this.layout;
    mm.mmapBase = mm.layout.mmapBase(mm.limits.stack);
    mm.sites = this.sites.hold();
    return mm;
  }

  close(): void {
    this.platform.destroy();
    this.arena.close();
  }
}

/** The lab on the fake platform. */
export class MemoryLab extends Lab<FakePlatform> {
  constructor(arenaBytes: number = 128 << 20, windows: number = 4) {
    const arena = Arena.create(arenaBytes, windows << 21);
    super(arena, new FakePlatform(arena));
  }

  /** The recording address space of a manager. */
  spaceOf(mm: MemoryManager): FakeSpace {
    return mm.space as FakeSpace;
  }
}

/** A host file that is mapped directly. */
export class HostFileBacking extends Backing {
  readonly inode: FileIdentity = { dev: 8, ino: nextIno++ };
  readonly platformFile: number;
  readonly hostFd: number;
  holds: number = 0;
  private bytes: number;

  constructor(lab: Lab<Platform>, content: Uint8Array<ArrayBuffer>) {
    super();
    this.hostFd = memfdCreate("test-file", MFD_CLOEXEC);
    this.bytes = content.length;
    ftruncate(this.hostFd, content.length);
    for (let at = 0; at < content.length; at += 65536) {
      const n = Math.min(65536, content.length - at);
      copyFromBuffer(scratch.area(0), content, at, n);
      pwrite(this.hostFd, scratch.area(0), n, at);
    }
    this.platformFile = lab.platform.registerFile(this.hostFd);
  }

  truncate(bytes: number): void {
    const old = this.bytes;
    this.bytes = bytes;
    ftruncate(this.hostFd, bytes);
    if (bytes >= old) return;
    for (const mapping of [...this.mappings]) {
      mapping.onPagesGone(Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE, Infinity);
    }
  }
  close(): void {
    close(this.hostFd);
  }

  describe(): string {
    return "/test/host-file";
  }
  size(): number {
    return this.bytes;
  }
  frame(_offset: number, _write: boolean): number {
    return -EFAULT;
  }
  readInto(hostAddr: number, offset: number, len: number): number {
    return pread(this.hostFd, hostAddr, len, offset);
  }
  hold(): void {
    this.holds++;
  }
  drop(): void {
    this.holds--;
  }
}

/** A file whose pages are arena frames, as in tmpfs. */
export class FrameFileBacking extends Backing {
  readonly inode: FileIdentity = { dev: 9, ino: nextIno++ };
  readonly platformFile = -1;
  readonly hostFd = -1;
  holds: number = 0;
  readonly frames: Map<number, number> = new Map();
  private readonly lab: Lab<Platform>;
  private bytes: number;

  constructor(
    lab: Lab<Platform>,
    content: Uint8Array<ArrayBuffer>,
    bytes: number = content.length,
  ) {
    super();
    this.lab = lab;
    this.bytes = bytes;
    for (let at = 0; at < content.length; at += PAGE_SIZE) {
      const n = Math.min(PAGE_SIZE, content.length - at);
      copyFromBuffer(lab.arena.base + this.frame(at, true), content, at, n);
    }
  }

  truncate(bytes: number): void {
    this.bytes = bytes;
    const end = Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;
    for (const mapping of [...this.mappings]) mapping.onPagesGone(end, Infinity);
    for (const [at, frame] of this.frames) {
      if (at < end) continue;
      this.lab.ctx.frames.release(frame, 1);
      this.frames.delete(at);
    }
  }
  free(): void {
    for (const frame of this.frames.values()) this.lab.ctx.frames.release(frame, 1);
    this.frames.clear();
  }

  describe(): string {
    return "/test/frame-file";
  }
  size(): number {
    return this.bytes;
  }
  override readonly canOwn: boolean = true;
  override own(offset: number): number {
    const { frames } = this.lab.ctx, old = this.frames.get(offset);
    if (old === undefined || !frames.pool.isHeldTwice(old / PAGE_SIZE)) return 0;
    const frame = frames.alloc(1);
    if (frame < 0) return -ENOMEM;
    copy(this.lab.arena.base + frame, this.lab.arena.base + old, PAGE_SIZE);
    this.frames.set(offset, frame);
    for (const mapping of [...this.mappings]) mapping.onPagesGone(offset, offset + PAGE_SIZE);
    frames.release(old, 1);
    return 0;
  }
  frame(offset: number, write: boolean): number {
    if (offset >= Math.ceil(this.bytes / PAGE_SIZE) * PAGE_SIZE) return -EFAULT;
    const have = this.frames.get(offset);
    if (have !== undefined) return have;
    if (!write) return -1;
    const frame = this.lab.ctx.frames.alloc(1);
    if (frame < 0) return -ENOMEM;
    this.frames.set(offset, frame);
    return frame;
  }
  readInto(hostAddr: number, offset: number, len: number): number {
    const n = Math.min(len, this.bytes - offset);
    for (let done = 0; done < n;) {
      const at = offset + done,
        inPage = at % PAGE_SIZE,
        part = Math.min(n - done, PAGE_SIZE - inPage);
      const frame = this.frames.get(at - inPage);
      if (frame === undefined) fill(hostAddr + done, 0, part);
      else copy(hostAddr + done, this.lab.arena.base + frame + inPage, part);
      done += part;
    }
    return Math.max(0, n);
  }
  hold(): void {
    this.holds++;
  }
  drop(): void {
    this.holds--;
  }
}
