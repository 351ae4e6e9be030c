/**
 * What this host offers to a sandbox, fact by fact, each asked of the host itself: the body of `dvisor doctor`.
 *
 * Not here: how it is printed. Neighbour: `registry.ts` tries the platforms. Sources: seccomp(2), user_namespaces(7), cgroups(7),
 * sched_getaffinity(2), the host's Documentation/virt/kvm/api.rst.
 */

import { O_CLOEXEC, O_RDWR } from "../ffi/abi/fcntl.ts";
import { AT_FDCWD } from "../ffi/abi/fcntl.ts";
import { CLONE_NEWUSER } from "../ffi/abi/sched.ts";
import { SECCOMP_GET_ACTION_AVAIL, SECCOMP_RET_TRAP } from "../ffi/abi/seccomp.ts";
import {
  SYS_exit_group,
  SYS_sched_getaffinity,
  SYS_seccomp,
  SYS_wait4,
} from "../ffi/abi/syscall_numbers.ts";
import { __WALL } from "../ffi/abi/wait.ts";
import { scratch } from "../ffi/sys/cstring.ts";
import { errnoName } from "../ffi/sys/errors.ts";
import { close, ioctl, openat } from "../ffi/sys/files.ts";
import { syscall } from "../ffi/sys/native.ts";
import { spawn, SpawnScript } from "../ffi/sys/spawn.ts";
import { DEFAULT_PLATFORMS, PLATFORM_NAMES, type PlatformName } from "./names.ts";
import { tryPlatform } from "./registry.ts";

/** One line of the report. */
export interface Finding {
  /** `seccomp`, `ptrace`, `/dev/kvm`, `user namespaces`, `cgroups`, `cores`, or `platform NAME`. */
  readonly name: string;
  /** False: the sandbox does without, or cannot run at all if it is every platform. */
  readonly isThere: boolean;
  /** For people: what was found, or why not. */
  readonly detail: string;
}

export interface HostOffer {
  readonly findings: readonly Finding[];
  /** The platform that is used if none is asked for; null if none works. */
  readonly platform: PlatformName | null;
  /** Why this one. */
  readonly reason: string;
}

const KVM_GET_API_VERSION = 0xae00;
const CPU_MASK_BYTES = 1024;

/** Asks the host; takes some milliseconds, as it runs a guest on each platform. */
export function inspectHost(): HostOffer {
  const problems = new Map(PLATFORM_NAMES.map((name) => [name, tryPlatform(name)]));
  const findings = [
    seccomp(),
    ptraceFinding(problems.get("ptrace") ?? null),
    kvm(),
    userNamespaces(),
    cgroups(),
    cores(),
    ...PLATFORM_NAMES.map((name) => platformFinding(name, problems.get(name) ?? null)),
  ];
  const platform = DEFAULT_PLATFORMS.find((name) => problems.get(name) === null) ?? null;
  return { findings, platform, reason: reasonFor(platform, problems) };
}

function reasonFor(
  platform: PlatformName | null,
  problems: ReadonlyMap<PlatformName, string | null>,
): string {
  const failed = [...problems]
    .filter(([name, problem]) => DEFAULT_PLATFORMS.includes(name) && problem !== null)
    .map(([name, problem]) => `${name} does not work here (${problem})`).join("; ");
  if (platform === null) return failed;
  return failed === "" ? "the fastest, and it works here" : `it works here; ${failed}`;
}

function platformFinding(name: PlatformName, problem: string | null): Finding {
  return { name: `platform ${name}`, isThere: problem === null, detail: problem ?? "runs a guest" };
}

/** The trial of the platform is the only question that the host answers in full. */
function ptraceFinding(problem: string | null): Finding {
  const detail = problem ?? "PTRACE_SYSEMU works";
  return { name: "ptrace", isThere: problem === null, detail };
}

function seccomp(): Finding {
  scratch.dv.setUint32(scratch.areaOffset(0), SECCOMP_RET_TRAP, true);
  const r = syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, scratch.area(0));
  const detail = r === 0 ? "filters can trap" : `no trapping filters: ${errnoName(r)}`;
  return { name: "seccomp", isThere: r === 0, detail };
}

function kvm(): Finding {
  const name = "/dev/kvm";
  const fd = openat(AT_FDCWD, name, O_RDWR | O_CLOEXEC);
  if (fd < 0) return { name, isThere: false, detail: errnoName(fd) };
  const version = ioctl(fd, KVM_GET_API_VERSION);
  close(fd);
  return { name, isThere: true, detail: `API version ${version}` };
}

/** Makes one: several settings of several distributions forbid it. */
function userNamespaces(): Finding {
  const name = "user namespaces";
  try {
    const { pid, pidfd } = spawn(new SpawnScript().call(SYS_exit_group, 0), CLONE_NEWUSER);
    close(pidfd);
    syscall(SYS_wait4, pid, 0, __WALL, 0);
    return { name, isThere: true, detail: "can be made" };
  } catch (error) {
    return { name, isThere: false, detail: error instanceof Error ? error.message : String(error) };
  }
}

function cgroups(): Finding {
  const name = "cgroups";
  const controllers = readText("/sys/fs/cgroup/cgroup.controllers");
  if (controllers !== null) {
    return { name, isThere: true, detail: `version 2: ${controllers.trim() || "no controllers"}` };
  }
  if (readText("/sys/fs/cgroup/memory/memory.limit_in_bytes") !== null) {
    return { name, isThere: true, detail: "version 1" };
  }
  return { name, isThere: false, detail: "nothing is mounted at /sys/fs/cgroup" };
}

function cores(): Finding {
  const count = coreCount();
  const load = Deno.loadavg()[0] ?? 0;
  const spare = Math.max(0, count - load).toFixed(1);
  const detail = `${count} to run on, ${spare} idle in the last minute` +
    (count < 2 ? "; guests will not spin for replies" : "");
  return { name: "cores", isThere: count >= 2, detail };
}

/** Cores that this process may run on. */
export function coreCount(): number {
  const bytes = syscall(SYS_sched_getaffinity, 0, CPU_MASK_BYTES, scratch.area(0));
  let count = 0;
  for (let i = 0; i < bytes; i++) {
    for (let b = scratch.u8[scratch.areaOffset(0) + i]!; b !== 0; b &= b - 1) count++;
  }
  return Math.max(1, count);
}

function readText(path: string): string | null {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return null;
  }
}
