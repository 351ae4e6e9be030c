/**
 * What this host offers to a sandbox, each fact found by a call to the host: the body of `dvisor
 * doctor`.
 *
 * Not here: how it is printed. Neighbours: `trial.ts` measures the platforms, `choice.ts` compares
 * them. Sources: seccomp(2), user_namespaces(7), cgroups(7), sched_getaffinity(2), the host's
 * Documentation/virt/kvm/api.rst.
 */

import { KVM_GET_API_VERSION } from "../../ffi/abi/kvm.ts";
import { O_CLOEXEC, O_RDWR } from "../../ffi/abi/fcntl.ts";
import { AT_FDCWD } from "../../ffi/abi/fcntl.ts";
import { LANDLOCK_CREATE_RULESET_VERSION } from "../../ffi/abi/landlock.ts";
import { CLONE_NEWUSER } from "../../ffi/abi/sched.ts";
import { SECCOMP_GET_ACTION_AVAIL, SECCOMP_RET_TRAP } from "../../ffi/abi/seccomp.ts";
import {
  SYS_exit_group,
  SYS_landlock_create_ruleset,
  SYS_sched_getaffinity,
  SYS_seccomp,
  SYS_wait4,
} from "../../ffi/abi/syscall_numbers.ts";
import { __WALL } from "../../ffi/abi/wait.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { errnoName } from "../../ffi/sys/errors.ts";
import { close, ioctl, openat } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { spawn, SpawnScript } from "../../ffi/sys/spawn.ts";
import { meanCallNs } from "./choice.ts";
import { DEFAULT_PLATFORMS, PLATFORM_NAMES, type PlatformName } from "./candidates.ts";
import { measurePlatform } from "./registry.ts";
import type { PlatformCosts } from "./trial.ts";

/** One line of the report. */
export interface Finding {
  /**
   * `seccomp`, `ptrace`, `/dev/kvm`, `user namespaces`, `landlock`, `cgroups`, `cores`, or
   * `platform NAME`.
   */
  readonly name: string;
  /** False: the sandbox works without it, or cannot run at all if no platform works. */
  readonly isThere: boolean;
  /** A text for the report: what was found, or the reason why it is missing. */
  readonly detail: string;
}

export interface HostOffer {
  readonly findings: readonly Finding[];
  /** The platform that is used without a choice; null if none works. */
  readonly platform: PlatformName | null;
  /** The reason for this platform. */
  readonly reason: string;
}

/**
 * The first version in which files can move between directories, as in gofer/server/landlock.ts.
 */
const LANDLOCK_MIN = 2;
const CPU_MASK_BYTES = 1024;

/** The platform that a sandbox asks for first, before the default ones. */
export interface Preference {
  readonly best: PlatformName | null;
  /** The reason, as the beginning of a sentence. */
  readonly why: string;
}

/** Collects all findings; takes some 100 milliseconds, since it measures each platform. */
export function inspectHost({ best, why }: Preference): HostOffer {
  const trials = new Map(PLATFORM_NAMES.map((name) => [name, measure(name)]));
  const findings = [
    seccomp(),
    ptraceFinding(trials.get("ptrace")!),
    kvm(),
    userNamespaces(),
    landlock(),
    cgroups(),
    cores(),
    ...PLATFORM_NAMES.map((name) => platformFinding(name, trials.get(name)!)),
  ];
  const wanted = best === null ? DEFAULT_PLATFORMS : [best, ...DEFAULT_PLATFORMS];
  const platform = wanted.find((name) => trials.get(name)!.costs !== null) ?? null;
  return { findings, platform, reason: reasonFor(platform, trials, why, platform === best) };
}

interface Measured {
  /** Null if it does not work. */
  readonly costs: PlatformCosts | null;
  /** The reason why it does not work, else "". */
  readonly problem: string;
}

function measure(name: PlatformName): Measured {
  try {
    return { costs: measurePlatform(name), problem: "" };
  } catch (error) {
    return { costs: null, problem: error instanceof Error ? error.message : String(error) };
  }
}

function reasonFor(
  platform: PlatformName | null,
  trials: ReadonlyMap<PlatformName, Measured>,
  why: string,
  isAsked: boolean,
): string {
  const others = [...trials].filter(([name]) => name !== platform);
  const rejected = others.map(([name, { costs, problem }]) =>
    costs === null ? `${name} does not work here (${problem})` : `${name} ${share(costs)}`
  ).join("; ");
  const own = platform === null ? null : trials.get(platform)!.costs;
  if (own === null) return rejected;
  const order = isAsked ? "" : orderOf(platform);
  return `${order}${why}; now a call with its share of faults and forks costs ${
    share(own)
  }; ${rejected}`;
}

/** Why one of the default platforms goes before the other. */
function orderOf(platform: PlatformName | null): string {
  if (platform === null || platform === "kvm") return "";
  const before = DEFAULT_PLATFORMS.slice(0, DEFAULT_PLATFORMS.indexOf(platform));
  return before.length === 0
    ? `${platform} is the first choice where it works; `
    : `${before.map((name) => `${name} does not work`).join(", ")}; `;
}

function share(costs: PlatformCosts): string {
  return `${us(meanCallNs(costs))} us`;
}

function us(ns: number): string {
  return (ns / 1000).toFixed(1);
}

function platformFinding(name: PlatformName, { costs, problem }: Measured): Finding {
  if (costs === null) return { name: `platform ${name}`, isThere: false, detail: problem };
  const { callNs, faultNs, forkNs } = costs;
  const detail = `a call costs ${us(callNs)} us, a fault ${us(faultNs)}, a fork ${us(forkNs)}`;
  return { name: `platform ${name}`, isThere: true, detail };
}

/** Only the trial of the platform shows whether ptrace works. */
function ptraceFinding({ costs, problem }: Measured): Finding {
  const isThere = costs !== null, detail = isThere ? "PTRACE_SYSEMU works" : problem;
  return { name: "ptrace", isThere, detail };
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

/** Makes a user namespace, since several settings of distributions forbid it. */
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

/** Landlock confines the file server in addition to its root directory. */
function landlock(): Finding {
  const r = syscall(SYS_landlock_create_ruleset, 0, 0, LANDLOCK_CREATE_RULESET_VERSION);
  const detail = r >= LANDLOCK_MIN
    ? `version ${r}`
    : r < 0
    ? errnoName(r)
    : `version ${r} is too old`;
  return { name: "landlock", isThere: r >= LANDLOCK_MIN, detail };
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

/** Number of cores that this process may run on. */
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
