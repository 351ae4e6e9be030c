/**
 * A client of running sandboxes for the command line. It waits for each answer; libraries have
 * clients of their own (oci/library/).
 */

import { EINTR } from "../../../ffi/abi/errno.ts";
import { addressOf, allocBuffer } from "../../../ffi/sys/cstring.ts";
import { close, read } from "../../../ffi/sys/files.ts";
import { sendFds } from "../../../ffi/sys/fdpass.ts";
import { JsonNode } from "../../json_node.ts";
import {
  ERROR,
  EVENT,
  FrameDecoder,
  frameOf,
  type FrameSink,
  HELLO,
  messageBytes,
  OPEN,
  PROTOCOL_VERSION,
  ProtocolError,
  RESULT,
  SESSION,
} from "../../protocol/session/frame.ts";
import type { CheckpointOptions } from "../../protocol/control_protocol.ts";
import { UserError } from "../../user_error.ts";
import { waitReadable } from "../command_signals.ts";
import { connectTo, sandboxDirectory, socketPath, socketPaths } from "./socket_directory.ts";

/** LIMIT: how long a sandbox may take for an answer, ms. */
const ANSWER_MS = 2000;
const READ_BYTES = 65536;
/** The last time that a Date has, ms. */
const DATE_MAX = 8.64e15;

/** A sandbox that runs. */
export interface ListedSandbox {
  readonly id: string;
  readonly pid: number;
  readonly createdMs: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly path: string;
}

/** This user's sandboxes. Sockets of killed ones are removed. */
export function listSandboxes(): ListedSandbox[] {
  const found: ListedSandbox[] = [];
  const directory = sandboxDirectory(false);
  if (directory === null) return found;
  for (const path of socketPaths(directory)) {
    const client = AttachedClient.connect(path);
    if (client === null) continue;
    try {
      found.push(client.info());
    } catch (error) {
      // It has ended since.
      if (!(error instanceof UserError)) throw error;
    } finally {
      client.close();
    }
  }
  return found;
}

/** A client of this user's sandbox of that id, which it has greeted; null: there is none. */
export function attachTo(id: string): { client: AttachedClient; info: ListedSandbox } | null {
  const directory = sandboxDirectory(false);
  if (directory === null || id.includes("/")) return null;
  const client = AttachedClient.connect(socketPath(directory, id));
  if (client === null) return null;
  try {
    return { client, info: client.info() };
  } catch (error) {
    client.close();
    throw error;
  }
}

/** Ends a sandbox: false if this user has none of that id. @throws UserError */
export function endSandbox(id: string): boolean {
  const found = attachTo(id);
  found?.client.ask({ op: "kill" });
  found?.client.close();
  return found !== null;
}

export class AttachedClient implements FrameSink {
  readonly #fd: number;
  readonly #path: string;
  readonly #decoder: FrameDecoder = new FrameDecoder(this);
  readonly #buffer: Uint8Array<ArrayBuffer> = allocBuffer(READ_BYTES);
  #sequence = 0;
  #lastChannel = 0;
  #hasEnded = false;
  #message: { readonly type: number; readonly value: unknown } | null = null;
  #onEvent: (event: JsonNode) => void = () => {};

  private constructor(fd: number, path: string) {
    this.#fd = fd;
    this.#path = path;
  }

  /** null: no sandbox listens. */
  static connect(path: string): AttachedClient | null {
    const fd = connectTo(path);
    return fd === null ? null : new AttachedClient(fd, path);
  }

  info(): ListedSandbox {
    const node = this.#exchange(HELLO, SESSION, { protocol: PROTOCOL_VERSION });
    const labels = node.member("labels").members();
    return {
      id: node.member("id").string(),
      pid: node.member("pid").integer(0, Number.MAX_SAFE_INTEGER),
      createdMs: node.member("createdMs").integer(0, DATE_MAX),
      labels: Object.fromEntries(labels.map((label) => [label.name, label.string()])),
      path: this.#path,
    };
  }

  /** The RESULT of a request. @throws UserError */
  ask(request: object): JsonNode {
    return this.#exchange(OPEN, ++this.#lastChannel, request);
  }

  /**
   * Saves the sandbox in a file, which may take long.
   * @param snapshot the number of a snapshot in its memory, which is saved; null: its state
   * @param fds the file, and the reading end of a pipe
   * @throws UserError
   */
  checkpoint(
    snapshot: number | null,
    options: CheckpointOptions,
    fds: readonly number[],
  ): { readonly bytes: number } {
    const request = { op: "checkpoint", ...options, ...snapshot === null ? {} : { snapshot } };
    const node = this.#exchange(OPEN, ++this.#lastChannel, request, fds, Infinity);
    return { bytes: node.member("bytes").integer(0, Number.MAX_SAFE_INTEGER) };
  }

  /** From now on `onEvent` gets what happens in the sandbox, during `ask` and `waitMs`. */
  follow(onEvent: (event: JsonNode) => void): void {
    this.#onEvent = onEvent;
    this.#send(OPEN, ++this.#lastChannel, { op: "events" });
  }

  /** Waits for a time, ms: false if the sandbox has ended. */
  waitMs(ms: number): boolean {
    const untilMs = performance.now() + ms;
    for (let left = ms; left > 0 && !this.#hasEnded; left = untilMs - performance.now()) {
      if (waitReadable(this.#fd, left)) this.#read();
    }
    return !this.#hasEnded;
  }

  #exchange(
    type: number,
    channel: number,
    message: object,
    fds: readonly number[] = [],
    timeoutMs: number = ANSWER_MS,
  ): JsonNode {
    this.#message = null;
    this.#send(type, channel, message, fds);
    const answer = this.#receive(timeoutMs);
    const node = new JsonNode(`the answer of ${this.#path}`, "", answer.value);
    if (answer.type === ERROR) throw new UserError(node.member("message").string());
    if (answer.type !== HELLO && answer.type !== RESULT) node.fail("is out of turn");
    return node;
  }

  #send(type: number, channel: number, message: object, fds: readonly number[] = []): void {
    const frame = frameOf(channel, this.#sequence++, type, 0, messageBytes(message));
    const bytes = allocBuffer(frame.length);
    bytes.set(frame);
    const n = sendFds(this.#fd, bytes, fds);
    if (n !== bytes.length) throw this.#ended();
  }

  #ended(): UserError {
    return new UserError(`${this.#path}: the sandbox has ended`);
  }

  #receive(timeoutMs: number): { readonly type: number; readonly value: unknown } {
    while (this.#message === null) {
      if (!waitReadable(this.#fd, timeoutMs)) {
        throw new UserError(`${this.#path}: the sandbox does not answer`);
      }
      this.#read();
      if (this.#message === null && this.#hasEnded) throw this.#ended();
    }
    return this.#message;
  }

  #read(): void {
    const n = read(this.#fd, addressOf(this.#buffer), READ_BYTES);
    if (n === -EINTR) return;
    if (n <= 0) {
      this.#hasEnded = true;
      return;
    }
    try {
      this.#decoder.push(this.#buffer.subarray(0, n));
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      throw new UserError(`${this.#path}: ${error.message}`);
    }
  }

  onMessage(_channel: number, type: number, value: unknown): void {
    if (type === EVENT) this.#onEvent(new JsonNode(`an event of ${this.#path}`, "", value));
    else this.#message ??= { type, value };
  }
  onData(): void {}
  onEnd(): void {}
  onCredit(): void {}

  close(): void {
    close(this.#fd);
  }
}
