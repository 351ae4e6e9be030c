/**
 * `linux.sysctl` of config.json: settings of the container's kernel, written before its program
 * starts.
 */

import { ENOENT } from "../../../ffi/abi/errno.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { SysctlInode } from "../../../kernel/proc/fs/sysctl_inode.ts";
import { hasNamespaces } from "../../../kernel/task/namespaces.ts";
import type { Caller } from "../../../kernel/vfs/caller.ts";
import type { Inode } from "../../../kernel/vfs/inode.ts";
import { isNetworkSetting } from "../../host/network_settings.ts";
import { cannot } from "../../file_error.ts";

/** LIMIT: bytes of a host name. */
const UTS_NAME_LENGTH = 64;

/** @throws UserError naming the setting */
export function setSysctls(
  kernel: SandboxKernel,
  caller: Caller,
  settings: readonly (readonly [name: string, value: string])[],
): void {
  if (settings.length === 0) return;
  const proc = kernel.fsTypes.find("proc")?.create(caller, "proc", "") ?? -ENOENT;
  if (typeof proc === "number") throw cannot("cannot use", "/proc/sys", proc);
  for (const [name, value] of settings) {
    if (setName(kernel, caller, name, value)) continue;
    const r = store(proc.root, ["sys", ...name.split(/[./]/)], value, caller);
    // The host's network has more settings than this kernel shows (host/network_settings.ts).
    if (r === -ENOENT && isHostNetwork(kernel) && isNetworkSetting(name)) continue;
    if (r < 0) {
      const path = `/proc/sys/${name.replaceAll(".", "/")}`;
      throw cannot("cannot set", path, r, `linux.sysctl["${name}"]`);
    }
  }
  proc.destroy();
}

function isHostNetwork(kernel: SandboxKernel): boolean {
  return kernel.namespaces.net.network !== null;
}

/**
 * Sets the name in the caller's UTS namespace. A file of /proc would use the namespace of a running
 * process, and there is none yet.
 */
function setName(kernel: SandboxKernel, caller: Caller, name: string, value: string): boolean {
  const { uts } = hasNamespaces(caller) ? caller.ns : kernel.namespaces;
  switch (name.replaceAll("/", ".")) {
    case "kernel.hostname":
      uts.hostname = value.slice(0, UTS_NAME_LENGTH);
      return true;
    case "kernel.domainname":
      uts.domainname = value.slice(0, UTS_NAME_LENGTH);
      return true;
    default:
      return false;
  }
}

function store(
  root: Inode,
  names: readonly string[],
  value: string,
  { cred }: Caller,
): number {
  let at = root;
  for (const name of names) {
    const next = at.lookup(name);
    if (typeof next === "number") return next;
    at = next;
  }
  return at instanceof SysctlInode ? at.set(value, cred) : -ENOENT;
}
