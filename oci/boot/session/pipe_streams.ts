/** The standard streams of a session's program as pipes (program_streams.ts). */

import { EAGAIN } from "../../../ffi/abi/errno.ts";
import { O_RDONLY, O_WRONLY } from "../../../ffi/abi/fcntl.ts";
import { S_IFIFO } from "../../../ffi/abi/stat.ts";
import { addressOf } from "../../../ffi/sys/cstring.ts";
import { type Credentials, rootCredentials } from "../../../kernel/cred/credentials.ts";
import { ContainerCaller } from "../../../kernel/init.ts";
import { Pipe, PipeFile } from "../../../kernel/ipc/pipe.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { KernelCursor } from "../../../kernel/mm/cursor.ts";
import type { Container } from "../../../kernel/task/container.ts";
import type { Task } from "../../../kernel/task/task.ts";
import type { OpenFile } from "../../../kernel/vfs/open_file.ts";
import { ERRORS, OUTPUT } from "../../protocol/session/frame.ts";
import { Backlog } from "../ports/backlog.ts";
import { type QueueListener, QueueWaiter } from "../ports/queue_waiter.ts";
import { openNull } from "../rootfs/devices.ts";
import type { ServerEnds } from "../snapshot/guest_records.ts";
import type { ProgramStreams, StreamsListener } from "./program_streams.ts";

/** LIMIT: output of a program that waits in its pipe. */
const OUTPUT_BYTES = 256 << 10;

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

  save(): ServerEnds {
    return { input: this.#input, outputs: this.#outputs.map(({ file }) => file), master: null };
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
export class OutputPipe implements QueueListener {
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
