/**
 * Labels of the host's security modules in config.json: AppArmor profiles, SELinux contexts.
 *
 * Such a module confines calls to the host's kernel, and a guest process makes none. On a host with
 * the module every client sends its standard label, so the label is ignored with a warning. On a
 * host without it a label is an error, as with runc.
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

/**
 * Ignores a label with a warning.
 * @throws UserError for a label whose module the host does not have
 */
export function ignoreLabel(
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
