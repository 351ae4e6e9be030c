/**
 * The saved state of a path walk that is longer than a turn of the loop (walk.ts), while its call
 * waits for the next turn. It holds the paths that it stands on, because other tasks may remove
 * them meanwhile. Calls keep it in their progress (`CallProgress.walks`). The remaining text is
 * charged: 40 links leave 160 KB, and each thread may be in such a walk.
 */

import type { Account } from "../core/account.ts";
import { TEXT_BYTES } from "../core/quota.ts";
import { dropPath, holdPath, type Path } from "./dentry.ts";

/** The arguments that identify a walk among those of one call. */
export interface WalkKey {
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
  /** The `Walk` that it is the state of: calls with two paths have one for each. */
  private readonly walk: object;
  private readonly key: WalkKey;
  /** The account that its texts are charged to. */
  private readonly account: Account;
  /** Its part of TEXT_BYTES. */
  private charged: number;

  /** @param bytes of `sizeOf`, that were charged */
  private constructor(
    account: Account,
    walk: object,
    key: WalkKey,
    place: WalkPlace,
    bytes: number,
  ) {
    this.account = account;
    this.walk = walk;
    this.key = key;
    this.place = hold(place);
    this.charged = bytes;
  }

  /** Null: the caller has no room for the texts of another walk. */
  static begin(account: Account, walk: object, key: WalkKey, place: WalkPlace): LongWalk | null {
    const bytes = sizeOf(key, place);
    return TEXT_BYTES.take(bytes, account) ? new LongWalk(account, walk, key, place, bytes) : null;
  }

  is(walk: object, dirfd: number, path: string, flags: number, resolve: number): boolean {
    const { key } = this;
    return this.walk === walk && key.dirfd === dirfd && key.flags === flags &&
      key.resolve === resolve && key.path === path;
  }

  /** False: there is no room for the text. */
  moveTo(place: WalkPlace): boolean {
    const before = this.place, bytes = sizeOf(this.key, place), more = bytes - this.charged;
    if (more > 0 && !TEXT_BYTES.hasRoom(more, this.account)) return false;
    TEXT_BYTES.add(more, this.account);
    this.charged = bytes;
    this.place = hold(place);
    release(before);
    return true;
  }

  end(): void {
    TEXT_BYTES.give(this.charged, this.account);
    this.charged = 0;
    release(this.place);
  }
}

function sizeOf(key: WalkKey, place: WalkPlace): number {
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
