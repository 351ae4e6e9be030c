/** Snapshots of a sandbox, which are in its memory. Neighbour: sandbox.ts (takes them). */

import type { SnapshotInfo } from "../protocol/session/messages.ts";
import type { Connection } from "./connection.ts";

/**
 * The state of a sandbox at one moment: its processes, their memory, its files and its clocks. It
 * costs what the sandbox changes afterwards, and ends with the sandbox.
 *
 * ```ts
 * import { Sandbox } from "../../mod.ts";
 *
 * await using box = await Sandbox.create();
 * const clean = await box.snapshot({ name: "clean" });
 * await box.sh`rm -rf /etc/* /home`;
 * await box.rollback(clean);
 * console.log((await box.sh`ls /etc | wc -l`).text.trim() !== "0"); // true
 * await clean.delete();
 * ```
 */
export class Snapshot {
  /** Its number in its sandbox. */
  readonly id: number;
  /** "": it has none. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  /** Of guests and their files; it is shared until it is written. */
  readonly memoryBytes: number;
  readonly #connection: Connection;

  /** `Sandbox.snapshot` and `Sandbox.snapshots` make them. */
  constructor(connection: Connection, info: SnapshotInfo) {
    this.#connection = connection;
    this.id = info.snapshot;
    this.name = info.name;
    this.createdMs = info.createdMs;
    this.memoryBytes = info.memoryBytes;
  }

  /**
   * Forgets it. Sandboxes that were made from it, or went back to it, go on.
   * @throws NotFoundError if it was deleted before
   */
  async delete(): Promise<void> {
    const doing = { verb: "delete the snapshot", subject: this.#subject };
    const request = { op: "deleteSnapshot", snapshot: this.id } as const;
    await this.#connection.request(request, { doing }).finish();
  }

  get #subject(): string {
    return this.name === "" ? String(this.id) : this.name;
  }
}
