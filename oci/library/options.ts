/** The options of a sandbox and of a program in it, and the config.json that is made from them. */

/** A directory or file of the host inside a sandbox. */
export interface Mount {
  /** Path on the host. */
  readonly source: string;
  /** Absolute path in the sandbox. */
  readonly destination: string;
  /** Default false: writes reach the host. */
  readonly readonly?: boolean;
}

/** Options of {@linkcode Sandbox.create}. */
export interface SandboxOptions {
  /** Directory of the host that is the root of the sandbox. Default: the host's own root. */
  readonly rootfs?: string;
  /** Where writes to the root go: into memory (default), or through to the host. */
  readonly overlay?: "memory" | "none";
  /** `none` (default): only the sandbox's own loopback; `host`: the host's network. */
  readonly network?: "none" | "host";
  /**
   * Memory of all guests together, in bytes. Default: what this process may use. A limit needs root
   * or a delegated control group.
   */
  readonly memoryBytes?: number;
  /** Processors. Default: those of this process. A limit needs what `memoryBytes` needs. */
  readonly cpus?: number;
  readonly mounts?: readonly Mount[];
  /** Name of the machine. Default "dvisor". */
  readonly hostname?: string;
  /** Environment of programs that bring none of their own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the best that works on this host. */
  readonly platform?: "systrap" | "ptrace" | "kvm";
  /**
   * The `dvisor` executable. Default: `$DVISOR`, else `dist/dvisor` of this project, else the one
   * in PATH.
   */
  readonly binary?: string;
}

/** Options of {@linkcode Sandbox.exec} and {@linkcode Sandbox.spawn}. */
export interface ProgramOptions {
  /** Default: that of the sandbox. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default "/". */
  readonly cwd?: string;
  /** Numbers. Default: user and group 0. */
  readonly user?: { readonly uid: number; readonly gid: number };
}

/** Options of {@linkcode Sandbox.exec}. */
export interface ExecOptions extends ProgramOptions {
  /** Standard input. Default: empty. */
  readonly stdin?: string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>;
  /** The program and its children are killed when they take longer. */
  readonly timeoutMs?: number;
  /** The program is killed when it writes more than this to stdout or stderr. Default 64 MiB. */
  readonly maxOutputBytes?: number;
}

/** Path of the agent in a sandbox. */
export const AGENT = "/.dvisor-agent";

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/** Those that containers usually have. */
const CAPABILITIES = [
  "CAP_AUDIT_WRITE",
  "CAP_CHOWN",
  "CAP_DAC_OVERRIDE",
  "CAP_FOWNER",
  "CAP_FSETID",
  "CAP_KILL",
  "CAP_MKNOD",
  "CAP_NET_BIND_SERVICE",
  "CAP_NET_RAW",
  "CAP_SETFCAP",
  "CAP_SETGID",
  "CAP_SETPCAP",
  "CAP_SETUID",
  "CAP_SYS_CHROOT",
];
const CPU_PERIOD = 100_000;
const OCI_VERSION = "1.2.0";

/** `process` of config.json, and what `dvisor exec --process` takes. */
export function processSection(
  args: readonly string[],
  sandbox: SandboxOptions,
  options: ProgramOptions,
): object {
  const env = { PATH, HOME: "/root", ...sandbox.env, ...options.env };
  const sets = { bounding: CAPABILITIES, effective: CAPABILITIES, permitted: CAPABILITIES };
  const isRoot = (options.user?.uid ?? 0) === 0;
  return {
    terminal: false,
    user: options.user ?? { uid: 0, gid: 0 },
    args,
    env: Object.entries(env).map(([name, value]) => `${name}=${value}`),
    cwd: options.cwd ?? "/",
    capabilities: isRoot ? sets : { bounding: CAPABILITIES },
    noNewPrivileges: false,
  };
}

/** The config.json of a sandbox whose first process is the agent, a file of the host. */
export function sandboxConfig(options: SandboxOptions, agent: string): object {
  const { memoryBytes, cpus } = options;
  const bind = (mount: Mount) => ({
    destination: mount.destination,
    type: "bind",
    source: mount.source,
    options: ["rbind", mount.readonly === true ? "ro" : "rw"],
  });
  const system = (destination: string, type: string, ...rest: string[]) => ({
    destination,
    type,
    source: type,
    options: ["nosuid", ...rest],
  });
  return {
    ociVersion: OCI_VERSION,
    process: processSection([AGENT], options, {}),
    root: { path: options.rootfs ?? "/", readonly: false },
    hostname: options.hostname ?? "dvisor",
    mounts: [
      system("/proc", "proc", "noexec", "nodev"),
      system("/dev", "tmpfs", "mode=755"),
      system("/dev/pts", "devpts", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"),
      system("/dev/shm", "tmpfs", "noexec", "nodev", "mode=1777"),
      system("/sys", "sysfs", "noexec", "nodev", "ro"),
      bind({ source: agent, destination: AGENT, readonly: true }),
      ...(options.mounts ?? []).map(bind),
    ],
    linux: {
      namespaces: ["pid", "ipc", "uts", "mount", ...options.network === "host" ? [] : ["network"]]
        .map((type) => ({ type })),
      resources: {
        ...memoryBytes === undefined ? {} : { memory: { limit: memoryBytes } },
        ...cpus === undefined
          ? {}
          : { cpu: { quota: Math.round(cpus * CPU_PERIOD), period: CPU_PERIOD } },
      },
    },
  };
}
