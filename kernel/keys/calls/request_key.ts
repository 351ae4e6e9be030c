/** request_key(2): finds a key in the caller's keyrings, or lets /sbin/request-key make it. */

import { EACCES, EINTR, ENOKEY, EPERM } from "../../../ffi/abi/errno.ts";
import type { SyscallArgs } from "../../../platform/platform.ts";
import { BLOCK } from "../../core/result.ts";
import { Key } from "../key.ts";
import { type KeyType, keyTypeOf } from "../key_types.ts";
import { lookupKey, searchOwnKeyrings } from "../lookup.ts";
import * as P from "../permission.ts";
import { beginConstruction, defaultDestination, endConstruction } from "../request_key.ts";
import { startKeyHelper } from "../../task/key_helper.ts";
import type { Task } from "../../task/task.ts";
import { keyString, typeName } from "./arguments.ts";

/** request_key(2): the serial number of the key, or -errno. */
export function sysRequestKey(t: Task, a: SyscallArgs): number {
  if (t.progress.object instanceof Key) return awaitKey(t, t.progress.object);
  const name = typeName(t, a.u64(0));
  if (typeof name === "number") return name;
  const description = keyString(t, a.u64(1));
  if (typeof description === "number") return description;
  const callout = a.u64(2) === 0 ? null : keyString(t, a.u64(2));
  if (typeof callout === "number") return callout;
  const destination = a.i32(3) === 0
    ? null
    : lookupKey(t, a.i32(3), P.KEY_WRITE, { creates: true });
  if (typeof destination === "number") return destination;
  const type = keyTypeOf(name);
  if (type === null) return -ENOKEY;
  const ring = destination?.key ?? null;
  const found = searchOwnKeyrings(t, type, description);
  if (typeof found !== "number") return useFound(t, found, ring);
  if (found < 0) return found;
  return callout === null ? -ENOKEY : construct(t, type, description, callout, ring);
}

function useFound(t: Task, key: Key, ring: Key | null): number {
  if (ring !== null) {
    if (!P.mayUseKey(key, true, t.cred, P.KEY_LINK)) return -EACCES;
    const r = t.keyrings.store.link(ring, key);
    if (r < 0) return r;
  }
  return awaitConstruction(t, key);
}

function construct(
  t: Task,
  type: KeyType,
  description: string,
  callout: string,
  ring: Key | null,
): number {
  if (type.isKeyring) return -EPERM;
  const destination = ring ?? defaultDestination(t);
  if (typeof destination === "number") return destination;
  const key = beginConstruction(t, type, description, destination);
  if (typeof key === "number") return key;
  const request = { target: key, destination, callout, requester: t, pid: t.pid };
  if (startKeyHelper(t, request) < 0) endConstruction(t, key);
  return awaitConstruction(t, key);
}

/** While the key is under construction, only a fatal signal ends the wait. */
function awaitConstruction(t: Task, key: Key): number {
  key.pins++;
  t.progress.object = key;
  return awaitKey(t, key);
}

function awaitKey(t: Task, key: Key): number {
  if (key.construction !== null && !t.interrupted) {
    t.uninterruptible = true;
    key.construction.add(t.waiter, 0);
    return BLOCK;
  }
  const { store } = t.keyrings, { serial } = key;
  const r = key.construction !== null
    ? -EINTR
    : key.rejectError !== 0
    ? key.rejectError
    : P.keyState(key, store.nowSec());
  t.uninterruptible = false;
  t.progress.object = null;
  store.unpin(key);
  return r < 0 ? r : serial;
}
