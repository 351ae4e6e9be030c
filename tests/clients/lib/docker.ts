/**
 * A Docker daemon of a test's own, with dvisor as its runtime: data, socket and state in one
 * directory, bridges in network and mount namespaces of its own. Not a test. Neighbour:
 * namespaces.ts.
 */

import { join } from "@std/path";
import {
  describe,
  dvisorCommand,
  type Finished,
  run,
  type RunOptions,
} from "../../harness/dvisor.ts";
import { isFull, isRoot, lacks } from "../../harness/machine.ts";
import { alive, eventually } from "../../harness/processes.ts";
import { RUNC } from "../../oci/bundle.ts";
import { Namespaces } from "./namespaces.ts";

const COMMANDS = [
  "dockerd",
  "docker",
  "containerd",
  "runc",
  "unshare",
  "nsenter",
  "iptables",
  "ip",
];

/** Why no Docker daemon can be had here; null when it can. */
const noDocker: string | null = isRoot ? lacks(COMMANDS) : "needs root";

/** Why long tests with Docker cannot run here; null when they can. */
export const noFullDocker: string | null = noDocker ??
  (isFull ? null : "long: deno task test:full");

/** LIMIT: how long the daemon may take to answer or to end. */
const DAEMON_MS = 60_000;
/** LIMIT: how long a command may take. */
const COMMAND_S = 120;
const POLL_MS = 100;
/**
 * The name of the runtime that is runc itself, in Docker's configuration: its own "runc" is
 * whatever comes first on the PATH, and that is dvisor where BuildKit shall use it.
 */
export const PEER = "peer";
/** An address that no other network has: the namespace has no other. */
const BRIDGE = "172.31.77.1/24";

interface DockerOptions {
  /** The runtime of containers that name none, and of build steps; "dvisor" by default. */
  readonly defaultRuntime?: "dvisor" | "runc";
  /** Options of dvisor, in front of the verb. */
  readonly runtimeArgs?: readonly string[];
  /** More members of daemon.json. */
  readonly settings?: Record<string, unknown>;
}

export class Docker implements AsyncDisposable {
  /** Everything of the daemon is below it; `dockerd.log` is its log. */
  readonly dir: string;
  readonly namespaces: Namespaces;
  #daemon: Deno.ChildProcess | null = null;

  private constructor(dir: string, namespaces: Namespaces) {
    this.dir = dir;
    this.namespaces = namespaces;
  }

  static async start(options: DockerOptions = {}): Promise<Docker> {
    const dir = await Deno.makeTempDir({ prefix: "dvisor-docker-" });
    const docker = new Docker(dir, await Namespaces.make());
    await docker.#configure(options);
    await docker.startDaemon();
    return docker;
  }

  get socket(): string {
    return join(this.dir, "docker.sock");
  }

  async #configure(options: DockerOptions): Promise<void> {
    const [path, ...args] = dvisorCommand();
    // What BuildKit in the daemon runs is the first `runc` of its PATH, whatever the configuration
    // says.
    await Deno.mkdir(join(this.dir, "bin"));
    const line = [path!, ...args, ...options.runtimeArgs ?? []].join(" ");
    const shim = options.defaultRuntime === "runc" ? "runc" : line;
    if (shim === line) {
      await Deno.writeTextFile(join(this.dir, "bin/runc"), `#!/bin/sh\nexec ${line} "$@"\n`);
      await Deno.chmod(join(this.dir, "bin/runc"), 0o755);
    }
    const config = {
      "data-root": join(this.dir, "data"),
      "exec-root": join(this.dir, "exec"),
      pidfile: join(this.dir, "docker.pid"),
      hosts: [`unix://${this.socket}`],
      "storage-driver": "overlay2",
      "default-runtime": options.defaultRuntime ?? "dvisor",
      features: { "containerd-snapshotter": false },
      bip: BRIDGE,
      "exec-opts": ["native.cgroupdriver=cgroupfs"],
      "shutdown-timeout": 5,
      runtimes: {
        dvisor: { path, runtimeArgs: [...args, ...options.runtimeArgs ?? []] },
        [PEER]: { path: RUNC ?? "runc" },
      },
      ...options.settings,
    };
    await Deno.writeTextFile(join(this.dir, "daemon.json"), JSON.stringify(config));
  }

  /** The process of the daemon. */
  get daemonPid(): number {
    if (this.#daemon === null) throw new Error("dockerd does not run");
    return this.#daemon.pid;
  }

  /** Starts the daemon, also again, over what is there. */
  async startDaemon(): Promise<void> {
    const daemon = ["dockerd", "--config-file", join(this.dir, "daemon.json")];
    const log = `exec "$@" >>${join(this.dir, "dockerd.log")} 2>&1`;
    const argv = this.namespaces.enter(["sh", "-c", log, "sh", ...daemon]);
    this.#daemon = new Deno.Command(argv[0]!, {
      args: argv.slice(1),
      env: {
        PATH: `${join(this.dir, "bin")}:${Deno.env.get("PATH") ?? ""}`,
        // containerd leaves a directory for each checkpoint that it restores.
        TMPDIR: this.dir,
      },
      stdin: "null",
    }).spawn();
    const end = performance.now() + DAEMON_MS;
    while ((await this.run(["version"])).code !== 0) {
      if (performance.now() > end || alive([this.daemonPid]).length === 0) {
        throw new Error(`dockerd did not start: ${this.log()}`);
      }
      await new Promise((done) => setTimeout(done, POLL_MS));
    }
  }

  /** Ends the daemon by a signal, and waits for it. */
  async endDaemon(signal: Deno.Signal = "SIGTERM"): Promise<void> {
    const daemon = this.#daemon;
    this.#daemon = null;
    if (daemon === null) return;
    daemon.kill(signal);
    await daemon.status;
  }

  /** The last lines of the daemon's log. */
  log(): string {
    return Deno.readTextFileSync(join(this.dir, "dockerd.log")).split("\n").slice(-20).join("\n");
  }

  /** The command line of the client. */
  argv(...args: readonly string[]): string[] {
    return ["docker", "-H", `unix://${this.socket}`, ...args];
  }

  run(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
    const env = { DOCKER_CONFIG: join(this.dir, "client"), DOCKER_BUILDKIT: "0", ...options.env };
    return run(this.argv(...args), { timeoutS: COMMAND_S, ...options, env });
  }

  /** A command that has to work; gives what it printed without the last line's end. */
  async must(...args: readonly string[]): Promise<string> {
    return await this.mustWith({}, ...args);
  }

  async mustWith(options: RunOptions, ...args: readonly string[]): Promise<string> {
    const result = await this.run(args, options);
    if (result.code !== 0) throw new Error(`docker ${args.join(" ")}: ${describe(result)}`);
    return result.stdout.trimEnd();
  }

  /** A member of `docker inspect`, by a template: `.State.Status`. */
  inspect(name: string, member: string): Promise<string> {
    return this.must("inspect", "-f", `{{${member}}}`, name);
  }

  /** Processes that have the daemon's directory in their command line. */
  processes(): number[] {
    const found: number[] = [];
    for (const { name } of Deno.readDirSync("/proc")) {
      if (!/^\d+$/.test(name)) continue;
      try {
        if (Deno.readTextFileSync(`/proc/${name}/cmdline`).includes(this.dir)) {
          found.push(Number(name));
        }
      } catch {
        // It ended while we looked.
      }
    }
    return alive(found);
  }

  /** The directories that runtimes keep for containers, by name. */
  records(): string[] {
    try {
      return [...Deno.readDirSync(join(this.dir, "exec/runtime-runc/moby"))].map((e) => e.name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  }

  /** Removes all containers and returns what is left of them. */
  async clear(): Promise<string[]> {
    const ids = (await this.must("ps", "-aq")).split("\n").filter((id) => id !== "");
    if (ids.length > 0) await this.must("rm", "-f", "-v", ...ids);
    await eventually(() => this.records().length === 0, 5000);
    return this.records();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.#daemon !== null) await this.clear();
    } finally {
      await this.endDaemon();
      await eventually(() => this.processes().length === 0, DAEMON_MS);
      for (const pid of this.processes()) Deno.kill(pid, "SIGKILL");
      await this.namespaces[Symbol.asyncDispose]();
      await run(["rm", "-rf", this.dir]);
    }
  }
}
