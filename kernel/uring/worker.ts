/**
 * Who carries a request out: a task of the kernel's own with the memory, files and credentials of the submitter, so that
 * every handler of a system call can be used for it, waits included. It has no guest thread and no number.
 *
 * Neighbours: operations.ts (what is done), ring.ts (who starts it and takes the result).
 */

import { ACCOUNTING } from "../core/account.ts";
import { serve } from "../task/current.ts";
import { O_NONBLOCK } from "../../ffi/abi/fcntl.ts";
import { RING_REQUESTS } from "../core/quota.ts";
import { BLOCK } from "../core/result.ts";
import { sendToTask } from "../signal/send.ts";
import { SIGPIPE } from "../signal/sigset.ts";
import { TaskTimeout } from "../task/task_wait.ts";
import { BLOCKED, DEAD, HANDLING, Task, WORKING } from "../task/task.ts";
import { FdTable } from "../vfs/fd_table.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import { type AddressSpace, Context } from "../../platform/platform.ts";
import type { Operation } from "./operations.ts";
import { fillPlace, type FixedBuffer, type FixedFile, leave } from "./resources.ts";
import type { Uring } from "./ring.ts";
import { Sqe } from "./sqe.ts";

/** It never runs guest code. */
class NoContext extends Context {
  override readonly space: AddressSpace;
  override rip: number = 0;
  override rsp: number = 0;
  override readonly fpu: Uint8Array<ArrayBuffer> = new Uint8Array(0);

  constructor(space: AddressSpace) {
    super();
    this.space = space;
  }

  override fetchRegs(): void {}
  override fetchFpu(): void {}
  override resumeRet(_result: number): void {}
  override resumeAll(_withFpu: boolean): void {}
  override requestFull(): void {}
  override park(): void {}
  override interrupt(): void {}
  override release(): void {}
}

/**
 * The submitter's table, in which the request's own descriptor is the file that it was when it began; what a request with
 * a place makes goes there.
 */
class RequestFiles extends FdTable {
  private readonly worker: Worker;

  constructor(worker: Worker) {
    super();
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
  op: Operation | null = null;
  /** Held; null for operations without a file. */
  file: OpenFile | null = null;
  /** What it uses of that which is registered. */
  fixedFile: FixedFile | null = null;
  fixedBuffer: FixedBuffer | null = null;
  /** The submitter's descriptors. */
  readonly table: FdTable;
  readonly ownFiles: FdTable;
  /** The request that waits for the end of this one. */
  linked: Worker | null = null;
  /** It was linked to another one, which has ended. */
  isLater: boolean = false;
  /** Its completion is nobody's business. */
  isSilent: boolean = false;
  /** Bounds this one (IORING_OP_LINK_TIMEOUT); or, of that one, what it bounds. */
  partner: Worker | null = null;
  /** Completions after which a time-out comes early, and its place among those that count them. */
  target: number = Infinity;
  readonly counted: TaskTimeout = new TaskTimeout(this);
  /** Bytes that it was to move. */
  wanted: number = 0;
  /** What was wrong with it already at submission. */
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

  /** The file that it makes gets a place, not a descriptor. */
  get isDirect(): boolean {
    return this.op?.makesFile === true && this.sqe.spliceFd !== 0;
  }

  /** Carries it out, as far as it goes now. */
  attempt(): void {
    const { op, kernel } = this, before = kernel.current, account = ACCOUNTING.current;
    if (op === null) return;
    this.state = HANDLING;
    this.files = op.needsFile || this.isDirect ? this.ownFiles : this.table;
    serve(this);
    const result = this.run(op);
    kernel.current = before;
    ACCOUNTING.current = account;
    if (this.attention) this.passSignalsOn();
    if (this.isDone) return;
    if (result === BLOCK) {
      this.state = BLOCKED;
      return;
    }
    this.endWait();
    this.ring.complete(this, result);
  }

  /** O_NONBLOCK is no matter of requests that can wait in their ring: they have MSG_DONTWAIT and RWF_NOWAIT. */
  private run(op: Operation): number {
    const { file } = this;
    if (!(op.isTransfer || op.waits === true) || file?.isNonblocking !== true) return op.run(this);
    file.flags &= ~O_NONBLOCK;
    const result = op.run(this);
    file.flags |= O_NONBLOCK;
    return result;
  }

  /** Carries it out when it is its turn. */
  attemptLater(): void {
    this.state = WORKING;
    this.kernel.enqueue(this);
  }

  /** A broken pipe is the submitter's affair. */
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

  /** A wait for futexes has places in queues that only its own end gives back. */
  private leaveFutexes(): void {
    const { op, state } = this;
    if (op?.waitsForFutex !== true || (state !== BLOCKED && state !== WORKING)) return;
    this.interrupted = true;
    op.run(this);
  }

  /** Its result is posted: it holds nothing any more, and a wake-up under way is in vain. */
  end(): void {
    if (this.isDone) return;
    RING_REQUESTS.give(1, this.group.account);
    this.ring.counting.disarm(this.counted);
    this.endWait();
    this.progress.endWalks();
    this.isDone = true;
    this.leaveFutexes();
    this.state = DEAD;
    this.file?.drop();
    this.file = null;
    leave(this.ring, this.fixedFile);
    leave(this.ring, this.fixedBuffer);
  }
}
