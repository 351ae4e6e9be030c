/**
 * Permission on keys: keyrings(7), "Access rights". Four sets of bits: possessor, owner, group,
 * others.
 */

import { EKEYEXPIRED, EKEYREVOKED, ENOKEY } from "../../ffi/abi/errno.ts";
import { type Credentials, inGroup } from "../cred/credentials.ts";
import type { Key } from "./key.ts";

export const KEY_VIEW = 1, KEY_READ = 2, KEY_WRITE = 4;
export const KEY_SEARCH = 8, KEY_LINK = 0x10, KEY_SETATTR = 0x20;
export const KEY_ALL = 0x3f;
/** Bit positions of the sets of rights. */
export const POSSESSOR = 24, OWNER = 16, GROUP = 8;
export const KEY_PERM_ALL = 0x3f3f3f3f;

/** Whether the credentials have all rights in `need` (KEY_*) on the key (keyrings(7), "Rights"). */
export function mayUseKey(
  key: Key,
  isPossessed: boolean,
  cred: Credentials,
  need: number,
): boolean {
  let rights: number;
  if (key.uid === cred.fsuid) rights = key.perm >>> OWNER;
  else if (((key.perm >>> GROUP) & KEY_ALL) !== 0 && inGroup(cred, key.gid)) {
    rights = key.perm >>> GROUP;
  } else rights = key.perm;
  if (isPossessed) rights |= key.perm >>> POSSESSOR;
  return (rights & need) === need;
}

/** 0, or the error for a key that is expired, revoked or negative. */
export function keyState(key: Key, nowSec: number): number {
  if (key.isInvalidated) return -ENOKEY;
  if (key.isRevoked) return -EKEYREVOKED;
  return nowSec >= key.expirySec ? -EKEYEXPIRED : 0;
}
