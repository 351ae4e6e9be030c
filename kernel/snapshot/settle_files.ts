/** What is done with files before a snapshot: file servers are asked, records are made. */

import { GoferFs } from "../fs/gofer/gofer_fs.ts";
import { TmpfsFs } from "../fs/tmpfs/tmpfs.ts";
import { settleAttributes } from "../fs/gofer/reconnect.ts";
import type { Vfs } from "../vfs/vfs.ts";
import { Refusal } from "./graph/graph_error.ts";

/**
 * Makes records of all files in memory. It moves charges among accounts, so it comes before the
 * first of them is encoded.
 */
export function settleRecords({ inMemory }: Vfs): void {
  for (const fs of inMemory) if (fs instanceof TmpfsFs) fs.settleRecords();
}

/**
 * Brings what the kernel knows of open files up to date, so that a restore can compare them. To be
 * called before a snapshot for another process.
 *
 * @throws Refusal if a file server does not answer
 */
export function settleFiles({ served }: Vfs): void {
  for (const fs of served) {
    if (!(fs instanceof GoferFs) || settleAttributes(fs) >= 0) continue;
    throw new Refusal(`the file server of "${fs.client.name}" does not answer`);
  }
}
