/**
 * Windows: the Sentry's own mappings of host files, by which it reaches pages that guests map
 * directly from a file. Each window shows 2 MiB of one file; the least recently used one is
 * replaced. A page in a window can vanish (the file is truncated), so only the primitives of
 * ffi/mem may touch it. fault.ts calls this.
 */

import type { Backing, FileIdentity } from "./backing.ts";

export const WINDOW_SIZE = 2 * 1024 * 1024;

/** The part of ffi/mem's Arena that windows need. */
interface WindowStore {
  readonly windowCount: number;
  mapWindow(
    index: number,
    fd: number,
    fileOffset: number,
    lenBytes: number,
    writable: boolean,
  ): number;
  unmapWindow(index: number): number;
}

class Window {
  readonly index: number;
  inode: FileIdentity | null = null;
  /** The number of the 2 MiB piece of the file, doubled; plus 1 when the window is writable. */
  key: number = -1;
  offset: number = -1;
  /** The memory context of the kernel whose file it is. */
  user: object | null = null;
  lastUse: number = 0;

  constructor(index: number) {
    this.index = index;
  }
}

export class FileWindows {
  /** Changes when a window is replaced: host addresses that were kept are invalid then. */
  epoch: number = 0;
  private readonly store: WindowStore;
  private readonly windows: Window[] = [];
  private readonly byInode: Map<FileIdentity, Map<number, Window>> = new Map();
  private clock: number = 0;

  constructor(store: WindowStore) {
    this.store = store;
  }

  /**
   * The arena offset of a page of the file (`fileOffset` is page aligned), or -1 when the host
   * refuses the window.
   *
   * @param user the memory context of the kernel whose file it is
   */
  offsetOf(backing: Backing, fileOffset: number, writable: boolean, user: object): number {
    const chunk = Math.floor(fileOffset / WINDOW_SIZE);
    const window = this.find(backing.inode, chunk, writable) ??
      this.open(backing, chunk, writable, user);
    if (window === null) return -1;
    window.lastUse = ++this.clock;
    return window.offset + (fileOffset - chunk * WINDOW_SIZE);
  }

  /** Unmaps the windows of a file that no process maps any more. */
  forget(inode: FileIdentity): void {
    const windows = this.byInode.get(inode);
    if (windows === undefined) return;
    for (const window of windows.values()) {
      this.store.unmapWindow(window.index);
      window.inode = window.user = null;
      window.lastUse = 0;
    }
    this.byInode.delete(inode);
    this.epoch++;
  }

  /** Unmaps the windows on files of a kernel that has ended. */
  forgetUser(user: object): void {
    for (const window of this.windows) {
      if (window.user === user && window.inode !== null) this.forget(window.inode);
    }
  }

  private find(inode: FileIdentity, chunk: number, writable: boolean): Window | null {
    const windows = this.byInode.get(inode);
    if (windows === undefined) return null;
    const window = windows.get(chunk * 2 + 1);
    if (window !== undefined || writable) return window ?? null;
    return windows.get(chunk * 2) ?? null;
  }

  private open(backing: Backing, chunk: number, writable: boolean, user: object): Window | null {
    if (backing.hostFd < 0) return null;
    const window = this.take();
    if (window === null) return null;
    const at = this.store.mapWindow(
      window.index,
      backing.hostFd,
      chunk * WINDOW_SIZE,
      WINDOW_SIZE,
      writable,
    );
    if (at < 0) return null;
    window.inode = backing.inode;
    window.key = chunk * 2 + (writable ? 1 : 0);
    window.offset = at;
    window.user = user;
    let windows = this.byInode.get(backing.inode);
    if (windows === undefined) {
      windows = new Map();
      this.byInode.set(backing.inode, windows);
    }
    windows.set(window.key, window);
    return window;
  }

  /** A window that can be mapped: a new one, or the least recently used. */
  private take(): Window | null {
    if (this.windows.length < this.store.windowCount) {
      const fresh = new Window(this.windows.length);
      this.windows.push(fresh);
      return fresh;
    }
    let oldest: Window | null = null;
    for (const window of this.windows) {
      if (oldest === null || window.lastUse < oldest.lastUse) oldest = window;
    }
    if (oldest === null) return null;
    if (oldest.inode !== null) {
      const windows = this.byInode.get(oldest.inode);
      windows?.delete(oldest.key);
      if (windows?.size === 0) this.byInode.delete(oldest.inode);
      oldest.inode = null;
      this.epoch++;
    }
    return oldest;
  }
}
