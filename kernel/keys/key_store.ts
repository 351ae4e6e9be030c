/**
 * All keys of a sandbox: their ids, the users' quotas, and the removal of keys that are unused or
 * expired (keyrings(7), "/proc files"). Every change of a key passes through here, so that quotas
 * hold.
 */

import type { Account } from "../core/account.ts";
import { EDQUOT, EEXIST, EINVAL, ENOENT, ENOTDIR, EPERM } from "../../ffi/abi/errno.ts";
import { KEY_BYTES, KEYS } from "../core/quota.ts";
import type { NamespaceKeyrings } from "../cred/user_namespace.ts";
import { Timer, type TimerQueue } from "../time/timer.ts";
import { Key, KeyUser } from "./key.ts";
import { KEYRING, type KeyType } from "./key_types.ts";
import { checkNesting } from "./keyring.ts";
import { KEY_ALL, KEY_VIEW, KEY_WRITE, OWNER, POSSESSOR } from "./permission.ts";
import { KEY_LINK, KEY_READ, KEY_SEARCH, KEY_SETATTR } from "./permission.ts";

/** Bytes of a link in the quota of the keyring's owner. */
const LINK_BYTES = 4;
const FIRST_SERIAL = 3;

/** Values of /proc/sys/kernel/keys, by their path below /proc/sys. */
interface KeySettings {
  get(path: string): string;
}

/** Time and random numbers. */
interface KeyHost {
  monotonicNs(): number;
  realtimeSec(): number;
  random(buf: Uint8Array<ArrayBuffer>): void;
}

interface NewKey {
  readonly type: KeyType;
  readonly description: string;
  readonly uid: number;
  readonly gid: number;
  readonly perm: number;
  /** "overrun": charged, even beyond the quota. */
  readonly quota: "in" | "overrun" | "none";
  readonly account: Account;
}

export class KeyStore {
  readonly keys: Map<number, Key> = new Map();
  readonly users: Map<number, KeyUser> = new Map();
  /** The keyrings of users of the first user namespace (user_keyrings.ts). */
  initialKeyrings: NamespaceKeyrings | null = null;
  private readonly settings: KeySettings;
  private readonly host: KeyHost;
  private readonly timers: TimerQueue;
  private readonly reaper: Reaper = new Reaper(this);
  private readonly word: Uint8Array<ArrayBuffer> = new Uint8Array(4);

  constructor(settings: KeySettings, host: KeyHost, timers: TimerQueue) {
    this.settings = settings;
    this.host = host;
    this.timers = timers;
  }

  nowSec(): number {
    return this.host.realtimeSec();
  }
  setting(name: string): number {
    return Number(this.settings.get(`kernel/keys/${name}`));
  }
  maxKeys(uid: number): number {
    return this.setting(uid === 0 ? "root_maxkeys" : "maxkeys");
  }
  maxBytes(uid: number): number {
    return this.setting(uid === 0 ? "root_maxbytes" : "maxbytes");
  }

  userOf(uid: number): KeyUser {
    let user = this.users.get(uid);
    if (user === undefined) this.users.set(uid, user = new KeyUser(uid));
    return user;
  }

  /** Makes a key without references; -EINVAL for a description that its type refuses, -EDQUOT. */
  make(from: NewKey): Key | number {
    const { type, description, quota, uid, account } = from;
    if (description === "" || !type.names(description)) return -EINVAL;
    const user = this.users.get(uid) ?? new KeyUser(uid), bytes = description.length + 1;
    if (quota === "in" && !this.hasRoom(user, 1, bytes)) return -EDQUOT;
    if (!KEYS.hasRoom(1, account) || !KEY_BYTES.take(bytes, account)) return -EDQUOT;
    KEYS.add(1, account);
    const key = new Key(
      account,
      this.newSerial(),
      type,
      description,
      user,
      from.gid,
      from.perm,
      quota !== "none",
    );
    this.users.set(uid, user);
    this.keys.set(key.serial, key);
    user.keys++;
    key.chargedBytes = bytes;
    if (key.isInQuota) this.count(user, 1, bytes);
    return key;
  }

  /** Makes an instantiated keyring. */
  makeKeyring(from: Omit<NewKey, "type">): Key | number {
    const ring = this.make({ ...from, type: KEYRING });
    if (typeof ring !== "number") this.markInstantiated(ring);
    return ring;
  }

  private hasRoom(user: KeyUser, keys: number, bytes: number): boolean {
    return user.quotaKeys + keys <= this.maxKeys(user.uid) &&
      user.quotaBytes + bytes <= this.maxBytes(user.uid);
  }

  private count(user: KeyUser, keys: number, bytes: number): void {
    user.quotaKeys += keys;
    user.quotaBytes += bytes;
  }

  private newSerial(): number {
    const { word } = this;
    for (;;) {
      this.host.random(word);
      const serial = (word[0]! | word[1]! << 8 | word[2]! << 16 | word[3]! << 24) & 0x7fffffff;
      if (serial >= FIRST_SERIAL && !this.keys.has(serial)) return serial;
    }
  }

  markInstantiated(key: Key): void {
    if (!key.isInstantiated) key.user.instantiated++;
    key.isInstantiated = true;
    key.construction?.wake(0);
    key.construction = null;
  }

  /**
   * Changes the bytes that the contents count for in the quota, and in the Sentry's memory: 0 or
   * -EDQUOT.
   */
  private recharge(key: Key, contentBytes: number, heldBytes: number): number {
    const delta = contentBytes - key.contentBytes, held = heldBytes - key.heldBytes, { user } = key;
    const isTooMuch = delta > 0 && key.isInQuota &&
      user.quotaBytes + delta > this.maxBytes(user.uid);
    if (isTooMuch || (held > 0 && !KEY_BYTES.hasRoom(held, key.account))) return -EDQUOT;
    KEY_BYTES.add(held, key.account);
    if (key.isInQuota) user.quotaBytes += delta;
    key.chargedBytes += delta;
    key.contentBytes = contentBytes;
    key.heldBytes = heldBytes;
    return 0;
  }

  /**
   * Replaces the contents; resets expiry and a negative state. -EINVAL for a size that its type
   * refuses.
   */
  fill(key: Key, payload: Uint8Array<ArrayBuffer>): number {
    const { type } = key;
    if (!takesContents(type, payload.length)) return -EINVAL;
    if (!type.isKeyring) {
      const bytes = type.quotaBytes < 0 ? payload.length : type.quotaBytes;
      const r = this.recharge(key, bytes, payload.length);
      if (r < 0) return r;
      key.payload = payload;
    }
    key.rejectError = 0;
    key.expirySec = Infinity;
    this.markInstantiated(key);
    return 0;
  }

  /** Makes the key negative for some time. */
  reject(key: Key, error: number, forSec: number): void {
    key.rejectError = error;
    this.markInstantiated(key);
    this.expireAt(key, this.nowSec() + forSec);
  }

  /** @param sec CLOCK_REALTIME; Infinity: never */
  expireAt(key: Key, sec: number): void {
    key.expirySec = sec;
    if (sec !== Infinity) this.reapAt(sec);
  }

  revoke(key: Key): void {
    if (key.isRevoked) return;
    key.isRevoked = true;
    if (key.links !== null) this.clear(key);
    else this.recharge(key, 0, 0);
    key.payload = null;
    key.request = null;
  }

  invalidate(key: Key): void {
    if (key.isInvalidated) return;
    key.isInvalidated = true;
    for (const ring of [...key.holders]) this.unlink(ring, key);
  }

  /** Links a key; displaces a link to another key of the same type and description. */
  link(ring: Key, key: Key): number {
    const refused = this.mayLink(ring, key);
    if (refused < 0) return refused;
    const old = ring.links!.get(key.index);
    if (old === key) return 0;
    if (old === undefined) {
      if (!KEYS.hasRoom(1, ring.account)) return -EDQUOT;
      const r = this.recharge(ring, ring.contentBytes + LINK_BYTES, 0);
      if (r < 0) return r;
      KEYS.add(1, ring.account);
    }
    ring.links!.set(key.index, key);
    if (key.rings !== null) ring.rings!.add(key);
    key.holders.add(ring);
    if (old !== undefined) {
      ring.rings!.delete(old);
      old.holders.delete(ring);
      this.release(old);
    }
    return 0;
  }

  /** Tests whether `link` would succeed, apart from quotas: 0 or -errno. */
  mayLink(ring: Key, key: Key): number {
    if (ring.links === null) return -ENOTDIR;
    if (ring.isRestricted) return -EPERM;
    return checkNesting(ring, key);
  }

  /** Removes a link; -ENOENT when there is none. */
  unlink(ring: Key, key: Key): number {
    if (ring.links === null) return -ENOTDIR;
    if (ring.links.get(key.index) !== key) return -ENOENT;
    ring.links.delete(key.index);
    ring.rings!.delete(key);
    key.holders.delete(ring);
    KEYS.give(1, ring.account);
    this.recharge(ring, ring.contentBytes - LINK_BYTES, 0);
    this.release(key);
    return 0;
  }

  /**
   * Moves a link from one keyring to another; with `isExclusive` it must not displace one there
   * (-EEXIST).
   */
  move(key: Key, from: Key, to: Key, isExclusive: boolean): number {
    if (from === to) return 0;
    if (from.links === null || to.links === null) return -ENOTDIR;
    if (from.links.get(key.index) !== key) return -ENOENT;
    if (isExclusive && to.links.has(key.index)) return -EEXIST;
    key.pins++;
    const r = this.link(to, key);
    if (r === 0) this.unlink(from, key);
    this.unpin(key);
    return r;
  }

  clear(ring: Key): number {
    if (ring.links === null) return -ENOTDIR;
    for (const key of [...ring.links.values()]) this.unlink(ring, key);
    return 0;
  }

  /** Charges the key to another user: 0 or -EDQUOT. */
  changeOwner(key: Key, uid: number): number {
    const to = this.userOf(uid), from = key.user;
    if (to === from) return 0;
    if (key.isInQuota) {
      if (!this.hasRoom(to, 1, key.chargedBytes)) {
        this.forget(to);
        return -EDQUOT;
      }
      this.count(to, 1, key.chargedBytes);
      this.count(from, -1, -key.chargedBytes);
    }
    to.keys++;
    from.keys--;
    if (key.isInstantiated) {
      to.instantiated++;
      from.instantiated--;
    }
    key.user = to;
    key.uid = uid;
    this.forget(from);
    return 0;
  }

  unpin(key: Key): void {
    key.pins--;
    this.release(key);
  }

  /** Destroys a key without references, and the keys that only it held. */
  release(key: Key): void {
    const doomed = [key];
    for (let at = doomed.pop(); at !== undefined; at = doomed.pop()) {
      if (at.pins > 0 || at.holders.size > 0 || at.serial === 0) continue;
      for (const inner of at.links?.values() ?? []) {
        inner.holders.delete(at);
        KEYS.give(1, at.account);
        doomed.push(inner);
      }
      this.destroy(at);
    }
  }

  private destroy(key: Key): void {
    const { user } = key;
    this.keys.delete(key.serial);
    key.serial = 0;
    key.payload = null;
    key.request = null;
    key.links?.clear();
    key.rings?.clear();
    KEYS.give(1, key.account);
    KEY_BYTES.give(key.description.length + 1 + key.heldBytes, key.account);
    user.keys--;
    if (key.isInstantiated) user.instantiated--;
    if (key.isInQuota) this.count(user, -1, -key.chargedBytes);
    this.forget(user);
  }

  private forget(user: KeyUser): void {
    if (user.keys === 0) this.users.delete(user.uid);
  }

  /** Unlinks keys that expired some time ago (gc_delay) from their keyrings. */
  reap(): void {
    const limit = this.nowSec() - this.setting("gc_delay");
    let next = Infinity;
    for (const key of [...this.keys.values()]) {
      if (key.expirySec > limit) next = Math.min(next, key.expirySec);
      else for (const ring of [...key.holders]) this.unlink(ring, key);
    }
    if (next !== Infinity) this.reapAt(next);
  }

  private reapAt(expirySec: number): void {
    const { reaper } = this;
    const inSec = Math.max(1, expirySec + this.setting("gc_delay") - this.nowSec());
    const deadlineNs = this.host.monotonicNs() + inSec * 1e9;
    if (!reaper.isArmed || deadlineNs < reaper.deadlineNs) this.timers.arm(reaper, deadlineNs);
  }
}

export class Reaper extends Timer {
  private readonly store: KeyStore;

  constructor(store: KeyStore) {
    super();
    this.store = store;
  }

  override onExpire(): void {
    this.store.reap();
  }
}

/** Whether a key of the type may have this many bytes of contents. */
export function takesContents(type: KeyType, bytes: number): boolean {
  return type.maxBytes === 0 ? bytes === 0 : bytes > 0 && bytes <= type.maxBytes;
}

/** Rights of a key that a program makes. */
export function defaultRights(type: KeyType): number {
  let rights = KEY_VIEW | KEY_SEARCH | KEY_LINK | KEY_SETATTR;
  if (type.canRead) rights |= KEY_READ;
  if (type.isKeyring || type.canUpdate) rights |= KEY_WRITE;
  return rights << POSSESSOR | KEY_VIEW << OWNER;
}

/** All rights for the possessor, `owner` for the owner. */
export function ringRights(owner: number): number {
  return KEY_ALL << POSSESSOR | owner << OWNER;
}
