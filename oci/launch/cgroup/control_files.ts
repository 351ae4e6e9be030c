/**
 * Reads and writes the files of control groups. Never creates one, because a missing controller
 * must be an error and not a plain file. Errors name file and value.
 */

import { join } from "@std/path";
import { UserError } from "../../user_error.ts";

/** A write that a control group refused. */
export class CgroupError extends UserError {
  /** As Deno names it: `NotFound`, `PermissionDenied`; otherwise the error's own text. */
  readonly code: string;

  constructor(message: string, cause: unknown) {
    super(message, undefined, cause);
    this.code = codeOf(cause);
  }
}

/** The errno's name (`EBUSY`) of what a file operation threw; "" if it has none. */
export function codeOf(error: unknown): string {
  if (error instanceof CgroupError) return error.code;
  if (typeof error !== "object" || error === null || !("code" in error)) return "";
  return typeof error.code === "string" ? error.code : "";
}

const MISSING = ["ENOENT", "ENOTDIR", "ENODEV"];

/** True if the file, or the group with it, is not there. */
export function isMissing(error: unknown): boolean {
  return MISSING.includes(codeOf(error)) || error instanceof Deno.errors.NotFound;
}

const FORBIDDEN = ["EACCES", "EPERM", "EROFS"];

export function isForbidden(error: unknown): boolean {
  return FORBIDDEN.includes(codeOf(error)) || error instanceof Deno.errors.PermissionDenied;
}

/** @throws CgroupError */
export function writeGroupFile(dir: string, name: string, value: string): void {
  const path = join(dir, name);
  const bytes = new TextEncoder().encode(value);
  try {
    // Opened without O_TRUNC: a control file has nothing to truncate, and a test's plain file would
    // lose its mode.
    using file = Deno.openSync(path, { write: true });
    // Linux takes a value with one write(2) or not at all.
    file.writeSync(bytes);
  } catch (cause) {
    throw new CgroupError(
      `${placeOf(name)}cannot write ${JSON.stringify(value)} to ${path}`,
      cause,
    );
  }
}

/** The member of config.json that sets such a file, for messages; "" for an unknown file. */
export function placeOf(file: string): string {
  const section = SECTIONS.find(([prefix]) => file.startsWith(prefix))?.[1];
  return section === undefined ? "" : `linux.resources.${section}: `;
}

const SECTIONS: readonly (readonly [prefix: string, section: string])[] = [
  ["cpu.", "cpu"],
  ["cpuset.", "cpu"],
  ["memory.", "memory"],
  ["pids.", "pids"],
  ["blkio.", "blockIO"],
  ["io.", "blockIO"],
  ["devices.", "devices"],
  ["hugetlb.", "hugepageLimits"],
  ["net_cls.", "network"],
  ["net_prio.", "network"],
  ["rdma.", "rdma"],
];

/** Text without the newline at its end. @throws CgroupError */
export function readGroupFile(dir: string, name: string): string {
  const path = join(dir, name);
  try {
    return Deno.readTextFileSync(path).trimEnd();
  } catch (cause) {
    throw new CgroupError(`cannot read ${path}`, cause);
  }
}

/** "" if the file is not there. */
export function readIfThere(dir: string, name: string): string {
  try {
    return readGroupFile(dir, name);
  } catch (error) {
    // EOPNOTSUPP: the file's feature is switched off.
    if (isMissing(error) || codeOf(error) === "EOPNOTSUPP" || codeOf(error) === "ENOTSUP") {
      return "";
    }
    throw error;
  }
}

/** The number in a file: `max` is Infinity, a missing file is 0. */
export function readNumber(dir: string, name: string): number {
  const text = readIfThere(dir, name).trim();
  return text === "max" ? Infinity : Number(text) || 0;
}

/** Lines of `key value` as numbers. */
export function readTable(dir: string, name: string): Map<string, number> {
  const table = new Map<string, number>();
  for (const line of readIfThere(dir, name).split("\n")) {
    const [key = "", value = ""] = line.trim().split(/\s+/);
    if (key !== "" && /^-?\d+$/.test(value)) table.set(key, Number(value));
  }
  return table;
}

/** Whether a group has this file. */
export function exists(dir: string, name: string): boolean {
  try {
    Deno.lstatSync(join(dir, name));
    return true;
  } catch {
    return false;
  }
}

export function isDirectory(path: string): boolean {
  try {
    return Deno.statSync(path).isDirectory;
  } catch {
    return false;
  }
}

/** Names of the subgroups; none if the group is gone. */
export function childGroups(dir: string): string[] {
  try {
    return [...Deno.readDirSync(dir)].filter((e) => e.isDirectory).map((e) => e.name);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** A whole number of any size as decimal digits. */
export function decimal(value: number): string {
  return BigInt(value).toString();
}

/** Sleeps without running other JavaScript. */
export function sleepMs(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}
