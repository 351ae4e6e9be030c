/**
 * A walk that is longer than a turn of the loop: where it stands while its call waits for the next
 * turn (walk.ts). It holds what it stands on, as other tasks may take that away meanwhile.
 */

import { dropPath, holdPath, type Path } from "./dentry.ts";

/** What tells the walks of one call apart. */
export interface WalkKey {
  readonly dirfd: number;
  readonly path: string;
  readonly flags: number;
  readonly resolve: number;
}

/** The place of a walk: the text that is left begins at `at`. */
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
  /** The scratch walk that it was: calls with two paths have one for each. */
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
