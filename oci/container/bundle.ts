/**
 * Reads a bundle: config.json, and the files of the host that it names. Not here: what the members
 * mean (spec/, rootfs_plan.ts), starting the container (create.ts).
 */

import { resolve } from "@std/path";
import { callerNamespaces } from "./caller_namespaces.ts";
import { annotatedGlobals } from "./annotation_options.ts";
import type { Globals } from "../options/globals.ts";
import { warnOf } from "../options/client_log.ts";
import { parseOverlay } from "./root_overlay.ts";
import { planRootfs, type RootfsPlan } from "./rootfs_plan.ts";
import type { NamespaceEntry } from "../spec/linux_section.ts";
import { type Config, readConfig } from "../spec/config.ts";
import { CONFIG, readConfigFile } from "./config_file.ts";

export interface Bundle {
  /** Absolute host path. */
  readonly path: string;
  readonly config: Config;
  /** Absolute host path of the root directory. */
  readonly rootPath: string;
  readonly files: RootfsPlan;
  /** Those of `config` that the caller can have on the host. */
  readonly hostNamespaces: readonly NamespaceEntry[];
  /** The options, with those that annotations of the bundle choose. */
  readonly globals: Globals;
}

/** @throws UserError */
export function readBundle(directory: string, given: Globals, id: string): Bundle {
  const path = resolve(directory);
  const config = readConfig(readConfigFile(path));
  const globals = annotatedGlobals(given, config.annotations, id);
  warnOf(config.warnings.map((warning) => `${CONFIG}: ${warning}`), globals);
  const overlay = parseOverlay(globals.options.overlay);
  const files = planRootfs(config, path, { overlay, hostUds: globals.options["host-uds"], id });
  const { linux, ofProxy } = callerNamespaces(config.linux);
  return {
    path,
    config: { ...config, linux },
    rootPath: resolve(path, config.root.path),
    files,
    hostNamespaces: ofProxy,
    globals,
  };
}
