/**
 * The devices that tasks of a group may open and make: bpf(2) programs attached to the group and
 * its ancestors, each of which must allow the access (BPF_CGROUP_DEVICE).
 */

import { BPF_F_ALLOW_MULTI, BPF_F_ALLOW_OVERRIDE, BPF_F_REPLACE } from "../../ffi/abi/bpf.ts";
import { E2BIG, EINVAL, ENOENT, EPERM } from "../../ffi/abi/errno.ts";
import { majorOf, minorOf } from "../../ffi/abi/stat.ts";
import { runEbpf } from "../bpf/ebpf_run.ts";
import type { Caller } from "../vfs/caller.ts";
import type { DevicePolicy } from "../vfs/device_policy.ts";
import type { Task } from "../task/task.ts";
import type { Cgroup } from "./cgroup.ts";
import type { LoadedProgram } from "./bpf_programs.ts";

/** BPF_CGROUP_MAX_PROGS. */
const MAX_PROGRAMS = 64;

/** The programs attached to one group. */
export class DeviceState {
  programs: LoadedProgram[] = [];
  /** Flags of the attachment, ALLOW_OVERRIDE or ALLOW_MULTI; 0: no programs. */
  flags: number = 0;
  private readonly group: Cgroup;

  constructor(group: Cgroup) {
    this.group = group;
  }

  /** @param replaced the program to replace, with BPF_F_REPLACE */
  attach(program: LoadedProgram, flags: number, replaced: LoadedProgram | null): number {
    const isMulti = (flags & BPF_F_ALLOW_MULTI) !== 0;
    const isOverride = (flags & BPF_F_ALLOW_OVERRIDE) !== 0;
    if (isMulti ? isOverride : (flags & BPF_F_REPLACE) !== 0) return -EINVAL;
    const kept = flags & (BPF_F_ALLOW_OVERRIDE | BPF_F_ALLOW_MULTI), { programs } = this;
    if (!parentAllows(this.group)) return -EPERM;
    if (programs.length > 0 && this.flags !== kept) return -EPERM;
    if (programs.length >= MAX_PROGRAMS) return -E2BIG;
    if (isMulti && program !== replaced && programs.includes(program)) return -EINVAL;
    const at = isMulti ? replaced === null ? programs.length : programs.indexOf(replaced) : 0;
    if (at < 0) return -ENOENT;
    programs[at]?.drop();
    programs[at] = program.hold();
    this.flags = kept;
    return 0;
  }

  /** Detaches a program; null: the only one. */
  detach(program: LoadedProgram | null): number {
    const { programs } = this, isMulti = (this.flags & BPF_F_ALLOW_MULTI) !== 0;
    if (isMulti && program === null) return -EINVAL;
    const at = isMulti && program !== null ? programs.indexOf(program) : programs.length - 1;
    if (at < 0) return -ENOENT;
    for (const gone of programs.splice(at, 1)) gone.drop();
    if (programs.length === 0) this.flags = 0;
    return 0;
  }

  /** All programs that apply to the group, its own first. */
  effective(): LoadedProgram[] {
    const all: LoadedProgram[] = [];
    for (let up: Cgroup | null = this.group; up !== null; up = up.parent) {
      const { programs, flags } = up.devices;
      if (all.length === 0 || (flags & BPF_F_ALLOW_MULTI) !== 0) all.push(...programs);
    }
    return all;
  }

  /** Drops all programs of a group that is removed. */
  end(): void {
    for (const program of this.programs.splice(0)) program.drop();
  }
}

function parentAllows({ parent }: Cgroup): boolean {
  for (let up = parent; up !== null; up = up.parent) {
    const { flags, programs } = up.devices;
    if ((flags & BPF_F_ALLOW_MULTI) !== 0) return true;
    if (programs.length > 0) return (flags & BPF_F_ALLOW_OVERRIDE) !== 0;
  }
  return true;
}

const context = new DataView(new ArrayBuffer(12));

/**
 * The check of device accesses. It is made when the first program is attached; before, devices have
 * no such cost.
 */
export class GroupDevicePolicy implements DevicePolicy {
  allows(caller: Caller, kind: number, rdev: number, access: number): boolean {
    if (!isTask(caller)) return true;
    context.setUint32(0, (access << 16) | kind, true);
    context.setUint32(4, majorOf(rdev), true);
    context.setUint32(8, minorOf(rdev), true);
    // A program that is attached at several groups runs once.
    for (const { code } of new Set(caller.cgroups.unified.devices.effective())) {
      if (runEbpf(code, context) === 0) return false;
    }
    return true;
  }
}

function isTask(caller: Caller): caller is Task {
  return "cgroups" in caller;
}
