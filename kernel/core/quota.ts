/**
 * How much of one kind of object all guests of a sandbox may have together. Each costs memory of the Sentry, which other
 * limits (of a process, of a descriptor) do not bound.
 */

export class Quota {
  readonly limit: number;
  used: number = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  get hasRoom(): boolean {
    return this.used < this.limit;
  }
}

/** LIMIT: open file descriptions (fs.file-max). */
export const OPEN_FILES: Quota = new Quota(1 << 20);
/** LIMIT: signals that wait with their siginfo. */
export const QUEUED_SIGNALS: Quota = new Quota(1 << 19);
/** LIMIT: watches of inotify and directories (fs.inotify.max_user_watches). */
export const INODE_WATCHES: Quota = new Quota(1 << 19);
/** LIMIT: descriptors in epoll sets (fs.epoll.max_user_watches). */
export const EPOLL_ITEMS: Quota = new Quota(1 << 20);
