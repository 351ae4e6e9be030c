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
/** LIMIT: events that wait in all inotify queues. */
export const INOTIFY_EVENTS: Quota = new Quota(1 << 19);
/** LIMIT: rules of landlock, in rulesets and domains. */
export const LANDLOCK_RULES: Quota = new Quota(1 << 18);
/** LIMIT: descriptors in epoll sets (fs.epoll.max_user_watches). */
export const EPOLL_ITEMS: Quota = new Quota(1 << 20);
/** LIMIT: requests of rings (io_uring) that are not over, completions that did not fit, and what is registered. */
export const RING_REQUESTS: Quota = new Quota(1 << 16);
export const LATE_COMPLETIONS: Quota = new Quota(1 << 20);
export const RING_ENTRIES: Quota = new Quota(1 << 22);
/** LIMIT: requests that all contexts of io_setup(2) take (fs.aio-max-nr). */
export const AIO_REQUESTS: Quota = new Quota(65536);
/** LIMIT: queues that tasks wait in beside the first one: each descriptor of a poll(2) is one. */
export const EXTRA_WAITS: Quota = new Quota(1 << 22);
/** LIMIT: record locks of all files. */
export const RECORD_LOCKS: Quota = new Quota(1 << 20);
/** LIMIT: inodes of all tmpfs, each some 1 KB; and bytes of their attributes, ACLs and targets of links. */
export const TMPFS_INODES: Quota = new Quota(1 << 20);
export const TMPFS_BYTES: Quota = new Quota(1 << 28);
/** LIMIT: messages that wait in sockets, and parts of streams with credentials or descriptors of their own. */
export const SOCKET_MESSAGES: Quota = new Quota(1 << 20);
/** LIMIT: bytes of one text of /proc that grows with what guests have, and of all that open files keep. */
export const TEXT_MAX: number = 1 << 26;
export const TEXT_BYTES: Quota = new Quota(1 << 28);
/** LIMIT: mounts, those that are nowhere too. */
export const MOUNTS: Quota = new Quota(1 << 18);
/** LIMIT: instructions of all filters of sockets. */
export const FILTER_INSTRUCTIONS: Quota = new Quota(1 << 22);
/** LIMIT: links, their addresses and routes, of all network namespaces. */
export const NET_OBJECTS: Quota = new Quota(1 << 16);
/** LIMIT: packets to neighbours that do not answer, of all sockets. */
export const UNANSWERED_PACKETS: Quota = new Quota(1 << 12);
/** LIMIT: keys and links between them, and bytes of their contents and descriptions. */
export const KEYS: Quota = new Quota(1 << 17);
export const KEY_BYTES: Quota = new Quota(1 << 26);
