/**
 * The device numbers of file systems that have no device (st_dev): minor numbers of major 0.
 * DIFFERS: Linux frees a number with its file system and then uses the lowest free one.
 */

import { makedev } from "../../ffi/abi/stat.ts";

const FIRST_MINOR = 32;
/** LIMIT: file systems that have numbers of their own; later ones get the numbers again. */
const MINORS = 1 << 20;

export class DeviceNumbers {
  private minor: number = FIRST_MINOR;

  /** The next number, in stat's encoding. */
  next(): number {
    const { minor } = this;
    this.minor = minor + 1 < MINORS ? minor + 1 : FIRST_MINOR;
    return makedev(0, minor);
  }
}
