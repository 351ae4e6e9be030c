/**
 * Names that a directory of a Gofer lacks (directory.ts). In leased mode an answer holds for the
 * rest of its epoch, so a missing name is not requested again.
 */

/** LIMIT: names of one directory. */
const MAX_NAMES = 1024;

export class MissingNames {
  private readonly names: Set<string> = new Set();
  private epoch: number = -1;

  has(name: string, epoch: number): boolean {
    return this.epoch === epoch && this.names.has(name);
  }

  /** Records that `name` is missing in `epoch`; the names of an earlier epoch are forgotten. */
  add(name: string, epoch: number): void {
    if (this.epoch !== epoch || this.names.size >= MAX_NAMES) this.names.clear();
    this.names.add(name);
    this.epoch = epoch;
  }
}
