/** add_key(2): makes a key in a keyring, or updates it. */

import { EACCES, EINVAL, ENODEV, ENOTDIR, EPERM } from "../../../ffi/abi/errno.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { keyIndex, type KeyRef } from "../key.ts";
import { takesContents } from "../key_store.ts";
import { type KeyType, keyTypeOf } from "../key_types.ts";
import { lookupKey } from "../lookup.ts";
import { KEY_WRITE, mayUseKey } from "../permission.ts";
import { makeCallersKey } from "../request_key.ts";
import type { Task } from "../../task/task.ts";
import { contents, keyString, typeName } from "./arguments.ts";

/** LIMIT: bytes of contents, whatever the type. */
const MAX_CONTENTS = (1 << 20) - 1;

/** add_key(2): the serial number of the key, or -errno. */
export function sysAddKey(t: Task, a: SyscallArgs): number {
  const len = a.u64(3);
  if (len > MAX_CONTENTS) return -EINVAL;
  const name = typeName(t, a.u64(0));
  if (typeof name === "number") return name;
  const description = a.u64(1) === 0 ? "" : keyString(t, a.u64(1));
  if (typeof description === "number") return description;
  if (description.startsWith(".") && name.startsWith("keyring")) return -EPERM;
  const payload = contents(t, a.u64(2), len);
  if (typeof payload === "number") return payload;
  const ring = lookupKey(t, a.i32(4), KEY_WRITE, { creates: true });
  if (typeof ring === "number") return ring;
  const type = keyTypeOf(name);
  if (type === null) return -ENODEV;
  return createOrUpdate(t, ring, type, description, payload);
}

function createOrUpdate(
  t: Task,
  { key: ring, isPossessed }: KeyRef,
  type: KeyType,
  description: string,
  payload: Uint8Array<ArrayBuffer>,
): number {
  const { store } = t.keyrings;
  if (ring.links === null) return -ENOTDIR;
  if (!takesContents(type, payload.length) || description === "") return -EINVAL;
  if (!type.names(description)) return -EINVAL;
  const refused = store.mayLink(ring, ring);
  if (refused === -EPERM) return refused;
  const there = ring.links.get(keyIndex(type, description));
  if (type.canUpdate && there !== undefined && !there.isInvalidated && !there.isRevoked) {
    if (!mayUseKey(there, isPossessed, t.cred, KEY_WRITE)) return -EACCES;
    const r = store.fill(there, payload);
    return r < 0 ? r : there.serial;
  }
  const key = makeCallersKey(t, type, description);
  if (typeof key === "number") return key;
  const filled = store.fill(key, payload), r = filled < 0 ? filled : store.link(ring, key);
  if (r === 0) return key.serial;
  store.release(key);
  return r;
}
