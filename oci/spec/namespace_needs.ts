/**
 * Settings of config.json that need a namespace of the container, new or joined: without one they
 * would be the host's (config.md, "Hostname"; config-linux.md, "Sysctl"). Settings without a
 * namespace belong to the container's own kernel here; runc has to refuse them.
 */

import type { JsonNode } from "../json_node.ts";
import type { NamespaceEntry, NamespaceType } from "./linux_section.ts";

/** Of ipc_namespaces(7). */
const IPC_SETTINGS = [
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
];

/** @throws UserError naming the JSON path */
export function checkNamespaceNeeds(config: JsonNode, namespaces: readonly NamespaceEntry[]): void {
  const demand = (node: JsonNode, type: NamespaceType): void => {
    if (namespaces.some((entry) => entry.type === type)) return;
    node.fail(`is set, but linux.namespaces has no "${type}"`);
  };
  for (const name of ["hostname", "domainname"]) {
    const node = config.member(name);
    if (node.optional("", (n) => n.string()) !== "") demand(node, "uts");
  }
  for (const setting of config.member("linux").member("sysctl").members()) {
    const name = setting.name.replaceAll("/", ".");
    if (name === "kernel.hostname") setting.fail("is what hostname is for");
    const type = namespaceOf(name);
    if (type !== null) demand(setting, type);
  }
}

function namespaceOf(setting: string): NamespaceType | null {
  if (setting.startsWith("net.")) return "network";
  if (setting === "kernel.domainname") return "uts";
  return IPC_SETTINGS.includes(setting) || setting.startsWith("fs.mqueue.") ? "ipc" : null;
}
