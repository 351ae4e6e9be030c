/**
 * Numbers of host files in the descriptor table that all stubs share.
 *
 * A message to the zygote puts a file into the table, and another closes it once no mapper can
 * still map it. Neighbour: `zygote_link.ts`.
 */

import { FD_FIRST_FILE } from "./stub/layout.ts";
import type { Engine } from "./engine.ts";
import type { SystrapSpace } from "./space.ts";

/** A file to be closed, and the changes that spaces must have made before. */
interface Closing {
  readonly file: number;
  readonly spaces: SystrapSpace[];
  readonly seqs: number[];
}

export class FileTable {
  readonly #engine: Engine;
  /** Number of the message that puts each file into the table, 0 for a free entry. */
  readonly #messages: number[] = [];
  readonly #free: number[] = [];
  readonly #closing: Closing[] = [];

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  register(hostFd: number): number {
    const file = this.#free.pop() ?? FD_FIRST_FILE + this.#messages.length;
    this.#messages[file - FD_FIRST_FILE] = this.#engine.link.put(file, hostFd);
    return file;
  }

  /** Message that must be done before `file` is mapped, 0 if it is done. */
  installedBy(file: number): number {
    const message = this.#messages[file - FD_FIRST_FILE] ?? 0;
    if (message === 0) throw new RangeError(`${file} is no registered file`);
    return ((this.#engine.installed - message) | 0) >= 0 ? 0 : message;
  }

  /** @param spaces all that have not ended */
  unregister(file: number, spaces: Iterable<SystrapSpace>): void {
    this.#messages[file - FD_FIRST_FILE] = 0;
    const behind: SystrapSpace[] = [];
    for (const space of spaces) if (space.ackedSeq < space.seq) behind.push(space);
    if (behind.length === 0) this.#close(file);
    else this.#closing.push({ file, spaces: behind, seqs: behind.map((s) => s.seq) });
  }

  tick(): void {
    for (let i = this.#closing.length - 1; i >= 0; i--) {
      const { file, spaces, seqs } = this.#closing[i]!;
      if (!spaces.every((space, k) => space.ackedSeq >= seqs[k]!)) continue;
      this.#closing.splice(i, 1);
      this.#close(file);
    }
  }

  #close(file: number): void {
    this.#engine.link.closeNumber(file);
    this.#free.push(file);
  }
}
