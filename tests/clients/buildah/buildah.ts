/** buildah with OCI isolation and storage of its own. Not a test. Neighbour: the cases beside. */

import { Engine, type PeerName } from "../engines/engine_case.ts";
import { makeRootTree } from "../engines/images.ts";

/** Lower limits than buildah's own, which need more privilege than some machines give. */
export const LIMITS: readonly string[] = [
  "--ulimit",
  "nofile=1024:1024",
  "--ulimit",
  "nproc=1000:1000",
];

export class Buildah extends Engine {
  static start(peer: PeerName, dir: string, runtime: string): Promise<Buildah> {
    const engine = new Buildah(peer, dir, runtime);
    const roots = `graphroot = "${dir}/graph"\nrunroot = "/run/buildah-peer"\n`;
    engine.file("storage.conf", `[storage]\ndriver = "overlay"\n${roots}`);
    makeRootTree(dir);
    return Promise.resolve(engine);
  }

  argv(...args: string[]): string[] {
    return ["buildah", ...args];
  }
  protected env(): Record<string, string> {
    return { CONTAINERS_STORAGE_CONF: `${this.dir}/storage.conf`, NETAVARK_FW: "iptables" };
  }

  /** A working container with busybox. */
  async base(): Promise<string> {
    const name = (await this.must("from", ...LIMITS, "scratch")).trim();
    await this.must("add", "-q", name, `${this.dir}/rootfs.tar`, "/");
    await this.must("config", "--env", "PATH=/bin", name);
    return name;
  }

  /** Arguments of `run` in front of the container. */
  get isolation(): string[] {
    return ["--isolation", "oci", "--runtime", this.runtime];
  }

  shell(name: string, script: string, ...options: string[]): Promise<string> {
    return this.must("run", ...this.isolation, ...options, name, "--", "sh", "-c", script);
  }

  build(folder: string, ...options: string[]) {
    const how = ["--isolation", "oci", "--runtime", this.runtime, ...LIMITS];
    return this.call("build", ...how, ...options, folder);
  }

  async sweep(): Promise<void> {
    await this.must("rm", "--all");
  }
  async close(): Promise<void> {
    await this.must("rmi", "--all", "--force");
  }
}
