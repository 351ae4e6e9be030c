/**
 * The streams of a program that goes on from a snapshot: its client is not there any more. Input is
 * at its end, and output is dropped, so that the program sees no hang-up.
 */

import { Console } from "../../../kernel/console.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import type { OpenFile } from "../../../kernel/vfs/open_file.ts";
import { OUTPUT } from "../../protocol/session/frame.ts";
import { type QueueListener, QueueWaiter } from "../ports/queue_waiter.ts";
import type { ServerEnds } from "../snapshot/guest_records.ts";
import { OutputPipe } from "./pipe_streams.ts";
import type { ProgramStreams, StreamsListener } from "./program_streams.ts";

/** LIMIT: bytes that are taken from a terminal at a time. */
const TERMINAL_BYTES = 4096;

export class RestoredStreams implements ProgramStreams, QueueListener {
  readonly files: readonly OpenFile[] = [];
  readonly #outputs: readonly OutputPipe[];
  readonly #waiter: QueueWaiter = new QueueWaiter(this);
  readonly #buffer: Uint8Array<ArrayBuffer> = new Uint8Array(TERMINAL_BYTES);
  #console: Console | null;

  constructor(
    kernel: SandboxKernel,
    { input, outputs, master }: ServerEnds,
    listener: StreamsListener,
  ) {
    input?.drop();
    const open = outputs.filter((file) => file !== null);
    this.#outputs = open.map((file, i) => new OutputPipe(file, OUTPUT + i, listener));
    this.#console = master === null ? null : Console.over(kernel.terminals, master);
    master?.waitQueue.add(this.#waiter, 0);
  }

  begin(): void {}
  write(): void {}
  endInput(): void {}
  finish(): void {}
  resize(): void {}
  read(): number {
    return -1;
  }
  waitingBytes(): number {
    return 0;
  }

  /** The terminal has output. */
  onChange(): void {
    while (this.#console !== null && this.#console.master.fetch(this.#buffer) > 0);
  }

  discard(): void {
    for (const output of this.#outputs) output.discard();
    this.onChange();
  }

  save(): ServerEnds {
    const outputs = this.#outputs.map(({ file }) => file);
    return { input: null, outputs, master: this.#console?.master ?? null };
  }

  closeOutput(): void {}

  close(): void {
    for (const output of this.#outputs) output.close();
    this.#waiter.unlink();
    this.#console?.hangUp();
    this.#console = null;
  }
}
