/** The frames that objects of a graph hold, each once. */

export interface FrameRange {
  readonly first: number;
  readonly count: number;
}

export class FrameRanges {
  private readonly ranges: FrameRange[] = [];

  add(first: number, count: number): void {
    if (count > 0) this.ranges.push({ first, count });
  }

  /** In the order of their numbers; ranges that touch are one. */
  union(): FrameRange[] {
    const union: FrameRange[] = [];
    for (const range of this.ranges.sort((a, b) => a.first - b.first)) {
      const last = union.at(-1), end = last === undefined ? -1 : last.first + last.count;
      if (last === undefined || range.first > end) union.push(range);
      else {
        const count = Math.max(end, range.first + range.count) - last.first;
        union[union.length - 1] = { first: last.first, count };
      }
    }
    return union;
  }
}

/** Of `most` frames from `first` on: how many are in one range, or before the next one. */
export function runAmong(ranges: readonly FrameRange[], first: number, most: number): number {
  let low = 0, high = ranges.length;
  while (low < high) {
    const middle = (low + high) >>> 1, range = ranges[middle]!;
    if (range.first + range.count <= first) low = middle + 1;
    else high = middle;
  }
  const next = ranges[low];
  if (next === undefined) return most;
  return Math.min(most, next.first > first ? next.first - first : next.first + next.count - first);
}

/** Ranges, in order, without the frames of one. */
export function rangesWithout(ranges: readonly FrameRange[], left: FrameRange): FrameRange[] {
  const end = left.first + left.count;
  return ranges.flatMap(({ first, count }) => {
    const before = Math.min(first + count, left.first), after = Math.max(first, end);
    return [
      { first, count: before - first },
      { first: after, count: first + count - after },
    ].filter((rest) => rest.count > 0);
  });
}

/** Ranges, in order, without the frames of others, which are in order too and lie in them. */
export function rangesOutside(
  ranges: readonly FrameRange[],
  others: readonly FrameRange[],
): FrameRange[] {
  const rest: FrameRange[] = [];
  let at = 0;
  for (const { first, count } of ranges) {
    let from = first;
    for (; at < others.length && others[at]!.first < first + count; at++) {
      const other = others[at]!;
      if (other.first > from) rest.push({ first: from, count: other.first - from });
      from = other.first + other.count;
    }
    if (from < first + count) rest.push({ first: from, count: first + count - from });
  }
  return rest;
}
