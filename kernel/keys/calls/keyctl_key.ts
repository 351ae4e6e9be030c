/** Operations of keyctl(2) that change a key: contents, owner, rights, expiry, revocation. */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import { CAP_SYS_ADMIN } from "../../../ffi/abi/capability.ts";
import { EACCES, EINVAL, EOPNOTSUPP } from "../../../ffi/abi/errno.ts";
import { hasCap, inGroup } from "../../cred/credentials.ts";
import { NO_ID } from "../../cred/user_namespace.ts";
import { lookupForMaker, lookupKey } from "../lookup.ts";
import * as P from "../permission.ts";
import type { Task } from "../../task/task.ts";
import { contents } from "./arguments.ts";

/** KEYCTL_UPDATE of keyctl(2): 0 or -errno. `len`: bytes at `addr`. */
export function update(t: Task, id: number, addr: number, len: number): number {
  if (len > PAGE_SIZE) return -EINVAL;
  const payload = contents(t, addr, len);
  if (typeof payload === "number") return payload;
  const ref = lookupKey(t, id, P.KEY_WRITE);
  if (typeof ref === "number") return ref;
  if (!ref.key.type.canUpdate) return -EOPNOTSUPP;
  return t.keyrings.store.fill(ref.key, payload);
}

/** A caller with the right to write the key or to change its attributes may revoke it. */
export function revoke(t: Task, id: number): number {
  let ref = lookupKey(t, id, P.KEY_WRITE);
  if (ref === -EACCES) ref = lookupKey(t, id, P.KEY_SETATTR);
  if (typeof ref === "number") return ref;
  t.keyrings.store.revoke(ref.key);
  return 0;
}

/** KEYCTL_INVALIDATE of keyctl(2): 0 or -errno. */
export function invalidate(t: Task, id: number): number {
  const ref = lookupKey(t, id, P.KEY_SEARCH);
  if (typeof ref === "number") return ref;
  t.keyrings.store.invalidate(ref.key);
  return 0;
}

/** Only CAP_SYS_ADMIN may give a key to another user, or to a group that the caller is not in. */
export function chown(t: Task, id: number, uidArg: number, gidArg: number): number {
  const { cred, keyrings: { store } } = t, { userNs } = cred;
  const uid = uidArg === NO_ID ? NO_ID : userNs.kernelUid(uidArg);
  const gid = gidArg === NO_ID ? NO_ID : userNs.kernelGid(gidArg);
  if ((uidArg !== NO_ID && uid === NO_ID) || (gidArg !== NO_ID && gid === NO_ID)) return -EINVAL;
  if (uid === NO_ID && gid === NO_ID) return 0;
  const ref = lookupKey(t, id, P.KEY_SETATTR, { creates: true, partial: true });
  if (typeof ref === "number") return ref;
  const { key } = ref;
  const isForeign = (uid !== NO_ID && uid !== key.uid) ||
    (gid !== NO_ID && gid !== key.gid && !inGroup(cred, gid));
  if (isForeign && !hasCap(cred, CAP_SYS_ADMIN)) return -EACCES;
  const r = uid === NO_ID ? 0 : store.changeOwner(key, uid);
  if (r < 0) return r;
  if (gid !== NO_ID) key.gid = gid;
  return 0;
}

/** KEYCTL_SETPERM of keyctl(2): 0 or -errno. `perm`: four masks of rights. */
export function setPermissions(t: Task, id: number, perm: number): number {
  if ((perm & ~P.KEY_PERM_ALL) !== 0) return -EINVAL;
  const ref = lookupKey(t, id, P.KEY_SETATTR, { creates: true, partial: true });
  if (typeof ref === "number") return ref;
  if (ref.key.uid !== t.cred.fsuid && !hasCap(t.cred, CAP_SYS_ADMIN)) return -EACCES;
  ref.key.perm = perm;
  return 0;
}

/** Sets the expiry in seconds from now; 0: never. */
export function setTimeout(t: Task, id: number, sec: number): number {
  const { store } = t.keyrings;
  const ref = id < 0
    ? lookupKey(t, id, P.KEY_SETATTR, { creates: true, partial: true })
    : lookupForMaker(t, id, P.KEY_SETATTR);
  if (typeof ref === "number") return ref;
  store.expireAt(ref.key, sec === 0 ? Infinity : store.nowSec() + sec);
  return 0;
}
