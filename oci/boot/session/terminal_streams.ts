/** The standard streams of a session's program as a terminal (program_streams.ts). */

import { copyFromBuffer } from "../../../ffi/mem/native_memory.ts";
import { errnoName } from "../../../ffi/sys/errors.ts";
import { Console } from "../../../kernel/console.ts";
import type { Credentials } from "../../../kernel/cred/credentials.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import type { Container } from "../../../kernel/task/container.ts";
import type { Task } from "../../../kernel/task/task.ts";
import type { OpenFile } from "../../../kernel/vfs/open_file.ts";
import { codeOfErrno, RequestError } from "../../protocol/request_error.ts";
import { ERRORS, OUTPUT } from "../../protocol/session/frame.ts";
import { Backlog } from "../ports/backlog.ts";
import { type QueueListener, QueueWaiter } from "../ports/queue_waiter.ts";
import type { ServerEnds } from "../snapshot/guest_records.ts";
import type { ProgramStreams, StreamsListener } from "./program_streams.ts";

/** Ctrl-D. */
const EOT = 4;
/** LIMIT: bytes that are taken from a terminal at a time. */
const TERMINAL_BYTES = 4096;
/** LIMIT: output of a terminal that waits. */
const TERMINAL_QUEUE_BYTES = 64 << 10;

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
      const message = `no terminal for the program: ${errnoName(opened)}`;
      throw new RequestError(codeOfErrno(opened), message, errnoName(opened));
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

  save(): ServerEnds {
    return { input: null, outputs: [], master: this.#isClosed ? null : this.#console.master };
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
