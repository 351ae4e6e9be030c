/** Ways to a sandbox: the pipes of `dvisor sandbox`, which makes one, and the socket of one. */

import { Buffer } from "node:buffer";
import { type ChildProcess, spawn } from "node:child_process";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import type { Transport } from "./connection.ts";
import { hostError, SandboxError } from "./errors.ts";
import { errnoOf } from "./find.ts";

/** What is kept of the messages of `dvisor sandbox`: the end. */
const MESSAGES_BYTES = 16 << 10;
/** How long messages of a process that has failed are waited for. */
const MESSAGES_MS = 100;

/** Says whether a stream or process keeps the script alive, in runtimes where it can be said. */
function setHeld(thing: object, isHeld: boolean): void {
  const name = isHeld ? "ref" : "unref";
  const method: unknown = Reflect.get(thing, name);
  if (typeof method === "function") Reflect.apply(method, thing, []);
}

/** A child process that is the owner's end of a sandbox. */
export class ChildTransport implements Transport {
  readonly readable: NodeJS.ReadableStream;
  readonly writable: NodeJS.WritableStream;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #output: object;
  #messages: Buffer[] = [];
  #ending = "";

  private constructor(child: ChildProcess) {
    const { stdin, stdout, stderr } = child;
    if (stdin === null || stdout === null || stderr === null) {
      throw new SandboxError("Failed", "a child process has no pipes");
    }
    this.#child = child;
    this.readable = stdout;
    this.writable = stdin;
    this.#output = stdout;
    stderr.on("data", (bytes: Buffer) => this.#keepMessage(bytes));
    const closed = new Promise<void>((done) => child.once("close", () => done()));
    this.#exited = new Promise((done) => {
      child.once("exit", (code, signal) => {
        this.#ending = signal === null ? `code ${code}` : `${signal}`;
        // A process that outlives the child must not delay its end.
        const messages = code === 0 ? null : Promise.race([closed, sleep(MESSAGES_MS)]);
        Promise.resolve(messages).then(() => done());
      });
    });
    // The output alone keeps a script alive, while a request is open.
    for (const thing of [child, stdin, stderr]) setHeld(thing, false);
  }

  /** @throws SandboxError if the executable does not run */
  static async start(binary: string): Promise<ChildTransport> {
    const child = spawn(binary, ["sandbox"], { stdio: ["pipe", "pipe", "pipe"] });
    await new Promise<void>((done, reject) => {
      child.once("spawn", done);
      child.once("error", (error) => reject(startError(binary, error)));
    });
    child.on("error", () => {});
    return new ChildTransport(child);
  }

  #keepMessage(bytes: Buffer): void {
    this.#messages.push(bytes);
    const all = Buffer.concat(this.#messages);
    this.#messages = [all.subarray(Math.max(0, all.length - MESSAGES_BYTES))];
  }

  hold(isHeld: boolean): void {
    setHeld(this.#output, isHeld);
  }

  /** Ends the input, which ends a sandbox that is not persistent. */
  destroy(): void {
    const { stdin, stdout } = this.#child;
    stdin?.destroy();
    stdout?.destroy();
  }

  /** Waits for the end of the process. */
  async exit(): Promise<void> {
    setHeld(this.#child, true);
    await this.#exited;
  }

  /** For a sandbox that does not end by itself. */
  killProcess(): void {
    this.#child.kill("SIGKILL");
  }

  async endReason(): Promise<string> {
    await this.exit();
    const text = Buffer.concat(this.#messages).toString().trim();
    return text === "" ? this.#ending : text.replace(/^dvisor: /, "");
  }
}

function startError(binary: string, error: Error): SandboxError {
  const errno = errnoOf(error);
  return hostError(`cannot run ${binary}`, errno === "" ? error.message : errno, {
    path: binary,
    cause: error,
  });
}

/** The socket of a sandbox that runs. */
export class SocketTransport implements Transport {
  readonly readable: NodeJS.ReadableStream;
  readonly writable: NodeJS.WritableStream;
  readonly #socket: Socket;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.readable = socket;
    this.writable = socket;
  }

  /**
   * @returns null if there is no such socket, or no sandbox behind it
   * @throws SandboxError for another failure of connect(2)
   */
  static async open(path: string): Promise<SocketTransport | null> {
    const socket = connect({ path });
    try {
      await new Promise<void>((done, reject) => {
        socket.once("connect", done);
        socket.once("error", reject);
        socket.once("close", () => reject(Object.assign(new Error(), { code: "ECONNRESET" })));
      });
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === "ENOENT" || errno === "ECONNREFUSED") return null;
      throw hostError(`cannot connect to ${path}`, errno, { path, cause: error });
    }
    return new SocketTransport(socket);
  }

  hold(isHeld: boolean): void {
    setHeld(this.#socket, isHeld);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  endReason(): Promise<string> {
    return Promise.resolve("");
  }
}
