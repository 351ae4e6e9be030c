/**
 * Maps a host file's (device, inode number) to the path of its qid, so that each file has one
 * number.
 *
 * A root may hold several host file systems, and some (overlayfs) use the high bits of inode
 * numbers. So the upper 16 bits of a qid path are an index into a table of (device, upper 16 bits
 * of the inode number). The first pair seen, nearly always the only one, has index 0.
 */

/** LIMIT: different (device, upper 16 bits) pairs; all later ones share the last index. */
const PREFIXES_MAX = 0xffff;

export class InodeNumbers {
  readonly #indexOf = new Map<string, number>();
  #lastMajor = -1;
  #lastMinor = -1;
  #lastTop = -1;
  #lastIndex = 0;

  /** The upper half of the qid path; the lower half is the inode number's own. */
  pathHi(devMajor: number, devMinor: number, inoHi: number): number {
    const top = inoHi >>> 16;
    if (devMinor !== this.#lastMinor || devMajor !== this.#lastMajor || top !== this.#lastTop) {
      this.#find(devMajor, devMinor, top);
    }
    return ((this.#lastIndex << 16) | (inoHi & 0xffff)) >>> 0;
  }

  #find(devMajor: number, devMinor: number, top: number): void {
    const key = `${devMajor}:${devMinor}:${top}`;
    let index = this.#indexOf.get(key);
    if (index === undefined) {
      index = Math.min(this.#indexOf.size, PREFIXES_MAX);
      if (index < PREFIXES_MAX) this.#indexOf.set(key, index);
    }
    this.#lastMajor = devMajor;
    this.#lastMinor = devMinor;
    this.#lastTop = top;
    this.#lastIndex = index;
  }
}
