/**
 * A Docker daemon of its own, with runtimes to compare: its data, socket and runtimes are in one
 * directory.
 */

import { join } from "@std/path";
import { sh } from "./oci_bundle.ts";

/** The image, which has the root file system. */
export const IMAGE = "bench:1";
const START_TRIES = 120, RETRY_MS = 250;

export class Dockerd implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #socket: string;

  private constructor(child: Deno.ChildProcess, socket: string) {
    this.#child = child;
    this.#socket = socket;
  }

  /** null where there is no dockerd, or it does not start. */
  static async start(
    parent: string,
    rootfs: string,
    runtimes: readonly { readonly name: string; readonly argv: readonly string[] }[],
  ): Promise<Dockerd | null> {
    const dir = join(parent, "docker"), socket = join(dir, "s");
    await Deno.mkdir(dir);
    const known: Record<string, { path: string; runtimeArgs: string[] }> = {};
    for (const { name, argv } of runtimes) {
      if (name === "runc") continue;
      const path = argv[0]!.includes("/") ? argv[0]! : `/usr/bin/${argv[0]}`;
      // Docker has a place for the state of its containers.
      known[name] = { path, runtimeArgs: argv.slice(1, argv.indexOf("--root")) };
    }
    const config = {
      "data-root": join(dir, "data"),
      "exec-root": join(dir, "exec"),
      pidfile: join(dir, "pid"),
      hosts: [`unix://${socket}`],
      bridge: "none",
      iptables: false,
      runtimes: known,
    };
    await Deno.writeTextFile(join(dir, "daemon.json"), JSON.stringify(config));
    let child: Deno.ChildProcess;
    try {
      child = new Deno.Command("dockerd", {
        args: ["--config-file", join(dir, "daemon.json")],
        stdin: "null",
        stdout: "null",
        stderr: "null",
      }).spawn();
    } catch {
      return null;
    }
    const dockerd = new Dockerd(child, socket);
    for (let i = 0; i < START_TRIES; i++) {
      if (await dockerd.#answers()) {
        await sh(`tar -C ${rootfs} -c . | docker -H unix://${socket} import - ${IMAGE}`);
        return dockerd;
      }
      await new Promise((done) => setTimeout(done, RETRY_MS));
    }
    await dockerd[Symbol.asyncDispose]();
    return null;
  }

  /** Runs a command of the client; true if it succeeds. */
  async docker(...args: readonly string[]): Promise<boolean> {
    const { code } = await new Deno.Command("timeout", {
      args: ["60", "docker", "-H", `unix://${this.#socket}`, ...args],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).output();
    return code === 0;
  }

  async #answers(): Promise<boolean> {
    return await this.docker("version");
  }

  async run(runtime: string): Promise<void> {
    const options = ["--rm", "--network", "none", "--runtime", runtime];
    if (!await this.docker("run", ...options, IMAGE, "/bin/true")) {
      throw new Error("docker run failed");
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
  }
}
