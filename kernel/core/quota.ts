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

  /** False: `count` more would be too many. */
  take(count: number): boolean {
    if (this.used + count > this.limit) return false;
    this.used += count;
    return true;
  }
}

/** LIMIT: open file descriptions (fs.file-max). */
export const OPEN_FILES: Quota = new Quota(1 << 20);
/** LIMIT: signals that wait with their siginfo. */
export const QUEUED_SIGNALS: Quota = new Quota(1 << 19);
/** LIMIT: watches of inotify and directories (fs.inotify.max_user_watches). */
export const INODE_WATCHES: Quota = new Quota(1 << 19);
/** LIMIT: groups of fanotify (fs.fanotify.max_user_groups), and events that wait in all of them. */
export const FANOTIFY_GROUPS: Quota = new Quota(128);
export const FANOTIFY_EVENTS: Quota = new Quota(1 << 18);
/** LIMIT: rules of landlock, in rulesets and domains. */
export const LANDLOCK_RULES: Quota = new Quota(1 << 18);
/** LIMIT: descriptors in epoll sets (fs.epoll.max_user_watches). */
export const EPOLL_ITEMS: Quota = new Quota(1 << 20);
/** LIMIT: requests of rings (io_uring) that are not over, completions that did not fit, and what is registered. */
export const RING_REQUESTS: Quota = new Quota(1 << 16);
export const LATE_COMPLETIONS: Quota = new Quota(1 << 20);
export const RING_ENTRIES: Quota = new Quota(1 << 22);
/** LIMIT: mounts, those that are nowhere too. */
export const MOUNTS: Quota = new Quota(1 << 18);
/** LIMIT: instructions of all filters of sockets. */
export const FILTER_INSTRUCTIONS: Quota = new Quota(1 << 22);
/** LIMIT: links, their addresses and routes, of all network namespaces. */
export const NET_OBJECTS: Quota = new Quota(1 << 16);
/** LIMIT: keys and links between them, and bytes of their contents and descriptions. */
export const KEYS: Quota = new Quota(1 << 17);
export const KEY_BYTES: Quota = new Quota(1 << 26);
