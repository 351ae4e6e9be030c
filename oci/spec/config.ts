/**
 * config.json of an OCI bundle (runtime-spec, config.md and config-linux.md), checked and
 * converted. A feature that this runtime lacks is an error that names the place; a member that the
 * specification does not know is ignored, as it demands.
 *
 * Not here: reading the file, looking paths up on the host (container/rootfs_plan.ts).
 */

import { CAP_SYS_ADMIN } from "../../ffi/abi/capability.ts";
import { type FirstProcess, readFirstProcess } from "./first_process.ts";
import type { SeccompSpec } from "../../kernel/seccomp/oci_filter.ts";
import { fromText } from "../../kernel/core/bytes.ts";
import type { ProcessSpec } from "../protocol/boot_spec.ts";
import { type Hooks, readHooks } from "./hooks_section.ts";
import type { JsonNode } from "../json_node.ts";
import { type HasModule, hostHas, ignoreLabel } from "./labels.ts";
import { type LinuxConfig, readLinux } from "./linux_section.ts";
import { type ConfigMount, readMount } from "./mount_entry.ts";
import { checkNamespaceNeeds } from "./namespace_needs.ts";
import { readConsoleSize } from "./process_section.ts";
import { parseSeccomp } from "./seccomp_section.ts";

export interface Config {
  /** As it stands there: 1.x. */
  readonly ociVersion: string;
  readonly process: FirstProcess & {
    /** null: no filter. */
    readonly seccomp: SeccompSpec | null;
  };
  readonly consoleSize: ProcessSpec["consoleSize"];
  /** The path is one of the host, relative to the bundle. */
  readonly root: { readonly path: string; readonly isReadOnly: boolean };
  /** Byte strings; null: that of the UTS namespace. */
  readonly hostname: string | null;
  readonly domainname: string | null;
  readonly mounts: readonly ConfigMount[];
  readonly hooks: Hooks;
  /** Texts. */
  readonly annotations: ReadonlyMap<string, string>;
  readonly linux: LinuxConfig;
  /**
   * Files and directories that are hidden, and that are read-only, in the sandbox: byte strings.
   */
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  /** Bytes, or null. */
  readonly memoryLimit: number | null;
  /** Processors' worth of time, or null. */
  readonly cpuLimit: number | null;
  /** A line for each request of the file that is ignored, as with runc. */
  readonly warnings: readonly string[];
}

/** Bytes of a host or domain name: uname(2). */
const HOSTNAME_MAX = 64;
const DEFAULT_PERIOD_US = 100_000;
/** Sections for other operating systems. */
const FOREIGN = ["windows", "solaris", "vm", "zos", "freebsd"];

/**
 * @param has whether the host has a security module
 * @throws UserError naming the path in the file
 */
export function readConfig(config: JsonNode, has: HasModule = hostHas): Config {
  config.object();
  const warnings: string[] = [];
  const warn = (line: string): void => void warnings.push(line);
  const version = config.member("ociVersion");
  if (!/^1\.\d+(\.\d+)?([-+.].*)?$/.test(version.string())) {
    version.fail(`is ${JSON.stringify(version.string().slice(0, 64))}, expected 1.x`);
  }
  for (const name of FOREIGN) config.member(name).refuse();
  const root = config.member("root");
  root.object();
  const process = {
    ...readFirstProcess(config, warn, has),
    seccomp: parseSeccomp(config.member("linux").member("seccomp")),
  };
  const parts = readLinux(config.member("linux"));
  const hostname = readHostName(config.member("hostname"));
  const domainname = readHostName(config.member("domainname"));
  checkNamespaceNeeds(config, parts.linux.namespaces);
  ignoreLabel(config.member("linux").member("mountLabel"), "selinux", has, warn);
  return {
    ociVersion: version.string(),
    process,
    consoleSize: readConsoleSize(config.member("process").member("consoleSize")),
    root: {
      path: nonEmpty(root.member("path")),
      isReadOnly: root.member("readonly").optional(false, (n) => n.boolean()),
    },
    hostname,
    domainname,
    mounts: config.member("mounts").items().map((node) => readMount(node, mayMount(process))),
    hooks: readHooks(config.member("hooks")),
    annotations: readAnnotations(config.member("annotations")),
    ...parts,
    memoryLimit: positive(parts.linux.resources.memory?.limit ?? null),
    cpuLimit: cpuLimitOf(parts.linux),
    warnings,
  };
}

/** Without a list user 0 has all capabilities. */
function mayMount({ capabilities }: FirstProcess): boolean {
  return capabilities === null || capabilities.bounding.includes(CAP_SYS_ADMIN);
}

function nonEmpty(node: JsonNode): string {
  return node.string() === "" ? node.fail("is empty") : node.string();
}

/** "" means absent, as Go's zero value. */
function readHostName(node: JsonNode): string | null {
  const bytes = fromText(node.optional("", (n) => n.string()));
  if (bytes.length > HOSTNAME_MAX) node.fail(`has more than ${HOSTNAME_MAX} bytes`);
  return bytes === "" ? null : bytes;
}

function readAnnotations(node: JsonNode): ReadonlyMap<string, string> {
  const annotations = new Map<string, string>();
  for (const entry of node.members()) {
    if (entry.name === "") entry.fail("has an empty name");
    annotations.set(entry.name, entry.string());
  }
  return annotations;
}

/** -1 and 0 are none. */
function positive(limit: number | null): number | null {
  return limit === null || limit <= 0 ? null : limit;
}

function cpuLimitOf(linux: LinuxConfig): number | null {
  const { cpu } = linux.resources;
  const quota = positive(cpu?.quota ?? null);
  return quota === null ? null : quota / (positive(cpu?.period ?? null) ?? DEFAULT_PERIOD_US);
}
