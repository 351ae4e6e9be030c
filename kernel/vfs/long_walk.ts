/**
 * The saved state of a path walk that is longer than a turn of the loop (walk.ts), while its call
 * waits for the next turn. It holds the paths that it stands on, because other tasks may remove
 * them meanwhile. Calls keep it in their progress (`CallProgress.walks`). The remaining text is
 * charged: 40 links leave 160 KB, and each thread may be in such a walk.
 */

import type { Account } from "../core/account.ts";
import type { CallProgress } from "./caller.ts";
import { dropPath, holdPath, type Path } from "./dentry.ts";

/** The arguments that identify a walk among those of one call. */
interface WalkKey {
  readonly dirfd: number;
  readonly path: string;
  readonly flags: number;
  readonly resolve: number;
}

/** Bytes of a walk in the kernel's heap beside its texts. */
const WALK_BYTES = 400;

/** The place of a walk: it stands at `here`, and the rest of `text` begins at `at`. */
export interface WalkPlace {
  readonly here: Path;
  readonly root: Path;
  readonly text: string;
  readonly at: number;
  readonly links: number;
  readonly mustBeDirectory: boolean;
}

export class LongWalk {
  place: WalkPlace;
  /** The number of the `Walk` that it is the state of: calls with two paths have one for each. */
  private readonly walk: number;
  private readonly key: WalkKey;

  /** The caller has charged `bytesOf` the walk. */
  constructor(walk: number, key: WalkKey, place: WalkPlace) {
    this.walk = walk;
    this.key = key;
    this.place = hold(place);
  }

  isWalkOf(walk: number, dirfd: number, path: string, flags: number, resolve: number): boolean {
    const { key } = this;
    return this.walk === walk && key.dirfd === dirfd && key.flags === flags &&
      key.resolve === resolve && key.path === path;
  }

  /** False: the call has no room for the longer text. */
  moveTo(place: WalkPlace, progress: CallProgress, account: Account): boolean {
    const before = this.place;
    if (!progress.keepBytes(place.text.length - before.text.length, account)) return false;
    this.place = hold(place);
    release(before);
    return true;
  }

  end(): void {
    release(this.place);
  }
}

/** Bytes of a new walk in the kernel's heap. */
export function bytesOf(key: WalkKey, place: WalkPlace): number {
  return WALK_BYTES + key.path.length + place.text.length;
}

function hold(place: WalkPlace): WalkPlace {
  holdPath(place.here);
  holdPath(place.root);
  return place;
}

function release({ here, root }: WalkPlace): void {
  dropPath(here);
  dropPath(root);
}
