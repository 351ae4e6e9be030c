/**
 * The standard streams of a session's program: pipes of the kernel, or a terminal of its own. The
 * server holds the other ends. Bytes of the client that the program does not take yet wait here,
 * bounded by the window of the protocol; output waits in the pipe or terminal.
 *
 * Neighbour: exec_channel.ts.
 */

import { EAGAIN } from "../../../ffi/abi/errno.ts";
import { O_RDONLY, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import { S_IFIFO } from "../../../ffi/abi/stat.ts";
import { addressOf } from "../../../ffi/sys/cstring.ts";
import { copyFromBuffer } from "../../../ffi/mem/native_memory.ts";
import { Console } from "../../../kernel/console.ts";
import { type Credentials, rootCredentials } from "../../../kernel/cred/credentials.ts";
import { ContainerCaller } from "../../../kernel/init.ts";
import { Pipe, PipeFile } from "../../../kernel/ipc/pipe.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { KernelCursor } from "../../../kernel/mm/cursor.ts";
import type { Container } from "../../../kernel/task/container.ts";
import type { Task } from "../../../kernel/task/task.ts";
import type { OpenFile } from "../../../kernel/vfs/open_file.ts";
import { errnoName } from "../../../ffi/sys/errors.ts";
import { ERRORS, OUTPUT } from "../../protocol/session/frame.ts";
import { UserError } from "../../user_error.ts";
import { openNull } from "../rootfs/devices.ts";
import { Backlog } from "../ports/backlog.ts";
import { type QueueListener, QueueWaiter } from "../ports/queue_waiter.ts";

/** Ctrl-D. */
const EOT = 4;
/** LIMIT: bytes that are taken from a terminal at a time. */
const TERMINAL_BYTES = 4096;

/** LIMIT: output of a program that waits in its pipe. */
const OUTPUT_BYTES = 256 << 10;
/** LIMIT: output of a terminal that waits. */
const TERMINAL_QUEUE_BYTES = 64 << 10;

export interface StreamsListener {
  /** Output may have arrived. */
  onOutput(stream: number): void;
  /** The program has taken so many bytes of the input. */
  onTaken(bytes: number): void;
}

export interface ProgramStreams {
  /** Descriptors 0, 1 and 2; the references are the caller's. */
  readonly files: readonly OpenFile[];
  /** The program has started. */
  begin(task: Task): void;
  /** Bytes of the client, valid during the call. */
  write(bytes: Uint8Array<ArrayBuffer>): void;
  /** No more input will come. */
  endInput(): void;
  /** Copies output to `address`: bytes, 0 for none now, -1 at the end. */
  read(stream: number, address: number, max: number): number;
  /** No output is waited for from now on: what is not there is not read. */
  finish(): void;
  /** Bytes of output that can be read now, or more than that. */
  waitingBytes(stream: number): number;
  /** Drops further output of processes that still have the stream: they do not see a hang-up. */
  discard(): void;
  /** The program sees that its output has no reader. */
  closeOutput(stream: number): void;
  resize(rows: number, columns: number): void;
  close(): void;
}

/** Pipes; without input, stdin is the null device. */
export class PipeStreams implements ProgramStreams, QueueListener {
  readonly files: readonly OpenFile[];
  readonly #listener: StreamsListener;
  readonly #cursor: KernelCursor = new KernelCursor();
  /** The server's end of stdin; null: none, or closed. */
  #input: PipeFile | null = null;
  readonly #room: QueueWaiter | null;
  readonly #backlog: Backlog = new Backlog();
  #isInputEnding = false;
  readonly #outputs: readonly OutputPipe[];

  /** @param owner the user that owns the pipes, for /proc/PID/fd */
  constructor(
    kernel: SandboxKernel,
    container: Container,
    owner: Credentials,
    hasInput: boolean,
    listener: StreamsListener,
  ) {
    this.#listener = listener;
    const account = container.accounts.all;
    const newPipe = () => {
      const inode = kernel.anon.pipes.makeInode(S_IFIFO | 0o600);
      inode.uid = owner.fsuid;
      inode.gid = owner.fsgid;
      const pipe = new Pipe(kernel.memory.frames, inode);
      inode.special = pipe;
      return pipe;
    };
    let stdin: OpenFile;
    if (hasInput) {
      const pipe = newPipe();
      stdin = new PipeFile(account, pipe, O_RDONLY);
      this.#input = new PipeFile(account, pipe, O_WRONLY);
      this.#room = new QueueWaiter(this);
      pipe.waitQueue.add(this.#room, 0);
    } else {
      stdin = nullDevice(container) ?? new PipeFile(account, newPipe(), O_RDONLY);
      this.#room = null;
    }
    const outputs: OutputPipe[] = [], files = [stdin];
    for (const stream of [OUTPUT, ERRORS]) {
      const pipe = newPipe();
      pipe.resize(OUTPUT_BYTES);
      outputs.push(new OutputPipe(new PipeFile(account, pipe, O_RDONLY), stream, listener));
      files.push(new PipeFile(account, pipe, O_WRONLY));
    }
    this.#outputs = outputs;
    this.files = files;
  }

  begin(_task: Task): void {}
  resize(_rows: number, _columns: number): void {}

  write(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#input === null) return this.#listener.onTaken(bytes.length);
    this.#backlog.add(bytes);
    this.#push();
  }

  endInput(): void {
    this.#isInputEnding = true;
    this.#push();
  }

  /** Stdin has room. */
  onChange(): void {
    this.#push();
  }

  /** Moves what the pipe takes. */
  #push(): void {
    const input = this.#input;
    if (input === null) return;
    let isBroken = false;
    let taken = this.#backlog.drain((bytes) => {
      let done = 0;
      while (done < bytes.length) {
        const rest = bytes.length - done;
        // Up to PIPE_BUF a pipe takes all or nothing.
        const n = input.pipe.write(this.#cursor.set(addressOf(bytes) + done, rest), false);
        if (n <= 0) {
          isBroken = n !== -EAGAIN;
          break;
        }
        done += n;
      }
      return done;
    });
    if (isBroken) taken += this.#backlog.clear();
    if (taken > 0) this.#listener.onTaken(taken);
    if (isBroken || this.#isInputEnding && this.#backlog.isEmpty) this.#closeInput();
  }

  #closeInput(): void {
    this.#room?.unlink();
    this.#input?.drop();
    this.#input = null;
  }

  read(stream: number, address: number, max: number): number {
    return this.#outputs[stream - OUTPUT]?.read(this.#cursor.set(address, max)) ?? -1;
  }

  finish(): void {
    this.#closeInput();
    for (const output of this.#outputs) output.finish();
  }

  waitingBytes(stream: number): number {
    return this.#outputs[stream - OUTPUT]?.file?.pipe.ring.length ?? 0;
  }

  discard(): void {
    this.#closeInput();
    for (const output of this.#outputs) output.discard();
  }

  closeOutput(stream: number): void {
    this.#outputs[stream - OUTPUT]?.close();
  }

  close(): void {
    this.#closeInput();
    for (const output of this.#outputs) output.close();
  }
}

/** The server's end of an output. */
class OutputPipe implements QueueListener {
  file: PipeFile | null;
  readonly #waiter: QueueWaiter;
  readonly #stream: number;
  readonly #listener: StreamsListener;
  #isDiscarding = false;
  /** Bytes that were there when the program ended; Infinity: it goes on. */
  #leftBytes = Infinity;

  constructor(file: PipeFile, stream: number, listener: StreamsListener) {
    this.file = file;
    this.#stream = stream;
    this.#listener = listener;
    this.#waiter = new QueueWaiter(this);
    file.pipe.waitQueue.add(this.#waiter, 0);
  }

  onChange(): void {
    if (this.#isDiscarding) this.#drop();
    else this.#listener.onOutput(this.#stream);
  }

  /** Bytes, 0 for none now, -1 at the end. */
  read(cursor: KernelCursor): number {
    if (this.file === null) return -1;
    cursor.limit(this.#leftBytes);
    if (cursor.remaining === 0) return -1;
    const n = this.file.pipe.read(cursor);
    if (n > 0) this.#leftBytes -= n;
    return n > 0 ? n : n === -EAGAIN && this.#leftBytes === Infinity ? 0 : -1;
  }

  /** Processes that still have the pipe may write for ever: what is there now is the rest. */
  finish(): void {
    this.#leftBytes = this.file?.pipe.ring.length ?? 0;
    this.#listener.onOutput(this.#stream);
  }

  discard(): void {
    this.#isDiscarding = true;
    this.#drop();
  }

  #drop(): void {
    const pipe = this.file?.pipe;
    if (pipe === undefined) return;
    if (pipe.ring.length > 0) pipe.consume(pipe.ring.length);
    if (pipe.writers === 0) this.close();
  }

  close(): void {
    const { file } = this;
    this.file = null;
    this.#waiter.unlink();
    file?.drop();
  }
}

/** The sandbox's own null device; null: there is none. */
function nullDevice(container: Container): OpenFile | null {
  const caller = new ContainerCaller(container, rootCredentials(), 0);
  const file = openNull(caller, O_RDONLY);
  caller.close();
  return file;
}

/** A terminal: all output comes on OUTPUT. */
export class TerminalStreams implements ProgramStreams, QueueListener {
  readonly files: readonly OpenFile[];
  readonly #listener: StreamsListener;
  readonly #console: Console;
  readonly #waiter: QueueWaiter;
  readonly #backlog: Backlog = new Backlog();
  readonly #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(TERMINAL_BYTES);
  #isFinished = false;
  #isClosed = false;
  #isDiscarding = false;

  /** @throws UserError if there is no terminal for it */
  constructor(
    kernel: SandboxKernel,
    container: Container,
    owner: Credentials,
    size: { readonly rows: number; readonly columns: number },
    listener: StreamsListener,
  ) {
    const { accounts, mounts } = container;
    const opened = Console.open(accounts.all, kernel.terminals, mounts, owner, false);
    if (typeof opened === "number") {
      throw new UserError(`no terminal for the program: ${errnoName(opened)}`);
    }
    this.#listener = listener;
    this.#console = opened.console;
    this.files = opened.files;
    this.#console.master.resize(size.rows, size.columns);
    this.#waiter = new QueueWaiter(this);
    this.#console.master.waitQueue.add(this.#waiter, 0);
  }

  begin(task: Task): void {
    this.#console.control(task);
  }

  onChange(): void {
    this.#push();
    if (this.#isDiscarding) this.#drop();
    else this.#listener.onOutput(OUTPUT);
  }

  write(bytes: Uint8Array<ArrayBuffer>): void {
    this.#backlog.add(bytes);
    this.#push();
  }

  /** As a user ends input: with Ctrl-D, which has that meaning in canonical mode. */
  endInput(): void {
    this.write(new Uint8Array([EOT]));
  }

  #push(): void {
    if (this.#isClosed) return;
    const { master } = this.#console;
    const taken = this.#backlog.drain((bytes) => master.type(bytes, bytes.length));
    if (taken > 0) this.#listener.onTaken(taken);
  }

  read(stream: number, address: number, max: number): number {
    if (stream !== OUTPUT || this.#isClosed) return -1;
    const buffer = this.#buffer.subarray(0, Math.min(max, TERMINAL_BYTES));
    const n = this.#console.master.fetch(buffer);
    if (n > 0) return copyFromBuffer(address, buffer, 0, n);
    return this.#isFinished ? -1 : 0;
  }

  finish(): void {
    this.#isFinished = true;
    this.#listener.onOutput(OUTPUT);
    this.#listener.onOutput(ERRORS);
  }

  waitingBytes(stream: number): number {
    return stream === OUTPUT ? TERMINAL_QUEUE_BYTES : 0;
  }

  discard(): void {
    this.#isDiscarding = true;
    this.#drop();
  }

  #drop(): void {
    while (!this.#isClosed && this.#console.master.fetch(this.#buffer) > 0);
  }

  closeOutput(_stream: number): void {}

  resize(rows: number, columns: number): void {
    if (!this.#isClosed) this.#console.master.resize(rows, columns);
  }

  /** The processes that still have the terminal get SIGHUP. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#waiter.unlink();
    this.#console.hangUp();
  }
}
