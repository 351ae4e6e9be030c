/**
 * The order of a kernel's objects that kcmp(2) shows: by the time when they were first compared.
 */

/** An object that kcmp(2) compares. */
interface Ranked {
  /** Its place in the order of kcmp(2); 0: it was not compared yet. */
  rank: number;
}

export class ObjectRanks {
  private last: number = 0;

  /** 0: the same; 1: less; 2: greater. A missing object is less than all others. */
  compare(x: Ranked | null, y: Ranked | null): number {
    if (x === y) return 0;
    return this.rankOf(x) < this.rankOf(y) ? 1 : 2;
  }

  private rankOf(o: Ranked | null): number {
    if (o === null) return 0;
    if (o.rank === 0) o.rank = ++this.last;
    return o.rank;
  }
}
