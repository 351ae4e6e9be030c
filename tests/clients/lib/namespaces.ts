/**
 * A network and a mount namespace of a test's own, so that daemons with bridges, firewall rules and
 * mounts leave nothing on the machine. Not a test. What runs in them is the caller's to end: the
 * namespaces live as long as something does.
 */

import { type Finished, run, type RunOptions } from "../../harness/dvisor.ts";

/** Ends with its standard input, so also when the test is killed. */
const KEEP = "ip link set lo up && echo up && exec cat";

export class Namespaces implements AsyncDisposable {
  readonly #keeper: Deno.ChildProcess;

  private constructor(keeper: Deno.ChildProcess) {
    this.#keeper = keeper;
  }

  static async make(): Promise<Namespaces> {
    const keeper = new Deno.Command("unshare", {
      args: ["-n", "-m", "sh", "-c", KEEP],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const reader = keeper.stdout.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    if (value === undefined) throw new Error("unshare -n -m: no namespaces");
    return new Namespaces(keeper);
  }

  /** The command line that runs another one in them. */
  enter(argv: readonly string[]): string[] {
    return ["nsenter", "-t", String(this.#keeper.pid), "-n", "-m", ...argv];
  }

  /** Runs a command in them. */
  run(argv: readonly string[], options: RunOptions = {}): Promise<Finished> {
    return run(this.enter(argv), options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#keeper.stdin.close();
    await this.#keeper.status;
  }
}
