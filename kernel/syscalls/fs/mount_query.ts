/**
 * statmount(2), listmount(2): mounts of the caller's namespace, or of one that it could enter, by
 * ids that are not reused.
 */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import { E2BIG, EFAULT, EINVAL, ENOENT, EOVERFLOW, EPERM } from "../../../ffi/abi/errno.ts";
import * as M from "../../../ffi/abi/mount.ts";
import { majorOf, minorOf } from "../../../ffi/abi/stat.ts";
import * as S from "../../../ffi/abi/statmount.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { stringToBytes } from "../../core/bytes.ts";
import { hasCapIn } from "../../cred/credentials.ts";
import type { Task } from "../../task/task.ts";
import { type Mount, Path } from "../../vfs/dentry.ts";
import { emptyStatFs } from "../../vfs/inode.ts";
import { mountRootText } from "../../vfs/mount_info.ts";
import { MountPaths } from "../../vfs/mount_paths.ts";
import type { MountNamespace } from "../../vfs/mounts.ts";
import { reachableText } from "../../vfs/pathname.ts";
import { copyInStruct } from "../copy_struct.ts";
import { attributesOfFlags } from "./mount_attributes.ts";

const LIST_MAX = 1_000_000;
/** Ids that are copied out at once. */
const CHUNK = 4096;

interface Request {
  readonly id: number;
  readonly namespace: MountNamespace;
  /** The visible part of the namespace is below this path. */
  readonly root: Path;
  readonly param: number;
  /** The low half of `param`: all known bits of STATMOUNT_* fit in it. */
  readonly mask: number;
}

/** Reads and checks the request at `addr`; or -errno. */
function readRequest(t: Task, addr: number): Request | number {
  const { dv } = t.kernel.scratch, { at } = S.MntIdReq;
  if (t.mm.copyIn(t.kernel.scratch.u8, 0, addr, 4) !== 0) return -EFAULT;
  const size = dv.getUint32(at.size, true);
  if (size > PAGE_SIZE) return -E2BIG;
  if (size < S.MNT_ID_REQ_SIZE_VER0) return -EINVAL;
  const r = copyInStruct(t, addr, size, S.MntIdReq.size);
  if (r < 0) return r;
  if (dv.getUint32(at.spare, true) !== 0) return -EINVAL;
  const number = (o: number): number => Number(dv.getBigUint64(o, true));
  const id = number(at.mntId), param = number(at.param);
  if (id <= S.MNT_UNIQUE_ID_OFFSET) return -EINVAL;
  const mask = dv.getUint32(at.param, true), own = t.fs.namespace;
  const nsId = number(at.mntNsId);
  const namespace = nsId === 0 ? own : own.vfs.namespaces.get(nsId);
  if (namespace === undefined) return -ENOENT;
  if (namespace === own) return { id, namespace, root: t.fs.root, param, mask };
  return seesAll(t, namespace)
    ? { id, namespace, root: namespace.rootPath(), param, mask }
    : -ENOENT;
}

function uniqueId(mount: Mount): number {
  return S.MNT_UNIQUE_ID_OFFSET + mount.id;
}

function findMount({ namespace }: Request, id: number): Mount | null {
  for (const mount of namespace.mounts) if (uniqueId(mount) === id) return mount;
  return null;
}

function isBelow(mount: Mount, root: Path): boolean {
  return reachableText(new Path(mount, mount.root), root) !== null;
}

/** True if the caller may see all mounts of the namespace, wherever its root directory is. */
function seesAll(t: Task, { owner }: MountNamespace): boolean {
  return owner !== null && hasCapIn(t.cred, owner, CAP_SYS_ADMIN);
}

export function sysStatmount(t: Task, a: SyscallArgs): number {
  if (a.u32(3) !== 0) return -EINVAL;
  const request = readRequest(t, a.u64(0));
  if (typeof request === "number") return request;
  const mount = findMount(request, request.id);
  if (mount === null) return -ENOENT;
  if (!isBelow(mount, request.root) && !seesAll(t, request.namespace)) return -EPERM;
  return putStatmount(t, mount, request, a.u64(1), a.u64(2));
}

/** Builds an answer: the header in scratch memory, and the strings behind it. */
class Answer {
  private readonly dv: DataView;
  private text = "";
  mask = 0;

  constructor(dv: DataView) {
    this.dv = dv;
  }

  put32(at: number, value: number): void {
    this.dv.setUint32(at, value, true);
  }
  put64(at: number, value: number): void {
    this.dv.setBigUint64(at, BigInt(value), true);
  }
  string(at: number, text: string): void {
    this.put32(at, this.text.length);
    this.text += `${text}\0`;
  }
  get strings(): Uint8Array<ArrayBuffer> {
    return stringToBytes(this.text);
  }
}

function putStatmount(
  t: Task,
  mount: Mount,
  request: Request,
  addr: number,
  size: number,
): number {
  const s = t.kernel.scratch, { at } = S.StatmountHeader, answer = new Answer(s.dv);
  s.clear(S.StatmountHeader.size);
  for (const [bit, put] of PARTS) {
    // Unknown bits may be set too.
    if ((request.mask & bit) === 0) continue;
    const r = put(request, mount, answer);
    if (r < 0) return r;
    answer.mask += bit;
  }
  const strings = answer.strings, total = S.StatmountHeader.size + strings.length;
  if (strings.length > 0 && size < total) return -EOVERFLOW;
  answer.put32(at.size, total);
  answer.put64(at.mask, answer.mask);
  const header = Math.min(size, S.StatmountHeader.size);
  if (t.mm.copyOut(addr, s.u8, 0, header) !== 0) return -EFAULT;
  if (strings.length === 0) return 0;
  return t.mm.copyOut(addr + S.StatmountHeader.size, strings, 0, strings.length) === 0
    ? 0
    : -EFAULT;
}

type Part = (request: Request, mount: Mount, answer: Answer) => number;

const PARTS: readonly (readonly [number, Part])[] = [
  [S.STATMOUNT_SB_BASIC, putSuperBlock],
  [S.STATMOUNT_MNT_BASIC, putMount],
  [S.STATMOUNT_PROPAGATE_FROM, ({ root }, mount, answer) => {
    const seen = new MountPaths(root).masterOf(mount);
    answer.put64(S.StatmountHeader.at.propagateFrom, seen?.id ?? 0);
    return 0;
  }],
  [S.STATMOUNT_FS_TYPE, (_, mount, answer) => {
    answer.string(S.StatmountHeader.at.fsType, mount.fs.type);
    return 0;
  }],
  [S.STATMOUNT_MNT_ROOT, (_, mount, answer) => {
    answer.string(S.StatmountHeader.at.mntRoot, mountRootText(mount));
    return 0;
  }],
  [S.STATMOUNT_MNT_POINT, ({ root }, mount, answer) => {
    const text = reachableText(new Path(mount, mount.root), root);
    answer.string(S.StatmountHeader.at.mntPoint, text ?? "");
    return 0;
  }],
  [S.STATMOUNT_MNT_NS_ID, ({ namespace }, _mount, answer) => {
    answer.put64(S.StatmountHeader.at.mntNsId, namespace.id);
    return 0;
  }],
  [S.STATMOUNT_MNT_OPTS, (_, mount, answer) => {
    answer.string(S.StatmountHeader.at.mntOpts, mount.fs.superOptions());
    return 0;
  }],
];

function putSuperBlock(_: Request, { fs }: Mount, answer: Answer): number {
  const { at } = S.StatmountHeader, numbers = emptyStatFs(), r = fs.statfs(numbers);
  if (r < 0) return r;
  answer.put32(at.sbDevMajor, majorOf(fs.root.dev));
  answer.put32(at.sbDevMinor, minorOf(fs.root.dev));
  answer.put64(at.sbMagic, numbers.type);
  answer.put32(at.sbFlags, fs.readOnly ? M.MS_RDONLY : 0);
  return 0;
}

function putMount(_: Request, mount: Mount, answer: Answer): number {
  const { at } = S.StatmountHeader, parent = mount.parent ?? mount;
  answer.put64(at.mntId, uniqueId(mount));
  answer.put64(at.mntParentId, uniqueId(parent));
  answer.put32(at.mntIdOld, mount.id);
  answer.put32(at.mntParentIdOld, parent.id);
  answer.put64(at.mntAttr, attributesOfFlags(mount.flags));
  answer.put64(at.mntPropagation, propagationOf(mount));
  answer.put64(at.mntPeerGroup, mount.peers?.id ?? 0);
  answer.put64(at.mntMaster, mount.master?.id ?? 0);
  return 0;
}

function propagationOf(mount: Mount): number {
  const flags = (mount.peers === null ? 0 : M.MS_SHARED) |
    (mount.master === null ? 0 : M.MS_SLAVE) | (mount.isUnbindable ? M.MS_UNBINDABLE : 0);
  return flags === 0 ? M.MS_PRIVATE : flags;
}

/** listmount(2): all mounts below one, at any depth, in the order of their ids. */
export function sysListmount(t: Task, a: SyscallArgs): number {
  const count = a.u64(2), flags = a.u32(3);
  if ((flags & ~S.LISTMOUNT_REVERSE) !== 0) return -EINVAL;
  if (count > LIST_MAX) return -EOVERFLOW;
  const request = readRequest(t, a.u64(0));
  if (typeof request === "number") return request;
  const { id, param } = request;
  if (param !== 0 && param <= S.MNT_UNIQUE_ID_OFFSET) return -EINVAL;
  const top = id === S.LSMT_ROOT ? null : findMount(request, id);
  if (top === null && id !== S.LSMT_ROOT) return -ENOENT;
  if (top !== null && !isBelow(top, request.root) && !seesAll(t, request.namespace)) return -EPERM;
  const ids = idsBelow(request, top), isReverse = (flags & S.LISTMOUNT_REVERSE) !== 0;
  if (isReverse) ids.reverse();
  const from = param === 0 ? ids : ids.filter((one) => isReverse ? one < param : one > param);
  return putIds(t, a.u64(1), from.slice(0, count));
}

/** With `top` null the root mount is included; otherwise `top` itself is not. */
function idsBelow(request: Request, top: Mount | null): number[] {
  const root = top === null ? request.root : new Path(top, top.root);
  const places = new MountPaths(root);
  return [...request.namespace.mounts].filter((m) => m !== top && places.pathOf(m) !== null)
    .map(uniqueId).sort((x, y) => x - y);
}

function putIds(t: Task, addr: number, ids: readonly number[]): number {
  const { u8, dv } = t.kernel.scratch;
  for (let at = 0; at < ids.length; at += CHUNK) {
    const part = ids.slice(at, at + CHUNK);
    part.forEach((id, i) => dv.setBigUint64(8 * i, BigInt(id), true));
    if (t.mm.copyOut(addr + 8 * at, u8, 0, 8 * part.length) !== 0) return -EFAULT;
  }
  return ids.length;
}
