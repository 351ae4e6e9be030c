/** The events of a request (`watch`, `events`), as an async iterable. */

import type { Request } from "../protocol/session/messages.ts";
import type { Channel } from "./channel.ts";
import type { Connection } from "./connection.ts";
import type { Doing } from "./errors.ts";

/** LIMIT: events that wait for the script; more are counted and dropped. */
const WAITING_MAX = 10_000;

/**
 * Events from the moment of the call on. Leaving the loop ends them, as `close` does.
 *
 * ```ts
 * import { Sandbox } from "../../mod.ts";
 *
 * await using box = await Sandbox.create();
 * const changes = box.fs.watch("/tmp", { recursive: true });
 * await changes.ready; // the directories in it are watched too
 * await box.fs.writeFile("/tmp/example-new", "text");
 * for await (const { kind, path } of changes) {
 *   console.log(kind, path); // "create" "/tmp/example-new"
 *   break;
 * }
 * ```
 */
export class EventStream<T> implements AsyncIterableIterator<T>, AsyncDisposable {
  /**
   * Resolves when nothing that happens from now on is missed, and rejects with the reason why there
   * are no events. Events may come before: those of directories that are found already.
   */
  readonly ready: Promise<void>;
  readonly #channel: Channel;
  readonly #lost: (count: number) => T;
  #waiting: T[] = [];
  #lostCount = 0;
  #isClosed = false;
  #wake: (() => void) | null = null;

  /** @param lost the event that stands for events that were dropped */
  constructor(
    connection: Connection,
    request: Request,
    doing: Doing,
    lost: (count: number) => T,
    signal?: AbortSignal,
  ) {
    this.#lost = lost;
    let onReady: () => void = () => {};
    const announced = new Promise<void>((resolve) => onReady = resolve);
    const onEvent = (event: unknown): void => {
      if (isReady(event)) onReady();
      else this.#push(event as T);
    };
    this.#channel = connection.request(request, { doing, onEvent });
    this.ready = Promise.race([announced, this.#channel.finish().then(() => {})]);
    // A script need not wait for it.
    this.ready.catch(() => {});
    const close = (): void => this.close();
    if (signal?.aborted === true) close();
    signal?.addEventListener("abort", close);
    this.#channel.outcome.then(() => {
      signal?.removeEventListener("abort", close);
      this.#wakeReader();
    });
  }

  #push(event: T): void {
    if (this.#isClosed) return;
    if (this.#waiting.length >= WAITING_MAX) this.#lostCount++;
    else this.#waiting.push(event);
    this.#wakeReader();
  }

  #wakeReader(): void {
    const wake = this.#wake;
    this.#wake = null;
    wake?.();
  }

  /** Ends the events. */
  close(): void {
    this.#isClosed = true;
    this.#waiting = [];
    this.#channel.cancel();
    this.#wakeReader();
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    for (;;) {
      const event = this.#waiting.shift();
      if (event !== undefined) return { done: false, value: event };
      if (this.#lostCount > 0) {
        const value = this.#lost(this.#lostCount);
        this.#lostCount = 0;
        return { done: false, value };
      }
      if (this.#isClosed) return { done: true, value: undefined };
      if (!this.#channel.isOpen) {
        await this.#channel.finish();
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  async return(): Promise<IteratorResult<T, undefined>> {
    this.close();
    await this.#channel.outcome;
    return { done: true, value: undefined };
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }
}

function isReady(event: unknown): boolean {
  return typeof event === "object" && event !== null && "ready" in event;
}
