/**
 * Opens files ahead. When files are opened in the order of their directory (grep -r, tar) or of
 * their names (a shell's `*`, git), the next few are opened in the same round trip. They wait among
 * the idle files until they are used or closed for others.
 *
 * Only where the list of the directory is known, so in exclusive mode. regular.ts calls `queueNext`
 * before an open and `takeAnswers` after it.
 */

import type { Account } from "../../core/account.ts";
import { DT_REG } from "../../../ffi/abi/dirent.ts";
import { O_RDONLY } from "../../../ffi/abi/fcntl.ts";
import { prepareOpen, takeOpened } from "../../../gofer/client/open_many.ts";
import type { GoferDirectory } from "./directory.ts";
import type { GoferFs } from "./gofer_fs.ts";
import type { Listing } from "./listing.ts";
import { GoferRegular } from "./regular.ts";

/** LIMIT: files opened ahead at one time; the first time it is `FIRST`. */
const MAX = 32, FIRST = 4;

/** The opens along one order of a directory's entries. */
class Trail {
  /** The number of opens that followed each other. */
  run: number = 0;
  /** The place of the last file that was opened, ahead or not. */
  place: number = -1;
  private readonly gap: number;
  private readonly runMin: number;

  /**
   * @param gap entries that may be between a file and the next one: directories, files that are
   * left out
   * @param runMin opens in order after which files are opened ahead
   */
  constructor(gap: number, runMin: number) {
    this.gap = gap;
    this.runMin = runMin;
  }

  get isFollowed(): boolean {
    return this.run >= this.runMin;
  }

  /** Records the open of the file at `place`; in another directory every place is the next one. */
  step(place: number, isElsewhere: boolean): void {
    const goesOn = isElsewhere || (place > this.place && place - this.place <= this.gap);
    this.run = goesOn ? this.run + 1 : 1;
    this.place = place;
  }
}

export class OpenAhead {
  private readonly fs: GoferFs;
  private dir: GoferDirectory | null = null;
  private readonly listed: Trail = new Trail(16, 2);
  private readonly sorted: Trail = new Trail(4, 3);
  private size: number = FIRST;
  /** The files that were opened ahead the last time, and how many of them were used. */
  private given: number = 0;
  private wanted: number = 0;
  private tags: number[] = [];
  private names: string[] = [];
  private asked: number = 0;

  constructor(fs: GoferFs) {
    this.fs = fs;
  }

  /** Records that a file that was opened ahead is used. */
  countUsed(): void {
    this.wanted++;
  }

  /**
   * Called before a request opens `file` for reading: queues the opens of the files that are likely
   * next.
   */
  queueNext(file: GoferRegular): void {
    const { parent } = file, list = parent === null ? null : this.fs.listings.get(parent);
    if (parent === null || list === null) return;
    const at = list.find(file.entryName);
    if (at < 0) return;
    const { listed, sorted } = this, order = list.sortedOrder();
    const isElsewhere = parent !== this.dir;
    this.dir = parent;
    this.adjustSize();
    listed.step(at, isElsewhere);
    if (order !== null) sorted.step(order.ranks[at]!, isElsewhere);
    const isSorted = order !== null && sorted.run > listed.run;
    const trail = isSorted ? sorted : listed;
    if (trail.run === 1) this.size = FIRST;
    if (trail.isFollowed) this.queueOpens(parent, list, trail, isSorted ? order.entries : null);
  }

  /** Opens more files the next time if half of the last ones were used, else fewer. */
  private adjustSize(): void {
    if (this.given > 0) {
      const wasUseful = this.wanted * 2 >= this.given;
      this.size = wasUseful ? Math.min(2 * this.size, MAX) : this.size >> 1;
      if (this.size === 0) this.listed.run = this.sorted.run = 0;
    }
    this.given = this.wanted = 0;
  }

  /**
   * @param order the entries of the list by their places on the trail; null: in the order of the
   * list
   */
  private queueOpens(
    dir: GoferDirectory,
    list: Listing,
    trail: Trail,
    order: Int32Array | null,
  ): void {
    const { client } = this.fs, route: string[] = [];
    const from = dir.routeForLookup(route);
    if (from < 0) return;
    this.asked = route.length + 1;
    // Few enough that they do not push each other out of the idle files.
    const size = Math.min(this.size, this.fs.idle.max >> 2);
    for (let i = trail.place + 1; i < list.length && this.tags.length < size; i++) {
      const entry = order === null ? i : order[i]!;
      if (list.types[entry] !== DT_REG) continue;
      const name = list.names[entry]!;
      const tag = prepareOpen(client, from, [...route, name], O_RDONLY);
      if (tag < 0) return;
      this.tags.push(tag);
      this.names.push(name);
      trail.place = i;
    }
  }

  /**
   * Takes the answers of the queued opens, after that of the request they were sent with. The files
   * are charged to `account`.
   */
  takeAnswers(account: Account): void {
    const { fs, dir, tags, names } = this;
    if (tags.length === 0) return;
    for (let i = 0; i < tags.length; i++) {
      const n = takeOpened(fs.client, tags[i]!, this.asked), fd = fs.client.takeFd();
      if (n !== this.asked || dir === null) {
        if (fd >= 0) fs.ctx.host.close(fd);
        continue;
      }
      const inode = fs.intern(fs.client.walk.at(n - 1), dir, names[i]!);
      if (fd < 0) continue;
      if (inode instanceof GoferRegular && inode.adoptReader(fd, true, account)) this.given++;
      else if (!(inode instanceof GoferRegular)) fs.ctx.host.close(fd);
    }
    this.tags = [];
    this.names = [];
  }
}
