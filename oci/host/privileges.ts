/**
 * What this process may do on the host, which decides about the namespaces of what it starts.
 * Sources: capabilities(7), user_namespaces(7), proc_pid_status(5).
 */

import { CAP_SETFCAP, CAP_SYS_ADMIN } from "../../ffi/abi/capability.ts";
import { MS_REC, MS_SLAVE } from "../../ffi/abi/mount.ts";
import { CLONE_NEWNS, CLONE_NEWUSER } from "../../ffi/abi/sched.ts";
import { SYS_exit_group, SYS_geteuid, SYS_mount } from "../../ffi/abi/syscall_numbers.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { SpawnScript } from "../../ffi/sys/spawn.ts";
import { runInChild } from "./child_script.ts";

/** As /proc/PID/status names the mode of a process with a filter: seccomp(2). */
const SECCOMP_FILTER = 2;

/**
 * - `full`: it can make every namespace, as root can, also root of a user namespace.
 * - `users`: it can make user namespaces, and the others in them.
 * - `none`: it can make no namespace.
 */
export type NamespacePower = "full" | "users" | "none";

/** Tries a user namespace with mounts, since distributions forbid them in several ways. */
export function namespacePower(): NamespacePower {
  if (hasCapability(CAP_SYS_ADMIN)) return "full";
  // Without this capability user 0 cannot be mapped into another namespace.
  const isMappable = syscall(SYS_geteuid) !== 0 || hasCapability(CAP_SETFCAP);
  return isMappable && canMakeUsers() ? "users" : "none";
}

function canMakeUsers(): boolean {
  const script = new SpawnScript();
  script.call(SYS_mount, "none", "/", 0, MS_REC + MS_SLAVE, 0).call(SYS_exit_group, 0);
  return runInChild(script, CLONE_NEWUSER + CLONE_NEWNS) === null;
}

/** Whether this process is root with the power over namespaces: not root of a plain container. */
export function isFullRoot(): boolean {
  return syscall(SYS_geteuid) === 0 && hasCapability(CAP_SYS_ADMIN);
}

/** Whether this process has an effective capability. */
export function hasCapability(cap: number): boolean {
  return has("CapEff", cap);
}

function has(set: string, cap: number): boolean {
  const bits = BigInt(`0x${statusOf(set) || "0"}`);
  return (bits >> BigInt(cap) & 1n) !== 0n;
}

/**
 * Whether something around this process confines it for good, as a container does: by a filter of
 * system calls, or by a bounding set without the capability that makes namespaces. Its user cannot
 * change what such a host permits.
 */
export function isConfined(): boolean {
  return Number(statusOf("Seccomp")) === SECCOMP_FILTER || !has("CapBnd", CAP_SYS_ADMIN);
}

function statusOf(name: string): string {
  const text = Deno.readTextFileSync("/proc/self/status");
  return new RegExp(`^${name}:\\s*(\\S+)$`, "m").exec(text)?.[1] ?? "";
}
