/** The owner's HELLO, which describes a sandbox to make (protocol/session/messages.ts), checked. */

import { JsonNode } from "../../json_node.ts";
import { PLATFORM_NAMES, type PlatformName } from "../../../platform/select/candidates.ts";
import { PROTOCOL_VERSION } from "../../protocol/session/frame.ts";
import { ID_MAX, isSandboxId, LIFETIME_MAX_MS, MEMORY_MIN } from "../../protocol/session/limits.ts";
import type { UserName } from "../../protocol/session/messages.ts";
import { readCpus, readVariables } from "../../protocol/session_members.ts";
import { DEFAULT_TASKS } from "./default_tasks.ts";
import { UserError } from "../../user_error.ts";

/** LIMIT: as in Linux, and of labels. */
const HOSTNAME_MAX = 64, LABELS_MAX = 64, LABEL_BYTES = 4096;
const MAX = Number.MAX_SAFE_INTEGER;

export interface MountRequest {
  readonly source: string;
  readonly destination: string;
  readonly isReadOnly: boolean;
}

/** null: the default. */
export interface CreateRequest {
  readonly id: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly rootfs: string | null;
  readonly overlay: "memory" | "none";
  readonly mounts: readonly MountRequest[];
  readonly hide: readonly string[];
  readonly show: readonly string[];
  readonly network: "none" | "host";
  readonly hostname: string | null;
  readonly platform: PlatformName | null;
  readonly memoryBytes: number | null;
  readonly cpus: number | null;
  /** null: any number. */
  readonly pids: number | null;
  readonly diskBytes: number | null;
  /** Byte strings `NAME=value`. */
  readonly env: readonly string[];
  readonly user: UserName | null;
  readonly cwd: string | null;
  readonly timeoutMs: number | null;
  readonly idleMs: number | null;
  readonly isPersistent: boolean;
  /** The sandbox goes on from a snapshot. */
  readonly restore: RestoreRequest | null;
}

interface RestoreRequest {
  /** The file. */
  readonly path: string;
  readonly changedFiles: "refuse" | "accept";
}

const MEMBERS = [
  "protocol",
  "id",
  "labels",
  "rootfs",
  "overlay",
  "mounts",
  "hide",
  "show",
  "network",
  "hostname",
  "platform",
  "memoryBytes",
  "cpus",
  "pids",
  "diskBytes",
  "env",
  "user",
  "cwd",
  "timeoutMs",
  "idleMs",
  "persistent",
  "restore",
];

/** @throws UserError that names the member */
export function readCreateRequest(message: unknown): CreateRequest {
  const node = new JsonNode("the options of the sandbox", "", message);
  const version = node.member("protocol").integer(0, 0xffff);
  if (version !== PROTOCOL_VERSION) {
    throw new UserError(
      `the client speaks version ${version} of the session protocol, dvisor ${PROTOCOL_VERSION}`,
    );
  }
  for (const member of node.members()) {
    if (!MEMBERS.includes(member.name)) member.fail("is no option");
  }
  const text = (name: string) => node.member(name).optional(null, (n) => n.string());
  const path = (name: string) => node.member(name).optional(null, (n) => n.absolutePath());
  const time = (name: string) =>
    node.member(name).optional(null, (n) => n.integer(1, LIFETIME_MAX_MS));
  const whole = (name: string, least: number) => {
    return node.member(name).optional(null, (n) => n.integer(least, MAX));
  };
  return {
    id: node.member("id").optional(null, readId),
    labels: readLabels(node.member("labels")),
    rootfs: path("rootfs"),
    overlay: node.member("overlay").optional("memory", (n) => n.oneOf(["memory", "none"])),
    mounts: node.member("mounts").items().map(readMount),
    hide: node.member("hide").items().map((n) => n.absolutePath()),
    show: node.member("show").items().map((n) => n.absolutePath()),
    network: node.member("network").optional("none", (n) => n.oneOf(["none", "host"])),
    hostname: readHostname(node.member("hostname"), text("hostname")),
    platform: node.member("platform").optional(null, (n) => n.oneOf(PLATFORM_NAMES)),
    memoryBytes: whole("memoryBytes", MEMORY_MIN),
    cpus: node.member("cpus").optional(null, readCpus),
    pids: node.member("pids").optional(DEFAULT_TASKS, readPids),
    diskBytes: whole("diskBytes", 0),
    env: readVariables(node.member("env")),
    user: node.member("user").optional(null, readUser),
    cwd: path("cwd"),
    timeoutMs: time("timeoutMs"),
    idleMs: time("idleMs"),
    isPersistent: node.member("persistent").optional(false, (n) => n.boolean()),
    restore: node.member("restore").optional(null, readRestore),
  };
}

function readId(node: JsonNode): string {
  const id = node.string();
  return isSandboxId(id)
    ? id
    : node.expected("up to 63 letters, digits, and . _ + -, of which the first is no sign");
}

function readLabels(node: JsonNode): Record<string, string> {
  const members = node.members();
  if (members.length > LABELS_MAX) node.expected(`at most ${LABELS_MAX} labels`);
  const entries = members.map((member): [string, string] => [member.name, member.string()]);
  if (JSON.stringify(entries).length > LABEL_BYTES * 4) node.expected("16 KiB at most");
  return Object.fromEntries(entries);
}

function readMount(node: JsonNode): MountRequest {
  return {
    source: node.member("source").absolutePath(),
    destination: node.member("destination").absolutePath(),
    isReadOnly: node.member("readonly").optional(false, (n) => n.boolean()),
  };
}

function readRestore(node: JsonNode): RestoreRequest {
  return {
    path: node.member("path").absolutePath(),
    changedFiles: node.member("changedFiles").optional("refuse", (n) => {
      return n.oneOf(["refuse", "accept"]);
    }),
  };
}

function readHostname(node: JsonNode, name: string | null): string | null {
  if (name === null) return null;
  const { length } = new TextEncoder().encode(name);
  return length > 0 && length <= HOSTNAME_MAX
    ? name
    : node.expected(`a name of 1 to ${HOSTNAME_MAX} bytes`);
}

function readPids(node: JsonNode): number | null {
  return node.value === "max" ? null : node.integer(1, MAX);
}

function readUser(node: JsonNode): UserName {
  if (typeof node.value === "string") return node.string();
  return {
    uid: node.member("uid").integer(0, ID_MAX),
    gid: node.member("gid").integer(0, ID_MAX),
  };
}
