/**
 * The files of a group: those that its controllers give it, joined from the tables of the
 * controllers.
 */

import { EAGAIN, EINVAL, EPERM } from "../../ffi/abi/errno.ts";
import type { Credentials } from "../cred/credentials.ts";
import type { ChangeSignal, GroupFile, GroupHandle } from "./fs/group_node.ts";
import type { Cgroup } from "./cgroup.ts";
import { CORE_FILES } from "./core_files.ts";
import { CPU_FILES } from "./cpu_files.ts";
import { IO_FILES, LEGACY_IO_FILES } from "./io_files.ts";
import { LEGACY_FILES } from "./legacy_files.ts";
import { LEGACY_MEMORY_FILES } from "./legacy_memory_files.ts";
import { MEMORY_FILES } from "./memory_files.ts";
import { PIDS_FILES } from "./pids_files.ts";
import { View } from "./view.ts";

/** One file of a control group, as the tables of files describe it. */
export interface FileSpec {
  readonly name: string;
  /** The controller that a group needs to have the file; 0: none. */
  readonly controller: number;
  /** At the root of a cgroup namespace it may be written from inside too. */
  readonly isDelegated?: boolean;
  /** Version 1: the root group does not have it. */
  readonly isBelowRoot?: boolean;
  /** Its text shows `View.usedBytes`, which are counted before, in turns. */
  readonly measures?: boolean;
  changes?(group: Cgroup): ChangeSignal;
  /** Makes the text, or -errno; absent: write only. */
  read?(group: Cgroup, view: View): string | number;
  /** 0 or -errno; the text is without surrounding blanks. */
  write?(group: Cgroup, text: string, view: View): number;
  /** An opener has closed the file. */
  close?(group: Cgroup, view: View): void;
}

const UNIFIED_FILES: readonly FileSpec[] = [
  ...CORE_FILES,
  ...CPU_FILES,
  ...IO_FILES,
  ...MEMORY_FILES,
  ...PIDS_FILES,
];

const ALL_LEGACY_FILES: readonly FileSpec[] = [
  ...LEGACY_FILES,
  ...LEGACY_IO_FILES,
  ...LEGACY_MEMORY_FILES,
];

function byName(rows: readonly FileSpec[]): ReadonlyMap<string, FileSpec> {
  return new Map(rows.map((row) => [row.name, row]));
}
const UNIFIED_BY_NAME = byName(UNIFIED_FILES), LEGACY_BY_NAME = byName(ALL_LEGACY_FILES);

/** The files of a machine's root group, which has no limits, freezing or killing. */
const MACHINE_NAMES: ReadonlySet<string> = new Set([
  "cgroup.controllers",
  "cgroup.max.depth",
  "cgroup.max.descendants",
  "cgroup.procs",
  "cgroup.stat",
  "cgroup.subtree_control",
  "cgroup.threads",
  "cpu.stat",
  "cpuset.cpus.effective",
  "cpuset.mems.effective",
  "io.stat",
  "memory.numa_stat",
  "memory.reclaim",
  "memory.stat",
]);
const MACHINE_FILES: readonly FileSpec[] = UNIFIED_FILES.filter(({ name }) =>
  MACHINE_NAMES.has(name)
);

/** The files that the group has now. */
export function filesOf(group: Cgroup): GroupFile[] {
  const { controllers, hierarchy: { isUnified, owner } } = group, isRoot = group.parent === null;
  const unified = isRoot && owner.isMachine ? MACHINE_FILES : UNIFIED_FILES;
  const there = (isUnified ? unified : ALL_LEGACY_FILES).filter((s) =>
    (s.controller === 0 || (s.controller & controllers) !== 0) && !(isRoot && s.isBelowRoot)
  );
  return there.map((spec) => new FileOfGroup(group, spec));
}

export class FileOfGroup implements GroupFile {
  readonly name: string;
  readonly permissions: number;
  readonly group: Cgroup;

  constructor(group: Cgroup, { name, read, write }: FileSpec) {
    this.group = group;
    this.name = name;
    this.permissions = write === undefined ? 0o444 : read === undefined ? 0o200 : 0o644;
  }

  /** The row of a table; found by the name, because rows have functions and are no state. */
  get spec(): FileSpec {
    return (this.group.hierarchy.isUnified ? UNIFIED_BY_NAME : LEGACY_BY_NAME).get(this.name)!;
  }

  get changes(): ChangeSignal | null {
    return this.spec.changes?.(this.group) ?? null;
  }

  open(cred: Credentials): GroupHandle {
    const { current } = this.group.hierarchy.owner.kernel;
    return new Handle(this, new View(cred, current));
  }
}

export class Handle implements GroupHandle {
  private readonly file: FileOfGroup;
  private readonly view: View;

  constructor(file: FileOfGroup, view: View) {
    this.file = file;
    this.view = view;
  }

  read(): string | number {
    const { file: { spec, group }, view } = this;
    if (spec.measures === true && !view.measure(group)) return -EAGAIN;
    return spec.read?.(group, view) ?? -EINVAL;
  }

  write(text: string): number {
    const { file: { spec, group }, view } = this;
    if (spec.write === undefined) return -EINVAL;
    const { isUnified } = group.hierarchy;
    if (isUnified && spec.isDelegated !== true && !view.mayLimit(group)) return -EPERM;
    return spec.write(group, text, view);
  }

  close(): void {
    const { file: { spec, group }, view } = this;
    spec.close?.(group, view);
  }
}
