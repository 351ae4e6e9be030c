/**
 * Registered files and buffers of a ring. Files are in numbered slots (direct descriptors). A
 * resource with a tag posts a completion when it is unregistered and no request uses it any more.
 *
 * Neighbours: register_resources.ts (io_uring_register(2)), direct_descriptors.ts (requests that
 * fill and empty slots).
 */

import { EBADF, EINVAL, ENFILE, ENXIO } from "../../ffi/abi/errno.ts";
import { IORING_FILE_INDEX_ALLOC } from "../../ffi/abi/io_uring.ts";
import type { OpenFile } from "../vfs/open_file.ts";

/** The user's 64-bit name of a resource, in two halves. */
export interface Tag {
  readonly lo: number;
  readonly hi: number;
}

/** Of a resource without a tag. */
export const NO_TAG: Tag = Object.freeze({ lo: 0, hi: 0 });

export function isTag({ lo, hi }: Tag): boolean {
  return lo !== 0 || hi !== 0;
}

/** A registered resource. */
class Resource {
  /** Number of requests that use it. */
  users: number = 0;
  isGone: boolean = false;
  readonly tag: Tag;

  constructor(tag: Tag) {
    this.tag = tag;
  }
}

/** Holds a reference to the file. */
export class FixedFile extends Resource {
  readonly file: OpenFile;

  constructor(file: OpenFile, tag: Tag) {
    super(tag);
    this.file = file;
  }
}

export class FixedBuffer extends Resource {
  readonly addr: number;
  readonly len: number;

  constructor(addr: number, len: number, tag: Tag) {
    super(tag);
    this.addr = addr;
    this.len = len;
  }
}

/** The ring that gets the completion for a tag. */
interface Teller {
  postFor(lo: number, hi: number, result: number, flags: number): void;
}

function tellIfOver(ring: Teller, resource: Resource): void {
  const { users, isGone, tag } = resource;
  if (isGone && users === 0 && isTag(tag)) ring.postFor(tag.lo, tag.hi, 0, 0);
}

/** The resource is unregistered. */
export function discard(ring: Teller, resource: Resource | null): void {
  if (resource === null) return;
  resource.isGone = true;
  if (resource instanceof FixedFile) resource.file.drop();
  tellIfOver(ring, resource);
}

/** A request that used the resource has ended. */
export function leave(ring: Teller, resource: Resource | null): void {
  if (resource === null) return;
  resource.users--;
  tellIfOver(ring, resource);
}

/** Slots for files. */
export class FileTable {
  readonly places: (FixedFile | null)[];
  /**
   * The range for allocating slots, and the next slot to try (IORING_REGISTER_FILE_ALLOC_RANGE).
   */
  private start: number = 0;
  private end: number;
  private hint: number = 0;

  constructor(places: (FixedFile | null)[]) {
    this.places = places;
    this.end = places.length;
  }

  setRange(start: number, end: number): void {
    this.start = this.hint = start;
    this.end = end;
  }

  /** Puts a file, with its reference, into an empty slot. */
  fill(index: number, file: FixedFile): void {
    this.places[index] = file;
    this.hint = index + 1;
  }

  /** Empties a slot and returns its file. */
  clear(index: number): FixedFile | null {
    const old = this.places[index] ?? null;
    if (old === null) return null;
    this.places[index] = null;
    this.hint = index;
    return old;
  }

  /** Index of the next free slot, or -ENFILE. */
  nextFree(): number {
    const { places, hint, start, end } = this;
    let at = places.indexOf(null, hint);
    if (at >= 0 && at < end) return at;
    at = places.indexOf(null, start);
    return at >= 0 && at < Math.min(hint, end) ? at : -ENFILE;
  }
}

/** A ring with slots. */
interface Places extends Teller {
  readonly files: FileTable | null;
}

/**
 * Puts a file into slot `index` - 1 instead of the present one, or with IORING_FILE_INDEX_ALLOC
 * into a free slot. Returns 0, or the allocated slot; or -errno, and the file stays the caller's.
 */
export function fillPlace(ring: Places, file: OpenFile, index: number): number {
  const { files } = ring, isAnywhere = index === IORING_FILE_INDEX_ALLOC;
  if (files === null) return isAnywhere ? -ENFILE : -ENXIO;
  const at = isAnywhere ? files.nextFree() : index - 1;
  if (isAnywhere && at < 0) return at;
  if (at < 0 || at >= files.places.length) return -EINVAL;
  discard(ring, files.clear(at));
  files.fill(at, new FixedFile(file, NO_TAG));
  return isAnywhere ? at : 0;
}

/** Empties a slot: 0 or -errno. */
export function emptyPlace(ring: Places, at: number): number {
  const { files } = ring;
  if (files === null) return -ENXIO;
  if (at >= files.places.length) return -EINVAL;
  const old = files.clear(at);
  if (old === null) return -EBADF;
  discard(ring, old);
  return 0;
}
