/** The events of a `watch` request that wait for its connection. */

import { PATH_MAX } from "../../../../ffi/abi/fs.ts";
import type { WatchEvent } from "../../../protocol/session/messages.ts";

/** LIMIT: estimated bytes of events that wait; further ones are lost, as one event says. */
const BYTES_MAX = 1 << 20;
const EVENT_BYTES = 64;

export class WatchEvents {
  /** The path of `overflow`: that of the request. */
  readonly #path: string;
  #events: WatchEvent[] = [];
  /** The number of them that were sent. */
  #sent = 0;
  #bytes = 0;
  /** The arguments of the last one. */
  #directory: object | null = null;
  #name = "";

  constructor(path: string) {
    this.#path = path;
  }

  get isEmpty(): boolean {
    return this.#sent >= this.#events.length;
  }

  /**
   * Adds an event of the entry `name` of a directory. Changes of a file that follow each other are
   * one event.
   *
   * @param path makes the path of the entry
   */
  add(kind: WatchEvent["kind"], directory: object, name: string, path: () => string): void {
    const last = this.isEmpty ? undefined : this.#events.at(-1);
    const isChange = kind === "modify" || kind === "attributes";
    const isSame = this.#directory === directory && this.#name === name;
    if (isChange && isSame && last?.kind === kind) return;
    if (this.#bytes > BYTES_MAX) return;
    this.#directory = directory;
    this.#name = name;
    this.#push({ kind, path: path() });
  }

  #push(event: WatchEvent): void {
    const { path } = event;
    this.#bytes += EVENT_BYTES + Math.min(path.length, PATH_MAX);
    const isLost = this.#bytes > BYTES_MAX || path.length > PATH_MAX;
    this.#events.push(isLost ? { kind: "overflow", path: this.#path } : event);
  }

  /** The next event to send; null: there is none. */
  next(): WatchEvent | null {
    const event = this.#events[this.#sent] ?? null;
    if (event === null) return null;
    this.#sent++;
    if (!this.isEmpty) return event;
    this.#events = [];
    this.#sent = this.#bytes = 0;
    return event;
  }
}
