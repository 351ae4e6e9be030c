/**
 * The descriptor of fanotify_init(2): a group of marks, the queued events, and the tasks that wait
 * for an answer. Marks: marks_of_group.ts; bytes of events: event.ts; calls:
 * fanotify/calls/fanotify.ts.
 */

import { RLIMIT_NOFILE } from "../../ffi/abi/resource.ts";
import { POLLIN, POLLRDNORM } from "../../ffi/abi/poll.ts";
import type { Account } from "../core/account.ts";
import { EAGAIN, EFAULT, EINVAL, ENOENT } from "../../ffi/abi/errno.ts";
import {
  FAN_ALLOW,
  FAN_AUDIT,
  FAN_CLASS_CONTENT,
  FAN_CLASS_PRE_CONTENT,
  FAN_DENY,
  FAN_EPIDFD,
  FAN_INFO,
  FAN_NOFD,
  FAN_NOPIDFD,
  FAN_ONDIR,
  FAN_Q_OVERFLOW,
  FAN_REPORT_DIR_FID,
  FAN_REPORT_FID,
  FAN_REPORT_NAME,
  FAN_REPORT_PIDFD,
  FAN_REPORT_TARGET_FID,
  FAN_REPORT_TID,
  FanotifyEventMetadata,
  FanotifyResponse,
} from "../../ffi/abi/fanotify.ts";
import { O_CLOEXEC, O_RDWR } from "../../ffi/abi/fcntl.ts";
import { FIONREAD } from "../../ffi/abi/ioctl.ts";
import { BLOCK } from "../core/result.ts";
import { FANOTIFY_EVENTS, FANOTIFY_GROUPS } from "../core/quota.ts";
import { WaitQueue } from "../core/wait.ts";
import { AnonFile } from "../fs/anonfd/anon_inode.ts";
import type { IoCursor } from "../mm/io_cursor.ts";
import type { UserMemory } from "../mm/user_memory.ts";
import { isDirectory, isRegular } from "../vfs/access.ts";
import { dropPath, holdPath, Path } from "../vfs/dentry.ts";
import { type FileEvent, type Mark } from "../vfs/marks.ts";
import { openQuietly } from "../vfs/open.ts";
import type { Kernel } from "../task/kernel_services.ts";
import { PidFd } from "../task/pidfd.ts";
import type { Task } from "../task/task.ts";
import { FanEvent, recordsOf, writeEvent } from "./event.ts";
import { GroupMarks } from "./marks_of_group.ts";
import { type Asker, PermissionRequest } from "./permission_request.ts";

/**
 * LIMIT: /proc/sys/fs/fanotify/max_queued_events; with FAN_UNLIMITED_QUEUE the rest of
 * FANOTIFY_EVENTS.
 */
const MAX_EVENTS = 16384;
/** FAN_REPORT_*: events have handles, not descriptors. */
export const FID_BITS: number = FAN_REPORT_FID | FAN_REPORT_DIR_FID | FAN_REPORT_NAME |
  FAN_REPORT_TARGET_FID;
const answerBytes = new Uint8Array(FanotifyResponse.size);
const answerView = new DataView(answerBytes.buffer);

export class FanotifyFile extends AnonFile implements Asker {
  readonly kernel: Kernel;
  /** Flags of fanotify_init(2), and of the descriptors that events carry. */
  readonly initFlags: number;
  readonly eventFlags: number;
  /** The group was made without privileges. */
  readonly isUnprivileged: boolean;
  readonly isUnlimited: boolean;
  readonly marks: GroupMarks;
  private events: FanEvent[] = [];
  /** Queued events by key, for merging. */
  private readonly byKey: Map<string, FanEvent> = new Map();
  private isOverflown: boolean = false;
  /**
   * Permission requests that were read and not answered, whether or not the asking task still
   * lives. In order, because a descriptor may be closed and its number used again. They count as
   * events.
   */
  private asked: PermissionRequest[] = [];
  private readonly queue: WaitQueue = new WaitQueue();

  constructor(
    account: Account,
    kernel: Kernel,
    initFlags: number,
    eventFlags: number,
    flags: number,
    isUnprivileged: boolean,
    isUnlimited: boolean,
  ) {
    super(account, kernel.anon, O_RDWR | flags);
    this.kernel = kernel;
    this.marks = new GroupMarks(this, this.account);
    this.initFlags = initFlags;
    this.eventFlags = eventFlags;
    this.isUnprivileged = isUnprivileged;
    this.isUnlimited = isUnlimited;
    FANOTIFY_GROUPS.add(1, this.account);
    if (this.asks) kernel.vfs.askingGroups++;
  }

  override get waitQueue(): WaitQueue {
    return this.queue;
  }
  get fidMode(): number {
    return this.initFlags & FID_BITS;
  }
  get priority(): number {
    return this.initFlags & (FAN_CLASS_CONTENT | FAN_CLASS_PRE_CONTENT);
  }
  /** The group may have permission events. */
  get asks(): boolean {
    return this.priority > 0;
  }

  onEvent(event: FileEvent, mask: number, match: number): void {
    this.add(event, mask, match, null);
  }

  ask(event: FileEvent, mask: number): PermissionRequest | null {
    if (event.dentry === null) return null;
    const question = new PermissionRequest(this, event.dentry, mask);
    return this.add(event, mask, 0, question) ? question : null;
  }

  forget(mark: Mark): void {
    this.marks.detach(mark);
  }

  /** False: the event was not queued. */
  private add(
    event: FileEvent,
    mask: number,
    match: number,
    question: PermissionRequest | null,
  ): boolean {
    const mode = this.fidMode, { mount, dentry, inode } = event;
    const task = this.kernel.current, cause = task === null ? null : this.causeOf(task);
    if (mode === 0) {
      if (mount === null || dentry === null) return false;
      if (!isDirectory(inode) && !isRegular(inode)) return false;
      const path = new Path(mount, dentry);
      return this.push(new FanEvent(mask, path, [], cause, task?.group ?? null, question));
    }
    if ((mode & FAN_REPORT_FID) === 0 && event.dir === null && !event.isOnDirectory) return false;
    const handles = task?.fs.namespace.vfs.handles;
    if (handles === undefined) return false;
    const full = event.isOnDirectory ? mask | FAN_ONDIR : mask;
    const records = recordsOf(event, full, match, mode, handles);
    return this.push(new FanEvent(full, null, records, cause, task?.group ?? null, null));
  }

  private causeOf(task: Task) {
    return (this.initFlags & FAN_REPORT_TID) !== 0 ? task.id : task.processId;
  }

  private push(event: FanEvent): boolean {
    const isFull = this.events.length >= MAX_EVENTS && !this.isUnlimited;
    if (isFull || !FANOTIFY_EVENTS.hasRoom(1, this.account)) {
      if (!this.isOverflown) this.enqueue(new FanEvent(FAN_Q_OVERFLOW, null, [], null, null, null));
      this.isOverflown = true;
      return false;
    }
    const old = this.byKey.get(event.key);
    if (old !== undefined && old.isSame(event)) {
      old.mask |= event.mask;
      return true;
    }
    if (event.path !== null) holdPath(event.path);
    if (event.question === null) this.byKey.set(event.key, event);
    this.enqueue(event);
    return true;
  }

  private enqueue(event: FanEvent): void {
    this.events.push(event);
    FANOTIFY_EVENTS.add(1, this.account);
    this.queue.wake(POLLIN | POLLRDNORM);
  }

  /** Called when the event left the queue. */
  private leave(event: FanEvent): void {
    FANOTIFY_EVENTS.give(1, this.account);
    if (this.byKey.get(event.key) === event) this.byKey.delete(event.key);
    if (event.mask === FAN_Q_OVERFLOW) this.isOverflown = false;
    if (event.path !== null) dropPath(event.path);
  }

  onWithdrawn(question: PermissionRequest): void {
    const at = this.events.findIndex((e) => e.question === question);
    if (at < 0) return;
    const [event] = this.events.splice(at, 1);
    if (event !== undefined) this.leave(event);
  }

  /**
   * Reads whole events only: -EINVAL when the first one does not fit. The reader gets a descriptor
   * with each event.
   */
  override read(io: IoCursor, _offset: number): number {
    const reader = this.kernel.current;
    if (this.events.length === 0 || reader === null) return -EAGAIN;
    let done = 0, count = 0, r = 0;
    for (const event of this.events) {
      if (event.size(this.hasPidfds) > io.remaining) {
        r = -EINVAL;
        break;
      }
      r = this.tell(event, reader, io);
      if (r === BLOCK) break;
      count++;
      if (r < 0) break;
      done += r;
    }
    for (const event of this.events.splice(0, count)) this.leave(event);
    return done > 0 && r !== -EFAULT ? done : r;
  }

  private get hasPidfds(): boolean {
    return (this.initFlags & FAN_REPORT_PIDFD) !== 0;
  }

  /**
   * Delivers one event to its reader: bytes, or -errno; the event is then lost (and the request
   * denied).
   */
  private tell(event: FanEvent, reader: Task, io: IoCursor): number {
    const { question } = event;
    const fd = event.path === null ? FAN_NOFD : this.openFor(reader, event.path);
    if (fd === BLOCK) return fd;
    if (fd < FAN_NOFD) {
      question?.answer(false);
      return fd;
    }
    const pidfd = this.hasPidfds ? pidfdFor(reader, event) : null;
    const isHidden = this.isUnprivileged && event.process !== reader.group;
    const pid = isHidden || event.cause === null ? 0 : event.cause.numberIn(reader.pids);
    const size = writeEvent(io, event, this.fidMode, fd, pid, pidfd);
    if (size < 0) {
      if (fd >= 0) reader.files.close(fd);
      if (pidfd !== null && pidfd >= 0) reader.files.close(pidfd);
      question?.answer(false);
      return size;
    }
    if (question !== null) {
      question.fd = fd;
      this.asked.push(question);
      FANOTIFY_EVENTS.add(1, this.account);
    }
    return size;
  }

  /** Opens a descriptor of an event's file, or -errno. */
  private openFor(reader: Task, path: Path): number {
    const file = openQuietly(reader, path, this.eventFlags);
    if (typeof file === "number") return file;
    file.flags |= this.eventFlags & O_CLOEXEC;
    const isClosedOnExec = (this.eventFlags & O_CLOEXEC) !== 0;
    const fd = reader.files.install(file, isClosedOnExec, reader.group.limits.get(RLIMIT_NOFILE));
    if (fd < 0) file.drop();
    return fd;
  }

  /** Takes an answer (struct fanotify_response). */
  override write(io: IoCursor, _offset: number): number {
    const { size } = FanotifyResponse;
    if (io.remaining < size) return -EINVAL;
    if (io.takeBytes(answerBytes, 0, size) < size) return -EFAULT;
    const fd = answerView.getInt32(0, true), response = answerView.getUint32(4, true);
    if ((response & ~(FAN_ALLOW | FAN_DENY | FAN_AUDIT | FAN_INFO)) !== 0) return -EINVAL;
    const answer = response & (FAN_ALLOW | FAN_DENY);
    if (answer !== FAN_ALLOW && answer !== FAN_DENY) return -EINVAL;
    // The sandbox has no audit log.
    if ((response & (FAN_AUDIT | FAN_INFO)) !== 0 || fd < 0) return -EINVAL;
    const question = this.asked.find((one) => one.fd === fd);
    if (question === undefined) return -ENOENT;
    this.asked = this.asked.filter((one) => one !== question);
    FANOTIFY_EVENTS.give(1, this.account);
    question.answer(answer === FAN_ALLOW);
    return size;
  }

  override poll(): number {
    return this.events.length > 0 ? POLLIN | POLLRDNORM : 0;
  }

  override ioctl(request: number, arg: number, user: UserMemory): number {
    if (request !== FIONREAD) return super.ioctl(request, arg, user);
    return user.store32(arg, this.events.length * FanotifyEventMetadata.size);
  }

  /** There is no position; lseek(2) succeeds without effect. */
  override seek(): number {
    return 0;
  }

  override describe(): string {
    return "anon_inode:[fanotify]";
  }

  override fdinfo(): string {
    const flags = this.initFlags.toString(16), event = this.eventFlags.toString(16);
    return `fanotify flags:${flags} event-flags:${event}\n${this.marks.text()}`;
  }

  /** Allows all pending requests. */
  protected override release(): void {
    FANOTIFY_GROUPS.give(1, this.account);
    if (this.asks) this.kernel.vfs.askingGroups--;
    this.marks.flush(null);
    FANOTIFY_EVENTS.give(this.asked.length, this.account);
    for (const question of this.asked.splice(0)) question.answer(true);
    const events = this.events;
    this.events = [];
    for (const event of events) {
      event.question?.answer(true);
      this.leave(event);
    }
  }
}

/** FAN_REPORT_PIDFD: a pidfd of the process that caused the event. */
function pidfdFor(reader: Task, event: FanEvent): number {
  const { process } = event;
  if (process === null || process.isReaped || event.cause?.numberIn(reader.pids) === 0) {
    return FAN_NOPIDFD;
  }
  const file = new PidFd(reader.account, reader.kernel.anon, process, null, 0);
  const fd = reader.files.install(file, true, reader.group.limits.get(RLIMIT_NOFILE));
  if (fd >= 0) return fd;
  file.drop();
  return FAN_EPIDFD;
}
