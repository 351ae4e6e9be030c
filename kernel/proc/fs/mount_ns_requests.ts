/**
 * Requests of ioctl_ns(2) that go from one mount namespace to the next. Their argument may have any
 * size.
 */

import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import { EFAULT, EINVAL, ENOENT, ENOTTY } from "../../../ffi/abi/errno.ts";
import { NS_MNT_GET_INFO, NS_MNT_GET_NEXT, NS_MNT_GET_PREV } from "../../../ffi/abi/ioctl.ts";
import { hasCapIn } from "../../cred/credentials.ts";
import type { Namespace } from "../../cred/namespace.ts";
import type { UserMemory } from "../../mm/user_memory.ts";
import { MountNamespace } from "../../vfs/mounts.ts";
import type { NsFs } from "./ns_fs.ts";

/** struct mnt_ns_info: size, number of mounts, id. */
const INFO_BYTES = 16;
const info = new Uint8Array(INFO_BYTES);
const view = new DataView(info.buffer);

/** The number of a request without the size of its argument. */
function numberOf(request: number): number {
  return request & 0xff;
}

/** Carries out a request: a descriptor, 0 or -errno. */
export function namespaceRequest(
  files: NsFs,
  namespace: Namespace,
  request: number,
  arg: number,
  user: UserMemory,
): number {
  const number = numberOf(request), size = (request >>> 16) & 0x3fff;
  const isInfo = number === numberOf(NS_MNT_GET_INFO),
    isNext = number === numberOf(NS_MNT_GET_NEXT);
  if (!isInfo && !isNext && number !== numberOf(NS_MNT_GET_PREV)) return -ENOTTY;
  if (!(namespace instanceof MountNamespace) || size < INFO_BYTES) return -EINVAL;
  if (isInfo) return arg === 0 ? -EINVAL : tell(namespace, arg, user);
  const found = neighbour(files, namespace, isNext);
  if (found === null) return -ENOENT;
  if (arg !== 0) {
    const r = tell(found, arg, user);
    if (r < 0) return r;
  }
  return files.openFor(found);
}

function tell(namespace: MountNamespace, arg: number, user: UserMemory): number {
  view.setUint32(0, INFO_BYTES, true);
  view.setUint32(4, namespace.mounts.size, true);
  view.setBigUint64(8, BigInt(namespace.id), true);
  return user.copyOut(arg, info, 0, INFO_BYTES) < 0 ? -EFAULT : 0;
}

/** The next or previous namespace that the caller may administrate, or null. */
function neighbour(files: NsFs, from: MountNamespace, isNext: boolean): MountNamespace | null {
  const task = files.callers.current();
  if (task === null) return null;
  let found: MountNamespace | null = null;
  for (const one of from.vfs.namespaces.values()) {
    if (isNext ? one.id <= from.id : one.id >= from.id) continue;
    if (one.owner === null || !hasCapIn(task.cred, one.owner, CAP_SYS_ADMIN)) continue;
    if (isNext) return one;
    found = one;
  }
  return found;
}
