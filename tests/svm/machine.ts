/**
 * A Debian kernel in qemu on a processor with AMD's virtual machines (SVM), which qemu translates.
 * It sees this machine's files, read-only, below a file system of its own memory, and has no
 * network. Not a test; `main.ts` starts it.
 */

import { hasCommand, installProblem } from "../../tools/test/packages.ts";
import { type Kernel, output } from "../gofer/linux_kernel.ts";

/** Files below the kernel's modules, in the order of loading. What is not there is built in. */
const MODULES = [
  "drivers/virtio/virtio_ring",
  "drivers/virtio/virtio_pci",
  "fs/netfs/netfs",
  "net/9p/9pnet",
  "net/9p/9pnet_virtio",
  "fs/9p/9p",
  "fs/overlayfs/overlay",
  "virt/lib/irqbypass",
  "drivers/crypto/ccp/ccp",
  "arch/x86/kvm/kvm",
  "arch/x86/kvm/kvm-amd",
];
const QEMU = "-accel tcg,thread=multi -machine q35 -cpu max -m 4096 -smp 2 -display none " +
  "-no-reboot -nodefaults -nic none -serial stdio -virtfs " +
  "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap,id=host";
const APPEND = "console=ttyS0 quiet panic=-1 mitigations=off";
const PACKAGE = "qemu-system-x86";

/** The word that the machine's shell prints at its end, before the status of the script. */
const ENDED = "machine-ended";

interface MachineOptions {
  readonly kernel: Kernel;
  /** Parameters of the module kvm-amd. */
  readonly parameters: string;
  /** The script of its shell, on a root that looks like this machine's. */
  readonly script: string;
  /** LIMIT: seconds from its start to its end. */
  readonly timeoutS: number;
  /** Called with each line of its serial console. */
  readonly onLine: (line: string) => void;
}

/** Why there is no qemu here; null when there is, or is now. */
export async function qemuProblem(): Promise<string | null> {
  if (hasCommand("qemu-system-x86_64")) return null;
  const problem = installProblem();
  if (problem !== null) return `no qemu-system-x86_64 on this machine (${problem})`;
  console.log(`Installing with apt-get: ${PACKAGE}`);
  const args = ["apt-get", "install", "-y", "-q", "--no-install-recommends", PACKAGE];
  try {
    await output("env", ["DEBIAN_FRONTEND=noninteractive", ...args], "/");
  } catch {
    return `no qemu-system-x86_64 on this machine (apt-get could not install ${PACKAGE})`;
  }
  return null;
}

/** @returns the status of the script, or null if the machine ended without one */
export async function runMachine(options: MachineOptions): Promise<number | null> {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-svm-" });
  try {
    const image = await makeImage(dir, options);
    const boot = ["-kernel", options.kernel.image, "-initrd", image, "-append", APPEND];
    const child = new Deno.Command("nice", {
      args: ["-n", "5", "timeout", "-k", "5", String(options.timeoutS), "qemu-system-x86_64"]
        .concat(QEMU.split(" "), boot),
      stdin: "null",
      stdout: "piped",
    }).spawn();
    let status: number | null = null, rest = "";
    for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + part.replaceAll("\r", "")).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        if (line.startsWith(ENDED)) status = Number(line.slice(ENDED.length));
        else options.onLine(line);
      }
    }
    await child.status;
    return status;
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

/** The first file system: busybox, the modules, and the script that mounts the second one. */
async function makeImage(dir: string, options: MachineOptions): Promise<string> {
  const tree = `${dir}/tree`, image = `${dir}/initramfs`, loads: string[] = [];
  for (const d of ["bin", "modules"]) Deno.mkdirSync(`${tree}/${d}`, { recursive: true });
  await output("sh", ["-c", `cp "$(command -v busybox)" bin/busybox`], tree);
  for (const path of MODULES) {
    const name = path.slice(path.lastIndexOf("/") + 1), to = `modules/${name}.ko`;
    const from = `${options.kernel.modules}/kernel/${path}.ko`;
    const unpack = `if [ -e '${from}' ]; then cp '${from}' ${to}; elif [ -e '${from}.xz' ]; ` +
      `then xz -dc '${from}.xz' > ${to}; fi; [ ! -e ${to} ] || echo ${to}`;
    const there = (await output("sh", ["-c", unpack], tree)).trim();
    if (there !== "") loads.push(`insmod /${to} ${name === "kvm-amd" ? options.parameters : ""}`);
  }
  Deno.writeTextFileSync(`${tree}/init`, initScript(loads), { mode: 0o755 });
  Deno.writeTextFileSync(`${tree}/script`, wholeScript(options.script));
  await output("sh", ["-c", `find . | busybox cpio -o -H newc > '${image}'`], tree);
  return image;
}

function initScript(loads: readonly string[]): string {
  return `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mkdir -p /proc /sys /dev /host /own /new
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev
${loads.join("\n")}
mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=524288 host /host
mount -t tmpfs -o mode=755,size=75% own /own
mkdir /own/upper /own/work
mount -t overlay -o lowerdir=/host,upperdir=/own/upper,workdir=/own/work root /new
for d in proc sys dev; do mount --move /$d /new/$d; done
mkdir -p /new/dev/pts /new/dev/shm
ln -s /proc/self/fd /new/dev/fd
mount -t devpts -o ptmxmode=666 devpts /new/dev/pts
for d in dev/shm tmp run; do mount -t tmpfs -o mode=1777 tmpfs /new/$d; done
mount -t cgroup2 cgroup2 /new/sys/fs/cgroup
ip link set lo up
cp /script /new/run/script
exec switch_root /new /bin/sh /run/script
`;
}

function wholeScript(script: string): string {
  return `exec < /dev/null
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 TERM=dumb
( ${script}
)
echo "${ENDED} $?"
busybox poweroff -f
`;
}
