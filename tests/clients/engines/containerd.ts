/**
 * A containerd with data, state and socket of its own. Not a test. Neighbours: `../ctr`, `../cri`.
 */

import { run } from "../../harness/dvisor.ts";
import { until } from "./engine_case.ts";

/** LIMIT: how long it may take to answer or to end. */
const DAEMON_MS = 60_000;

export class Containerd {
  readonly dir: string;
  readonly socket: string;
  #child: Deno.ChildProcess | null = null;

  /** @param plugins lines of its configuration */
  constructor(dir: string, plugins: string) {
    this.dir = dir;
    this.socket = `${dir}/containerd.sock`;
    const text = `version = 2
root = "${dir}/containerd-root"
state = "${dir}/containerd-state"
[grpc]
  address = "${this.socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "${dir}/opt"
${plugins}`;
    Deno.writeTextFileSync(`${dir}/config.toml`, text);
  }

  get isRunning(): boolean {
    return this.#child !== null;
  }

  async start(): Promise<void> {
    const line =
      `exec containerd --config ${this.dir}/config.toml >>${this.dir}/containerd.log 2>&1`;
    this.#child = new Deno.Command("setsid", { args: ["sh", "-c", line], stdin: "null" }).spawn();
    await until("containerd", async () => (await this.ctr("version")).code === 0, DAEMON_MS);
  }

  /** Ends it; what it started lives on. */
  async stop(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    this.#child?.kill(signal);
    await this.#child?.status;
    this.#child = null;
  }

  ctr(...args: string[]) {
    return run(["ctr", "-a", this.socket, ...args], { cwd: this.dir });
  }
}
