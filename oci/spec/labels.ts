/**
 * Labels of the host's security modules in config.json: AppArmor profiles, SELinux contexts.
 *
 * They confine what a process asks of the host's kernel, and a process in a sandbox asks nothing of it. So on a host
 * with such a module, where every client names its standard label, the label is passed over with a warning; on one
 * without it, it is an error, as it is for runc.
 */

import type { JsonNode } from "../json_node.ts";

export type SecurityModule = "apparmor" | "selinux";

/** Whether the host has it. */
export type HasModule = (module: SecurityModule) => boolean;

const NAMES = { apparmor: "AppArmor", selinux: "SELinux" } as const;

/** Asks the host. */
export function hostHas(module: SecurityModule): boolean {
  try {
    return module === "apparmor"
      ? Deno.readTextFileSync("/sys/module/apparmor/parameters/enabled").startsWith("Y")
      : Deno.statSync("/sys/fs/selinux/enforce").isFile;
  } catch {
    return false;
  }
}

/** @throws UserError for a label that the host has no module for */
export function passOverLabel(
  node: JsonNode,
  module: SecurityModule,
  has: HasModule,
  warn: (line: string) => void,
): void {
  const label = node.optional("", (n) => n.string());
  if (label === "" || module === "apparmor" && label === "unconfined") return;
  if (!has(module)) node.fail(`is set, and this host has no ${NAMES[module]}`);
  warn(`${node.path}: no label is put on a process that makes no calls of the host`);
}
