/**
 * Carries out one request: a kernel task with the memory, files and credentials of the submitter,
 * so that handlers of system calls work unchanged, waits included. It has no guest thread and no
 * number.
 *
 * Neighbours: operations.ts (the operations), ring.ts (starts workers and takes results).
 */

import { SIGPIPE } from "../../ffi/abi/signal.ts";
import { serve } from "../task/current.ts";
import { EBADF } from "../../ffi/abi/errno.ts";
import { O_NONBLOCK } from "../../ffi/abi/fcntl.ts";
import { RING_REQUESTS } from "../core/quota.ts";
import { BLOCK } from "../core/result.ts";
import { sendToTask } from "../signal/send.ts";
import { TaskTimeout } from "../task/task_wait.ts";
import { BLOCKED, DEAD, HANDLING, Task, WORKING } from "../task/task.ts";
import { FdTable } from "../vfs/fd_table.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import { NoContext } from "../mm/ended_space.ts";
import { type Operation, operationOf } from "./operations.ts";
import { fillPlace, type FixedBuffer, type FixedFile, leave } from "./resources.ts";
import type { Uring } from "./ring.ts";
import { Sqe } from "./sqe.ts";

/**
 * The submitter's descriptor table, in which the request's own descriptor stays the file that it
 * was at the start. The file of a request with a slot goes there.
 */
export class RequestFiles extends FdTable {
  private readonly worker: Worker;

  constructor(worker: Worker) {
    super(worker.account);
    this.worker = worker;
  }

  override get(fd: number): OpenFile | null {
    return this.isOwn(fd) ? this.worker.file : this.worker.table.get(fd);
  }
  override getAny(fd: number): OpenFile | null {
    return this.isOwn(fd) ? this.worker.file : this.worker.table.getAny(fd);
  }
  private isOwn(fd: number): boolean {
    return fd === this.worker.sqe.fd && this.worker.op?.needsFile === true;
  }
  override install(file: OpenFile, cloexec: boolean, limit: number, from: number = 0): number {
    const { isDirect, ring, sqe, table } = this.worker;
    return isDirect
      ? fillPlace(ring, file, sqe.spliceFd >>> 0)
      : table.install(file, cloexec, limit, from);
  }
  override hasRoom(limit: number): boolean {
    return this.worker.isDirect || this.worker.table.hasRoom(limit);
  }
}

export class Worker extends Task {
  readonly ring: Uring;
  readonly submitter: Task;
  readonly sqe: Sqe = new Sqe();
  /** The request's file, with a reference; null for operations without a file. */
  file: OpenFile | null = null;
  /** The registered file and buffer that it uses. */
  fixedFile: FixedFile | null = null;
  fixedBuffer: FixedBuffer | null = null;
  /** The submitter's descriptors. */
  readonly table: FdTable;
  readonly ownFiles: FdTable;
  /** The linked request that starts at the end of this one. */
  linked: Worker | null = null;
  /** It was linked to another request, which has ended. */
  isLater: boolean = false;
  /** It posts no completion. */
  isSilent: boolean = false;
  /**
   * The time-out that bounds this request (IORING_OP_LINK_TIMEOUT), or the request that this
   * time-out bounds.
   */
  partner: Worker | null = null;
  /** Number of completions that end a time-out early, and its place in the queue by that number. */
  target: number = Infinity;
  readonly counted: TaskTimeout = new TaskTimeout(this);
  /** Number of bytes to move. */
  wanted: number = 0;
  /** Error found at submission. */
  initError: number = 0;
  isDone: boolean = false;
  /** IORING_CQE_F_* of its last completion. */
  cqeFlags: number = 0;

  constructor(ring: Uring, submitter: Task) {
    const { kernel, id, group, mm, files, fs, cred, sighand, ns } = submitter;
    super(kernel, id, group, new NoContext(mm.space), mm, files, fs, cred, sighand, ns);
    this.ring = ring;
    this.submitter = submitter;
    this.table = files;
    this.ownFiles = new RequestFiles(this);
    this.comm = submitter.comm;
    this.cgroups = submitter.cgroups;
    RING_REQUESTS.add(1, this.group.account);
  }

  override get billed(): Task {
    return this.submitter;
  }

  /** What it does; null: it was refused at submission. */
  get op(): Operation | null {
    return this.initError === 0 ? operationOf(this.sqe.opcode) : null;
  }

  /** The file that it makes goes into a slot, not to a descriptor. */
  get isDirect(): boolean {
    return this.op?.makesFile === true && this.sqe.spliceFd !== 0;
  }

  /** Runs the request as far as possible now. */
  attempt(): void {
    const { op, kernel } = this, before = kernel.current;
    if (op === null) return;
    this.state = HANDLING;
    this.files = op.needsFile || this.isDirect ? this.ownFiles : this.table;
    serve(this);
    const result = this.run(op);
    kernel.current = before;
    if (this.attention) this.passSignalsOn();
    if (this.isDone) return;
    if (result === BLOCK) {
      this.state = BLOCKED;
      return;
    }
    this.endWait();
    this.ring.complete(this, result);
  }

  /**
   * O_NONBLOCK is ignored for requests that can wait in their ring: they have MSG_DONTWAIT and
   * RWF_NOWAIT.
   */
  private run(op: Operation): number {
    const { file } = this;
    if (file === null && op.needsFile) return -EBADF;
    if (!(op.isTransfer || op.waits === true) || file?.isNonblocking !== true) return op.run(this);
    file.flags &= ~O_NONBLOCK;
    const result = op.run(this);
    file.flags |= O_NONBLOCK;
    return result;
  }

  /** Runs the request in a later turn. */
  attemptLater(): void {
    this.state = WORKING;
    this.kernel.enqueue(this);
  }

  /** Sends SIGPIPE of a broken pipe to the submitter. */
  private passSignalsOn(): void {
    this.attention = false;
    for (;;) {
      const info = this.signals.pending.take(SIGPIPE);
      if (info === null) return;
      sendToTask(this.submitter, info);
    }
  }

  override wake(): void {
    if (this.state !== BLOCKED) return;
    this.state = WORKING;
    this.kernel.enqueue(this);
  }

  override work(): void {
    if (this.isDone) return;
    this.endWait();
    this.attempt();
    this.ring.pump();
  }

  /** Removes a futex wait from its queues. */
  private leaveFutexes(): void {
    const { op, state } = this;
    if (op?.waitsForFutex !== true || (state !== BLOCKED && state !== WORKING)) return;
    this.interrupted = true;
    op.run(this);
  }

  /** Releases everything after the result is posted. A wake-up in progress has no effect. */
  end(): void {
    if (this.isDone) return;
    RING_REQUESTS.give(1, this.group.account);
    this.ring.counting.disarm(this.counted);
    this.endWait();
    this.progress.giveBack();
    this.isDone = true;
    this.leaveFutexes();
    this.state = DEAD;
    this.file?.drop();
    this.file = null;
    leave(this.ring, this.fixedFile);
    leave(this.ring, this.fixedBuffer);
  }
}
