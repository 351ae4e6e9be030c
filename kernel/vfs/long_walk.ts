/**
 * The saved state of a path walk that is longer than a turn of the loop (walk.ts), while its call
 * waits for the next turn. It holds the paths that it stands on, because other tasks may remove
 * them meanwhile. Calls keep it in their progress (`CallProgress.walks`).
 */

import { dropPath, holdPath, type Path } from "./dentry.ts";

/** The arguments that identify a walk among those of one call. */
export interface WalkKey {
  readonly dirfd: number;
  readonly path: string;
  readonly flags: number;
  readonly resolve: number;
}

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
  /** The `Walk` that it is the state of: calls with two paths have one for each. */
  private readonly walk: object;
  private readonly key: WalkKey;

  constructor(walk: object, key: WalkKey, place: WalkPlace) {
    this.walk = walk;
    this.key = key;
    this.place = hold(place);
  }

  is(walk: object, dirfd: number, path: string, flags: number, resolve: number): boolean {
    const { key } = this;
    return this.walk === walk && key.dirfd === dirfd && key.flags === flags &&
      key.resolve === resolve && key.path === path;
  }

  moveTo(place: WalkPlace): void {
    const before = this.place;
    this.place = hold(place);
    release(before);
  }

  end(): void {
    release(this.place);
  }
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
