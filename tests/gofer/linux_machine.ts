/**
 * A Linux of Debian's in qemu, with busybox and Python and nothing else, to be a foreign client of our servers. Not a
 * test. It has no disk; what it runs, and what it says, is in one script and on one serial line.
 *
 * The kernel: a directory that `DVISOR_TEST_LINUX` names (as `dpkg -x` unpacks the package), else the running machine's
 * own in /boot, else Debian's package, fetched once to the user's cache.
 */

import { PYTHON } from "../harness/machine.ts";
import { hasCommand } from "../../tools/test/packages.ts";

/** What the 9p client and the network card need, in the order of loading. */
const MODULES = ["netfs", "9pnet", "9pnet_fd", "9p", "failover", "net_failover", "virtio_net"];
/** The newest of it is taken. */
const PACKAGE = "linux-image-amd64";

export interface Kernel {
  readonly image: string;
  /** Directory below which the module files are. */
  readonly modules: string;
}

function list(dir: string): string[] {
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

function findModule(dir: string, name: string): string | null {
  const places = ["fs/9p", "fs/netfs", "net/9p", "net/core", "drivers/net"];
  for (const place of places) {
    for (const end of [".ko", ".ko.xz"]) {
      const path = `${dir}/kernel/${place}/${name}${end}`;
      if (list(`${dir}/kernel/${place}`).includes(`${name}${end}`)) return path;
    }
  }
  return null;
}

async function output(command: string, args: string[], cwd: string): Promise<string> {
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

/** Copies a file into the tree under its own path. */
function copyIn(tree: string, path: string): void {
  Deno.mkdirSync(`${tree}${path.slice(0, path.lastIndexOf("/"))}`, { recursive: true });
  Deno.copyFileSync(path, `${tree}${path}`);
  const { mtime } = Deno.statSync(path);
  if (mtime !== null) Deno.utimeSync(`${tree}${path}`, mtime, mtime);
}

/** Python with what `scripts` import, their directory first on its path. */
async function addPython(tree: string, folder: string, names: readonly string[]): Promise<void> {
  const python = Deno.realPathSync(PYTHON ?? "");
  const program = `import sys; sys.path.insert(0, ${JSON.stringify(folder)})
import ${names.join(", ")}, locale, encodings.latin_1, encodings.ascii
print(sys.prefix)
for m in list(sys.modules.values()):
    for key in ("__file__", "__cached__"):
        print(getattr(m, key, None) or "")`;
  const lines = (await output(python, ["-S", "-E", "-B", "-c", program], "/")).split("\n");
  const files = lines.slice(1).filter((f) => f.startsWith("/") && !f.startsWith(folder));
  const objects = [python, ...files.filter((f) => f.endsWith(".so"))];
  const needed = new Set<string>();
  for (const object of objects) {
    for (const m of (await output("ldd", [object], "/")).matchAll(/(\/\S+) \(0x/g)) {
      needed.add(m[1] ?? "");
    }
  }
  for (const path of new Set([python, ...files, ...needed])) {
    try {
      copyIn(tree, path);
    } catch (error) {
      // A compiled copy of a module need not exist.
      if (!(error instanceof Deno.errors.NotFound) || !path.endsWith(".pyc")) throw error;
    }
  }
  Deno.mkdirSync(`${tree}/test`);
  for (const name of names) Deno.copyFileSync(`${folder}/${name}.py`, `${tree}/test/${name}.py`);
  Deno.mkdirSync(`${tree}/usr/bin`, { recursive: true });
  if (python !== "/usr/bin/python3") Deno.symlinkSync(python, `${tree}/usr/bin/python3`);
}

const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin PYTHONDONTWRITEBYTECODE=1
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
for m in ${MODULES.join(" ")}; do insmod /lib/modules/$m.ko; done
ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0
echo 0 > /proc/sys/kernel/printk
sh /script; echo "script-ended $?"
poweroff -f
`;

/** Makes the first file system: `script` is what the machine runs, `scripts` the Python files of `folder` it needs. */
async function makeTree(
  dir: string,
  kernel: Kernel,
  folder: string,
  scripts: readonly string[],
  script: string,
): Promise<string> {
  const tree = `${dir}/tree`;
  for (const d of ["bin", "lib/modules", "proc", "sys", "dev", "tmp"]) {
    Deno.mkdirSync(`${tree}/${d}`, { recursive: true });
  }
  const busybox = (Deno.env.get("PATH") ?? "").split(":").map((p) => `${p}/busybox`)
    .find((p) => list(p.slice(0, -8)).includes("busybox"));
  Deno.copyFileSync(busybox ?? "/bin/busybox", `${tree}/bin/busybox`);
  for (const name of MODULES) {
    const path = findModule(kernel.modules, name);
    if (path === null) continue; // built in, or not of this version
    const to = `${tree}/lib/modules/${name}.ko`;
    if (path.endsWith(".ko")) Deno.copyFileSync(path, to);
    else await output("sh", ["-c", `xz -dc '${path}' > '${to}'`], dir);
  }
  await addPython(tree, folder, scripts);
  Deno.writeTextFileSync(`${tree}/init`, INIT, { mode: 0o755 });
  Deno.writeTextFileSync(`${tree}/script`, script);
  const image = `${dir}/initramfs`;
  await output("sh", ["-c", `find . | busybox cpio -o -H newc > '${image}'`], tree);
  Deno.removeSync(tree, { recursive: true });
  return image;
}

/** Starts the machine and waits for its end. The host's loopback is 10.0.2.2 there. What it said. */
export async function runLinux(
  kernel: Kernel,
  folder: string,
  scripts: readonly string[],
  script: string,
  timeoutS: number,
): Promise<string> {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-test-linux-" });
  try {
    const image = await makeTree(dir, kernel, folder, scripts, script);
    const machine = "-accel tcg,thread=multi -machine q35 -cpu max -m 768 -smp 2 -nographic " +
      "-no-reboot -netdev user,id=n -device virtio-net-pci,netdev=n,romfile=";
    const append = "console=ttyS0 quiet panic=-1 mitigations=off";
    const { stdout } = await new Deno.Command("timeout", {
      args: ["-k", "5", String(timeoutS), "qemu-system-x86_64", ...machine.split(" ")]
        .concat(["-kernel", kernel.image, "-initrd", image, "-append", append]),
      stdin: "null",
      stderr: "null",
    }).output();
    return new TextDecoder().decode(stdout).replaceAll("\r", "");
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}
