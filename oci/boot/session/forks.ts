/**
 * Forks of a session's sandbox: kernels beside its own in the same process, made from snapshots,
 * each with a session of its own. A fork ends by itself, and all end with the sandbox.
 *
 * Neighbours: session_guest.ts (a session in a kernel), boot/snapshot/snapshot_store.ts.
 */

import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { endKernel } from "../../../kernel/kernel_end.ts";
import type { LoopDriver } from "../../../kernel/loop_driver.ts";
import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import type { BootSpec, SessionSpec } from "../../protocol/boot_spec.ts";
import type { CheckpointOptions } from "../../protocol/control_protocol.ts";
import { RequestError } from "../../protocol/request_error.ts";
import { say } from "../../shown_text.ts";
import { explain } from "../../user_error.ts";
import type { Verdict } from "../snapshot/checkpoint.ts";
import type { ImageFile } from "../snapshot/image_file.ts";
import type { MadeKernel, SnapshotStore } from "../snapshot/snapshot_store.ts";
import type { SavedSandbox } from "./checkpoint_channel.ts";
import { SessionGuest, type SessionGuestOwner } from "./session_guest.ts";

/** LIMIT: forks of a sandbox at a time. */
const FORKS_MAX = 64;

const NO_CLIENTS = { input: -1, output: -1, listener: -1 } as const;

/** The sandbox of the forks. */
interface ForkedSandbox extends Pick<SavedSandbox, "saveSnapshot"> {
  readonly snapshots: SnapshotStore;
  /** @throws UserError */
  makeKernel(snapshot: number): MadeKernel;
  /** One has ended. */
  onForkEnd(): void;
}

/** What the boot process knows of the sandbox. */
interface ForkFacts {
  readonly spec: BootSpec;
  readonly session: SessionSpec;
  readonly platform: string;
  readonly gofer: GoferClient;
  readonly driver: LoopDriver;
}

export class Forks {
  readonly facts: ForkFacts;
  readonly sandbox: ForkedSandbox;
  readonly #all: Map<number, Fork> = new Map();
  #last = 0;

  constructor(facts: ForkFacts, sandbox: ForkedSandbox) {
    this.facts = facts;
    this.sandbox = sandbox;
  }

  get kernels(): SandboxKernel[] {
    return [...this.#all.values()].map(({ kernel }) => kernel);
  }

  get isEmpty(): boolean {
    return this.#all.size === 0;
  }

  /**
   * Lets a fork go on from a snapshot: its number, which is not used again.
   * @throws UserError if there is no such snapshot, or no room
   */
  make(snapshot: number): number {
    if (this.#all.size >= FORKS_MAX) {
      throw new RequestError("Limit", `a sandbox has at most ${FORKS_MAX} forks at a time`);
    }
    const made = this.sandbox.makeKernel(snapshot), id = this.#last + 1;
    this.#all.set(id, makeFork(this, id, made));
    this.#last = id;
    return id;
  }

  /** @throws UserError if there is none with this number */
  find(id: number): SessionGuest {
    const fork = this.#all.get(id);
    if (fork === undefined) throw new RequestError("NotFound", `the sandbox has no fork ${id}`);
    return fork.guest;
  }

  forget(id: number): void {
    if (this.#all.delete(id)) this.sandbox.onForkEnd();
  }

  /** The sandbox has ended, and its process ends. */
  endAll(): void {
    for (const { guest } of this.#all.values()) guest.end("the sandbox of the fork has ended");
  }
}

/** @throws UserError, after which the kernel ends */
function makeFork(forks: Forks, id: number, made: MadeKernel): Fork {
  try {
    return new Fork(forks, id, made);
  } catch (error) {
    endKernel(made.kernel);
    throw error;
  }
}

class Fork implements SessionGuestOwner {
  kernel: SandboxKernel;
  readonly guest: SessionGuest;
  readonly forks: Forks;
  readonly #id: number;

  /** @throws UserError */
  constructor(forks: Forks, id: number, { kernel, guest }: MadeKernel) {
    const { spec, session, platform, gofer } = forks.facts, { info } = session;
    this.kernel = kernel;
    this.forks = forks;
    this.#id = id;
    const ownSpec = { ...spec, fds: { ...spec.fds, session: NO_CLIENTS } };
    const ownInfo = { ...info, id: `${info.id}/${id}` };
    const own = { ...session, info: ownInfo, timeoutMs: null, idleMs: null };
    this.guest = new SessionGuest(kernel, ownSpec, own, platform, gofer, null, this, guest);
    this.guest.watch();
    this.#run(kernel);
  }

  #run(kernel: SandboxKernel): void {
    const { driver } = this.forks.facts;
    driver.add(kernel.loop, (failure) => this.#onEnd(kernel, failure));
  }

  #onEnd(kernel: SandboxKernel, failure: unknown): void {
    if (kernel !== this.kernel) return;
    if (failure !== null) say(`a fork has failed; this is a bug in dvisor: ${explain(failure)}`);
    this.guest.end("the fork has ended");
    endKernel(kernel);
    this.forks.forget(this.#id);
  }

  get snapshots(): SnapshotStore {
    return this.forks.sandbox.snapshots;
  }

  makeKernel(snapshot: number): MadeKernel {
    return this.forks.sandbox.makeKernel(snapshot);
  }

  onReplaced(_before: SandboxKernel, after: SandboxKernel): void {
    this.kernel = after;
    this.#run(after);
  }

  checkpoint(_options: CheckpointOptions, file: ImageFile, verdict: Verdict): never {
    file.close();
    verdict.close();
    throw new RequestError("Unsupported", "a fork cannot be saved in a file, but its sandbox can");
  }

  saveSnapshot(...save: Parameters<SavedSandbox["saveSnapshot"]>): void {
    this.forks.sandbox.saveSnapshot(...save);
  }

  onSessionEnd(): void {
    this.kernel.loop.stop();
  }

  /** The sandbox sees it, too. */
  onGoferGone(): void {}
}
