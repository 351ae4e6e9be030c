/**
 * Copies what a GoferLab has by a snapshot: another kernel of files, with an arena, a host and a
 * platform of its own, and another connection to the tree.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { Arena } from "../../../ffi/mem/arena.ts";
import { copy, copyFromBuffer, copyToBuffer } from "../../../ffi/mem/native_memory.ts";
import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import { Account } from "../../core/account.ts";
import { rootCredentials } from "../../cred/credentials.ts";
import { GoferFs } from "../../fs/gofer/gofer_fs.ts";
import type { FileLab } from "../../fs/gofer/gofer_testing.ts";
import type { ChangedFile } from "../../fs/gofer/reconnect.ts";
import { KernelCursor } from "../../mm/cursor.ts";
import { LoopDriver } from "../../loop_driver.ts";
import { FrameAllocator } from "../../mm/frames.ts";
import { MemoryContext } from "../../mm/memory_context.ts";
import { MemoryManager } from "../../mm/memory_manager.ts";
import { FileWindows } from "../../mm/windows.ts";
import { CpuInfo } from "../../proc/fs/cpu_info.ts";
import { FakePlatform, FakeSpace } from "../../testing/fake_platform.ts";
import { IoHost } from "../../testing/io_host.ts";
import { FdTable } from "../../vfs/fd_table.ts";
import { FsContext } from "../../vfs/fs_context.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import { Vfs } from "../../vfs/vfs.ts";
import { errno, TestCaller } from "../../vfs/vfs_testing.ts";
import { settleFiles } from "../settle_files.ts";
import { decodeGraph } from "../graph/decoder.ts";
import { type EncodedGraph, encodeGraph } from "../graph/encoder.ts";
import { kernelTable } from "./kernel_table.ts";
import type { Surroundings } from "./surroundings.ts";

/** Of kernels on hosts and platforms of unit tests. */
export const LAB_TABLE = kernelTable({
  host: IoHost,
  platforms: [FakePlatform],
  arena: Arena,
  spaces: [FakeSpace],
  contexts: [],
});

const BUFFER_PAGES = 64;

/** What is copied of a lab, besides the descriptors of its caller. */
interface Kept {
  readonly files: readonly OpenFile[];
  readonly mm: MemoryManager | null;
}

/** A lab, or a copy of one. */
interface Original {
  readonly ctx: MemoryContext;
  readonly fs: GoferFs;
  readonly vfs: Vfs;
  readonly root: TestCaller;
}

export function encodeLab(lab: Original, { files, mm }: Kept): EncodedGraph {
  settleFiles(lab.vfs);
  const { ctx, fs, vfs, root: { account, fs: context, files: table } } = lab;
  return encodeGraph([account, ctx, fs, vfs, context, table, mm, ...files], LAB_TABLE, {
    isThorough: true,
    fileRoom: { bytes: 64 << 20 },
  });
}

export class CopiedLab implements FileLab {
  readonly ctx: MemoryContext;
  readonly host: IoHost = new IoHost();
  readonly account: Account;
  readonly fs: GoferFs;
  readonly vfs: Vfs;
  readonly root: TestCaller;
  readonly mm: MemoryManager | null;
  readonly files: readonly OpenFile[];
  readonly changes: ChangedFile[] = [];
  private readonly arena: Arena = Arena.create(64 << 20, 8 << 21);
  private readonly buffer: number;
  private readonly cursor: KernelCursor = new KernelCursor();

  constructor(lab: Original, image: EncodedGraph, client: GoferClient, isCopy: boolean) {
    const frames = new FrameAllocator(this.arena), numbers = new Map<number, number>();
    for (const { first, count } of image.frames) {
      for (let i = 0; i < count; i++) {
        const off = frames.alloc(1);
        copy(this.arena.base + off, lab.ctx.arena.base + (first + i) * PAGE_SIZE, PAGE_SIZE);
        numbers.set(first + i, off / PAGE_SIZE);
      }
    }
    const root = decodeGraph(image.bytes, LAB_TABLE, {
      host: this.surroundings(frames, client, isCopy),
      frames: {
        numberOf: (frame) => numbers.get(frame) ?? -1,
        hold: (first, count) => frames.retain(first * PAGE_SIZE, count),
      },
    });
    const [account, ctx, fs, vfs, context, table, mm, ...files] = root as unknown[];
    if (!(account instanceof Account)) throw new Error("no account");
    if (!(fs instanceof GoferFs) || !(vfs instanceof Vfs) || !(context instanceof FsContext)) {
      throw new Error("not the copy of a lab");
    }
    if (!(ctx instanceof MemoryContext) || !(table instanceof FdTable)) throw new Error("no files");
    this.ctx = ctx;
    this.account = account;
    this.fs = fs;
    this.vfs = vfs;
    this.mm = mm instanceof MemoryManager ? mm : null;
    this.files = files.filter((file) => file instanceof OpenFile);
    this.root = new TestCaller(table, context, rootCredentials(), account);
    this.buffer = this.arena.base + frames.alloc(BUFFER_PAGES);
  }

  private surroundings(
    frames: FrameAllocator,
    client: GoferClient,
    isCopy: boolean,
  ): Surroundings {
    const { host, arena, changes } = this, platform = new FakePlatform(arena);
    return {
      ...{ host, platform, arena, frames },
      windows: new FileWindows(arena),
      driver: new LoopDriver(host, platform),
      cpuInfo: CpuInfo.fromHost(""),
      ...{ vdso: null, debugLog: null, observer: null, sink: null, turns: null },
      goferClient: (name) => name === "" ? client : null,
      ...{ network: null, tcp: "refuse" },
      reconnect: { isCopy },
      changes,
      dentries: [],
    };
  }

  get changed(): string[] {
    return this.changes.map(({ path, change }) => `${path} ${change}`).sort();
  }

  read(file: OpenFile, offset: number, len: number): Uint8Array<ArrayBuffer> | number {
    const length = Math.min(len, BUFFER_PAGES * PAGE_SIZE);
    const n = file.read(this.cursor.set(this.buffer, length), offset);
    if (n < 0) return n;
    const bytes = new Uint8Array(n);
    copyToBuffer(bytes, 0, this.buffer, n);
    return bytes;
  }

  write(file: OpenFile, offset: number, bytes: Uint8Array<ArrayBuffer>): number {
    copyFromBuffer(this.buffer, bytes, 0, bytes.length);
    return file.write(this.cursor.set(this.buffer, bytes.length), offset);
  }

  /** Reads at the file's own position, if no offset is given. */
  readText(file: OpenFile, len: number, offset: number = file.pos): string {
    const read = this.read(file, offset, len);
    return typeof read === "number" ? `${errno(read)}` : new TextDecoder().decode(read);
  }

  writeText(file: OpenFile, text: string, offset: number = file.pos): number {
    return this.write(file, offset, new TextEncoder().encode(text));
  }

  close(): void {
    for (const file of this.files) file.drop();
    this.mm?.destroy();
    this.fs.idle.closeOldest(Infinity);
    this.end();
  }

  /** Gives its memory back; descriptors stay open. */
  end(): void {
    this.arena.close();
  }
}
