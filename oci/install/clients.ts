/**
 * The entries that a client's configuration needs for this runtime, and how they are added and
 * removed. Pure: text to text.
 *
 * Sources: dockerd's daemon.json (`runtimes`), containerd's config.toml of versions 2 and 3 (its
 * CRI plugin).
 */

import { UserError } from "../user_error.ts";
import { removeMember, setMember } from "./json_edit.ts";
import { hasTable, putTable, removeTable, scanToml } from "./toml_tables.ts";

interface RuntimeEntry {
  readonly name: string;
  /** Absolute host path of the program. */
  readonly path: string;
  /** In front of every verb. */
  readonly args: readonly string[];
}

interface Client {
  /** The usual path of its configuration. */
  readonly configPath: string;
  /** The command that makes the client read its configuration again. */
  readonly reload: string;
  /** @throws UserError if the configuration is not what it should be */
  install(text: string, entry: RuntimeEntry): string;
  uninstall(text: string, name: string): string;
}

export const CLIENTS = ["docker", "containerd"] as const;
export type ClientName = typeof CLIENTS[number];

/** As all three take it for a name in a file, a path and a table. */
export function checkRuntimeName(name: string): string {
  if (/^[a-z0-9][a-z0-9_-]{0,62}$/.test(name) && name !== "runc") return name;
  throw new UserError(
    `"${name}" is no name for a runtime: small letters, digits, _ and -, not runc`,
  );
}

const docker: Client = {
  configPath: "/etc/docker/daemon.json",
  reload: "systemctl reload docker",
  install(text, { name, path, args }) {
    const value = args.length === 0 ? { path } : { path, runtimeArgs: args };
    return edited(() => setMember(text, ["runtimes", name], value));
  },
  uninstall(text, name) {
    if (text.trim() === "") return text;
    return edited(() => {
      const config: unknown = JSON.parse(text);
      const isDefault = typeof config === "object" && config !== null &&
        "default-runtime" in config && config["default-runtime"] === name;
      if (isDefault) {
        throw new UserError(`"${name}" is Docker's default-runtime: choose another one first`);
      }
      return removeMember(text, ["runtimes", name]);
    });
  },
};

function edited(edit: () => string): string {
  try {
    return edit();
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError("Docker's configuration is not valid", undefined, error);
  }
}

/** The CRI plugin's name by the version of the file. */
const CRI_PLUGIN: Readonly<Record<string, string>> = {
  "2": "io.containerd.grpc.v1.cri",
  "3": "io.containerd.cri.v1.runtime",
};

const containerd: Client = {
  configPath: "/etc/containerd/config.toml",
  reload: "systemctl restart containerd",
  install(text, { name, path, args }) {
    if (args.length > 0) {
      throw new UserError(
        "containerd passes no arguments to a runtime; annotations dev.dvisor.* set options a pod",
      );
    }
    const start = text.trim() === "" ? "version = 2\n" : text;
    const plugin = pluginOf(start), table = `plugins.${quote(plugin)}.containerd.runtimes.${name}`;
    const annotations = '["dev.dvisor.*"]';
    const block = [
      `[${table}]`,
      '  runtime_type = "io.containerd.runc.v2"',
      `  pod_annotations = ${annotations}`,
      `  container_annotations = ${annotations}`,
      `  [${table}.options]`,
      `    BinaryName = ${quote(path)}`,
    ].join("\n");
    return putTable(start, keyOf(plugin, name), block);
  },
  uninstall(text, name) {
    if (text.trim() === "") return text;
    const key = keyOf(pluginOf(text), name);
    return hasTable(text, key) ? removeTable(text, key) : text;
  },
};

function keyOf(plugin: string, name: string): string[] {
  return ["plugins", plugin, "containerd", "runtimes", name];
}

/** @throws UserError for versions that have no such plugin */
function pluginOf(text: string): string {
  const version = scanToml(text).top.get("version") ?? "1";
  const plugin = CRI_PLUGIN[version];
  if (plugin !== undefined) return plugin;
  throw new UserError(
    `containerd's configuration has version ${version}, expected 2 or 3; ` +
      "containerd config migrate writes a newer one",
  );
}

/** A basic string of TOML. */
function quote(text: string): string {
  return JSON.stringify(text);
}

export function clientOf(name: ClientName): Client {
  return name === "docker" ? docker : containerd;
}
