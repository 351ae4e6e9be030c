/**
 * config.json of an OCI bundle (runtime-spec, config.md and config-linux.md), checked and turned into what a sandbox is
 * made of. What this runtime cannot do is an error that names the place, never ignored.
 *
 * Not here: reading the file, looking paths up on the host (commands/run.ts).
 */

import { fromText } from "../../kernel/core/bytes.ts";
import type { ProcessSpec } from "../sandbox/boot_spec.ts";
import type { JsonNode } from "./json_node.ts";
import { readLinux } from "./linux_section.ts";
import { type ConfigMount, readMount } from "./mount_entry.ts";
import { readProcess } from "./process_section.ts";

export interface Config {
  readonly process: Omit<ProcessSpec, "consoleSize">;
  readonly consoleSize: ProcessSpec["consoleSize"];
  readonly root: { readonly path: string; readonly isReadOnly: boolean };
  readonly hostname: string;
  readonly domainname: string | null;
  readonly mounts: readonly ConfigMount[];
  /** Files and directories that are hidden, and that are read-only, in the sandbox: byte strings. */
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  /** Bytes, or null. */
  readonly memoryLimit: number | null;
  /** Processors' worth of time, or null. */
  readonly cpuLimit: number | null;
}

const NAME_MAX = 64;
const HOOKS = [
  "prestart",
  "createRuntime",
  "createContainer",
  "startContainer",
  "poststart",
  "poststop",
];
/** Sections for other operating systems. */
const FOREIGN = ["windows", "solaris", "vm", "zos"];

/** @throws UserError naming the path in the file */
export function readConfig(config: JsonNode): Config {
  config.object();
  const version = config.member("ociVersion");
  if (!/^1\./.test(version.string())) version.fail(`is ${version.string()}, expected 1.x`);
  for (const name of FOREIGN) config.member(name).refuse();
  for (const name of HOOKS) config.member("hooks").member(name).refuse();
  const root = config.member("root");
  root.object();
  const process = config.member("process");
  const linux = readLinux(config.member("linux"));
  return {
    process: readProcess(process),
    consoleSize: readConsoleSize(process.member("consoleSize")),
    root: {
      path: nonEmpty(root.member("path")),
      isReadOnly: root.member("readonly").optional(false, (n) => n.boolean()),
    },
    hostname: config.member("hostname").optional("dvisor", readHostName),
    domainname: config.member("domainname").optional<string | null>(null, readHostName),
    mounts: config.member("mounts").items().map(readMount),
    ...linux,
  };
}

function nonEmpty(node: JsonNode): string {
  return node.string() === "" ? node.fail("is empty") : node.string();
}

function readHostName(node: JsonNode): string {
  const bytes = fromText(node.string());
  return bytes.length <= NAME_MAX ? bytes : node.fail(`has more than ${NAME_MAX} bytes`);
}

function readConsoleSize(node: JsonNode): ProcessSpec["consoleSize"] {
  if (node.isAbsent) return null;
  const rows = node.member("height").integer(0, 0xffff);
  const columns = node.member("width").integer(0, 0xffff);
  // Clients without a terminal at hand say 0 x 0.
  return rows === 0 || columns === 0 ? null : { rows, columns };
}
