/**
 * From config.json to the sources of a container's files: host paths become trees of the Gofer,
 * everything else is mounted by the boot process (boot/rootfs/mount_tree.ts).
 */

import { join, resolve } from "@std/path";
import { fromText, toText } from "../../kernel/core/bytes.ts";
import { cpuWeight } from "../launch/cgroup/v1_to_v2.ts";
import type { GoferRoot } from "../launch/gofer_process.ts";
import type { FilesSpec, MountSpec, OverlayLayers, RootSpec } from "../protocol/boot_spec.ts";
import type { Globals } from "../options/globals.ts";
import type { Config } from "../spec/config.ts";
import { isPropagationOption } from "../protocol/mount_options.ts";
import type { MountIds } from "../spec/id_mappings.ts";
import type { ConfigMount } from "../spec/mount_entry.ts";
import type { Resources } from "../spec/resources_section.ts";
import { EXIT_FAILURE, UserError } from "../user_error.ts";
import { shownPath } from "../file_error.ts";
import type { OverlayMode } from "./root_overlay.ts";
import { type OverlayPaths, splitOverlayOptions } from "./overlay_options.ts";

interface RootfsOptions {
  readonly overlay: OverlayMode;
  /** Id of the container: names the directories that are made for it. */
  readonly id: string;
  /** Rights of guests on host sockets and FIFOs in bind mounts; by default none. */
  readonly hostUds?: HostUds;
}

/** The parts of a boot spec about files, and the trees that the Gofer serves. */
export interface RootfsPlan {
  readonly root: RootSpec;
  /**
   * Host path of the directory that takes writes to the root, to be made and removed; null if there
   * is none.
   */
  readonly upper: string | null;
  readonly mounts: readonly MountSpec[];
  readonly goferRoots: readonly NamedTree[];
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly files: FilesSpec;
}

/** A tree of the Gofer. */
interface NamedTree extends GoferRoot {
  /**
   * Its attach name in the specs: the place in the container, a byte string. It is the same in
   * another start of the container, whatever the order of its mounts is, as a snapshot needs it.
   */
  readonly name: string;
}

type HostUds = Globals["options"]["host-uds"];

/**
 * LIMIT: host paths of one container. Each is a word of the Gofer's command line and a descriptor.
 */
const MAX_TREES = 4096;
const DEV = "/dev";

/**
 * @param bundle absolute path: relative paths of config.json begin there
 * @throws UserError naming the JSON path of a file that does not exist
 */
export function planRootfs(config: Config, bundle: string, options: RootfsOptions): RootfsPlan {
  const trees = new Trees(bundle, options.hostUds ?? "none");
  const { isReadOnly } = config.root;
  // A read-only root needs mount points too: they are made in memory, and the host's directory
  // stays as it is.
  const mode: OverlayMode = isReadOnly ? { kind: "memory" } : options.overlay;
  const overlay = mode.kind;
  const root = { name: "/", jsonPath: "root.path", isReadOnly: overlay !== "none" };
  const goferAttach = trees.add(config.root.path, root, true);
  const upper = mode.kind === "file" ? upperPath(mode.parent, options.id) : null;
  const upperAttach = upper === null ? {} : { upperAttach: trees.addOwn(upper) };
  return {
    root: { goferAttach, readonly: isReadOnly, overlay, ...upperAttach },
    upper,
    mounts: config.mounts.map((mount) => planMount(mount, config, trees)),
    goferRoots: trees.roots,
    maskedPaths: config.maskedPaths,
    readonlyPaths: config.readonlyPaths,
    files: {
      devices: bringsDevices(config) ? null : config.linux.devices,
      rootPropagation: propagationOf(config),
      sysctl: config.linux.sysctl,
      cgroup: limitsOf(config.linux.resources),
    },
  };
}

/** A path that no other user can predict. */
function upperPath(parent: string, id: string): string {
  return join(parent, `dvisor-${id.slice(0, 64)}-${crypto.randomUUID()}`);
}

/** A bind mount at /dev is not filled, as with runc. */
function bringsDevices(config: Config): boolean {
  return config.mounts.some((mount) => mount.type === "bind" && mount.destination === DEV);
}

function propagationOf(config: Config): string | null {
  const propagation = config.linux.rootfsPropagation;
  if (propagation === null) return null;
  return `${propagation.isRecursive ? "r" : ""}${propagation.type}`;
}

/** Whether the last propagation option makes the mount follow the host. The default is private. */
function followsHost(options: readonly string[]): boolean {
  const last = options.findLast((option) => isPropagationOption(option));
  return last === "slave" || last === "rslave";
}

/** @throws UserError if there are no mappings */
function mountIds({ ids, path }: ConfigMount, { linux }: Config): MountIds | null {
  if (ids === null || ids.mappings !== null) return ids;
  const { uidMappings, gidMappings, namespaces } = linux;
  if (uidMappings.length > 0) return { ...ids, mappings: { uidMappings, gidMappings } };
  if (namespaces.some(({ type }) => type === "user")) return ids;
  const what = "idmap is there without uidMappings, gidMappings and a user namespace";
  throw new UserError(`config.json: ${path}.options: ${what}`);
}

function planMount(mount: ConfigMount, config: Config, trees: Trees): MountSpec {
  const { destination, options, path: jsonPath, type } = mount;
  const common = { destination, options, jsonPath };
  if (type === "bind") {
    const { source: text, isReadOnly, isRecursive } = mount;
    const ids = mountIds(mount, config);
    const where = `${jsonPath}.source`;
    const kind = { isReadOnly, isFlat: !isRecursive, follows: followsHost(options) };
    const source = trees.addSource(text ?? "", { name: destination, jsonPath: where }, kind, ids);
    return { ...common, type: "gofer", goferAttach: source };
  }
  const paths = type === "overlay" ? splitOverlayOptions(options) : null;
  if (type === "overlay" && paths === null) {
    throw new UserError(`config.json: ${jsonPath}.options: an overlay needs lowerdir=`);
  }
  const layers = paths === null ? null : planLayers(paths, mount, trees);
  const source = mount.source === null ? null : fromText(mount.source);
  return { ...common, type, goferAttach: null, source, layers };
}

/** The layers of an overlay are directories of the host, as with runc. */
function planLayers(paths: OverlayPaths, mount: ConfigMount, trees: Trees): OverlayLayers {
  const { destination, path: jsonPath } = mount, where = `${jsonPath}.options`;
  const lower = { name: `${destination} (lower)`, jsonPath: where, isReadOnly: true };
  const upper = { name: `${destination} (upper)`, jsonPath: where, isReadOnly: false };
  return {
    lower: paths.lower.map((path) => trees.add(toText(path), lower, true)),
    upper: paths.upper === null ? null : trees.add(toText(paths.upper), upper, true),
  };
}

/** The host paths that a container gets. */
class Trees {
  readonly roots: NamedTree[] = [];
  /** How many trees have a name. */
  readonly #counts = new Map<string, number>();
  readonly #bundle: string;
  readonly #connects: boolean;
  readonly #binds: boolean;

  constructor(bundle: string, hostUds: HostUds) {
    this.#bundle = bundle;
    this.#connects = hostUds === "open" || hostUds === "all";
    this.#binds = hostUds === "create" || hostUds === "all";
  }

  /** The attach name of a host path. */
  add(
    text: string,
    { name, jsonPath, isReadOnly }: TreePlace & Pick<GoferRoot, "isReadOnly">,
    isDirectory: boolean,
  ): string {
    const path = resolve(this.#bundle, text);
    requirePath(path, jsonPath, isDirectory);
    return this.#push(name, { path, isReadOnly }, jsonPath);
  }

  /** Adds a directory that is going to be made for the container. */
  addOwn(path: string): string {
    return this.#push("/ (upper)", { path, isReadOnly: false, isFlat: true }, "root.path");
  }

  /** Adds the source of a bind mount: a directory, or another file. */
  addSource(
    text: string,
    { name, jsonPath }: TreePlace,
    kind: Pick<GoferRoot, "isReadOnly" | "isFlat" | "follows">,
    ids: MountIds | null,
  ): string {
    const path = resolve(this.#bundle, text);
    requirePath(path, jsonPath, false);
    const connects = this.#connects, binds = this.#binds;
    const mapped = ids === null ? {} : { ids, jsonPath };
    return this.#push(name, { path, ...kind, connects, binds, ...mapped }, jsonPath);
  }

  /** @returns its name, which differs from those of other trees at the same place */
  #push(place: string, root: GoferRoot, jsonPath: string): string {
    if (this.roots.length === MAX_TREES) {
      throw new UserError(`config.json: ${jsonPath} is one path too many: ${MAX_TREES} at most`);
    }
    const count = (this.#counts.get(place) ?? 0) + 1;
    this.#counts.set(place, count);
    const name = count === 1 ? place : `${place} (${count})`;
    this.roots.push({ name, ...root });
    return name;
  }
}

/** What a tree is for. */
interface TreePlace {
  readonly name: string;
  readonly jsonPath: string;
}

function requirePath(path: string, jsonPath: string, isDirectory: boolean): void {
  const where = `config.json: ${jsonPath}: ${shownPath(path)}`;
  try {
    if (!Deno.statSync(path).isDirectory && isDirectory) {
      throw new UserError(`${where}: not a directory`, EXIT_FAILURE);
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    if (error instanceof Deno.errors.NotFound) {
      throw new UserError(`${where}: no such file or directory`, EXIT_FAILURE);
    }
    throw new UserError(`${where} cannot be used`, EXIT_FAILURE, error);
  }
}

/** The limits that the container's cgroup files show, in terms of cgroup v2. */
export function limitsOf(resources: Resources): FilesSpec["cgroup"] {
  const { memory, cpu, pidsLimit } = resources, weight = weightOf(resources);
  const limit = positive(memory?.limit), both = positive(memory?.swap);
  const quota = positive(cpu?.quota);
  const pids = positive(pidsLimit), low = positive(memory?.reservation);
  return {
    ...(limit === null ? {} : { memoryMax: limit }),
    ...(low === null ? {} : { memoryLow: low }),
    ...(both === null ? {} : { swapMax: Math.max(0, both - (limit ?? 0)) }),
    ...(quota === null ? {} : { cpuQuotaUs: quota }),
    ...(quota === null ? {} : { cpuPeriodUs: positive(cpu?.period) ?? 100_000 }),
    ...(weight === null ? {} : { cpuWeight: weight }),
    ...(cpu === null || cpu.cpus === null ? {} : { cpus: fromText(cpu.cpus) }),
    ...(cpu === null || cpu.mems === null ? {} : { mems: fromText(cpu.mems) }),
    ...(pids === null ? {} : { pidsMax: pids }),
  };
}

/** 0 and negative numbers mean no limit. */
function positive(value: number | null | undefined): number | null {
  return value === null || value === undefined || value <= 0 ? null : value;
}

/** cpu.weight (1..10000) as the host's group gets it. `unified` overrides the shares. */
function weightOf({ cpu, unified }: Resources): number | null {
  const given = unified.find(([file]) => file === "cpu.weight")?.[1] ?? "";
  if (/^\d+$/.test(given)) return Math.min(10_000, Math.max(1, Number(given)));
  if (cpu?.idle === 1) return 1;
  const shares = positive(cpu?.shares);
  return shares === null ? null : cpuWeight(shares);
}
