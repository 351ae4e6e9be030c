/** A host thread's place in the control memory of its space. Neighbours: `context.ts`, `space.ts`. */

export class Slot {
  /** Number in the space, from 1. */
  readonly index: number;
  /** Control file offset. */
  readonly at: number;
  /** Address in the stub. */
  readonly address: number;
  /** Host thread id, 0 until it reported. Only good to signal a thread of this stub. */
  tid = 0;

  constructor(index: number, at: number, address: number) {
    this.index = index;
    this.at = at;
    this.address = address;
  }
}
