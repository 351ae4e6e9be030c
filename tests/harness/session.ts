/** A sandbox that runs while a test looks at it or harms it. Not a test. */

import { alive, eventually, processesOf, type SandboxProcess } from "./processes.ts";

/** LIMIT: how long a sandbox may take to say that it is ready. */
const READY_MS = 20_000;

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class Session {
  readonly #child: Deno.ChildProcess;
  #stdout = "";
  #stderr = "";
  readonly #pumps: Promise<void>[];

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#pumps = [
      this.#pump(child.stdout, (text) => this.#stdout += text),
      this.#pump(child.stderr, (text) => this.#stderr += text),
    ];
  }

  /** Starts a command, and waits until it has printed `ready` on a line. */
  static async start(argv: readonly string[]): Promise<Session> {
    const child = new Deno.Command(argv[0]!, {
      args: argv.slice(1),
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const session = new Session(child);
    if (!await session.saw(/^ready$/m, READY_MS)) {
      const { stdout, stderr } = await session.destroy();
      throw new Error(`the sandbox never was ready\n${stdout}\n${stderr}`);
    }
    return session;
  }

  async #pump(stream: ReadableStream<Uint8Array>, put: (text: string) => void): Promise<void> {
    const decoder = new TextDecoder();
    for await (const part of stream) put(decoder.decode(part, { stream: true }));
  }

  get pid(): number {
    return this.#child.pid;
  }
  get stdout(): string {
    return this.#stdout;
  }

  processes(): SandboxProcess[] {
    return processesOf(this.pid);
  }

  /** The pids of one role. */
  pids(role: SandboxProcess["role"]): number[] {
    return this.processes().filter((p) => p.role === role).map((p) => p.pid);
  }

  saw(pattern: RegExp, timeoutMs = 20_000): Promise<boolean> {
    return eventually(() => pattern.test(this.#stdout), timeoutMs);
  }

  async write(text: string): Promise<void> {
    const writer = this.#child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text));
    writer.releaseLock();
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits for its end. */
  async end(timeoutMs = 20_000): Promise<Ended> {
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), timeoutMs);
    const { code } = await this.#child.status;
    clearTimeout(timer);
    await Promise.all(this.#pumps);
    await this.#child.stdin.close().catch(() => {});
    return { code, stdout: this.#stdout, stderr: this.#stderr };
  }

  /** Ends it by force, with all that belongs to it. */
  async destroy(): Promise<Ended> {
    const pids = this.processes().map((p) => p.pid);
    for (const pid of pids) {
      try {
        Deno.kill(pid, "SIGKILL");
      } catch (error) {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      }
    }
    const ended = await this.end();
    await eventually(() => alive(pids).length === 0, 5000);
    return ended;
  }
}
