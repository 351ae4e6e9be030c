/**
 * From `linux.cgroupsPath` to directories: with the cgroupfs driver a path, with the systemd driver
 * `slice:prefix:name`. Pure functions. No result is outside of its tree.
 */

import { join } from "@std/path";
import { NAME_MAX } from "../../../ffi/abi/fs.ts";
import { EXIT_USAGE, UserError } from "../../user_error.ts";
import type { CgroupTree } from "./hierarchy.ts";

const WHERE = "config.json: linux.cgroupsPath";

/**
 * A checked cgroupsPath. An absolute one begins at the root of each tree, another at the caller's
 * own group.
 */
interface GroupPath {
  readonly isAbsolute: boolean;
  readonly parts: readonly string[];
}

/**
 * @param cgroupsPath null or "": a group named `id` in the caller's own group, as with runc
 * @throws UserError for `..` and other paths that do not name a group of the container
 */
export function groupPath(cgroupsPath: string | null, id: string): GroupPath {
  if (cgroupsPath === null || cgroupsPath === "") {
    return { isAbsolute: false, parts: [checkPart(id, id)] };
  }
  const parts = cgroupsPath.split("/").filter((part) => part !== "" && part !== ".");
  if (parts.length === 0) fail(cgroupsPath, "names the root of all groups");
  return {
    isAbsolute: cgroupsPath.startsWith("/"),
    parts: parts.map((part) => checkPart(part, cgroupsPath)),
  };
}

function checkPart(part: string, whole: string): string {
  if (part === "..") fail(whole, "has .. in it");
  if (part === "" || part === "." || /[\0\n]/.test(part)) {
    fail(whole, "has a component that no directory can be called");
  }
  if (new TextEncoder().encode(part).length > NAME_MAX) {
    fail(whole, "has a component that is too long");
  }
  return part;
}

function fail(path: string, problem: string): never {
  const shown = path.length <= 80 ? path : `${path.slice(0, 80)}...`;
  throw new UserError(`${WHERE} is ${JSON.stringify(shown)}, which ${problem}`, EXIT_USAGE);
}

/**
 * The directory of a group in a tree.
 * @param isBesideOwn v2: relative paths begin beside the own group
 */
export function directoryOf(tree: CgroupTree, path: GroupPath, isBesideOwn: boolean): string {
  const under = path.isAbsolute ? [] : componentsOf(tree, isBesideOwn);
  return join(tree.mountPoint, ...under, ...path.parts);
}

/** The caller's own group as seen through the mount. */
function componentsOf(tree: CgroupTree, isParent: boolean): string[] {
  const own = tree.own.split("/").filter((part) => part !== "");
  const root = tree.root.split("/").filter((part) => part !== "");
  // The own group is outside of the mount (`/../..` in a cgroup namespace): the top of the mount is
  // used.
  if (own.includes("..") || root.some((part, i) => own[i] !== part)) return [];
  const inside = own.slice(root.length);
  return isParent ? inside.slice(0, -1) : inside;
}

/** The parts of a systemd unit's name. */
interface ScopeName {
  /** As `system.slice`; "" for the driver's default. */
  readonly slice: string;
  /** As `dvisor-ID.scope`. */
  readonly unit: string;
}

/** @throws UserError if it is not `slice:prefix:name` */
export function scopeName(cgroupsPath: string | null, id: string): ScopeName {
  if (cgroupsPath === null || cgroupsPath === "") {
    return { slice: "", unit: unitName("dvisor", checkUnit(id, id)) };
  }
  const parts = cgroupsPath.split(":");
  const [slice = "", prefix = "", name = ""] = parts;
  if (parts.length !== 3 || name === "") {
    fail(cgroupsPath, "is not slice:prefix:name, as the systemd driver needs it");
  }
  checkSlice(slice, cgroupsPath);
  if (name.endsWith(".slice")) fail(cgroupsPath, "names a slice, where a container has a scope");
  return { slice, unit: unitName(prefix, checkUnit(name, cgroupsPath)) };
}

function unitName(prefix: string, name: string): string {
  return prefix === "" ? `${name}.scope` : `${prefix}-${name}.scope`;
}

/** LIMIT: what systemd lets units be called, systemd.unit(5). */
function checkUnit(name: string, whole: string): string {
  if (!/^[\w:.\\@+-]{1,200}$/.test(name)) {
    fail(whole, "has a name that no unit of systemd can have");
  }
  return name;
}

function checkSlice(slice: string, whole: string): void {
  if (slice === "" || slice === "-.slice") return;
  if (!/^[\w:.\\@-]+\.slice$/.test(slice) || slice.startsWith("-") || slice.includes("--")) {
    fail(whole, "has a slice that no slice of systemd can be called");
  }
}

/** `a-b.slice` is `a.slice/a-b.slice`: systemd.slice(5). */
export function expandSlice(slice: string): string[] {
  if (slice === "" || slice === "-.slice") return [];
  const names = slice.replace(/\.slice$/, "").split("-");
  return names.map((_, i) => `${names.slice(0, i + 1).join("-")}.slice`);
}
