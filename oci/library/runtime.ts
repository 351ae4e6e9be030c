/**
 * Runs the `dvisor` executable for the library: the verbs about containers, with a state directory
 * of its own.
 */

import { fromFileUrl, join } from "@std/path";

/** A failure of a sandbox, with dvisor's message. */
export class SandboxError extends Error {
  override readonly name = "SandboxError";
}

/** The path of the executable: the option, `$DVISOR`, this project's build, or PATH. */
export async function findBinary(asked: string | undefined): Promise<string> {
  const wanted = asked ?? Deno.env.get("DVISOR");
  if (wanted !== undefined) return wanted;
  if (import.meta.url.startsWith("file:")) {
    const built = fromFileUrl(new URL("../../dist/dvisor", import.meta.url));
    try {
      if ((await Deno.stat(built)).isFile) return built;
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return "dvisor";
}

export class Runtime {
  readonly binary: string;
  /** The directory with all files of the sandbox on the host. */
  readonly directory: string;
  readonly #globals: readonly string[];

  constructor(binary: string, directory: string, globals: readonly string[]) {
    this.binary = binary;
    this.directory = directory;
    this.#globals = ["--root", join(directory, "state"), ...globals];
  }

  /** A command line in front of a verb's own arguments. */
  arguments(...verb: readonly string[]): string[] {
    return [...this.#globals, ...verb];
  }

  /**
   * Runs a verb to its end.
   * @returns its output
   * @throws SandboxError
   */
  async run(...verb: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#start(verb);
    if (code !== 0) {
      const text = new TextDecoder().decode(stderr).trim();
      throw new SandboxError(text.replace(/^dvisor: /, "") || `dvisor ${verb[0]} exited ${code}`);
    }
    return new TextDecoder().decode(stdout);
  }

  async #start(verb: readonly string[]): Promise<Deno.CommandOutput> {
    try {
      const command = new Deno.Command(this.binary, {
        args: this.arguments(...verb),
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      });
      return await command.output();
    } catch (cause) {
      throw new SandboxError(`cannot run ${this.binary}`, { cause });
    }
  }

  /**
   * Runs a verb whose descriptors outlive it: they must not be pipes, because a reader would wait
   * for their end.
   */
  async runDetached(...verb: readonly string[]): Promise<void> {
    const log = join(this.directory, "log.json");
    const args = ["--log", log, "--log-format", "json", ...this.arguments(...verb)];
    let code: number;
    try {
      const command = new Deno.Command(this.binary, {
        args,
        stdin: "null",
        stdout: "null",
        stderr: "null",
      });
      code = (await command.spawn().status).code;
    } catch (cause) {
      throw new SandboxError(`cannot run ${this.binary}`, { cause });
    }
    if (code !== 0) throw new SandboxError(await lastMessage(log, `dvisor ${verb[0]}`));
  }
}

/** The last error of a log of JSON lines. */
async function lastMessage(path: string, otherwise: string): Promise<string> {
  let text = "";
  try {
    text = await Deno.readTextFile(path);
  } catch {
    // The log has no error.
  }
  for (const line of text.trim().split("\n").reverse()) {
    if (line === "") continue;
    const record: unknown = JSON.parse(line);
    if (typeof record === "object" && record !== null && "msg" in record) return String(record.msg);
  }
  return `${otherwise} failed`;
}
