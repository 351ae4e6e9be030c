/**
 * The keyrings of a task (thread-keyring(7), process-keyring(7), session-keyring(7)): inheritance,
 * and the order of searches. Linux has them in its credentials, so each thread has a set of its
 * own.
 */

import type { Account } from "../core/account.ts";
import { KEY_REQKEY_DEFL_DEFAULT } from "../../ffi/abi/keyctl.ts";
import type { Credentials } from "../cred/credentials.ts";
import type { Key } from "./key.ts";
import type { KeyStore } from "./key_store.ts";
import { KEY_READ, KEY_VIEW } from "./permission.ts";
import { ringRights } from "./key_store.ts";

/** A user of keys: a task. */
export interface KeyHolder {
  readonly cred: Credentials;
  readonly account: Account;
  readonly keyrings: TaskKeyrings;
}

export class TaskKeyrings {
  readonly store: KeyStore;
  thread: Key | null = null;
  process: Key | null = null;
  session: Key | null = null;
  /** The authority to instantiate a key (KEYCTL_ASSUME_AUTHORITY). */
  authority: Key | null = null;
  /** KEY_REQKEY_DEFL_*: the keyring for results of request_key(2). */
  requestDefault: number = KEY_REQKEY_DEFL_DEFAULT;

  constructor(store: KeyStore) {
    this.store = store;
  }

  /**
   * Initialises a child's: threads share the keyring of their process, and get a thread keyring if
   * their creator had one.
   */
  inherit(from: TaskKeyrings, cred: Credentials, account: Account, isThread: boolean): void {
    this.setSession(from.session);
    this.authority = pinned(from.authority);
    this.requestDefault = from.requestDefault;
    if (!isThread) return;
    this.process = pinned(from.process);
    if (from.thread !== null) this.ownThread(cred, account);
  }

  setSession(ring: Key | null): void {
    const old = this.session;
    this.session = pinned(ring);
    this.drop(old);
  }

  setAuthority(key: Key | null): void {
    const old = this.authority;
    this.authority = pinned(key);
    this.drop(old);
  }

  /**
   * The thread keyring, made if there is none. It and the process keyring are charged even beyond
   * the quota.
   */
  ownThread(cred: Credentials, account: Account): Key | number {
    if (this.thread !== null) return this.thread;
    const ring = this.makeRing("_tid", cred, account, KEY_VIEW, "overrun");
    if (typeof ring !== "number") this.thread = pinned(ring);
    return ring;
  }

  ownProcess(cred: Credentials, account: Account): Key | number {
    if (this.process !== null) return this.process;
    const ring = this.makeRing("_pid", cred, account, KEY_VIEW, "overrun");
    if (typeof ring !== "number") this.process = pinned(ring);
    return ring;
  }

  /** Makes an anonymous session keyring. */
  newSession(cred: Credentials, account: Account): Key | number {
    const quota = this.session === null ? "overrun" : "in";
    const ring = this.makeRing("_ses", cred, account, KEY_VIEW | KEY_READ, quota);
    if (typeof ring !== "number") this.setSession(ring);
    return ring;
  }

  private makeRing(
    description: string,
    cred: Credentials,
    account: Account,
    ownerRights: number,
    quota: "in" | "overrun",
  ): Key | number {
    const { uid, gid } = cred, perm = ringRights(ownerRights);
    return this.store.makeKeyring({ description, uid, gid, perm, quota, account });
  }

  /** execve(2): only the session keyring stays. */
  onExec(): void {
    this.drop(this.thread);
    this.drop(this.process);
    this.thread = this.process = null;
  }

  /** The ids of the thread changed: the thread keyring's owner changes too. */
  onIdChange(cred: Credentials): void {
    if (this.thread === null) return;
    this.thread.uid = cred.fsuid;
    this.thread.gid = cred.fsgid;
  }

  release(): void {
    this.onExec();
    this.setSession(null);
    this.setAuthority(null);
  }

  private drop(key: Key | null): void {
    if (key !== null) this.store.unpin(key);
  }
}

function pinned(key: Key | null): Key | null {
  if (key !== null) key.pins++;
  return key;
}
