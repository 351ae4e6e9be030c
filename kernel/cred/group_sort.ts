/**
 * Sorts the groups of setgroups(2) in slices, because there may be 65,536: pieces are sorted as
 * they come in, then merged. The hash for group_lists.ts is made on the way.
 */

import { HASH_START, hashOn } from "./group_lists.ts";

/** LIMIT: groups of one piece, and groups that one call of `merge` puts in order. */
export const GROUPS_A_TURN = 2048;

export class GroupSort {
  /** The groups in order, once `merge` has returned true. */
  readonly groups: number[] = [];
  hash: number = HASH_START;
  /** The sorted pieces, one behind the other. */
  private readonly pieces: Uint32Array<ArrayBuffer>;
  private filled: number = 0;
  /** The next group of each piece, and the ends of the pieces. */
  private readonly heads: number[] = [];
  private readonly ends: number[] = [];

  constructor(count: number) {
    this.pieces = new Uint32Array(count);
  }

  /** Takes a piece of the groups. */
  add(piece: Uint32Array<ArrayBuffer>): void {
    this.heads.push(this.filled);
    this.pieces.set(piece, this.filled);
    this.filled += piece.length;
    this.ends.push(this.filled);
    this.pieces.subarray(this.filled - piece.length, this.filled).sort();
  }

  /** Puts the next GROUPS_A_TURN groups in order; true when all are. */
  merge(): boolean {
    const { groups } = this, to = Math.min(this.filled, groups.length + GROUPS_A_TURN);
    while (groups.length < to) {
      const gid = this.takeLeast();
      groups.push(gid);
      this.hash = hashOn(this.hash, gid);
    }
    return to === this.filled;
  }

  /** Takes the least group that is left, which is the head of some piece. */
  private takeLeast(): number {
    const { pieces, heads, ends } = this;
    let from = 0, least = Infinity;
    for (let i = 0; i < heads.length; i++) {
      const head = heads[i]!;
      if (head === ends[i] || pieces[head]! >= least) continue;
      from = i;
      least = pieces[head]!;
    }
    heads[from]!++;
    return least;
  }
}
