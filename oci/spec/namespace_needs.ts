/**
 * What config.json may say only where the container has a namespace for it, new or joined: without one it would be the
 * host's (config.md, "Hostname"; config-linux.md, "Sysctl"). Settings of a kernel that have no namespace are those of the
 * container's own kernel, which a runtime without one has to refuse.
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
