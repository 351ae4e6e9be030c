/** /proc/keys and /proc/key-users (keyrings(7)): the part that their reader may see. */

import { NO_ID, OVERFLOW_ID } from "../cred/user_namespace.ts";
import type { Key } from "./key.ts";
import { possessedKeys } from "./keyring.ts";
import { searchedKeyrings } from "./lookup.ts";
import { KEY_VIEW, mayUseKey } from "./permission.ts";
import type { KeyHolder } from "./task_keyrings.ts";
import type { KeyStore } from "./key_store.ts";

const MINUTE = 60, HOUR = 3600, DAY = 86400, WEEK = 604800;

/** The keys that the reader may view, by id. */
export function keysText(reader: KeyHolder): string {
  const { cred, keyrings: { store } } = reader, nowSec = store.nowSec();
  const possessed = possessedKeys(searchedKeyrings(reader), cred);
  let text = "";
  for (const key of [...store.keys.values()].sort((a, b) => a.serial - b.serial)) {
    if (!cred.userNs.hasUid(key.user.uid)) continue;
    if (mayUseKey(key, possessed.has(key), cred, KEY_VIEW)) text += line(reader, key, nowSec);
  }
  return text;
}

function line({ cred: { userNs } }: KeyHolder, key: Key, nowSec: number): string {
  const number = (n: number): string => String(n).padStart(5);
  const hex = (n: number): string => n.toString(16).padStart(8, "0");
  const usage = number(key.pins + key.holders.size);
  const ids = `${number(userNs.shownUid(key.uid))} ${number(shownKeyGid(key.gid, userNs))}`;
  const type = key.type.name.slice(0, 9).padEnd(9);
  const time = timeLeft(key, nowSec).padStart(4);
  const head = `${hex(key.serial)} ${flags(key)} ${usage} ${time} ${hex(key.perm)} ${ids}`;
  const name = key.request === null ? key.description : `key:${key.description}`;
  return `${head} ${type} ${name}${key.detail}\n`;
}

/** Keyrings of users have no group, which is shown as one without a name. */
export function shownKeyGid(gid: number, userNs: KeyHolder["cred"]["userNs"]): number {
  return gid === NO_ID ? OVERFLOW_ID : userNs.shownGid(gid);
}

function flags(key: Key): string {
  const flag = (isSet: boolean, letter: string): string => isSet ? letter : "-";
  return flag(key.isInstantiated, "I") + flag(key.isRevoked, "R") + "-" +
    flag(key.isInQuota, "Q") + flag(key.construction !== null, "U") +
    flag(key.rejectError !== 0, "N") + flag(key.isInvalidated, "i");
}

function timeLeft({ expirySec }: Key, nowSec: number): string {
  if (expirySec === Infinity) return "perm";
  const left = expirySec - nowSec;
  if (left <= 0) return "expd";
  if (left < MINUTE) return `${left}s`;
  if (left < HOUR) return `${Math.floor(left / MINUTE)}m`;
  if (left < DAY) return `${Math.floor(left / HOUR)}h`;
  return left < WEEK ? `${Math.floor(left / DAY)}d` : `${Math.floor(left / WEEK)}w`;
}

/** One line for each user that has a name in the reader's user namespace. */
export function keyUsersText(reader: KeyHolder, store: KeyStore): string {
  const { userNs } = reader.cred;
  let text = "";
  for (const user of [...store.users.values()].sort((a, b) => a.uid - b.uid)) {
    if (!userNs.hasUid(user.uid)) continue;
    const { keys, instantiated, quotaKeys, quotaBytes, uid } = user;
    text += `${String(userNs.uidOf(uid)).padStart(5)}: ${String(keys).padStart(5)} ` +
      `${keys}/${instantiated} ${quotaKeys}/${store.maxKeys(uid)} ` +
      `${quotaBytes}/${store.maxBytes(uid)}\n`;
  }
  return text;
}
