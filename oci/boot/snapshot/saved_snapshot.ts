/**
 * Saves a snapshot of a sandbox in a file, while the sandbox goes on. A kernel is made from
 * the snapshot, as for a fork; it is written without ever having had a turn, and ends. Its frames
 * are those of the snapshot, which no other kernel changes.
 *
 * Neighbours: image_writer.ts (the file), snapshot_store.ts (the snapshots).
 */

import { endKernel } from "../../../kernel/kernel_end.ts";
import type { LoopDriver } from "../../../kernel/loop_driver.ts";
import { UserError } from "../../user_error.ts";
import type { SaveListener, Verdict } from "./checkpoint.ts";
import { type ImagePlan, ImageWriter, whyNotSaved } from "./image_writer.ts";
import type { MadeKernel } from "./snapshot_store.ts";

/** What is to be saved. */
interface SavePlan extends Omit<ImagePlan, "kernel"> {
  /** Its end is that of the client. The plan owns it. */
  readonly verdict: Verdict;
  /** @throws UserError if the snapshot was deleted, or there is no room for a kernel */
  makeKernel(): MadeKernel;
}

/** Saves one snapshot after another, a slice in a turn of the driver. */
export class SnapshotSaves {
  readonly #driver: LoopDriver;
  /** The first one is being saved. */
  readonly #all: Save[] = [];

  constructor(driver: LoopDriver) {
    this.#driver = driver;
  }

  add(plan: SavePlan, listener: SaveListener): void {
    this.#all.push(new Save(plan, listener));
    if (this.#all.length === 1) this.#driver.finish(new SaveSteps(this.#all));
  }
}

/** The work on a queue of snapshots. */
class SaveSteps {
  isDone: boolean = false;
  readonly #all: Save[];

  constructor(all: Save[]) {
    this.#all = all;
  }

  /** True: another step is possible at once. */
  step(): boolean {
    if (this.#all[0]?.step() === true) this.#all.shift();
    this.isDone = this.#all.length === 0;
    return !this.isDone;
  }
}

class Save {
  readonly #plan: SavePlan;
  readonly #listener: SaveListener;
  #made: MadeKernel | null = null;
  #writer: ImageWriter | null = null;

  constructor(plan: SavePlan, listener: SaveListener) {
    this.#plan = plan;
    this.#listener = listener;
  }

  /** A slice: true when nothing is left to do, whether the file is whole or not. */
  step(): boolean {
    const { file, verdict } = this.#plan;
    let bytes: number;
    try {
      if (verdict.isClientGone) throw new UserError("the client has gone");
      bytes = this.#write();
    } catch (error) {
      file.discard();
      this.#close();
      this.#listener.onFailed(whyNotSaved(error));
      return true;
    }
    if (bytes < 0) return false;
    this.#close();
    this.#listener.onSaved(bytes);
    return true;
  }

  #write(): number {
    if (this.#writer !== null) return this.#writer.step();
    const made = this.#made = this.#plan.makeKernel(), { kernel, guest } = made;
    this.#writer = new ImageWriter({ ...this.#plan, kernel }, () => [guest]);
    return -1;
  }

  #close(): void {
    this.#plan.file.close();
    this.#plan.verdict.close();
    if (this.#made !== null) endKernel(this.#made.kernel);
  }
}
