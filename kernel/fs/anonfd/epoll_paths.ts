/**
 * Epoll sets that watch each other: no loops, no long chains, and a bound of paths from a file up
 * to the sets at the top, because each event of the file may walk all of them (fs/eventpoll.c).
 */

import { EP_MAX_NESTS } from "../../../ffi/abi/epoll.ts";
import type { OpenFile } from "../../vfs/open_file.ts";
import type { EpollFile } from "./epoll.ts";
import { EpollItem } from "./epoll_item.ts";

/**
 * LIMIT: paths from one file up to sets that are in no other set, by the number of sets between
 * (path_limits of fs/eventpoll.c).
 */
const PATHS_MAX: readonly number[] = [Infinity, 500, 100, 50, 10];

/**
 * Whether `outer` may watch `set`: that makes no loop and no chain of more than EP_MAX_NESTS sets.
 */
export function mayBeWatchedBy(set: EpollFile, outer: EpollFile): boolean {
  const below = levels(set, addWatched);
  if (below === null || below.some((level) => level.has(outer))) return false;
  const above = levels(outer, addWatchers);
  return above !== null && below.length + above.length - 1 <= EP_MAX_NESTS;
}

function addWatched(set: EpollFile, level: Set<EpollFile>): void {
  set.addWatchedTo(level);
}

function addWatchers(set: EpollFile, level: Set<EpollFile>): void {
  for (let w = set.watchers; w !== null; w = w.nextWatcher) {
    if (w instanceof EpollItem) level.add(w.epoll);
  }
}

/**
 * The sets at distance 0, 1, ... from `start`; null when there are more than EP_MAX_NESTS + 1
 * distances.
 */
function levels(
  start: EpollFile,
  step: (set: EpollFile, level: Set<EpollFile>) => void,
): Set<EpollFile>[] | null {
  const found: Set<EpollFile>[] = [];
  for (let level = new Set([start]); level.size > 0;) {
    if (found.length > EP_MAX_NESTS) return null;
    found.push(level);
    const next = new Set<EpollFile>();
    for (const set of level) step(set, next);
    level = next;
  }
  return found;
}

/** Whether another set watches this one. */
export function isWatched(set: EpollFile): boolean {
  for (let w = set.watchers; w !== null; w = w.nextWatcher) if (w instanceof EpollItem) return true;
  return false;
}

/** Whether a file that is no set has at most PATHS_MAX paths upwards. */
export function hasFewPaths(file: OpenFile): boolean {
  return new PathCounts().areAllowed(file);
}

/** Whether all files below a set have at most PATHS_MAX paths upwards. */
export function haveFewPaths(set: EpollFile): boolean {
  const up = new PathCounts(), below = levels(set, addWatched) ?? [];
  return below.every((level) => [...level].every((one) => up.areAllowedBelow(one)));
}

/** Paths by the number of sets between. */
type Paths = readonly number[];

const NO_PATHS: readonly number[] = [0, 0, 0, 0, 0];
/** The paths of a file that is watched by a set which is in no other one. */
const ONE_PATH: readonly number[] = [1, 0, 0, 0, 0];

/** The paths upwards of sets, each counted once: sets watch each other in layers. */
class PathCounts {
  private readonly through: Map<EpollFile, Paths> = new Map();
  /** Files of several sets, which are looked at once. */
  private readonly allowed: Set<OpenFile> = new Set();

  /** Whether all files of a set, but its sets, have few enough paths. */
  areAllowedBelow(set: EpollFile): boolean {
    let isAloneAllowed = false;
    return set.everyFile((file) => {
      // Files that only this set watches are alike, and there may be 10^6 of them.
      const isAlone = file.watchers !== null && file.watchers.nextWatcher === null;
      if (isAlone ? isAloneAllowed : this.allowed.has(file)) return true;
      if (isAlone) isAloneAllowed = true;
      else this.allowed.add(file);
      return this.areAllowed(file);
    });
  }

  areAllowed(file: OpenFile): boolean {
    return this.upFrom(file).every((n, nests) => n <= PATHS_MAX[nests]!);
  }

  /** The paths from a file; as deep as sets are nested. */
  private upFrom(file: OpenFile): Paths {
    let all: number[] | null = null, first: Paths = NO_PATHS;
    for (let w = file.watchers; w !== null; w = w.nextWatcher) {
      if (!(w instanceof EpollItem)) continue;
      const paths = this.upThrough(w.epoll);
      if (first === NO_PATHS) {
        first = paths;
        continue;
      }
      all ??= [...first];
      for (let nests = 0; nests < all.length; nests++) all[nests]! += paths[nests]!;
    }
    return all ?? first;
  }

  /** The paths from a file that go through this set. */
  private upThrough(set: EpollFile): Paths {
    const known = this.through.get(set);
    if (known !== undefined) return known;
    const paths = isWatched(set) ? [0, ...this.upFrom(set)].slice(0, NO_PATHS.length) : ONE_PATH;
    this.through.set(set, paths);
    return paths;
  }
}
