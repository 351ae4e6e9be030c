/**
 * For tests of file requests: a kernel without guests, whose container has a tmpfs and a /proc, and
 * a port that keeps what a channel sends.
 */

import { AT_FDCWD } from "../../../../ffi/abi/fcntl.ts";
import { addressOf, allocBuffer } from "../../../../ffi/sys/cstring.ts";
import { TEST_ACCOUNT } from "../../../../kernel/core/account_testing.ts";
import { newContainer } from "../../../../kernel/containers.ts";
import {
  type Credentials,
  NO_CAPS,
  rootCredentials,
  userCredentials,
} from "../../../../kernel/cred/credentials.ts";
import { memoryOverlay } from "../../../../kernel/fs/overlay/memory_overlay.ts";
import { TmpfsFs } from "../../../../kernel/fs/tmpfs/tmpfs.ts";
import { ContainerCaller } from "../../../../kernel/init.ts";
import { SandboxKernel } from "../../../../kernel/kernel.ts";
import { LoopDriver } from "../../../../kernel/loop_driver.ts";
import type { Container } from "../../../../kernel/task/container.ts";
import { IoHost } from "../../../../kernel/testing/io_host.ts";
import { LabKernel } from "../../../../kernel/testing/task_lab.ts";
import { mkdirAt } from "../../../../kernel/vfs/create.ts";
import type { FileSystem } from "../../../../kernel/vfs/inode.ts";
import { addMount } from "../../../../kernel/vfs/mount_operations.ts";
import { MountNamespace } from "../../../../kernel/vfs/mounts.ts";
import { findAt } from "../../../../kernel/vfs/status.ts";
import { writeText } from "../../../../kernel/vfs/vfs_testing.ts";
import { JsonNode } from "../../../json_node.ts";
import { INPUT, OUTPUT, WINDOW_BYTES } from "../../../protocol/session/frame.ts";
import type { ErrorMessage } from "../../../protocol/session/messages.ts";
import type { Channel, ChannelPort } from "../channel.ts";
import { resolveUser } from "../user_names.ts";
import { type FileOp, type FileSession, openFileChannel } from "./open_file_channel.ts";

/** The lower tree of an overlay: files by path. */
type Tree = Readonly<Record<string, string>>;

export class FilesLab implements FileSession {
  readonly kernel: SandboxKernel;
  readonly container: Container;
  ownPaths: ReadonlySet<string> = new Set();
  /** Root of the container. */
  readonly root: ContainerCaller;
  readonly #lab: LabKernel = new LabKernel();

  /** @param lower the root is an overlay over a tmpfs with these files; absent: a tmpfs */
  constructor(lower?: Tree) {
    const { platform, memory: { arena } } = this.#lab;
    const host = new IoHost(), driver = new LoopDriver(host, platform);
    this.kernel = new SandboxKernel(host, driver, arena, { hostname: "lab" });
    this.container = newContainer(this.kernel, {
      accounts: this.kernel.accounts.open(),
      id: "lab",
      mounts: this.#mountsOf(lower === undefined ? this.tmpfs() : this.#overlay(lower)),
      hostname: "lab",
      shares: {},
    });
    this.root = new ContainerCaller(this.container, rootCredentials(), 0o022);
    mkdirAt(this.root, AT_FDCWD, "/proc", 0o755);
    const fs = this.kernel.fsTypes.find("proc")?.create(this.root, "proc", "");
    if (typeof fs !== "object") throw new Error("no /proc");
    this.mount(fs, "/proc", 0);
  }

  tmpfs(): TmpfsFs {
    const { memory: { frames }, vfs } = this.kernel;
    return new TmpfsFs(TEST_ACCOUNT, frames, vfs, { pages: 0, inodes: 0, mode: 0o755 });
  }

  #mountsOf(fs: FileSystem): MountNamespace {
    return MountNamespace.of(TEST_ACCOUNT, this.kernel.vfs, fs, 0, "rootfs");
  }

  #overlay(tree: Tree): FileSystem {
    const { memory: { frames }, vfs } = this.kernel, lower = this.tmpfs();
    const container = newContainer(this.kernel, {
      accounts: this.kernel.accounts.open(),
      id: "lower",
      mounts: this.#mountsOf(lower),
      hostname: "lower",
      shares: {},
    });
    const caller = new ContainerCaller(container, rootCredentials(), 0o022);
    for (const [path, text] of Object.entries(tree)) {
      if (path.endsWith("/")) mkdirAt(caller, AT_FDCWD, path, 0o755);
      else writeText(caller, path, text);
    }
    return memoryOverlay(TEST_ACCOUNT, lower.root, frames, vfs, "lowerdir=/");
  }

  /** Mounts a file system on a directory that is there. */
  mount(fs: FileSystem, path: string, flags: number): void {
    const at = findAt(this.root, AT_FDCWD, path, 0);
    if (typeof at === "number") throw new Error(`no ${path}`);
    if (addMount(this.root, fs, at, flags, "lab") !== 0) throw new Error(`${path}: no mount`);
  }

  /** Root by default. */
  userOf(node: JsonNode): { readonly cred: Credentials } {
    if (node.isAbsent) return { cred: rootCredentials() };
    const { uid, gid, groups } = resolveUser(this.kernel, this.container, node);
    return { cred: userCredentials(uid, gid, groups, NO_CAPS) };
  }

  /** Opens a request; none of its steps is done yet. */
  open(op: FileOp, members: object): TestPort {
    const port = new TestPort();
    const request = new JsonNode("request", "", { op, ...members });
    port.channel = openFileChannel(this, port, request, op);
    return port;
  }

  /** Does a request to its end. */
  do(op: FileOp, members: object): TestPort {
    const port = this.open(op, members);
    this.settle();
    return port;
  }

  /** `do` of `writeFile`, with its bytes. */
  write(members: object, bytes: Uint8Array<ArrayBuffer>): TestPort {
    const port = this.open("writeFile", members);
    port.send(bytes);
    port.channel?.onEnd(INPUT);
    this.settle();
    return port;
  }

  /** Runs all steps; returns how many slices they took. */
  settle(): number {
    const { deferred } = this.kernel.vfs;
    let slices = 0;
    for (; !deferred.isEmpty; slices++) deferred.step();
    return slices;
  }

  close(): void {
    this.root.files.drop();
    this.root.fs.drop();
    this.#lab.close();
  }
}

class TestPort implements ChannelPort {
  channel: Channel | null = null;
  readonly events: object[] = [];
  /** The result or the error; null: the channel is open. */
  answer: object | null = null;
  error: ErrorMessage | null = null;
  /** Bytes of `OUTPUT`. */
  readonly chunks: Uint8Array<ArrayBuffer>[] = [];
  hasEnded = false;
  isGone = false;
  granted = 0;
  eventBytes = 0;
  /** Bytes that the client still takes. */
  credit = Infinity;
  /** The room of one `produce`. */
  pieceBytes = 64 << 10;

  creditOf(): number {
    return this.credit;
  }

  flush(): void {}

  wantsToSend(stream: number): void {
    const buffer = allocBuffer(this.pieceBytes), address = addressOf(buffer);
    while (this.credit > 0 && this.channel !== null && stream === OUTPUT) {
      const max = Math.min(this.credit, buffer.length);
      const n = this.channel.produce(stream, address, max);
      if (n > max) throw new Error(`${n} bytes for ${max}`);
      if (n < 0) this.hasEnded = true;
      if (n <= 0) return;
      this.credit -= n;
      this.chunks.push(buffer.slice(0, n));
    }
  }

  get output(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.chunks.reduce((sum, chunk) => sum + chunk.length, 0));
    let at = 0;
    for (const chunk of this.chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }
  get text(): string {
    return new TextDecoder().decode(this.output);
  }

  /** Sends input in pieces, as far as the window goes; the bytes are gone afterwards. */
  send(bytes: Uint8Array<ArrayBuffer>): void {
    for (let at = 0; at < bytes.length; at += this.pieceBytes) {
      const piece = bytes.slice(at, at + this.pieceBytes);
      if (at + piece.length - this.granted > WINDOW_BYTES) throw new Error("no credit is left");
      this.channel?.onData(INPUT, piece);
      piece.fill(0xee);
    }
  }

  /** The client goes away. */
  leave(): void {
    const { channel } = this;
    this.channel = null;
    this.isGone = true;
    channel?.onGone();
  }

  grant(stream: number, bytes: number): void {
    if (stream === INPUT) this.granted += bytes;
  }
  event(message: object): void {
    this.#check();
    this.events.push(message);
  }
  result(message: object): void {
    this.#end();
    this.answer = message;
  }
  fail(error: ErrorMessage): void {
    this.#end();
    this.error = error;
  }

  /** How it ended: the result, or the code and errno of an error. */
  get outcome(): object | string | null {
    if (this.error !== null) return `${this.error.code} ${this.error.errno ?? "-"}`;
    return this.answer;
  }

  #end(): void {
    this.#check();
    this.channel = null;
  }
  #check(): void {
    if (this.outcome !== null) throw new Error("the channel has ended before");
  }
}
