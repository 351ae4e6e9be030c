/**
 * bpf(2): programs that decide which devices a control group may use (BPF_PROG_TYPE_CGROUP_DEVICE),
 * as container runtimes load them. Other types of programs, maps, links, BTF and pinned objects are
 * -EINVAL, as for a type that the kernel was built without. Programs for packets can be loaded but
 * not attached, because libraries load one to find out whether attachments exist at all.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import * as B from "../../../ffi/abi/bpf.ts";
import { CAP_BPF, CAP_NET_ADMIN, CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import {
  E2BIG,
  EBADF,
  EFAULT,
  EINVAL,
  ENOENT,
  ENOMEM,
  ENOSPC,
  EOPNOTSUPP,
  EPERM,
} from "../../../ffi/abi/errno.ts";
import { O_RDWR } from "../../../ffi/abi/fcntl.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { stringToBytes } from "../../core/bytes.ts";
import { EbpfProgram, INSTRUCTION_BYTES, MAX_INSTRUCTIONS } from "../ebpf_program.ts";
import { type MayLoad, verify } from "../ebpf_verify.ts";
import { hasCap } from "../../cred/credentials.ts";
import { BpfProgramFile } from "../bpf_program_file.ts";
import { groupNodeOf } from "../../cgroup/fs/cgroup_fs.ts";
import { Cgroup } from "../../cgroup/cgroup.ts";
import { LoadedProgram, mayLoadContext } from "../../cgroup/bpf_programs.ts";
import { GroupDevicePolicy } from "../../cgroup/devices.ts";
import { getReg } from "../../task/registers.ts";
import type { Task } from "../../task/task.ts";
import { copyInStruct } from "../../syscalls/copy_struct.ts";
import { installNew } from "../../syscalls/io/install.ts";

const INT_MAX = 0x7fffffff;
const LICENSE_BYTES = 128, LOG_LEVELS = 7, LOG_MAX = 2 ** 30 - 1;
/** Checks of context loads by program type, and the program type of each attachment type. */
const CONTEXTS: ReadonlyMap<number, MayLoad> = new Map([
  [B.BPF_PROG_TYPE_CGROUP_SKB, () => false],
  [B.BPF_PROG_TYPE_CGROUP_DEVICE, mayLoadContext],
]);
const ATTACHED: ReadonlyMap<number, number> = new Map([
  [B.BPF_CGROUP_INET_INGRESS, B.BPF_PROG_TYPE_CGROUP_SKB],
  [B.BPF_CGROUP_INET_EGRESS, B.BPF_PROG_TYPE_CGROUP_SKB],
  [B.BPF_CGROUP_DEVICE, B.BPF_PROG_TYPE_CGROUP_DEVICE],
]);
const ATTACH_FLAGS = B.BPF_F_ALLOW_OVERRIDE | B.BPF_F_ALLOW_MULTI | B.BPF_F_REPLACE;

/** bpf(2) for programs of type BPF_PROG_TYPE_CGROUP_DEVICE: the result or -errno. */
export function sysBpf(t: Task, a: SyscallArgs): number {
  const attr = a.u64(1), size = a.u32(2);
  if (size > PAGE_SIZE) return -E2BIG;
  const r = copyInStruct(t, attr, size, B.BpfLoad.size);
  if (r < 0) return r;
  if (!isAble(t)) return -EPERM;
  switch (a.i32(0)) {
    case B.BPF_PROG_LOAD:
      return load(t);
    case B.BPF_PROG_ATTACH:
      return attach(t);
    case B.BPF_PROG_DETACH:
      return detach(t);
    case B.BPF_PROG_QUERY:
      return query(t, attr);
    case B.BPF_PROG_GET_NEXT_ID:
      return nextId(t, attr);
    case B.BPF_PROG_GET_FD_BY_ID:
      return byId(t);
    default:
      return -EINVAL;
  }
}

function isAble({ cred }: Task): boolean {
  return hasCap(cred, CAP_BPF) || hasCap(cred, CAP_SYS_ADMIN);
}

function readWord(t: Task, at: number): number {
  return t.kernel.scratch.dv.getUint32(at, true);
}

/** Fields behind those that a command knows must be 0. */
function isZeroFrom(t: Task, from: number): boolean {
  return t.kernel.scratch.u8.subarray(from, B.BpfLoad.size).every((byte) => byte === 0);
}

function load(t: Task): number {
  const { at } = B.BpfLoad, { dv } = t.kernel.scratch;
  const type = readWord(t, at.progType),
    count = readWord(t, at.insnCnt),
    flags = readWord(t, at.progFlags);
  const insns = getReg(dv, at.insns), license = getReg(dv, at.license);
  const log = {
    level: readWord(t, at.logLevel),
    size: readWord(t, at.logSize),
    addr: getReg(dv, at.logBuf),
  };
  if (!isZeroFrom(t, at.rest)) return -EINVAL;
  if ((flags & ~(B.BPF_F_STRICT_ALIGNMENT | B.BPF_F_ANY_ALIGNMENT)) !== 0) return -EINVAL;
  if (count === 0 || count > MAX_INSTRUCTIONS) return -E2BIG;
  const mayLoad = CONTEXTS.get(type);
  if (mayLoad === undefined) return -EINVAL;
  if (type === B.BPF_PROG_TYPE_CGROUP_SKB && readWord(t, at.expectedAttachType) > 1) return -EINVAL;
  if (!hasCap(t.cred, CAP_NET_ADMIN) && !hasCap(t.cred, CAP_SYS_ADMIN)) return -EPERM;
  const code = new Uint8Array(count * INSTRUCTION_BYTES);
  if (t.mm.copyIn(code, 0, insns, code.length) !== 0) return -EFAULT;
  const name = t.mm.cstring(license, LICENSE_BYTES);
  if (name === -EFAULT) return -EFAULT;
  const isSane = (log.addr !== 0) === (log.size !== 0) && (log.level !== 0 || log.addr === 0) &&
    (log.level & ~LOG_LEVELS) === 0 && log.size <= LOG_MAX;
  if (!isSane) return -EINVAL;
  const program = new EbpfProgram(code), refusal = verify(program, mayLoad);
  const logged = log.addr === 0 ? 0 : writeLog(t, log, refusal === null ? "" : `${refusal.why}\n`);
  if (logged < 0 || refusal !== null) return logged < 0 ? logged : -refusal!.error;
  const loaded = t.kernel.bpf.add(type, program, t.account);
  if (loaded === null) return -ENOMEM;
  return installNew(t, new BpfProgramFile(t.account, t.kernel.anon, O_RDWR, loaded), true);
}

/** Writes the verifier's log, cut to its buffer. */
function writeLog(
  t: Task,
  log: { readonly addr: number; readonly size: number },
  text: string,
): number {
  const bytes = stringToBytes(`${text.slice(0, log.size - 1)}\0`);
  if (t.mm.copyOut(log.addr, bytes, 0, bytes.length) < 0) return -EFAULT;
  return bytes.length === text.length + 1 ? 0 : -ENOSPC;
}

/** The program of a descriptor: -EBADF, or -EINVAL for another file or type. */
function programOf(t: Task, fd: number, type: number): LoadedProgram | number {
  const file = t.files.get(fd | 0);
  if (file === null) return -EBADF;
  const program = file instanceof BpfProgramFile ? file.program : null;
  return program instanceof LoadedProgram && program.type === type ? program : -EINVAL;
}

/** The version 2 group of a directory's descriptor. */
function groupOf(t: Task, fd: number): Cgroup | number {
  const file = t.files.getAny(fd | 0), node = file === null ? null : groupNodeOf(file.inode);
  if (!(node instanceof Cgroup) || !node.hierarchy.isUnified) return -EBADF;
  return node.isGone ? -ENOENT : node;
}

function attach(t: Task): number {
  const { at } = B.BpfAttach, flags = readWord(t, at.attachFlags);
  if (!isZeroFrom(t, at.rest) || (flags & ~ATTACH_FLAGS) !== 0) return -EINVAL;
  const type = ATTACHED.get(readWord(t, at.attachType));
  if (type === undefined) return -EINVAL;
  const program = programOf(t, readWord(t, at.attachBpfFd), type);
  if (typeof program === "number") return program;
  const group = groupOf(t, readWord(t, at.targetFd));
  if (typeof group === "number") return group;
  if (type !== B.BPF_PROG_TYPE_CGROUP_DEVICE) return -EOPNOTSUPP;
  const replaces = (flags & B.BPF_F_REPLACE) !== 0 && (flags & B.BPF_F_ALLOW_MULTI) !== 0;
  const replaced = replaces ? programOf(t, readWord(t, at.replaceBpfFd), type) : null;
  if (typeof replaced === "number") return replaced;
  const r = group.devices.attach(program, flags, replaced);
  if (r === 0) t.kernel.vfs.devicePolicy ??= new GroupDevicePolicy();
  return r;
}

function detach(t: Task): number {
  const { at } = B.BpfAttach;
  if (readWord(t, at.attachType) !== B.BPF_CGROUP_DEVICE) return -EINVAL;
  const group = groupOf(t, readWord(t, at.targetFd));
  if (typeof group === "number") return group;
  const program = programOf(t, readWord(t, at.attachBpfFd), B.BPF_PROG_TYPE_CGROUP_DEVICE);
  return group.devices.detach(typeof program === "number" ? null : program);
}

function query(t: Task, attr: number): number {
  const { at } = B.BpfQuery, { dv } = t.kernel.scratch, flags = readWord(t, at.queryFlags);
  const ids = getReg(dv, at.progIds), room = readWord(t, at.progCnt);
  const isEffective = (flags & B.BPF_F_QUERY_EFFECTIVE) !== 0;
  if (!isZeroFrom(t, at.rest) || (flags & ~B.BPF_F_QUERY_EFFECTIVE) !== 0) return -EINVAL;
  if (readWord(t, at.attachType) !== B.BPF_CGROUP_DEVICE) return -EINVAL;
  if (getReg(dv, at.progAttachFlags) !== 0) return -EINVAL;
  const group = groupOf(t, readWord(t, at.targetFd));
  if (typeof group === "number") return group;
  const { devices } = group, programs = isEffective ? devices.effective() : devices.programs;
  const shownFlags = isEffective ? 0 : devices.flags;
  if (t.mm.store32(attr + at.attachFlags, shownFlags) !== 0) return -EFAULT;
  if (t.mm.store32(attr + at.progCnt, programs.length) !== 0) return -EFAULT;
  if (room === 0 || ids === 0) return 0;
  for (const [i, { id }] of programs.slice(0, room).entries()) {
    if (t.mm.store32(ids + 4 * i, id) !== 0) return -EFAULT;
  }
  return programs.length > room ? -ENOSPC : 0;
}

/** BPF_PROG_GET_NEXT_ID and so on: start_id, next_id, open_flags. */
function nextId(t: Task, attr: number): number {
  if (!isZeroFrom(t, 8) || readWord(t, 0) >= INT_MAX) return -EINVAL;
  if (!hasCap(t.cred, CAP_SYS_ADMIN)) return -EPERM;
  const next = t.kernel.bpf.idAfter(readWord(t, 0));
  if (next < 0) return -ENOENT;
  return t.mm.store32(attr + 4, next) === 0 ? 0 : -EFAULT;
}

function byId(t: Task): number {
  if (!isZeroFrom(t, 4)) return -EINVAL;
  if (!hasCap(t.cred, CAP_SYS_ADMIN)) return -EPERM;
  const program = t.kernel.bpf.byId.get(readWord(t, 0));
  if (program === undefined) return -ENOENT;
  return installNew(t, new BpfProgramFile(t.account, t.kernel.anon, O_RDWR, program.hold()), true);
}
