/**
 * Containers of runc in which dvisor runs, as Docker, Podman and Kubernetes make them: the
 * config.json, with the part of Docker's default seccomp profile that matters to dvisor. The files
 * are this machine's. Not a test. Neighbour: nested_test.ts.
 */

import * as CLONE from "../../ffi/abi/sched.ts";
import { ADDR_NO_RANDOMIZE } from "../../ffi/abi/system.ts";
import { ROOT } from "../harness/dvisor.ts";

export interface NestedHost {
  readonly name: string;
  readonly uid: number;
  /** Without: seccompProfile Unconfined, the default of Kubernetes. */
  readonly hasFilter: boolean;
  /** Docker's default capabilities; else none, and no new privileges. */
  readonly hasCapabilities: boolean;
}

/** Where the container has dvisor and a bundle. */
export const PROGRAM = "/opt/dvisor/dvisor", BUNDLE = "/opt/bundle";

const CAPABILITIES = [
  ...["CHOWN", "DAC_OVERRIDE", "FSETID", "FOWNER", "MKNOD", "NET_RAW", "SETGID", "SETUID"],
  ...["SETFCAP", "SETPCAP", "NET_BIND_SERVICE", "SYS_CHROOT", "KILL", "AUDIT_WRITE"],
].map((name) => `CAP_${name}`);

/** Calls that Docker's default profile refuses without CAP_SYS_ADMIN and the like. */
const REFUSED = [
  ...["acct", "add_key", "bpf", "clock_settime", "delete_module", "fanotify_init"],
  ...["finit_module", "fsconfig", "fsmount", "fsopen", "fspick", "get_mempolicy", "init_module"],
  ...["io_uring_enter", "io_uring_register", "io_uring_setup", "ioperm", "iopl", "kcmp"],
  ...["kexec_file_load", "kexec_load", "keyctl", "lookup_dcookie", "mbind", "migrate_pages"],
  ...["mount", "mount_setattr", "move_mount", "move_pages", "open_by_handle_at", "open_tree"],
  ...["perf_event_open", "pidfd_getfd", "pivot_root", "process_madvise", "quotactl", "reboot"],
  ...["request_key", "set_mempolicy", "setdomainname", "sethostname", "setns", "settimeofday"],
  ...["swapoff", "swapon", "syslog", "umount2", "unshare", "userfaultfd", "ustat", "vhangup"],
];

const NAMESPACES = [
  CLONE.CLONE_NEWUSER,
  CLONE.CLONE_NEWNS,
  CLONE.CLONE_NEWPID,
  CLONE.CLONE_NEWNET,
  CLONE.CLONE_NEWIPC,
  CLONE.CLONE_NEWUTS,
  CLONE.CLONE_NEWCGROUP,
];

const EPERM = 1, ENOSYS = 38;

function refuse(names: readonly string[], bits?: number, errnoRet: number = EPERM): unknown {
  const test = { index: 0, value: bits, valueTwo: bits, op: "SCMP_CMP_MASKED_EQ" };
  return {
    names,
    action: "SCMP_ACT_ERRNO",
    errnoRet,
    ...(bits === undefined ? {} : { args: [test] }),
  };
}

function profile(hasCapabilities: boolean): unknown {
  return {
    defaultAction: "SCMP_ACT_ALLOW",
    architectures: ["SCMP_ARCH_X86_64"],
    syscalls: [
      refuse(hasCapabilities ? REFUSED : [...REFUSED, "chroot"]),
      refuse(["clone3"], undefined, ENOSYS),
      refuse(["personality"], ADDR_NO_RANDOMIZE),
      ...NAMESPACES.map((flag) => refuse(["clone"], flag)),
    ],
  };
}

function mount(destination: string, type: string, options: readonly string[]): unknown {
  return { destination, type, source: type, options };
}

/** A read-only view of a directory of the host. */
function bind(source: string, destination: string = source): unknown {
  return { destination, type: "bind", source, options: ["rbind", "ro"] };
}

/** Directories with programs and libraries; on most machines only /usr is no link. */
const SYSTEM = ["/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc"];

/** Makes the root directory: links as here, and places for the mounts. */
export function makeRoot(root: string): void {
  for (const path of [...SYSTEM, "/proc", "/sys", "/dev", "/opt/dvisor", BUNDLE]) {
    const target = linkOf(path);
    if (target !== null) Deno.symlinkSync(target, `${root}${path}`);
    else Deno.mkdirSync(`${root}${path}`, { recursive: true });
  }
}

function linkOf(path: string): string | null {
  try {
    return Deno.readLinkSync(path);
  } catch {
    return null;
  }
}

/** @param bundle on the host, of a container for dvisor to run */
export function nestedConfig(host: NestedHost, script: string, bundle: string): unknown {
  const held = host.hasCapabilities ? CAPABILITIES : [], nosuid = ["nosuid", "noexec", "nodev"];
  const shown = SYSTEM.filter((path) => linkOf(path) === null);
  return {
    ociVersion: "1.0.2",
    process: {
      terminal: false,
      user: { uid: host.uid, gid: host.uid },
      args: ["sh", "-c", script],
      env: ["PATH=/usr/bin:/bin", "HOME=/"],
      cwd: "/",
      noNewPrivileges: !host.hasCapabilities,
      capabilities: { bounding: held, effective: held, permitted: held },
    },
    root: { path: "rootfs", readonly: true },
    hostname: "nested",
    mounts: [
      mount("/proc", "proc", nosuid),
      mount("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
      mount("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666"]),
      mount("/dev/shm", "tmpfs", [...nosuid, "mode=1777", "size=65536k"]),
      mount("/sys", "sysfs", [...nosuid, "ro"]),
      mount("/sys/fs/cgroup", "cgroup", [...nosuid, "ro"]),
      ...shown.map((path) => bind(path)),
      bind(`${ROOT}/dist`, "/opt/dvisor"),
      bind(bundle, BUNDLE),
    ],
    linux: {
      namespaces: ["pid", "network", "ipc", "uts", "mount"].map((type) => ({ type })),
      maskedPaths: ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
      readonlyPaths: ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
      ...(host.hasFilter ? { seccomp: profile(host.hasCapabilities) } : {}),
    },
  };
}
