/**
 * Reads a bundle: config.json, and what of the host it names. Not here: what the members mean (spec/), who starts it
 * (create.ts).
 */

import { join, resolve } from "@std/path";
import type { GoferRoot } from "../launch/gofer_process.ts";
import type { MountSpec, RootSpec } from "../sandbox/boot_spec.ts";
import { type Config, readConfig } from "../spec/config.ts";
import { JsonNode } from "../spec/json_node.ts";
import type { ConfigMount } from "../spec/mount_entry.ts";
import { EXIT_USAGE, UserError } from "../user_error.ts";

const CONFIG = "config.json";

export interface Bundle {
  /** Absolute host path. */
  readonly path: string;
  readonly config: Config;
  /** Absolute host path of the root directory. */
  readonly rootPath: string;
  readonly root: RootSpec;
  readonly mounts: readonly MountSpec[];
  /** Trees for the Gofer; `root` and `mounts` call tree i `String(i)`. */
  readonly goferRoots: readonly GoferRoot[];
}

/** @throws UserError */
export function readBundle(directory: string): Bundle {
  const path = resolve(directory);
  const config = readConfig(JsonNode.parse(CONFIG, readConfigFile(path)));
  const rootPath = resolve(path, config.root.path);
  requireDirectory(rootPath);
  const binds = config.mounts.filter((mount) => mount.type === "bind");
  return {
    path,
    config,
    rootPath,
    root: rootOf(config),
    mounts: config.mounts.map((m) => mountSpec(m, m.type === "bind" ? binds.indexOf(m) + 1 : null)),
    goferRoots: [
      { path: rootPath, isReadOnly: config.root.isReadOnly },
      ...binds.map((mount) => bindRoot(mount, path)),
    ],
  };
}

function readConfigFile(bundle: string): string {
  const path = join(bundle, CONFIG);
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new UserError(`there is no ${path}; dvisor spec writes one`, EXIT_USAGE);
    }
    throw new UserError(`cannot read ${path}`, undefined, error);
  }
}

function requireDirectory(path: string): void {
  const problem = "config.json: root.path";
  try {
    if (!Deno.statSync(path).isDirectory) {
      throw new UserError(`${problem}: ${path} is no directory`, EXIT_USAGE);
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (error instanceof Deno.errors.NotFound) {
      throw new UserError(`${problem}: there is no ${path}`, EXIT_USAGE);
    }
    throw new UserError(`${problem}: ${path} cannot be used`, undefined, error);
  }
}

/** A read-only root still needs places for mounts: they are made in memory. */
function rootOf(config: Config): RootSpec {
  const { isReadOnly } = config.root;
  return { goferAttach: "0", readonly: isReadOnly, overlay: isReadOnly ? "memory" : "none" };
}

function mountSpec(mount: ConfigMount, attach: number | null): MountSpec {
  const { destination, options } = mount;
  const type = attach === null ? mount.type : "gofer";
  return { type, destination, goferAttach: attach === null ? null : String(attach), options };
}

function bindRoot(mount: ConfigMount, bundle: string): GoferRoot {
  const path = resolve(bundle, mount.source ?? "");
  try {
    Deno.statSync(path);
  } catch (error) {
    const where = `${CONFIG}: ${mount.path}.source`;
    if (error instanceof Deno.errors.NotFound) {
      throw new UserError(`${where}: there is no ${path}`, EXIT_USAGE);
    }
    throw new UserError(`${where}: ${path} cannot be used`, undefined, error);
  }
  return { path, isReadOnly: mount.isReadOnly };
}
