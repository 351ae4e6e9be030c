/**
 * The record of a container, which is kept between commands: `state.json` in its directory. Plain
 * JSON, one version.
 *
 * Not here: where it is stored (store.ts), whether its processes are alive (liveness.ts).
 */

import type { Hooks } from "../spec/hooks_section.ts";
import { UserError } from "../user_error.ts";
import type { CgroupRecord } from "./cgroup_record.ts";

/** Of the file's shape; another one is refused. */
export const RECORD_VERSION = 1;

/** OCI's words for it, and `paused` of runc. */
export type Status = "creating" | "created" | "running" | "paused" | "stopped";

/** A process that may have ended, and its number gone to another one. */
export interface ProcessId {
  /** 0: none. */
  readonly pid: number;
  /** Clock ticks after boot: field 22 of /proc/PID/stat. */
  readonly start: number;
}

export const NO_PROCESS: ProcessId = { pid: 0, start: 0 };

export interface ContainerRecord {
  readonly version: number;
  readonly id: string;
  readonly ociVersion: string;
  /** Absolute host paths. */
  readonly bundle: string;
  readonly rootfs: string;
  /** RFC 3339. */
  readonly created: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** Name of the user that made the container. */
  readonly owner: string;
  /** As last written; liveness.ts corrects it. */
  readonly status: Status;
  /**
   * A command is changing the status, or was killed while it did. The sandbox knows the current
   * status.
   */
  readonly isChanging: boolean;
  /** The command that is making it, while `creating`. */
  readonly creator: ProcessId;
  /** Stands for the first process of the container; its pid is what clients know. */
  readonly init: ProcessId;
  /** The container that the sandbox was made for: its own id for the first one. */
  readonly sandboxId: string;
  readonly sentry: ProcessId;
  readonly gofer: ProcessId;
  /**
   * Host directory that takes writes to the root, and is removed with the container; null or
   * absent: none.
   */
  readonly upper?: string | null;
  /** Its control groups; null: none. */
  readonly cgroup: CgroupRecord | null;
  /** `hooks` of config.json, as it was at create; null: not known yet. */
  readonly hooks: Hooks | null;
  readonly terminal: boolean;
  /** Inode numbers of the container's host namespaces, by type ("pid", "net", "ipc"). */
  readonly namespaces: Readonly<Record<string, number>>;
}

export function serializeRecord(record: ContainerRecord): string {
  return `${JSON.stringify(record)}\n`;
}

/** @throws UserError for what this version did not write */
export function parseRecord(path: string, text: string): ContainerRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${path} is damaged`, undefined, error);
  }
  if (!isRecord(value)) throw new UserError(`${path} was not written by this version of dvisor`);
  return value;
}

/** Checks the version only, because this program alone writes the file, and as a whole. */
function isRecord(value: unknown): value is ContainerRecord {
  return typeof value === "object" && value !== null && "version" in value &&
    value.version === RECORD_VERSION && "id" in value && typeof value.id === "string" &&
    "init" in value && typeof value.init === "object";
}
