/**
 * Sandboxes for scripts.
 *
 * ```ts
 * import { Sandbox } from "../../mod.ts";
 *
 * await using sandbox = await Sandbox.create({ memoryBytes: 256 << 20 });
 * await sandbox.writeFile("/tmp/a.py", "print(sum(range(10)))");
 * const { code, text } = await sandbox.exec(["python3", "/tmp/a.py"], { timeoutMs: 10_000 });
 * console.log(code, text); // 0 "45\n"
 * ```
 *
 * A sandbox is a container of the `dvisor` executable with an idle first process; programs are
 * started beside that with `exec`. Disposal removes all of it. Neighbours: options.ts, program.ts,
 * runtime.ts.
 */

import { basename, join } from "@std/path";
import { agentImage } from "./agent_image.ts";
import {
  AGENT,
  type ExecOptions,
  processSection,
  type ProgramOptions,
  sandboxConfig,
  type SandboxOptions,
} from "./options.ts";
import { collect, type ExecResult, Program } from "./program.ts";
import { findBinary, Runtime, SandboxError } from "./runtime.ts";

/** The resources that a sandbox uses. */
export interface SandboxStats {
  /** Memory of the guests, in bytes. */
  readonly memoryBytes: number;
  /** CPU time, in nanoseconds. */
  readonly cpuNs: number;
  /** Processes. */
  readonly pids: number;
}

export class Sandbox implements AsyncDisposable {
  readonly #runtime: Runtime;
  readonly #options: SandboxOptions;
  readonly #id: string;
  #count = 0;
  #isGone = false;

  private constructor(runtime: Runtime, options: SandboxOptions) {
    this.#runtime = runtime;
    // The id becomes a part of names of control groups.
    this.#id = basename(runtime.directory);
    this.#options = options;
  }

  /** Starts a sandbox. @throws SandboxError saying what is missing or wrong */
  static async create(options: SandboxOptions = {}): Promise<Sandbox> {
    const binary = await findBinary(options.binary);
    const directory = await Deno.makeTempDir({ prefix: "dvisor-sandbox-" });
    const globals = [`--overlay=${options.overlay ?? "memory"}`];
    globals.push(`--network=${options.network ?? "none"}`);
    if (options.platform !== undefined) globals.push(`--platform=${options.platform}`);
    const sandbox = new Sandbox(new Runtime(binary, directory, globals), options);
    try {
      await sandbox.#start();
    } catch (error) {
      await sandbox.#discard();
      throw error;
    }
    return sandbox;
  }

  async #start(): Promise<void> {
    const { directory } = this.#runtime;
    const agent = join(directory, "agent");
    await Deno.writeFile(agent, agentImage(), { mode: 0o755 });
    const config = JSON.stringify(sandboxConfig(this.#options, agent));
    await Deno.writeTextFile(join(directory, "config.json"), config);
    await this.#runtime.runDetached("run", "--detach", "--bundle", directory, this.#id);
  }

  /**
   * Removes what exists of a sandbox that could not be started; even the executable may be missing.
   */
  async #discard(): Promise<void> {
    try {
      await this.kill();
    } catch {
      await Deno.remove(this.#runtime.directory, { recursive: true });
    }
  }

  /**
   * Runs a program to its end.
   * @throws SandboxError if the program does not exist, or the sandbox has ended
   */
  async exec(argv: readonly string[], options: ExecOptions = {}): Promise<ExecResult> {
    const program = await this.spawn(argv, options);
    return await collect(program, options);
  }

  /** Starts a program; the caller reads and writes its streams. */
  async spawn(argv: readonly string[], options: ProgramOptions = {}): Promise<Program> {
    if (this.#isGone) throw new SandboxError("the sandbox is gone");
    const { directory, binary } = this.#runtime;
    const name = join(directory, `process-${++this.#count}`);
    const section = processSection(argv, this.#options, options);
    await Deno.writeTextFile(`${name}.json`, JSON.stringify(section));
    const files = ["--process", `${name}.json`, "--pid-file", `${name}.pid`];
    const args = this.#runtime.arguments("exec", ...files, this.#id);
    return Program.start(binary, args, `${name}.pid`, [`${name}.json`]);
  }

  /** Writes a file, as user 0. @throws SandboxError naming the path */
  async writeFile(
    path: string,
    data: string | Uint8Array<ArrayBuffer>,
    options: { readonly mode?: number } = {},
  ): Promise<void> {
    const mode = (options.mode ?? 0o644).toString(8);
    const { code } = await this.exec([AGENT, "write", path, mode], { stdin: data });
    if (code !== 0) throw new SandboxError(`cannot write ${path}: errno ${code}`);
  }

  /** A file's bytes, read as user 0. @throws SandboxError naming the path */
  async readFile(path: string, maxBytes = 1 << 30): Promise<Uint8Array<ArrayBuffer>> {
    const result = await this.exec([AGENT, "read", path], { maxOutputBytes: maxBytes });
    if (result.isCut) throw new SandboxError(`${path} is larger than ${maxBytes} bytes`);
    if (result.code !== 0) throw new SandboxError(`cannot read ${path}: errno ${result.code}`);
    return result.stdout;
  }

  async stats(): Promise<SandboxStats> {
    const event: StatsEvent = JSON.parse(await this.#runtime.run("events", "--stats", this.#id));
    const { memory, cpu, pids } = event.data;
    return {
      memoryBytes: memory?.usage?.usage ?? 0,
      cpuNs: cpu?.usage?.total ?? 0,
      pids: pids?.current ?? 0,
    };
  }

  /** Stops all programs until `resume`; they use no processor time. */
  async pause(): Promise<void> {
    await this.#runtime.run("pause", this.#id);
  }
  async resume(): Promise<void> {
    await this.#runtime.run("resume", this.#id);
  }

  /** Ends the sandbox and its programs, and removes it. May be called again. */
  async kill(): Promise<void> {
    if (this.#isGone) return;
    this.#isGone = true;
    await this.#runtime.run("delete", "--force", this.#id);
    await Deno.remove(this.#runtime.directory, { recursive: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }
}

/** The part of `dvisor events --stats` that is used. */
interface StatsEvent {
  readonly data: {
    readonly memory?: { readonly usage?: { readonly usage?: number } };
    readonly cpu?: { readonly usage?: { readonly total?: number } };
    readonly pids?: { readonly current?: number };
  };
}
