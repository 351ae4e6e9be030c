/**
 * Files that are opened one after the other in the order of their directory (grep -r, tar): with one of them the next
 * few are opened too, in the same round trip. They lie among the idle files until they are wanted, or closed for others.
 *
 * Only where the list of the directory is known, so in exclusive mode. Neighbours: regular.ts, idle_files.ts.
 */

import { DT_REG } from "../../../ffi/abi/dirent.ts";
import { O_RDONLY } from "../../../ffi/abi/fcntl.ts";
import { prepareOpen, takeOpened } from "../../../gofer/client/open_many.ts";
import type { GoferDirectory } from "./directory.ts";
import type { GoferFs } from "./gofer_fs.ts";
import type { Listing } from "./listing.ts";
import { GoferRegular } from "./regular.ts";

/** Files opened in order before more are. */
const RUN_MIN = 2;
/** LIMIT: files opened ahead at one time; the first time it is `FIRST`. */
const MAX = 32, FIRST = 4;
/** Entries that may lie between a file and the next one: directories, files that are left out. */
const GAP = 16;

export class OpenAhead {
  private readonly fs: GoferFs;
  /** Where the last file lies that was opened, ahead or not. */
  private dir: GoferDirectory | null = null;
  private index: number = -1;
  private run: number = 0;
  private size: number = FIRST;
  /** Files opened ahead the last time, and how many of them were wanted. */
  private given: number = 0;
  private wanted: number = 0;
  private tags: number[] = [];
  private names: string[] = [];
  private asked: number = 0;

  constructor(fs: GoferFs) {
    this.fs = fs;
  }

  /** One of those was opened. */
  hit(): void {
    this.wanted++;
  }

  /** `file` is about to be opened for reading by a request: queues the opens of those that are likely next. */
  prepare(file: GoferRegular): void {
    const { parent } = file, list = parent === null ? null : this.fs.listings.get(parent);
    if (parent === null || list === null) return;
    const at = list.find(file.entryName);
    if (at < 0) return;
    this.judge(parent, at);
    this.dir = parent;
    this.index = at;
    if (this.run >= RUN_MIN) this.queue(parent, list, at);
  }

  private judge(dir: GoferDirectory, at: number): void {
    const isNext = dir !== this.dir || (at > this.index && at - this.index <= GAP);
    if (!isNext) {
      this.run = 0;
      this.size = FIRST;
    } else if (this.given > 0) {
      const wasUseful = this.wanted * 2 >= this.given;
      this.size = wasUseful ? Math.min(2 * this.size, MAX) : this.size >> 1;
      if (this.size === 0) {
        this.run = 0;
        this.size = FIRST;
      }
    }
    this.given = this.wanted = 0;
    this.run++;
  }

  private queue(dir: GoferDirectory, list: Listing, at: number): void {
    const { client } = this.fs, route: string[] = [];
    const from = dir.way(route);
    if (from < 0) return;
    this.asked = route.length + 1;
    // Not so many that they close each other.
    const size = Math.min(this.size, this.fs.idle.max >> 2);
    for (let i = at + 1; i < list.length && this.tags.length < size; i++) {
      if (list.types[i] !== DT_REG) continue;
      const name = list.names[i]!;
      const tag = prepareOpen(client, from, [...route, name], O_RDONLY);
      if (tag < 0) return;
      this.tags.push(tag);
      this.names.push(name);
      this.index = i;
    }
  }

  /** The request that those went with was answered. */
  take(): void {
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
      if (inode instanceof GoferRegular && inode.adoptReader(fd, true)) this.given++;
      else if (!(inode instanceof GoferRegular)) fs.ctx.host.close(fd);
    }
    this.tags = [];
    this.names = [];
  }
}
