/**
 * Podman as an ordinary user, who is made for the test: lines in files that stand in front of
 * /etc/passwd and its like in this mount namespace only, with ids of his own to give away. Not a
 * test.
 */

import type { PeerName } from "../engines/engine_case.ts";
import { makeRootTree } from "../engines/images.ts";
import { configuration, IMAGE, Podman } from "./podman.ts";

/** The user's id. */
export const UID = 4711;
/** The user's subordinate ids: more than a container needs. */
const SUBORDINATE = "podtest:300000:65536\n";
const TUN = "/dev/net/tun";

function must(command: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command(command, { args }).outputSync();
  if (!success) {
    throw new Error(`${command} ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
  }
}

/** Mounts a file over one of the machine, which need not exist. */
function cover(dir: string, path: string, text: string, keepsOwn: boolean): void {
  const own = keepsOwn ? Deno.readTextFileSync(path) : "";
  const place = `${dir}/${path.replaceAll("/", "_")}`;
  Deno.writeTextFileSync(place, own + text);
  must("mount", "--bind", place, path);
}

function makeUser(dir: string, home: string): void {
  cover(dir, "/etc/passwd", `podtest:x:${UID}:${UID}::${home}:/bin/sh\n`, true);
  cover(dir, "/etc/group", `podtest:x:${UID}:\n`, true);
  for (const path of ["/etc/subuid", "/etc/subgid"]) cover(dir, path, SUBORDINATE, false);
  for (const path of [home, `/run/user/${UID}`]) {
    Deno.mkdirSync(path, { recursive: true });
    Deno.chownSync(path, UID, UID);
    Deno.chmodSync(path, 0o700);
  }
  // All users may open it, as with udev.
  must("mknod", `${dir}/tun`, "c", "10", "200");
  Deno.chmodSync(`${dir}/tun`, 0o666);
  must("mount", "--bind", `${dir}/tun`, TUN);
}

/** Why this machine cannot have such a user; null when it can. */
export function noRootless(): string | null {
  for (const path of ["/etc/subuid", "/etc/subgid", TUN]) {
    try {
      Deno.lstatSync(path);
    } catch {
      return `no ${path} on this machine`;
    }
  }
  return null;
}

export class RootlessPodman extends Podman {
  override readonly isRootless: boolean = true;

  static override async start(
    peer: PeerName,
    dir: string,
    runtime: string,
  ): Promise<RootlessPodman> {
    const engine = new RootlessPodman(peer, dir, runtime);
    makeUser(dir, engine.home);
    engine.file("containers.conf", configuration(engine.home, runtime));
    const image = ["--change", "ENV PATH=/bin", "--change", "CMD /bin/sh"];
    await engine.must("import", ...image, makeRootTree(dir), IMAGE);
    return engine;
  }

  get home(): string {
    return `${this.dir}/home`;
  }

  override argv(...args: string[]): string[] {
    const user = ["setpriv", "--reuid", `${UID}`, "--regid", `${UID}`, "--clear-groups"];
    const variables = {
      HOME: this.home,
      XDG_RUNTIME_DIR: `/run/user/${UID}`,
      PATH: Deno.env.get("PATH") ?? "",
      CONTAINERS_CONF: `${this.dir}/containers.conf`,
      NETAVARK_FW: "iptables",
      PODMAN_IGNORE_CGROUPSV1_WARNING: "1",
      TERM: "linux",
    };
    const words = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
    return [...user, "env", "-i", "-C", "/", ...words, "podman", ...args];
  }

  override async close(): Promise<void> {
    await this.sweep();
  }
}
