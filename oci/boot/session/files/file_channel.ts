/**
 * The base of file requests: work in steps. The loop runs the first step in a later turn, so a
 * channel never ends before it is there, and each further step in a turn of its own, as deferred
 * work (kernel/core/deferred_work.ts). A step that ends the channel is the last one.
 */

import type { DeferredWork, WorkItem } from "../../../../kernel/core/deferred_work.ts";
import type { OpenFile } from "../../../../kernel/vfs/open_file.ts";
import { JsonNode } from "../../../json_node.ts";
import type { ErrorMessage } from "../../../protocol/session/messages.ts";
import { Channel, type ChannelPort, EVENT_BYTES } from "../channel.ts";
import { wireOf } from "../../../protocol/wire_text.ts";
import type { RequestCaller } from "./request_caller.ts";

/** What every file request has. */
export interface FileRequest {
  readonly port: ChannelPort;
  readonly deferred: DeferredWork;
  readonly caller: RequestCaller;
}

/** A path of a request, as text of messages and as a byte string. */
export interface GuestPath {
  readonly text: string;
  readonly bytes: string;
}

/** The text of the path of an entry below a directory. @param below a byte string; "": none */
export function entryPath(directory: GuestPath, below: string): string {
  return below === "" ? directory.text : `${directory.text.replace(/\/+$/, "")}/${wireOf(below)}`;
}

export abstract class FileChannel extends Channel implements WorkItem {
  protected readonly caller: RequestCaller;
  protected readonly deferred: DeferredWork;
  /** It is in the queue of deferred work. */
  #isQueued = false;
  #isPaused = false;
  #isOver = false;

  constructor({ port, deferred, caller }: FileRequest) {
    super(port);
    this.caller = caller;
    this.deferred = deferred;
    this.goOn();
  }

  /**
   * Does some of the work. Returns the units that are left; 0 or less when the next step should
   * follow without an event.
   */
  protected abstract work(units: number): number;
  /** The channel is over: closes what it has opened. */
  protected release(): void {}

  /** The next step follows in a later turn. */
  protected goOn(): void {
    if (this.#isQueued || this.#isOver) return;
    this.#isQueued = true;
    this.deferred.later(this);
  }

  /** A WorkItem: the loop calls it. */
  step(units: number): number {
    this.#isQueued = false;
    if (this.#isOver) return units;
    let left = 0, isDone = false;
    try {
      left = this.work(units);
      isDone = true;
    } finally {
      // A bug must not leave a client that waits.
      if (!isDone) this.fail({ code: "Failed", message: "the request met a bug of dvisor" });
    }
    if (left <= 0) this.#isQueued = true;
    return left;
  }

  /** Whether so many events wait that the channel pauses: it goes on when they are sent. */
  protected mustPause(): boolean {
    this.#isPaused = this.port.eventBytes > EVENT_BYTES;
    return this.#isPaused;
  }

  override onEventsSent(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    this.goOn();
  }

  protected get isOver(): boolean {
    return this.#isOver;
  }

  protected finish(result: object): void {
    if (this.#end()) this.port.result(result);
  }

  protected fail(error: ErrorMessage): void {
    if (this.#end()) this.port.fail(error);
  }

  /** @throws UserError for other messages than `{ "close": true }` */
  override onControl(message: unknown): void {
    const node = new JsonNode("control", "", message), close = node.member("close");
    if (!close.boolean()) close.expected("true");
    this.cancel();
  }

  protected cancel(): void {
    this.fail({ code: "Failed", message: "the client cancelled the request" });
  }

  override onGone(): void {
    this.#end();
  }

  /** False: the channel was over before. */
  #end(): boolean {
    if (this.#isOver) return false;
    this.#isOver = true;
    this.release();
    this.caller.close();
    return true;
  }
}

/** A step is over: what it leaves of its units, so that the work item waits for an event. */
export function unitsAfter(units: number, cost: number): number {
  return Math.max(1, units - cost);
}

/** Puts a file into the table of a request, for calls relative to it: its fd or -errno. */
export function install(caller: RequestCaller, file: OpenFile): number {
  const fd = caller.files.install(file, true, Infinity);
  if (fd < 0) file.drop();
  return fd;
}
