/**
 * OCI bundles for tests: a root directory with busybox, a config.json, and a run of it by a
 * runtime. Not a test. Neighbour: bundle_cases.ts.
 */

import { dvisorCommand, type Finished, run } from "../harness/dvisor.ts";

/** The members of a config.json, which cases add and change freely. */
export interface BundleConfig {
  ociVersion: string;
  process: Record<string, unknown>;
  root: Record<string, unknown>;
  mounts: unknown[];
  linux: Record<string, unknown>;
  [member: string]: unknown;
}

export type RuntimeName = "dvisor" | "runc";

/** A static busybox, or null. */
export const BUSYBOX: string | null = findBusybox();
/** runc, where this user may run it, or null. */
export const RUNC: string | null = Deno.uid() === 0 ? findInPath("runc") : null;

const APPLETS =
  "sh cat ls stat id mount mkdir touch echo grep ln rm readlink sleep hostname uname printf awk " +
  "sed sort head tail wc cut chmod true false test ionice chrt mkfifo nice dd seq tr env pwd tty stty";

/** LIMIT: seconds of one container. */
const TIMEOUT_S = 30;

function findBusybox(): string | null {
  const path = findInPath("busybox");
  if (path === null) return null;
  // A dynamic one needs libraries that the root directory does not have.
  const head = new TextDecoder("latin1").decode(Deno.readFileSync(path).subarray(0, 4096));
  return head.includes("ld-linux") ? null : path;
}

function findInPath(name: string): string | null {
  for (const dir of (Deno.env.get("PATH") ?? "").split(":")) {
    const path = `${dir}/${name}`;
    try {
      if (Deno.statSync(path).isFile) return path;
    } catch {
      // Not in this one.
    }
  }
  return null;
}

export class Bundle {
  readonly dir: string;
  readonly root: string;
  readonly #mounts: string[] = [];

  constructor() {
    this.dir = Deno.makeTempDirSync({ prefix: "dvisor-bundle-" });
    Deno.chmodSync(this.dir, 0o755);
    this.root = `${this.dir}/rootfs`;
    Deno.mkdirSync(`${this.root}/bin`, { recursive: true });
    Deno.copyFileSync(BUSYBOX ?? "", `${this.root}/bin/busybox`);
    for (const name of APPLETS.split(" ")) Deno.symlinkSync("busybox", `${this.root}/bin/${name}`);
  }

  write(config: BundleConfig): void {
    Deno.writeTextFileSync(`${this.dir}/config.json`, JSON.stringify(config));
  }

  /** `options` stand in front of the verb. */
  run(runtime: RuntimeName, options: readonly string[] = []): Promise<Finished> {
    return run(this.commandLine(runtime, options), { timeoutS: TIMEOUT_S });
  }

  commandLine(runtime: RuntimeName, options: readonly string[] = []): string[] {
    const id = `dvisor-test-${crypto.randomUUID().slice(0, 8)}`;
    return runtime === "dvisor"
      ? [...dvisorCommand(), ...options, "run", "--bundle", this.dir, id]
      : [RUNC ?? "", "--root", `${this.dir}/state`, "run", "--bundle", this.dir, id];
  }

  /**
   * Mounts a file system on a directory of the bundle, until the bundle is removed. False when
   * mount(2) failed.
   */
  mount(path: string, type = "tmpfs", options = "rw", source: string = type): boolean {
    const args = ["-t", type, "-o", options, source, path];
    const { success } = new Deno.Command("mount", { args }).outputSync();
    if (success) this.#mounts.push(path);
    return success;
  }

  remove(): void {
    for (const path of this.#mounts) {
      new Deno.Command("umount", { args: ["-l", path] }).outputSync();
    }
    Deno.removeSync(this.dir, { recursive: true });
  }
}

/** A container that runs a script in a shell. */
export function shellConfig(script: string): BundleConfig {
  const capabilities = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_KILL", "CAP_MKNOD"];
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: 0, gid: 0 },
      args: ["sh", "-c", script],
      env: ["PATH=/bin"],
      cwd: "/",
      capabilities: {
        bounding: capabilities,
        effective: capabilities,
        permitted: capabilities,
      },
    },
    root: { path: "rootfs", readonly: false },
    hostname: "box",
    mounts: [
      { destination: "/proc", type: "proc", source: "proc" },
      {
        destination: "/dev",
        type: "tmpfs",
        source: "tmpfs",
        options: ["nosuid", "strictatime", "mode=755", "size=65536k"],
      },
      {
        destination: "/dev/pts",
        type: "devpts",
        source: "devpts",
        options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
      },
      {
        destination: "/sys",
        type: "sysfs",
        source: "sysfs",
        options: ["nosuid", "noexec", "nodev", "ro"],
      },
    ],
    linux: {
      namespaces: ["pid", "network", "ipc", "uts", "mount"].map((type) => ({ type })),
    },
  };
}
