/**
 * Saves a sandbox in a file while its world stands still. If anything fails, the world goes on and
 * the file is empty. Neighbours: image_writer.ts (the file), restore.ts, saved_snapshot.ts,
 * kernel/snapshot/quiesce.ts.
 */

import { POLLIN } from "../../../ffi/abi/poll.ts";
import { scratch } from "../../../ffi/sys/cstring.ts";
import { close, poll, read } from "../../../ffi/sys/files.ts";
import type { StandstillListener } from "../../../kernel/snapshot/quiesce.ts";
import { UserError } from "../../user_error.ts";
import type { SavedGuest } from "./guest_records.ts";
import { type ImagePlan, ImageWriter, whyNotSaved } from "./image_writer.ts";

/** The client. */
export interface SaveListener {
  /** The file is whole. The world stands still. */
  onSaved(bytes: number): void;
  /** The file is not whole, and the world goes on. */
  onFailed(error: UserError): void;
}

/** The sandbox. */
interface CheckpointOwner {
  /** The guests of the sandbox, the first one first. @throws UserError if one cannot be saved */
  savedGuests(): SavedGuest[];
  /** The world is to end here, as it goes on elsewhere. */
  onTaken(): void;
}

/** What is saved, and how. */
interface CheckpointPlan extends ImagePlan {
  /** The world goes on when the file is whole. Otherwise it stands still, until the verdict. */
  readonly leaveRunning: boolean;
  /** Which it owns. */
  readonly verdict: Verdict;
}

/**
 * The reading end of a pipe that the client has: a byte says that the world is to end. The pipe
 * ends with the client.
 */
export class Verdict {
  readonly #fd: number;
  #deadlineMs: number = Infinity;

  /** @param fd which it owns */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Before the file is whole nothing is written into the pipe. */
  get isClientGone(): boolean {
    return poll(this.#fd, POLLIN, 0) > 0;
  }

  /** Begins the time that the client has. */
  begin(): void {
    this.#deadlineMs = performance.now() + VERDICT_MS;
  }

  /** Waits for a moment: whether the world is to end, or null if it is not known yet. */
  look(): boolean | null {
    if (poll(this.#fd, POLLIN, LOOK_MS) > 0) return read(this.#fd, scratch.area(0), 1) === 1;
    return performance.now() < this.#deadlineMs ? null : false;
  }

  close(): void {
    close(this.#fd);
  }
}

/** LIMIT: how long a client may take to name a file that is whole, ms. */
const VERDICT_MS = 60_000;
const LOOK_MS = 10;

export class Checkpoint implements StandstillListener {
  readonly #plan: CheckpointPlan;
  readonly #owner: CheckpointOwner;
  readonly #listener: SaveListener;
  readonly #writer: ImageWriter;
  #isSaved = false;

  constructor(plan: CheckpointPlan, owner: CheckpointOwner, listener: SaveListener) {
    this.#plan = plan;
    this.#owner = owner;
    this.#listener = listener;
    this.#writer = new ImageWriter(plan, () => owner.savedGuests());
  }

  onStandstill(): void {
    const { file, leaveRunning, verdict } = this.#plan;
    if (this.#isSaved) return this.#awaitVerdict();
    let bytes: number;
    try {
      if (verdict.isClientGone) throw new UserError("the client has gone");
      bytes = this.#writer.step();
    } catch (error) {
      this.#fail(whyNotSaved(error));
      this.#goOn();
      return;
    }
    if (bytes < 0) return;
    this.#isSaved = true;
    file.close();
    verdict.begin();
    this.#listener.onSaved(bytes);
    if (leaveRunning) this.#goOn();
  }

  onSandboxEnd(): void {
    if (!this.#isSaved) this.#fail(new UserError("the sandbox has ended before it was saved"));
    this.#plan.verdict.close();
  }

  /** The client gives the file its name, and takes the world. */
  #awaitVerdict(): void {
    const isTaken = this.#plan.verdict.look();
    if (isTaken === null) return;
    if (isTaken) this.#owner.onTaken();
    else this.#goOn();
  }

  #goOn(): void {
    this.#plan.verdict.close();
    this.#plan.kernel.loop.quiescence.resume();
  }

  #fail(reason: UserError): void {
    const { file } = this.#plan;
    file.discard();
    file.close();
    this.#listener.onFailed(reason);
  }
}
