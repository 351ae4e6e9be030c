/**
 * Podman as root with storage, state and networks of its own. Not a test. Neighbours: the cases
 * beside.
 */

import { assertEquals } from "@std/assert";
import { describe } from "../../harness/dvisor.ts";
import { Engine, type PeerName, removeGroups, until } from "../engines/engine_case.ts";
import { makeRootTree } from "../engines/images.ts";

/** The image of all containers. */
export const IMAGE = "localhost/bb:1";

export function configuration(dir: string, runtime: string): string {
  return `
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
events_logfile_path = "${dir}/events.log"
runtime = "peer"
runtime_supports_json = ["peer"]
static_dir = "${dir}/static"
tmp_dir = "${dir}/tmp"
volume_path = "${dir}/volumes"
helper_binaries_dir = ["/usr/libexec/podman", "/usr/lib/podman", "/usr/bin"]
[engine.runtimes]
peer = ["${runtime}"]
[network]
network_config_dir = "${dir}/networks"
`;
}

function storage(dir: string): string {
  return `
[storage]
driver = "overlay"
graphroot = "${dir}/graph"
runroot = "/run/podman-peer"
`;
}

export class Podman extends Engine {
  static async start(peer: PeerName, dir: string, runtime: string): Promise<Podman> {
    const engine = new Podman(peer, dir, runtime);
    engine.file("containers.conf", configuration(dir, runtime));
    engine.file("storage.conf", storage(dir));
    const tar = makeRootTree(dir);
    await engine.must("import", "--change", "ENV PATH=/bin", "--change", "CMD /bin/sh", tar, IMAGE);
    return engine;
  }

  argv(...args: string[]): string[] {
    return ["podman", ...args];
  }

  protected env(): Record<string, string> {
    return {
      CONTAINERS_CONF: `${this.dir}/containers.conf`,
      CONTAINERS_STORAGE_CONF: `${this.dir}/storage.conf`,
      NETAVARK_FW: "iptables",
      PODMAN_IGNORE_CGROUPSV1_WARNING: "1",
      no_proxy: "*",
    };
  }

  /** Runs a container in the foreground, which must succeed. Returns its output. */
  run(...args: string[]): Promise<string> {
    return this.must("run", "--rm", ...args);
  }

  /** A shell script in a container, with options. */
  shell(script: string, ...options: string[]): Promise<string> {
    return this.run(...options, IMAGE, "sh", "-c", script);
  }

  /** A container in the background. */
  async background(script: string, ...options: string[]): Promise<string> {
    const name = this.name();
    await this.must("run", "-d", "--name", name, ...options, IMAGE, "sh", "-c", script);
    return name;
  }

  async inspect(name: string, format: string): Promise<string> {
    return (await this.must("inspect", "--format", format, name)).trimEnd();
  }

  async logs(name: string): Promise<string> {
    const result = await this.call("logs", name);
    return result.stdout + result.stderr;
  }

  logged(name: string, text: string): Promise<void> {
    return until(`${text} in the logs`, async () => (await this.logs(name)).includes(text));
  }

  async sweep(): Promise<void> {
    await this.must("pod", "rm", "-f", "-a", "-t", "0");
    const removed = await this.call("rm", "-f", "-a", "-t", "0");
    assertEquals(removed.code, 0, describe(removed));
    await this.must("volume", "prune", "-f");
  }

  async close(): Promise<void> {
    await this.must("system", "reset", "-f");
    removeGroups("libpod_parent", "dvisor-podman-test");
  }
}
