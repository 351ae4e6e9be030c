/** `linux.sysctl` of config.json: settings of the container's own kernel, written before its program starts. */

import { ENOENT } from "../../ffi/abi/errno.ts";
import type { SandboxKernel } from "../../kernel/kernel.ts";
import { TextInode } from "../../kernel/fs/generated/text_inode.ts";
import type { Caller } from "../../kernel/vfs/caller.ts";
import type { Inode } from "../../kernel/vfs/inode.ts";
import { isNetworkSetting } from "../net/host_settings.ts";
import { cannot } from "./failure.ts";

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
    const r = store(proc.root, ["sys", ...name.split(/[./]/)], value);
    // Of the host's network there is more than this kernel shows (net/host_settings.ts).
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

function store(root: Inode, names: readonly string[], value: string): number {
  let at = root;
  for (const name of names) {
    const next = at.lookup(name);
    if (typeof next === "number") return next;
    at = next;
  }
  if (!(at instanceof TextInode)) return -ENOENT;
  const r = at.store(value, 0);
  return r < 0 ? r : 0;
}
