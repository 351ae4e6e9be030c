/**
 * Snapshots of a sandbox, which are in its memory. Neighbours: sandbox.ts (takes them),
 * snapshot_file.ts (files).
 */

import type { SnapshotInfo } from "../protocol/session/messages.ts";
import type { Connection } from "./connection.ts";
import { checkOptions, whole } from "./option_checks.ts";
import type { Sandbox } from "./sandbox.ts";
import { SAVE_CHECKS, type SaveOptions } from "./snapshot_file.ts";

/** The sandbox that a snapshot is of. */
interface SnapshotOwner {
  /** Connects to a fork. */
  attachTo(fork: number): Promise<Sandbox>;
  saveSnapshot(snapshot: number, path: string, options: SaveOptions): Promise<void>;
}

/**
 * The state of a sandbox at one moment: its processes, their memory, its files and its clocks. It
 * costs what the sandbox changes afterwards, and ends with the sandbox.
 *
 * ```ts
 * import { Sandbox } from "../../mod.ts";
 *
 * await using box = await Sandbox.create();
 * const clean = await box.snapshot({ name: "clean" });
 * await box.sh`rm -rf /home; echo spoiled > /etc/hosts`;
 * await box.rollback(clean);
 * console.log((await box.sh`cat /etc/hosts`).text === "spoiled\n"); // false
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
  readonly #owner: SnapshotOwner;

  /** `Sandbox.snapshot` and `Sandbox.snapshots` make them. */
  constructor(connection: Connection, info: SnapshotInfo, owner: SnapshotOwner) {
    this.#connection = connection;
    this.#owner = owner;
    this.id = info.snapshot;
    this.name = info.name;
    this.createdMs = info.createdMs;
    this.memoryBytes = info.memoryBytes;
  }

  /**
   * Makes sandboxes that go on from here, each by itself: what one does, no other one sees. They
   * share memory until they write it. `kill`, or the end of an `await using` block, ends one; all
   * end with the sandbox that the snapshot is of. Detached jobs go on in each. They have the same
   * hostname and process ids, and random numbers of their own. Files of mounts are those of the
   * host, for all of them.
   *
   * ```ts
   * import { Sandbox } from "../../mod.ts";
   *
   * await using box = await Sandbox.create();
   * await box.fs.writeFile("/tmp/start", "40");
   * const start = await box.snapshot();
   * const tries = await start.fork(3);
   * await Promise.all(tries.map((one, i) => one.sh`expr $(cat /tmp/start) + ${i} > /tmp/end`));
   * console.log(await tries[2]!.fs.readTextFile("/tmp/end")); // "42\n"
   * for (const one of tries) await one.kill();
   * ```
   * @throws LimitError for too many, NotFoundError if the snapshot was deleted
   */
  async fork(count: number = 1): Promise<Sandbox[]> {
    checkOptions("fork", { count }, { count: whole(1, "a whole number from 1 on") });
    const made: Sandbox[] = [], doing = { verb: "fork the snapshot", subject: this.#subject };
    const request = { op: "fork", snapshot: this.id } as const;
    try {
      while (made.length < count) {
        const result = await this.#connection.request(request, { doing }).finish();
        made.push(await this.#owner.attachTo((result as { readonly fork: number }).fork));
      }
    } catch (error) {
      for (const one of made) await one.kill();
      throw error;
    }
    return made;
  }

  /**
   * Saves it in a file, from which {@linkcode Sandbox.restore} makes sandboxes, on this host or on
   * another one, while this sandbox goes on. An earlier file of that name is replaced when the new
   * one is whole; if anything fails, it stays. The file has all memory of the programs in plain
   * form, and only its owner can read it. Files of the host's root and of mounts are not in it.
   *
   * ```ts
   * import { Sandbox } from "../../mod.ts";
   *
   * await using box = await Sandbox.create();
   * await box.fs.writeFile("/tmp/model", "trained");
   * const file = await Deno.makeTempFile({ suffix: ".dvsnap" });
   * await (await box.snapshot()).save(file, { compression: 3 });
   * await using again = await Sandbox.restore(file);
   * console.log(await again.fs.readTextFile("/tmp/model")); // "trained"
   * await Deno.remove(file);
   * ```
   * @throws NotFoundError if the snapshot was deleted, or another SandboxError with the reason
   */
  async save(path: string, options: SaveOptions = {}): Promise<void> {
    checkOptions("save", { path, ...options }, SAVE_CHECKS);
    await this.#owner.saveSnapshot(this.id, path, options);
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
