/**
 * A process of a world, as scenes use it: calls by their names, with texts and bytes as arguments.
 * A scene builds an odd state in one world; what it looks at afterwards it looks at in the copy of
 * the world, too, with the same process there (`in`).
 */

import { NAMES } from "../../../ffi/abi/syscall_numbers.ts";
import { onException } from "../../../kernel/task/exception.ts";
import { getReg, setReg } from "../../../kernel/task/registers.ts";
import type { Task } from "../../../kernel/task/task.ts";
import type { ThreadGroup } from "../../../kernel/task/thread_group.ts";
import { FakeContext } from "../../../kernel/testing/task_lab.ts";
import { RAX, RSP, TRAP_FAULT } from "../../../platform/platform.ts";
import type { World } from "../../fuzz/kernel/world.ts";
import { DATA, DATA_BYTES } from "../guest.ts";

type Argument = number | string | Uint8Array<ArrayBuffer>;

const NUMBERS: ReadonlyMap<string, number> = new Map(NAMES.map((name, nr) => [name, nr]));
const SIGCHLD = 17;
/** VM, FS, FILES, SIGHAND, THREAD, SYSVSEM */
const THREAD = 0x50f00;
const ALIGN = 64;

/** Little-endian integers of `size` bytes. */
export function ints(size: 1 | 2 | 4 | 8, ...values: readonly number[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(size * values.length);
  for (const [i, value] of values.entries()) {
    let left = BigInt.asUintN(64, BigInt(value));
    for (let at = 0; at < size; at++, left >>= 8n) bytes[i * size + at] = Number(left & 0xffn);
  }
  return bytes;
}

export function join(...parts: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export class ActingGuest {
  readonly world: World;
  /** Its number in its own PID namespace. */
  readonly tid: number;
  /** Its number in the kernel. */
  private readonly number: number;
  private next: number;

  /** @param next where its next arguments are put in memory */
  constructor(world: World, number: number, next: number = DATA, tid: number | null = null) {
    this.world = world;
    this.number = number;
    this.next = next;
    this.tid = tid ?? this.task.tid;
  }

  /** The same process in a copy of the world. */
  in(world: World): ActingGuest {
    return new ActingGuest(world, this.number, this.next, this.tid);
  }

  /** Another task of its PID namespace. */
  other(tid: number): ActingGuest {
    const number = this.task.pids.tasks.get(tid)?.id.numbers[0] ?? 0;
    return new ActingGuest(this.world, number, this.next + DATA_BYTES / 4);
  }

  private get found(): Task | null {
    return this.world.kernel.pids.tasks.get(this.number) ?? null;
  }

  private get task(): Task {
    const { found } = this;
    if (found === null) throw new Error(`no task ${this.number}`);
    return found;
  }

  get process(): ThreadGroup {
    return this.task.group;
  }

  private get ctx(): FakeContext {
    const { ctx } = this.task;
    if (!(ctx instanceof FakeContext)) throw new Error("not a fake context");
    return ctx;
  }

  /** What its last call has returned, or a handler's first argument; null: it waits, or is gone. */
  get result(): number | null {
    if (this.found === null || !this.ctx.isRunning) return null;
    return Number(BigInt.asIntN(64, BigInt(getReg(this.ctx.regs, RAX))));
  }

  get state(): string {
    return this.found === null ? "gone" : `${this.found.state}`;
  }

  /** All registers of the guest as text. */
  registers(): string {
    return this.ctx.regBytes.join();
  }

  /** A place for so many bytes, which are zeros. */
  room(bytes: number): number {
    return this.put(new Uint8Array(bytes));
  }

  put(value: string | Uint8Array<ArrayBuffer>): number {
    const bytes = typeof value === "string" ? new TextEncoder().encode(`${value}\0`) : value;
    if (this.next + bytes.length > DATA + DATA_BYTES) this.next = DATA;
    const at = this.next;
    this.next += bytes.length + ALIGN - 1 & -ALIGN;
    this.store(at, bytes);
    return at;
  }

  store(addr: number, bytes: Uint8Array<ArrayBuffer>): void {
    if (this.task.mm.copyOut(addr, bytes, 0, bytes.length) !== 0) throw new Error("not stored");
  }

  /** Bytes in memory as text, two digits each. */
  bytes(addr: number, count: number): string {
    return this.view(addr, count).reduce((text, b) => text + b.toString(16).padStart(2, "0"), "");
  }

  /** The integer of four bytes at an address. */
  word(addr: number): number {
    const view = this.view(addr, 4);
    return new DataView(view.buffer).getInt32(0, true);
  }

  private view(addr: number, count: number): Uint8Array<ArrayBuffer> {
    const bytes = new Uint8Array(count);
    if (this.task.mm.copyIn(bytes, 0, addr, count) !== 0) throw new Error("no memory there");
    return bytes;
  }

  /** Null: there is no result yet. */
  call(name: string, ...args: readonly Argument[]): number | null {
    const nr = NUMBERS.get(name);
    if (nr === undefined) throw new Error(`no call ${name}`);
    const values = args.map((arg) => typeof arg === "number" ? arg : this.put(arg));
    return this.world.call(this.task, nr, values);
  }

  /** A call that succeeds. */
  must(name: string, ...args: readonly Argument[]): number {
    const result = this.call(name, ...args);
    if (result === null || result < 0) throw new Error(`${name}: ${result}`);
    return result;
  }

  /** A call that waits. */
  waits(name: string, ...args: readonly Argument[]): void {
    const result = this.call(name, ...args);
    if (result !== null) throw new Error(`${name} does not wait: ${result}`);
  }

  /** The descriptors of a call that returns two: pipe2, socketpair. */
  pair(name: string, ...args: readonly Argument[]): [number, number] {
    const at = this.room(8);
    this.must(name, ...args, ...(name === "pipe2" ? [at, 0] : [at]));
    return [this.word(at), this.word(at + 4)];
  }

  /** What a read of a descriptor gives: the result and the bytes. */
  read(fd: number, count: number): string {
    const at = this.room(count), result = this.call("read", fd, at, count);
    return `${result}: ${result === null || result <= 0 ? "" : this.bytes(at, result)}`;
  }

  /** Opens, writes and closes a file. */
  writeFile(path: string, text: string): void {
    const fd = this.must("openat", -100, path, 0x41, 0o644);
    this.must("write", fd, text, text.length);
    this.must("close", fd);
  }

  /** The text of a file, as far as it fits into a page. It does not stay in memory. */
  readFile(path: string): string {
    const fd = this.call("openat", -100, path, 0, 0);
    if (fd === null || fd < 0) return `${fd}`;
    const at = this.room(4096), result = this.call("read", fd, at, 4096);
    this.call("close", fd);
    if (result === null || result < 0) return `${result}`;
    const bytes = this.view(at, result);
    this.store(at, new Uint8Array(result));
    return new TextDecoder().decode(bytes);
  }

  fork(flags: number = SIGCHLD): ActingGuest {
    return this.other(this.must("clone", flags, 0, 0, 0, 0));
  }

  thread(): ActingGuest {
    return this.fork(THREAD);
  }

  /** A handler returns, by way of its restorer. */
  returnFromHandler(): void {
    const { regs } = this.ctx;
    setReg(regs, RSP, getReg(regs, RSP) + 8);
    this.call("rt_sigreturn");
  }

  /** Guest code touches memory that is not mapped in the host; `access` as Context.faultAccess. */
  touch(addr: number, access: number): void {
    const { ctx, task } = this;
    ctx.isRunning = false;
    ctx.trap = TRAP_FAULT;
    ctx.faultAddr = addr;
    ctx.faultAccess = access;
    onException(task);
    this.world.settle();
  }
}
