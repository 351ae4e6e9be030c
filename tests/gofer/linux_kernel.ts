/**
 * A Linux kernel of Debian's with its 9p client, to be started in qemu: where it is. Not a test,
 * and starts nothing.
 *
 * It is in a directory that `DVISOR_TEST_LINUX` names (as `dpkg -x` unpacks the package), else it
 * is the running machine's own in /boot, else Debian's package, fetched once to the user's cache.
 */

import { PYTHON } from "../harness/machine.ts";
import { hasCommand } from "../../tools/test/packages.ts";

/** Modules that the 9p client and the network card need, in the order of loading. */
export const MODULES = [
  "netfs",
  "9pnet",
  "9pnet_fd",
  "9p",
  "failover",
  "net_failover",
  "virtio_net",
];
/** The newest of it is taken. */
const PACKAGE = "linux-image-amd64";

export interface Kernel {
  readonly image: string;
  /** Directory below which the module files are. */
  readonly modules: string;
}

export function list(dir: string): string[] {
  try {
    return [...Deno.readDirSync(dir)].map((e) => e.name).sort();
  } catch {
    return [];
  }
}

/** The kernel in a tree like `/`. */
function kernelIn(top: string): Kernel | null {
  for (const name of list(`${top}/boot`).reverse()) {
    if (!name.startsWith("vmlinuz-")) continue;
    for (const lib of ["lib/modules", "usr/lib/modules"]) {
      const modules = `${top}/${lib}/${name.slice(8)}`;
      const image = `${top}/boot/${name}`;
      if (findModule(modules, "9p") !== null) return { image, modules };
    }
  }
  return null;
}

export function findModule(dir: string, name: string): string | null {
  const places = ["fs/9p", "fs/netfs", "net/9p", "net/core", "drivers/net"];
  for (const place of places) {
    for (const end of [".ko", ".ko.xz"]) {
      const path = `${dir}/kernel/${place}/${name}${end}`;
      if (list(`${dir}/kernel/${place}`).includes(`${name}${end}`)) return path;
    }
  }
  return null;
}

/** Runs a command. Returns its output; throws when it fails. */
export async function output(command: string, args: string[], cwd: string): Promise<string> {
  const { stdout, success } = await new Deno.Command(command, {
    args,
    cwd,
    stdin: "null",
    stderr: "null",
  }).output();
  if (!success) throw new Error(`${command} ${args.join(" ")} failed`);
  return new TextDecoder().decode(stdout);
}

/** Fetches and unpacks Debian's kernel; null when that cannot be done. */
async function fetchKernel(cache: string): Promise<Kernel | null> {
  if (!["apt-get", "apt-cache", "dpkg"].every(hasCommand)) return null;
  Deno.mkdirSync(cache, { recursive: true });
  try {
    const depends = await output("apt-cache", ["depends", PACKAGE], cache);
    const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
    if (name === undefined) return null;
    await output("apt-get", ["download", name], cache);
    const file = list(cache).find((f) => f.endsWith(".deb"));
    if (file === undefined) return null;
    await output("dpkg", ["-x", file, "."], cache);
    Deno.removeSync(`${cache}/${file}`);
  } catch {
    return null;
  }
  return kernelIn(cache);
}

/** A kernel to start, or why there is none. */
export async function findKernel(): Promise<Kernel | string> {
  const missing = ["qemu-system-x86_64", "busybox", "xz", "ldd"].filter((c) => !hasCommand(c));
  if (missing.length > 0) return `no ${missing.join(", ")} on this machine`;
  if (PYTHON === null || !PYTHON.startsWith("/usr/bin/")) return "no python3 of the distribution's";
  const named = Deno.env.get("DVISOR_TEST_LINUX");
  const cache = `${Deno.env.get("HOME") ?? "/tmp"}/.cache/dvisor-test-linux`;
  const found = named === undefined ? kernelIn("") ?? kernelIn(cache) : kernelIn(named);
  return found ?? await fetchKernel(cache) ?? `no Linux with a 9p client here, nor as ${PACKAGE}`;
}
