/** A snapshot file by its descriptor, which the launcher or a command has opened. */

import { EINTR, EIO } from "../../../ffi/abi/errno.ts";
import { S_IFMT, S_IFREG, Stat } from "../../../ffi/abi/stat.ts";
import { addressOf, scratch } from "../../../ffi/sys/cstring.ts";
import { close, fstat, ftruncate, pread, pwrite } from "../../../ffi/sys/files.ts";
import { errnoText } from "../../file_error.ts";
import { UserError } from "../../user_error.ts";
import type { SnapshotSource } from "../../protocol/snapshot/reader.ts";
import type { SnapshotSink } from "../../protocol/snapshot/writer.ts";

export class ImageFile implements SnapshotSink, SnapshotSource {
  readonly #fd: number;

  /** @param fd which it owns */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Whether reads and writes of it end. */
  get isRegular(): boolean {
    if (fstat(this.#fd, scratch.area(0)) < 0) return false;
    const mode = scratch.dv.getUint32(scratch.areaOffset(0) + Stat.at.mode, true);
    return (mode & S_IFMT) === S_IFREG;
  }

  get size(): number {
    if (fstat(this.#fd, scratch.area(0)) < 0) return 0;
    return Number(scratch.dv.getBigInt64(scratch.areaOffset(0) + Stat.at.size, true));
  }

  /** @throws UserError */
  write(bytes: Uint8Array, offset: number): void {
    const address = addressOf(bytes);
    for (let done = 0; done < bytes.length;) {
      const n = pwrite(this.#fd, address + done, bytes.length - done, offset + done);
      if (n > 0) done += n;
      else if (n !== -EINTR) throw failed("written", n);
    }
  }

  /** @throws UserError */
  read(into: Uint8Array, offset: number): void {
    const address = addressOf(into);
    for (let done = 0; done < into.length;) {
      const n = pread(this.#fd, address + done, into.length - done, offset + done);
      if (n > 0) done += n;
      else if (n !== -EINTR) throw failed("read", n);
    }
  }

  /** Gives the space of a file back that did not become whole. */
  discard(): void {
    ftruncate(this.#fd, 0);
  }

  close(): void {
    close(this.#fd);
  }
}

/** @param result of a call: no byte, or -errno */
function failed(what: string, result: number): UserError {
  return new UserError(
    `the snapshot file cannot be ${what}: ${errnoText(result < 0 ? -result : EIO)}`,
  );
}
