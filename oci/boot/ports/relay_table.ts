/**
 * The connections of a published port. They are as many as the descriptors of the sandbox allow;
 * when all are in use and another client waits, the one without traffic for longest makes room. So
 * idle connections do not hold a port for ever.
 */

/** LIMIT: connections of a port at a time, and the share of all descriptors that ports have. */
const RELAYS_MAX = 1024, DESCRIPTOR_SHARE = 4;
const RELAY_DESCRIPTORS = 2;
/** A connection with traffic since then does not make room: clients that come at once wait. */
export const IDLE_NS = 1e9;

/** The connections that each of several ports may have. */
export function relaysOf(ports: number, fileLimit: number): number {
  const each = Math.floor(fileLimit / DESCRIPTOR_SHARE / RELAY_DESCRIPTORS / Math.max(1, ports));
  return Math.max(1, Math.min(RELAYS_MAX, each));
}

interface Used {
  /** CLOCK_MONOTONIC of the last traffic, in either direction. */
  readonly lastNs: number;
}

export class RelayTable<T extends Used> {
  readonly #max: number;
  readonly #all: Set<T> = new Set();

  constructor(max: number) {
    this.#max = max;
  }

  get isFull(): boolean {
    return this.#all.size >= this.#max;
  }

  add(relay: T): void {
    this.#all.add(relay);
  }

  remove(relay: T): void {
    this.#all.delete(relay);
  }

  /** The connection without traffic for longest; null: there is none. */
  get idlest(): T | null {
    let found: T | null = null;
    for (const relay of this.#all) if (found === null || relay.lastNs < found.lastNs) found = relay;
    return found;
  }
}
