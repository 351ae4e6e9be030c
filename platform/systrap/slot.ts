/** A host thread's place in the control memory of its space. Neighbours: `context.ts`, `space.ts`. */

export class Slot {
  /** Number in the space, from 1. */
  readonly index: number;
  /** Control file offset. */
  readonly at: number;
  /** Address in the stub. */
  readonly address: number;
  /** The thread waits in the handler: a signal frame is there. Valid while it is stopped. */
  hasFrame = false;
  /** The thread has run no guest code: its FPU state is the initial one. It may not even be there. */
  isFresh = true;

  constructor(index: number, at: number, address: number) {
    this.index = index;
    this.at = at;
    this.address = address;
  }
}
