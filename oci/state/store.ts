/**
 * The containers of a host: a directory each under one root, with `state.json`, `lock`, and for the
 * first container of a sandbox `control.sock`.
 *
 * A record is replaced by rename, so that a reader sees the old or the new one as a whole. A
 * command that changes a record holds the lock. A command can be killed between any two
 * instructions: the record's status and its processes show what is left (liveness.ts). Not here:
 * what the processes do.
 */

import { join } from "@std/path";
import { EEXIST, EINTR, ENOENT, ENOTDIR, ENOTEMPTY, EWOULDBLOCK } from "../../ffi/abi/errno.ts";
import {
  AT_FDCWD,
  AT_REMOVEDIR,
  LOCK_EX,
  LOCK_NB,
  O_CLOEXEC,
  O_CREAT,
  O_DIRECTORY,
  O_PATH,
  O_RDWR,
} from "../../ffi/abi/fcntl.ts";
import { SYS_flock, SYS_unlinkat } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { check, errnoName } from "../../ffi/sys/errors.ts";
import { close, openat } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { usageError, UserError } from "../user_error.ts";
import { type ContainerRecord, parseRecord, serializeRecord } from "./record.ts";

const STATE = "state.json";
/** A record on its way: one at most, since its writer holds the lock. */
const NEW_STATE = `${STATE}.new`;
const LOCK = "lock";
const SOCKET = "control.sock";
/** Of files in a container's directory that has no record: crash_report.ts makes the log. */
const OWN_NAMES = /^(?:lock|control\.sock|sandbox\.log|state\.json\.new)$/;
/** LIMIT: characters of an id. */
const ID_MAX = 1024;

/** As runc has it: letters, digits, and . _ + - @throws UserError */
export function checkId(id: string): string {
  if (!/^[\w+.-]+$/.test(id) || id.length > ID_MAX || id === "." || id === "..") {
    throw usageError(`the ID "${id}" may have only letters, digits, and . _ + -`);
  }
  return id;
}

/** One container's directory. */
export class ContainerDir {
  readonly id: string;
  readonly path: string;

  constructor(root: string, id: string) {
    this.id = id;
    this.path = join(root, id);
  }

  /** @throws UserError if the host does not permit the check */
  get exists(): boolean {
    try {
      return Deno.statSync(this.path).isDirectory;
    } catch (error) {
      if (isMissing(error)) return false;
      throw new UserError(`cannot look for ${this.path}`, undefined, error);
    }
  }

  /** Whether there is a record, even a damaged one. */
  get hasRecord(): boolean {
    try {
      Deno.lstatSync(join(this.path, STATE));
      return true;
    } catch (error) {
      if (isMissing(error)) return false;
      throw error;
    }
  }

  /**
   * No record, and nothing but what commands that were killed leave: the root may have directories
   * of other programs.
   */
  get isLeftover(): boolean {
    if (this.hasRecord) return false;
    const names = this.#names();
    return names.includes(LOCK) && names.every((name) => OWN_NAMES.test(name));
  }

  /** null if there is none: never written, or removed. @throws UserError for a damaged one */
  read(): ContainerRecord | null {
    const path = join(this.path, STATE);
    try {
      return parseRecord(path, Deno.readTextFileSync(path));
    } catch (error) {
      if (isMissing(error)) return null;
      if (error instanceof UserError) throw error;
      throw new UserError(`cannot read ${path}`, undefined, error);
    }
  }

  /** Replaces the record; the caller holds the lock. @throws UserError */
  write(record: ContainerRecord): void {
    const path = join(this.path, STATE), temporary = join(this.path, NEW_STATE);
    try {
      Deno.writeTextFileSync(temporary, serializeRecord(record), { mode: 0o600 });
      Deno.renameSync(temporary, path);
    } catch (error) {
      // A full disk may have taken a part of it.
      ignoreMissing(() => Deno.removeSync(temporary));
      throw new UserError(`cannot write ${path}`, undefined, error);
    }
  }

  /**
   * Writes the record again with some members changed.
   * @returns the new record
   * @throws UserError if there is none
   */
  update(change: Partial<ContainerRecord>): ContainerRecord {
    const record = this.read();
    if (record === null) throw doesNotExist(this.id);
    const changed = { ...record, ...change };
    this.write(changed);
    return changed;
  }

  /**
   * Waits for the right to change this container; it ends with this process, or by `release`.
   *
   * @returns null if the container is gone @throws UserError
   */
  lock(): Lock | null {
    for (;;) {
      const lock = this.#lock(LOCK_EX);
      if (lock !== "busy") return lock;
    }
  }

  /**
   * The same without waiting: "busy" if another process holds the lock.
   * @throws UserError
   */
  tryLock(): Lock | "busy" | null {
    return this.#lock(LOCK_EX | LOCK_NB);
  }

  #lock(operation: number): Lock | "busy" | null {
    const path = join(this.path, LOCK);
    for (;;) {
      const fd = openat(AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600);
      if (fd === -ENOENT || fd === -ENOTDIR) return null;
      if (fd < 0) throw new UserError(`cannot lock ${path}: ${errnoName(fd)}`);
      let r: number;
      do r = syscall(SYS_flock, fd, operation); while (r === -EINTR);
      // The last holder of the lock may have removed the directory meanwhile.
      if (r >= 0 && isSameFile(fd, path)) return new Lock(fd);
      close(fd);
      if (r === -EWOULDBLOCK) return "busy";
      if (r < 0) throw new UserError(`cannot lock ${path}: ${errnoName(r)}`);
    }
  }

  /**
   * Calls `use` with a path of the socket that fits a socket address: through a descriptor of the
   * directory.
   */
  withSocketPath<T>(use: (path: string) => T): T {
    const flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    const dir = check(openat(AT_FDCWD, this.path, flags), `open ${this.path}`);
    try {
      return use(`/proc/self/fd/${dir}/${SOCKET}`);
    } finally {
      close(dir);
    }
  }

  /**
   * Removes the directory; no error if it is gone. The record is removed first: what is left has no
   * owner then. The lock is removed last: from then on the id is free, and the directory may belong
   * to a new container.
   */
  remove(): void {
    this.clear();
    ignoreMissing(() => Deno.removeSync(join(this.path, LOCK)));
    const r = syscall(SYS_unlinkat, AT_FDCWD, scratch.cstr(this.path), AT_REMOVEDIR);
    if (r >= 0 || [-ENOENT, -ENOTDIR, -ENOTEMPTY, -EEXIST].includes(r)) return;
    throw new UserError(`cannot remove ${this.path}: ${errnoName(r)}`);
  }

  /** Removes all but the lock. @throws UserError */
  clear(): void {
    try {
      for (const name of [STATE, SOCKET, ...this.#names()]) {
        if (name === LOCK) continue;
        ignoreMissing(() => Deno.removeSync(join(this.path, name), { recursive: true }));
      }
    } catch (error) {
      throw new UserError(`cannot empty ${this.path}`, undefined, error);
    }
  }

  #names(): string[] {
    try {
      return [...Deno.readDirSync(this.path)].map((entry) => entry.name);
    } catch (error) {
      if (isMissing(error)) return [];
      throw error;
    }
  }
}

/** The right to change a container. */
export class Lock {
  readonly #fd: number;

  constructor(fd: number) {
    this.#fd = fd;
  }

  release(): void {
    close(this.#fd);
  }
}

export class StateStore {
  /** Host path. */
  readonly root: string;

  constructor(root: string) {
    this.root = root;
  }

  /** Where a container is or would be. @throws UserError for an id that cannot be one */
  dir(id: string): ContainerDir {
    return new ContainerDir(this.root, checkId(id));
  }

  /**
   * Makes the directory of a new container, and locks it. A directory without a record is a
   * leftover of a killed command: it is taken over. Those of other ids are removed, because no
   * command may ever name them again.
   *
   * @throws UserError if the container exists
   */
  create(id: string): { readonly dir: ContainerDir; readonly lock: Lock } {
    const dir = this.dir(id);
    this.#removeLeftovers(id);
    for (;;) {
      const isNew = this.#make(dir);
      const lock = lockNew(dir, isNew);
      if (lock === "busy") throw alreadyExists();
      // Another process has removed it meanwhile.
      if (lock === null) continue;
      if (dir.hasRecord) {
        lock.release();
        throw alreadyExists();
      }
      dir.clear();
      return { dir, lock };
    }
  }

  /** Removes what killed commands left of other containers than `id`. */
  #removeLeftovers(id: string): void {
    for (const other of this.ids()) {
      const dir = new ContainerDir(this.root, other);
      if (other === id || !dir.isLeftover) continue;
      try {
        const lock = dir.tryLock();
        if (lock === null || lock === "busy") continue;
        // A command may have written a record meanwhile, and have ended.
        if (dir.isLeftover) dir.remove();
        lock.release();
      } catch (error) {
        // It is in the way of no container; a later command tries again.
        if (!(error instanceof UserError)) throw error;
      }
    }
  }

  /** @returns false if it is there @throws UserError */
  #make(dir: ContainerDir): boolean {
    try {
      Deno.mkdirSync(this.root, { recursive: true, mode: 0o700 });
      Deno.mkdirSync(dir.path, { mode: 0o700 });
      return true;
    } catch (error) {
      if (error instanceof Deno.errors.AlreadyExists && dir.exists) return false;
      throw new UserError(`cannot make ${dir.path}`, undefined, error);
    }
  }

  /** @throws UserError if there is no such container */
  load(id: string): { readonly dir: ContainerDir; readonly record: ContainerRecord } {
    const dir = this.dir(id), record = dir.read();
    if (record === null) throw doesNotExist(id);
    return { dir, record };
  }

  /**
   * Every record that can be read, by id.
   * @param onDamage called for each record that cannot be read
   */
  list(onDamage: (error: UserError) => void = () => {}): ContainerRecord[] {
    const records: ContainerRecord[] = [];
    for (const id of this.ids()) {
      try {
        const record = new ContainerDir(this.root, id).read();
        if (record !== null) records.push(record);
      } catch (error) {
        if (!(error instanceof UserError)) throw error;
        onDamage(error);
      }
    }
    return records;
  }

  /** Names of all containers, of half-made ones too. */
  ids(): string[] {
    try {
      return [...Deno.readDirSync(this.root)].filter((e) => e.isDirectory).map((e) => e.name)
        .sort();
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw new UserError(`cannot read ${this.root}`, undefined, error);
    }
  }
}

/** Clients look for these words. */
export function doesNotExist(id: string): UserError {
  return new UserError(`container "${id}" does not exist: container does not exist`);
}

/** A new directory that cannot be locked goes again. */
function lockNew(dir: ContainerDir, isNew: boolean): Lock | "busy" | null {
  try {
    return dir.tryLock();
  } catch (error) {
    if (isNew) dir.remove();
    throw error;
  }
}

function alreadyExists(): UserError {
  return new UserError("container with given ID already exists");
}

function isMissing(error: unknown): boolean {
  return error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory;
}

function isSameFile(fd: number, path: string): boolean {
  try {
    const here = Deno.statSync(`/proc/self/fd/${fd}`), there = Deno.statSync(path);
    return here.ino === there.ino && here.dev === there.dev;
  } catch {
    return false;
  }
}

function ignoreMissing(act: () => void): void {
  try {
    act();
  } catch (error) {
    if (!isMissing(error)) throw error;
  }
}
