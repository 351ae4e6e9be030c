/**
 * The first and only file system of a test machine: busybox, Python with what some scripts import,
 * and the modules of its kernel, as an initramfs. Not a test.
 */

import { PYTHON } from "../harness/machine.ts";
import { findModule, type Kernel, list, MODULES, output } from "./linux_kernel.ts";

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

/** The line that the machine prints after its boot, before it runs its script. */
export const STARTED = "machine-started";

const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin PYTHONDONTWRITEBYTECODE=1
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
for m in ${MODULES.join(" ")}; do insmod /lib/modules/$m.ko; done
ip link set lo up; ip link set eth0 up; ip addr add 10.0.2.15/24 dev eth0
echo 0 > /proc/sys/kernel/printk
echo "${STARTED}"
sh /script; echo "script-ended $?"
poweroff -f
`;

/**
 * Makes the first file system: `script` is what the machine runs, `scripts` the Python files of
 * `folder` it needs.
 */
export async function makeTree(
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
