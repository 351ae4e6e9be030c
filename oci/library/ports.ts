/** `box.ports`: TCP ports of a sandbox on the loopback interface of the host. */

import { createServer, type Server, type Socket } from "node:net";
import type { Connection } from "./connection.ts";
import { hostError, type SandboxError } from "./errors.ts";
import { errnoOf } from "./find.ts";
import * as is from "./option_checks.ts";

export interface ExposeOptions {
  /** Port of the host. Default: a free one. */
  readonly hostPort?: number;
  /** Waits at most so long until a program listens in the sandbox. Default: it does not wait. */
  readonly waitMs?: number;
}

const HOST = "127.0.0.1", PORT_MAX = 65535;
const GUEST_PORT: is.Checks = { guestPort: is.whole(1, "from 1 to 65535", PORT_MAX) };
const CHECKS: is.Checks = {
  hostPort: is.whole(0, "from 0 to 65535", PORT_MAX),
  waitMs: is.milliseconds,
};

/** The ports of a sandbox. It needs no network for them. */
export class SandboxPorts {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /**
   * Makes a port of the sandbox's loopback reachable on the host's, until `close` or the end of the
   * sandbox. The program may begin to listen later: until then, connections are closed at once.
   * With `waitMs` it listens already, and has got a connection that was closed at once.
   *
   * ```ts
   * import { Sandbox } from "../../mod.ts";
   *
   * await using box = await Sandbox.create();
   * await box.exec(["sh", "-c", "python3 -m http.server 8000 &"], { detached: true, cwd: "/usr" });
   * const { url } = await box.ports.expose(8000, { waitMs: 10_000 });
   * console.log((await fetch(url)).status); // 200
   * ```
   * @throws AlreadyExistsError if the port of the host is taken, TimeoutError if no program listens
   */
  async expose(guestPort: number, options: ExposeOptions = {}): Promise<ExposedPort> {
    is.checkOptions("expose", { guestPort }, GUEST_PORT);
    is.checkOptions("expose", options, CHECKS);
    const exposed = await ExposedPort.listen(this.#connection, guestPort, options.hostPort ?? 0);
    try {
      if (options.waitMs !== undefined) await this.#wait(guestPort, Math.ceil(options.waitMs));
      return exposed;
    } catch (error) {
      await exposed.close();
      throw error;
    }
  }

  async #wait(port: number, timeoutMs: number): Promise<void> {
    const doing = { verb: "expose port", subject: String(port) };
    await this.#connection.request({ op: "waitPort", port, timeoutMs }, { doing }).finish();
  }
}

/**
 * A port of a sandbox on the host. As a sandbox, it keeps a script alive only while it is in use,
 * that is while there are connections; `ref` keeps the script alive until `close`.
 */
export class ExposedPort implements AsyncDisposable {
  readonly host: string = HOST;
  readonly port: number;
  /** As "http://127.0.0.1:40123". */
  readonly url: string;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;

  private constructor(server: Server, port: number, sockets: Set<Socket>) {
    this.#server = server;
    this.port = port;
    this.url = `http://${HOST}:${port}`;
    this.#sockets = sockets;
  }

  /** @throws SandboxError if the port of the host is taken */
  static async listen(
    connection: Connection,
    guestPort: number,
    hostPort: number,
  ): Promise<ExposedPort> {
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      sockets.add(socket);
      socket.on("close", () => sockets.delete(socket));
      relay(connection, guestPort, socket).catch(() => socket.destroy());
    });
    await new Promise<void>((done, reject) => {
      // Later errors are of single connections (no descriptor is left), which are closed.
      server.on("error", (error) => reject(listenError(error, hostPort)));
      server.listen(hostPort, HOST, done);
    });
    const address = server.address();
    const port = typeof address === "object" && address !== null ? address.port : hostPort;
    const exposed = new ExposedPort(server, port, sockets);
    exposed.unref();
    connection.ended.then(() => exposed.close());
    return exposed;
  }

  /** The port keeps the script alive until `close`. */
  ref(): this {
    this.#server.ref();
    return this;
  }

  /** The port does not keep the script alive, as at first. */
  unref(): this {
    this.#server.unref();
    return this;
  }

  /** Closes the port and its connections. May be called again. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    if (!this.#server.listening) return;
    await new Promise<void>((done) => this.#server.close(() => done()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

function listenError(error: Error, port: number): SandboxError {
  const what = `cannot listen on ${HOST}:${port}`, errno = errnoOf(error);
  return hostError(what, errno === "" ? error.message : errno, { cause: error });
}

/** Copies both directions of a connection until each has ended. */
async function relay(connection: Connection, port: number, socket: Socket): Promise<void> {
  const doing = { verb: "connect to port", subject: String(port) };
  const channel = connection.request({ op: "connectPort", port }, { doing });
  socket.on("error", () => channel.cancel());
  socket.on("close", () => channel.cancel());
  // The end may be announced before the last bytes are written.
  let writing = Promise.resolve();
  socket.on("data", (bytes: Uint8Array) => {
    socket.pause();
    // A write fails when the guest has closed the connection, which the output's end says too.
    writing = writing.then(() => channel.write(bytes)).catch(() => {}).then(() => {
      socket.resume();
    });
  });
  socket.on("end", () => writing.then(() => channel.endInput()));
  for (let part = await channel.output.read(); part !== null; part = await channel.output.read()) {
    if (socket.destroyed) break;
    if (!socket.write(part)) await drained(socket);
  }
  socket.end();
  await channel.finish();
}

/** Waits until a socket takes more bytes, or is closed. */
export function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done);
      socket.off("close", done);
      resolve();
    };
    socket.on("drain", done);
    socket.on("close", done);
  });
}
