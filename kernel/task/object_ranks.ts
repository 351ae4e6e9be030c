/**
 * The order of a kernel's objects that kcmp(2) shows: by the time when they were first compared.
 */

export class ObjectRanks {
  private readonly ranks: WeakMap<object, number> = new WeakMap();
  private last: number = 0;

  /** 0: the same; 1: less; 2: greater. */
  compare(x: object, y: object): number {
    if (x === y) return 0;
    return this.rank(x) < this.rank(y) ? 1 : 2;
  }

  private rank(o: object): number {
    let rank = this.ranks.get(o);
    if (rank === undefined) {
      rank = ++this.last;
      this.ranks.set(o, rank);
    }
    return rank;
  }
}
