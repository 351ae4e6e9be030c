/**
 * The keyrings of a task (thread-keyring(7), process-keyring(7), session-keyring(7)): what of them is inherited, and
 * the order in which they are searched. Linux has them in its credentials: each thread has its own set.
 */

import { KEY_REQKEY_DEFL_DEFAULT } from "../../ffi/abi/keyctl.ts";
import type { Credentials } from "../cred/credentials.ts";
import type { Key } from "./key.ts";
import type { KeyStore } from "./key_store.ts";
import { KEY_READ, KEY_VIEW } from "./permission.ts";
import { ringRights } from "./key_store.ts";

/** Whoever uses keys. */
export interface KeyHolder {
  readonly cred: Credentials;
  readonly keyrings: TaskKeyrings;
}

export class TaskKeyrings {
  readonly store: KeyStore;
  thread: Key | null = null;
  process: Key | null = null;
  session: Key | null = null;
  /** The right to instantiate a key (KEYCTL_ASSUME_AUTHORITY). */
  authority: Key | null = null;
  /** KEY_REQKEY_DEFL_*: where request_key(2) puts keys. */
  requestDefault: number = KEY_REQKEY_DEFL_DEFAULT;

  constructor(store: KeyStore) {
    this.store = store;
  }

  /** For a child: threads share the keyring of their process, and have one of their own when their maker had one. */
  inherit(from: TaskKeyrings, cred: Credentials, isThread: boolean): void {
    this.setSession(from.session);
    this.authority = pinned(from.authority);
    this.requestDefault = from.requestDefault;
    if (!isThread) return;
    this.process = pinned(from.process);
    if (from.thread !== null) this.ownThread(cred);
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

  /** The thread's keyring, made when there is none; these two are charged, but never too much. */
  ownThread(cred: Credentials): Key | number {
    if (this.thread !== null) return this.thread;
    const ring = this.makeRing("_tid", cred, KEY_VIEW, "overrun");
    if (typeof ring !== "number") this.thread = pinned(ring);
    return ring;
  }

  ownProcess(cred: Credentials): Key | number {
    if (this.process !== null) return this.process;
    const ring = this.makeRing("_pid", cred, KEY_VIEW, "overrun");
    if (typeof ring !== "number") this.process = pinned(ring);
    return ring;
  }

  /** A session keyring of one's own, without a name. */
  newSession(cred: Credentials): Key | number {
    const quota = this.session === null ? "overrun" : "in";
    const ring = this.makeRing("_ses", cred, KEY_VIEW | KEY_READ, quota);
    if (typeof ring !== "number") this.setSession(ring);
    return ring;
  }

  private makeRing(
    description: string,
    cred: Credentials,
    ownerRights: number,
    quota: "in" | "overrun",
  ): Key | number {
    const { uid, gid } = cred, perm = ringRights(ownerRights);
    return this.store.makeKeyring({ description, uid, gid, perm, quota });
  }

  /** execve(2): only the session goes on. */
  onExec(): void {
    this.drop(this.thread);
    this.drop(this.process);
    this.thread = this.process = null;
  }

  /** The thread's keyring belongs to whoever the thread is. */
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
