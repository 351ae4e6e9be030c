/**
 * The standard streams of a session's program: pipes of the kernel (pipe_streams.ts), or a terminal
 * of its own (terminal_streams.ts). The server holds the other ends. Bytes of the client that the
 * program does not take yet wait here, bounded by the window of the protocol; output waits in the
 * pipe or terminal.
 */

import type { Task } from "../../../kernel/task/task.ts";
import type { ServerEnds } from "../snapshot/guest_records.ts";
import type { OpenFile } from "../../../kernel/vfs/open_file.ts";

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
  /** What a snapshot keeps of them. Bytes that wait here are not kept. */
  save(): ServerEnds;
  close(): void;
}
