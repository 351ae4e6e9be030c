/**
 * containerd's own client `ctr`, on a containerd of its own. Not a test. Neighbour: the cases
 * beside.
 */

import { assertEquals } from "@std/assert";
import { describe } from "../../harness/dvisor.ts";
import { Containerd } from "../engines/containerd.ts";
import { Engine, type PeerName, removeGroups, until } from "../engines/engine_case.ts";
import { makeArchive, makeRootTree } from "../engines/images.ts";

/** containerd's word for what its clients have apart; control groups are called after it. */
const NAMESPACE = "dvisor-ctr-test";
/** Where the runtimes keep their containers. */
export const STATE: string = `/run/containerd/runc/${NAMESPACE}`;
/** The image of all containers. */
export const IMAGE = "docker.io/library/bb:1";

export class Ctr extends Engine {
  readonly containerd: Containerd;

  private constructor(peer: PeerName, dir: string, runtime: string, containerd: Containerd) {
    super(peer, dir, runtime);
    this.containerd = containerd;
  }

  static async start(peer: PeerName, dir: string, runtime: string): Promise<Ctr> {
    const containerd = new Containerd(dir, 'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n');
    await containerd.start();
    const engine = new Ctr(peer, dir, runtime, containerd);
    const archive = await makeArchive(dir, makeRootTree(dir), IMAGE, ["/bin/sh"]);
    await engine.must("image", "import", archive);
    return engine;
  }

  argv(...args: string[]): string[] {
    return ["ctr", "-a", this.containerd.socket, "-n", NAMESPACE, ...args];
  }
  protected env(): Record<string, string> {
    return {};
  }

  /** Options of `run` that choose the runtime. */
  get chosen(): string[] {
    return ["--runtime", "io.containerd.runc.v2", "--runc-binary", this.runtime];
  }

  /** A script in a container that is removed at its end: what it prints. */
  async shell(script: string, ...options: string[]): Promise<string> {
    const args = [...this.chosen, ...options, IMAGE, this.name(), "sh", "-c", script];
    return await this.must("run", "--rm", ...args);
  }

  /** A container in the background, whose output is in a file. */
  async background(script: string, ...options: string[]): Promise<string> {
    const name = this.name();
    const log = ["--log-uri", `file://${this.dir}/${name}.log`];
    const args = [...this.chosen, ...options, ...log, IMAGE, name, "sh", "-c", script];
    await this.must("run", "-d", ...args);
    return name;
  }

  log(name: string): string {
    try {
      return Deno.readTextFileSync(`${this.dir}/${name}.log`);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return "";
      throw error;
    }
  }
  logged(name: string, text: string): Promise<void> {
    return until(`${text} in the log`, () => this.log(name).includes(text));
  }

  exec(name: string, ...command: string[]) {
    return this.call("task", "exec", "--exec-id", this.name(), name, ...command);
  }

  /** RUNNING, STOPPED, PAUSED or CREATED. */
  async status(name: string): Promise<string> {
    const text = await this.must("task", "ls");
    return new RegExp(`^${name} .* (\\w+) *$`, "m").exec(text)?.[1] ?? "";
  }

  async sweep(): Promise<void> {
    for (const name of (await this.must("task", "ls", "-q")).split("\n").filter(Boolean)) {
      await this.call("task", "delete", "--force", name);
    }
    for (const name of (await this.must("container", "ls", "-q")).split("\n").filter(Boolean)) {
      const result = await this.call("container", "delete", name);
      assertEquals(result.code, 0, describe(result));
    }
  }

  async close(): Promise<void> {
    await this.containerd.stop();
    removeGroups(NAMESPACE);
  }
}
