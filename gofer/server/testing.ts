/**
 * For tests: a server in a worker of this process, so that a client that blocks in its calls can be
 * tested.
 */

import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM } from "../../ffi/abi/socket.ts";
import { socketpair } from "../../ffi/sys/files.ts";
import type { ClientOptions } from "../client/client_options.ts";
import { GoferClient } from "../client/gofer_client.ts";

interface WorkerRoot {
  readonly path: string;
  readonly isReadOnly: boolean;
  readonly isPublic?: boolean;
  readonly shown?: readonly string[];
  readonly hidden?: readonly string[];
}

/** The order to the worker. */
export interface WorkerOrder {
  readonly fd: number;
  readonly roots: readonly WorkerRoot[];
  readonly donateDirectories?: boolean;
  readonly devices?: boolean;
  readonly squash?: boolean;
  readonly msizeMax?: number;
  readonly fidsMax?: number;
  readonly spins?: number;
}

/** A connected pair of stream sockets. */
export function socketPair(): [number, number] {
  const pair = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (typeof pair === "number") throw new Error(`socketpair: errno ${-pair}`);
  return pair;
}

/** A running server and what to do with it. */
class TestServer {
  readonly #worker: Worker;
  readonly #done: Promise<string>;

  constructor(order: WorkerOrder) {
    this.#worker = new Worker(new URL("./worker_testing.ts", import.meta.url), { type: "module" });
    this.#done = new Promise((resolve, reject) => {
      this.#worker.onmessage = (e: MessageEvent<string>) => resolve(e.data);
      this.#worker.onerror = (e) => reject(e.error ?? new Error(e.message));
    });
    this.#worker.postMessage(order);
  }

  /** Waits until the server has ended by itself, after EOF; returns its report. */
  async end(): Promise<string> {
    const report = await this.#done;
    this.#worker.terminate();
    return report;
  }
}

/**
 * Runs `body` with a client of a server of `order`'s roots, already attached to root "0" as fid 0.
 */
export async function withServer(
  order: Omit<WorkerOrder, "fd">,
  options: ClientOptions,
  body: (client: GoferClient) => void | Promise<void>,
): Promise<string> {
  const [ours, theirs] = socketPair();
  const server = new TestServer({ ...order, fd: theirs });
  const client = new GoferClient(ours, options);
  try {
    const r = client.start();
    if (r < 0) throw new Error(`start: ${r}`);
    const a = client.attach(0, "0");
    if (a < 0) throw new Error(`attach: ${a}`);
    await body(client);
  } finally {
    client.close();
  }
  return await server.end();
}
