/** Descriptors that are under way in a message (SCM_RIGHTS, unix(7)): counted, as they use memory outside of any fd table. */

import type { OpenFile } from "../vfs/open_file.ts";

/** LIMIT: descriptors under way in the whole sandbox; sending more is ETOOMANYREFS. */
const MAX_IN_FLIGHT = 65536;

let inFlight = 0;

/** Whether `count` more may be sent. */
export function maySendRights(count: number): boolean {
  return inFlight + count <= MAX_IN_FLIGHT;
}

export class RightsInFlight {
  private readonly files: readonly OpenFile[];

  /** Takes over the references. */
  constructor(files: readonly OpenFile[]) {
    this.files = files;
    inFlight += files.length;
  }

  /** Delivered: the references are the caller's. */
  take(): readonly OpenFile[] {
    inFlight -= this.files.length;
    return this.files;
  }
  /** MSG_PEEK: more references to the same files. */
  copy(): readonly OpenFile[] {
    return this.files.map((file) => file.hold());
  }
  /** Never to be delivered. */
  drop(): void {
    for (const file of this.take()) file.drop();
  }
}

/** The same for a message that may have none. */
export function inFlightOf(files: readonly OpenFile[] | null): RightsInFlight | null {
  return files === null ? null : new RightsInFlight(files);
}
