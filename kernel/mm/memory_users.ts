/**
 * The kernels that share an arena and V8's heap, as the OOM killer of each sees the others: what
 * they have together must fit into what the sandbox may have.
 */

/** The memory of one kernel, in bytes. */
export interface MemoryUser {
  /** Frames that it holds, shared with others or not, touched or not. */
  readonly frameBytes: number;
  /** Kernel objects. */
  readonly objectBytes: number;
  readonly limitBytes: number;
}

export class MemoryUsers {
  private readonly all: MemoryUser[] = [];

  get count(): number {
    return this.all.length;
  }

  add(user: MemoryUser): void {
    if (!this.all.includes(user)) this.all.push(user);
  }

  remove(user: MemoryUser): void {
    const at = this.all.indexOf(user);
    if (at >= 0) this.all.splice(at, 1);
  }

  /** Bytes of kernel objects of all but one. */
  objectBytesBeside(user: MemoryUser): number {
    let bytes = 0;
    for (const other of this.all) if (other !== user) bytes += other.objectBytes;
    return bytes;
  }

  /** The largest limit: kernels that are copied have the limit of the sandbox. */
  get limitBytes(): number {
    return Math.max(...this.all.map((user) => user.limitBytes));
  }

  /** Whether no other kernel holds more frames: this one pays when all have too much together. */
  isLargest(user: MemoryUser): boolean {
    return this.all.every(({ frameBytes }) => frameBytes <= user.frameBytes);
  }

  /** The same for kernel objects. */
  hasMostObjects(user: MemoryUser): boolean {
    return this.all.every(({ objectBytes }) => objectBytes <= user.objectBytes);
  }
}
