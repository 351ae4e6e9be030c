/**
 * Bundles for measuring OCI runtimes: a root file system of busybox, a network namespace with a
 * link to the host.
 */

import { join } from "@std/path";

/** Addresses of the link, in a range of its own for documentation (RFC 5737). */
export const HOST_ADDRESS = "198.51.100.1", GUEST_ADDRESS = "198.51.100.2";

export async function sh(command: string): Promise<void> {
  const { code, stderr } = await new Deno.Command("sh", {
    args: ["-c", command],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).output();
  if (code !== 0) throw new Error(`${command}: ${new TextDecoder().decode(stderr).trim()}`);
}

/** A root file system with all of busybox's applets; one for all bundles. */
export async function makeRootfs(path: string): Promise<void> {
  const busybox = join(path, "bin/busybox");
  await sh(`
    mkdir -p ${path}/bin ${path}/etc ${path}/tmp ${path}/proc ${path}/sys ${path}/dev ${path}/www
    cp /bin/busybox ${busybox}
    for a in $(${busybox} --list | grep -vx busybox); do ln -sf busybox ${path}/bin/$a; done
    echo root:x:0:0:root:/root:/bin/sh > ${path}/etc/passwd
    echo hello > ${path}/www/small
    head -c 67108864 /dev/zero > ${path}/www/large`);
}

/** A network namespace that the host reaches at GUEST_ADDRESS; undone by `removeNetwork`. */
export async function makeNetwork(name: string): Promise<void> {
  await sh(`
    ip netns add ${name} && ip link add ${name} type veth peer name eth0 netns ${name} &&
    ip addr add ${HOST_ADDRESS}/30 dev ${name} && ip link set ${name} up &&
    ip -n ${name} addr add ${GUEST_ADDRESS}/30 dev eth0 && ip -n ${name} link set eth0 up &&
    ip -n ${name} link set lo up`);
}

export async function removeNetwork(name: string): Promise<void> {
  await sh(`ip netns del ${name}; ip link del ${name} 2>/dev/null; true`);
}

interface BundleOptions {
  readonly args: readonly string[];
  /** Path of a network namespace; null: a new one. */
  readonly network: string | null;
  /** Directory of the host at /bind. */
  readonly bind: string | null;
}

/** A directory with config.json. */
export async function writeBundle(
  directory: string,
  rootfs: string,
  options: BundleOptions,
): Promise<void> {
  const caps = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETUID"];
  const network = options.network === null
    ? { type: "network" }
    : { type: "network", path: options.network };
  const bind = options.bind === null
    ? []
    : [{ destination: "/bind", type: "bind", source: options.bind, options: ["rbind", "rw"] }];
  const config = {
    ociVersion: "1.0.2",
    process: {
      user: { uid: 0, gid: 0 },
      args: options.args,
      env: ["PATH=/bin"],
      cwd: "/",
      capabilities: { bounding: caps, effective: caps, permitted: caps },
    },
    root: { path: rootfs },
    hostname: "bench",
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      { destination: "/dev", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"] },
      ...bind,
    ],
    linux: {
      namespaces: [...["pid", "ipc", "uts", "mount"].map((type) => ({ type })), network],
    },
  };
  await Deno.mkdir(directory, { recursive: true });
  await Deno.writeTextFile(join(directory, "config.json"), JSON.stringify(config));
}
