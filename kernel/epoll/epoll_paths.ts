/**
 * The checks of EPOLL_CTL_ADD for epoll sets that watch each other (fs/eventpoll.c of Linux): no
 * loops, no long chains, and a bound of paths from a file up to the sets that are in no other set,
 * because each event of the file may walk all of them.
 */

import { EP_MAX_NESTS } from "../../ffi/abi/epoll.ts";
import type { OpenFile } from "../vfs/open_file.ts";
import type { EpollFile } from "./epoll_file.ts";
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
  const below = levelsFrom(set, addWatched);
  if (below === null || below.some((level) => level.has(outer))) return false;
  const above = levelsFrom(outer, addWatchers);
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
function levelsFrom(
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

/** Whether all files of a set and of the sets below it have at most PATHS_MAX paths upwards. */
export function filesBelowHaveFewPaths(set: EpollFile): boolean {
  const counts = new PathCounts(), levels = levelsFrom(set, addWatched) ?? [];
  return levels.every((level) => [...level].every((below) => counts.areAllowedBelow(below)));
}

/** Numbers of paths, by the number of sets between the file and the last set. */
type Paths = readonly number[];

const NO_PATHS: readonly number[] = [0, 0, 0, 0, 0];
/** The paths of a file that is watched by a set which is in no other one. */
const ONE_PATH: readonly number[] = [1, 0, 0, 0, 0];

/** Whether the paths are few enough for files that are `below` sets further down. */
function areFew(paths: Paths, below: number): boolean {
  for (let nests = 0; nests + below < PATHS_MAX.length; nests++) {
    if (paths[nests]! > PATHS_MAX[nests + below]!) return false;
  }
  return true;
}

/** Counts paths upwards. A set is counted once, though many paths lead through it. */
class PathCounts {
  private readonly through: Map<EpollFile, Paths> = new Map();
  /** Files of several sets that were checked. */
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

  /** Whether a file has few enough paths. */
  areAllowed(file: OpenFile): boolean {
    return areFew(this.countFrom(file, 0), 0);
  }

  /**
   * The paths from a file, or some of them when those are too many. The recursion is as deep as
   * sets are nested.
   *
   * @param below the least number of sets on a path from a file that is no set to this one
   */
  private countFrom(file: OpenFile, below: number): Paths {
    const all = [...NO_PATHS];
    for (let w = file.watchers; w !== null; w = w.nextWatcher) {
      if (!(w instanceof EpollItem)) continue;
      const paths = this.countThrough(w.epoll);
      for (let nests = 0; nests < all.length; nests++) all[nests]! += paths[nests]!;
      // There may be 10^6 watchers.
      if (!areFew(all, below)) break;
    }
    return all;
  }

  /** The paths from a file that go through this set: those from the set, with one set more. */
  private countThrough(set: EpollFile): Paths {
    const known = this.through.get(set);
    if (known !== undefined) return known;
    const isOuter = !isWatched(set);
    const paths = isOuter ? ONE_PATH : [0, ...this.countFrom(set, 1)].slice(0, NO_PATHS.length);
    this.through.set(set, paths);
    return paths;
  }
}
