/**
 * Quotas: the number of objects of a kind that all guests of a sandbox may have together, and the
 * cost of one. Each object costs memory of the Sentry that no other limit (of a process, of a
 * descriptor) bounds. A container or user may have a share of each quota. A quota is a constant;
 * accounts do the counting (account.ts).
 */

import { type Account, charge, hasRoom, passUp } from "./account.ts";

export class Quota {
  /** Its index in the counts of accounts. */
  readonly kind: number;
  readonly limit: number;
  /**
   * About the bytes that one object takes of the Sentry's heap; quota_test.ts compares it with the
   * heap.
   */
  readonly bytesEach: number;

  /**
   * @param kind below KINDS_MAX, and of no other quota (quota_test.ts)
   */
  constructor(kind: number, limit: number, bytesEach: number) {
    this.kind = kind;
    this.limit = limit;
    this.bytesEach = bytesEach;
  }

  /** Whether the account may have `count` more. */
  hasRoom(count: number, account: Account): boolean {
    return hasRoom(account, this.kind, this.limit, count, count * this.bytesEach);
  }

  /** Charges `count` more; false when they would be too many. */
  take(count: number, account: Account): boolean {
    if (!this.hasRoom(count, account)) return false;
    this.add(count, account);
    return true;
  }

  /** Charges `count` more without a check: after `hasRoom`, or for what cannot fail. */
  add(count: number, account: Account): void {
    charge(account, this.kind, count, count * this.bytesEach);
  }

  /** Moves a charge to an account above the one that has it. */
  passUp(count: number, account: Account, above: Account): void {
    passUp(account, above, this.kind, count, count * this.bytesEach);
  }

  /** Charges for `to` in place of `from`; false, and nothing is changed: they would be too many. */
  replace(from: number, to: number, account: Account): boolean {
    const more = to - from;
    if (more > 0 && !this.hasRoom(more, account)) return false;
    this.add(more, account);
    return true;
  }

  /** Gives `count` back to the account that they were charged to. */
  give(count: number, account: Account): void {
    if (count === 0) return;
    charge(account, this.kind, -count, -count * this.bytesEach);
  }

  /** Charges `count` to another account, without a check. */
  move(count: number, from: Account, to: Account): void {
    this.give(count, from);
    this.add(count, to);
  }

  /**
   * The number that is charged to an account and those below it; the root's number is the
   * sandbox's.
   */
  countOf(account: Account): number {
    return account.counts[this.kind]!;
  }
}

/** LIMIT: open file descriptions (fs.file-max). */
export const OPEN_FILES: Quota = new Quota(0, 1 << 20, 400);
/** LIMIT: what sockets take beside an open file; OPEN_FILES limits their number. */
export const SOCKETS: Quota = new Quota(1, 1 << 20, 1500);
/** LIMIT: signals that wait with their siginfo, and POSIX timers. */
export const QUEUED_SIGNALS: Quota = new Quota(2, 1 << 19, 500);
/** LIMIT: watches of inotify and directories (fs.inotify.max_user_watches). */
export const INODE_WATCHES: Quota = new Quota(3, 1 << 19, 400);
/** LIMIT: groups of fanotify (fs.fanotify.max_user_groups), and events that wait in all of them. */
export const FANOTIFY_GROUPS: Quota = new Quota(4, 128, 1000);
export const FANOTIFY_EVENTS: Quota = new Quota(5, 1 << 18, 500);
/** LIMIT: events that wait in all inotify queues. */
export const INOTIFY_EVENTS: Quota = new Quota(6, 1 << 19, 100);
/** LIMIT: rules of landlock, in rulesets and domains. */
export const LANDLOCK_RULES: Quota = new Quota(7, 1 << 18, 100);
/** LIMIT: descriptors in epoll sets (fs.epoll.max_user_watches). */
export const EPOLL_ITEMS: Quota = new Quota(8, 1 << 20, 250);
/**
 * LIMIT: unfinished requests of rings (io_uring), completions that did not fit, and registered
 * objects.
 */
export const RING_REQUESTS: Quota = new Quota(9, 1 << 16, 4000);
export const LATE_COMPLETIONS: Quota = new Quota(10, 1 << 20, 100);
export const RING_ENTRIES: Quota = new Quota(11, 1 << 22, 50);
/** LIMIT: requests that all contexts of io_setup(2) take (fs.aio-max-nr). */
export const AIO_REQUESTS: Quota = new Quota(12, 65536, 500);
/** LIMIT: queues that tasks wait in beside the first one: each descriptor of a poll(2) is one. */
export const EXTRA_WAITS: Quota = new Quota(13, 1 << 22, 100);
/** LIMIT: record locks of all files. */
export const RECORD_LOCKS: Quota = new Quota(14, 1 << 20, 150);
/** LIMIT: inodes of all tmpfs; and bytes of their attributes, ACLs and targets of links. */
export const TMPFS_INODES: Quota = new Quota(15, 1 << 20, 1400);
export const TMPFS_BYTES: Quota = new Quota(16, 1 << 28, 1);
/**
 * LIMIT: messages that wait in sockets, and parts of streams with credentials or descriptors of
 * their own.
 */
export const SOCKET_MESSAGES: Quota = new Quota(17, 1 << 20, 200);
/** LIMIT: descriptors that are under way in messages of all sockets. */
export const RIGHTS_IN_FLIGHT: Quota = new Quota(18, 1 << 16, 50);
/**
 * LIMIT: bytes of one text of /proc that grows with what guests have; of all that open files keep,
 * and of paths whose walks continue in another turn.
 */
export const TEXT_MAX: number = 1 << 26;
export const TEXT_BYTES: Quota = new Quota(19, 1 << 28, 1);
/** LIMIT: mounts, attached or not. */
export const MOUNTS: Quota = new Quota(20, 1 << 18, 1200);
/** LIMIT: instructions of all filters of sockets. */
export const FILTER_INSTRUCTIONS: Quota = new Quota(21, 1 << 22, 40);
/** LIMIT: links, their addresses and routes, of all network namespaces. */
export const NET_OBJECTS: Quota = new Quota(22, 1 << 16, 300);
/** LIMIT: packets to neighbours that do not answer, of all sockets. */
export const UNANSWERED_PACKETS: Quota = new Quota(23, 1 << 12, 2000);
/** LIMIT: keys and links between them, and bytes of their contents and descriptions. */
export const KEYS: Quota = new Quota(24, 1 << 17, 500);
export const KEY_BYTES: Quota = new Quota(25, 1 << 26, 1);
/**
 * LIMIT: control groups of all hierarchies, roots of version 1 among them; and bytes of their
 * extended attributes.
 */
export const CGROUPS: Quota = new Quota(26, 65535, 8000);
export const CGROUP_XATTR_BYTES: Quota = new Quota(27, 1 << 24, 1);
/**
 * LIMIT: bytes of System V objects, of messages in System V and POSIX queues, and of semaphore undo
 * entries.
 */
export const IPC_BYTES: Quota = new Quota(28, 1 << 28, 1);
/** LIMIT: bytes of seccomp filters with their tables. */
export const SECCOMP_BYTES: Quota = new Quota(29, 1 << 28, 1);
/** LIMIT: rings (io_uring) beside their open files; their shared memory is guest memory. */
export const RINGS: Quota = new Quota(30, 1 << 18, 2500);
/** LIMIT: bytes of namespaces, without the mounts, links and objects in them. */
export const NAMESPACE_BYTES: Quota = new Quota(31, 1 << 28, 1);
/** LIMIT: bytes of all long lists of supplementary groups; given back when their container ends. */
export const GROUP_LIST_BYTES: Quota = new Quota(32, 1 << 26, 1);
/** LIMIT: tasks: threads of all processes. */
export const TASKS: Quota = new Quota(33, 1 << 16, 8000);
/**
 * LIMIT: address spaces, those on their way out among them (mm/leaving_spaces.ts). What the
 * platforms have (platform/systrap/control_memory.ts) without a reserve for templates and for
 * spaces on their way in. A task's bytes are those of its memory too.
 */
export const ADDRESS_SPACES: Quota = new Quota(41, 7680, 0);
/** LIMIT: units of the host's descriptors for files and for sockets: core/host_descriptors.ts. */
export const HOST_FILES: Quota = new Quota(42, 1 << 20, 0);
export const HOST_SOCKETS: Quota = new Quota(43, 1 << 20, 0);
/** LIMIT: areas of all address spaces. */
export const AREAS: Quota = new Quota(34, 1 << 23, 250);
/** LIMIT: places for extents in the page maps of all memories, used or not (512 MB). */
export const PAGE_EXTENTS: Quota = new Quota(40, 1 << 24, 32);
/** LIMIT: places in descriptor tables, used or not (256 MB). */
export const FD_SLOTS: Quota = new Quota(35, 32 << 20, 8);
/**
 * LIMIT: patched system call sites of programs, tables of the platform that they jump through, and
 * patched pages that are kept.
 */
export const PATCHED_SITES: Quota = new Quota(36, 1 << 17, 200);
export const SITE_TABLES: Quota = new Quota(37, 1 << 10, 300);
export const PATCHED_PAGES: Quota = new Quota(38, 1 << 14, 300);
