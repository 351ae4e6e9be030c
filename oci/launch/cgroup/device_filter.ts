/**
 * Device rules of a cgroup v2 group: an eBPF program that the host's kernel runs at each open and
 * mknod (bpf(2)). device_policy.ts makes the program. For v1 see device_rules.ts.
 */

import {
  BPF_CGROUP_DEVICE,
  BPF_F_ALLOW_MULTI,
  BPF_PROG_ATTACH,
  BPF_PROG_DETACH,
  BPF_PROG_GET_FD_BY_ID,
  BPF_PROG_LOAD,
  BPF_PROG_QUERY,
  BPF_PROG_TYPE_CGROUP_DEVICE,
} from "../../../ffi/abi/bpf.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../../../ffi/abi/fcntl.ts";
import { SYS_bpf } from "../../../ffi/abi/syscall_numbers.ts";
import { addressOf, allocBuffer } from "../../../ffi/sys/cstring.ts";
import { errnoName } from "../../../ffi/sys/errors.ts";
import { close, openat } from "../../../ffi/sys/files.ts";
import { syscall } from "../../../ffi/sys/native.ts";
import type { DeviceRule } from "../../spec/resources_section.ts";
import { UserError } from "../../user_error.ts";
import { devicePolicy, devicePolicyProgram, INSTRUCTION_BYTES } from "./device_policy.ts";
import { effectiveRules } from "./device_rules.ts";

const ATTR_BYTES = 64;
/** LIMIT: programs that a group may have already. */
const QUERY_MAX = 64;

/**
 * Installs rules in place of the current ones. Without rules nothing is changed.
 *
 * @throws UserError
 */
export function attachDeviceFilter(dir: string, rules: readonly DeviceRule[]): void {
  if (rules.length === 0) return;
  const group = openat(AT_FDCWD, dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (group < 0) fail(dir, group);
  try {
    const before = attachedPrograms(group);
    const program = load(devicePolicyProgram(devicePolicy(effectiveRules(rules))));
    if (program < 0) fail(dir, program);
    const r = attachOrDetach(BPF_PROG_ATTACH, group, program);
    close(program);
    if (r < 0) fail(dir, r);
    // An access needs the permission of all attached programs, so the new one is attached before
    // the old ones are detached.
    for (const id of before) detach(group, id);
  } finally {
    close(group);
  }
}

function fail(dir: string, errno: number): never {
  throw new UserError(`cannot set device rules for ${dir}: ${errnoName(errno)}`);
}

/** A call with its attributes: 32-bit words by offset, or addresses. */
function bpf(command: number, fill: (view: DataView) => void): number {
  const attr = allocBuffer(ATTR_BYTES);
  fill(new DataView(attr.buffer));
  return syscall(SYS_bpf, command, addressOf(attr), ATTR_BYTES);
}

function load(code: Uint8Array<ArrayBuffer>): number {
  const license = allocBuffer(16);
  license.set(new TextEncoder().encode("Apache-2.0"));
  const instructions = allocBuffer(code.length);
  instructions.set(code);
  return bpf(BPF_PROG_LOAD, (view) => {
    view.setUint32(0, BPF_PROG_TYPE_CGROUP_DEVICE, true);
    view.setUint32(4, code.length / INSTRUCTION_BYTES, true);
    view.setBigUint64(8, BigInt(addressOf(instructions)), true);
    view.setBigUint64(16, BigInt(addressOf(license)), true);
  });
}

function attachOrDetach(command: number, group: number, program: number): number {
  return bpf(command, (view) => {
    view.setUint32(0, group, true);
    view.setUint32(4, program, true);
    view.setUint32(8, BPF_CGROUP_DEVICE, true);
    if (command === BPF_PROG_ATTACH) view.setUint32(12, BPF_F_ALLOW_MULTI, true);
  });
}

/** Ids of the group's own device programs. */
function attachedPrograms(group: number): number[] {
  const ids = allocBuffer(4 * QUERY_MAX);
  let count = 0;
  const attr = allocBuffer(ATTR_BYTES), view = new DataView(attr.buffer);
  view.setUint32(0, group, true);
  view.setUint32(4, BPF_CGROUP_DEVICE, true);
  view.setBigUint64(16, BigInt(addressOf(ids)), true);
  view.setUint32(24, QUERY_MAX, true);
  if (syscall(SYS_bpf, BPF_PROG_QUERY, addressOf(attr), ATTR_BYTES) === 0) {
    count = Math.min(view.getUint32(24, true), QUERY_MAX);
  }
  const words = new DataView(ids.buffer);
  return Array.from({ length: count }, (_, i) => words.getUint32(4 * i, true));
}

function detach(group: number, id: number): void {
  const program = bpf(BPF_PROG_GET_FD_BY_ID, (view) => view.setUint32(0, id, true));
  if (program < 0) return;
  attachOrDetach(BPF_PROG_DETACH, group, program);
  close(program);
}
