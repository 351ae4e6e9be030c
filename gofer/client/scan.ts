/** Tscan on the client's side: a checked copy of the reply. Neighbour: gofer_client.ts. */

import { EIO, EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import { IO_HEADER_BYTES, SCAN_PATHS_MAX, TSCAN } from "../protocol/constants.ts";
import { DataReply } from "../protocol/file.ts";
import { checkScan, Tscan } from "../protocol/scan.ts";
import { type ByteString, ProtocolError } from "../protocol/wire.ts";
import type { GoferClient } from "./gofer_client.ts";

export {
  SCAN_ATTRS,
  SCAN_DEEP,
  SCAN_EXACT,
  SCAN_ROOT,
  SCAN_SORTED,
  SCAN_XATTRS,
} from "../protocol/constants.ts";
export { ATTR_BYTES, ATTR_NO_XATTRS, SCAN_PATHS_MAX } from "../protocol/constants.ts";
export { attrAt, ScanBlocks } from "../protocol/scan.ts";

const tscan = new Tscan();
const rscan = new DataReply(TSCAN + 1);

/** A checked payload: ScanBlocks reads it. */
export interface ScanReply {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly view: DataView;
}

/**
 * Reads directories `paths` (at most SCAN_PATHS_MAX, relative to `fid`), each as a whole, with
 * about `entries` entries and `bytes` bytes in all; `flags`: SCAN_*. -EOPNOTSUPP from servers
 * without the extension.
 */
export function scan(
  client: GoferClient,
  fid: number,
  paths: readonly ByteString[],
  flags: number,
  entries: number,
  bytes: number,
): ScanReply | number {
  if (!client.canDonate) return client.dead ? -EIO : -EOPNOTSUPP;
  const c = client.connection;
  tscan.fid = fid;
  tscan.flags = flags;
  tscan.entries = entries;
  tscan.count = Math.min(bytes, c.msize - IO_HEADER_BYTES);
  const asked = tscan.paths.set(
    paths.length > SCAN_PATHS_MAX ? paths.slice(0, SCAN_PATHS_MAX) : paths,
  );
  const r = c.call(tscan, rscan);
  if (r < 0) return r;
  if (rscan.data.len > tscan.count) return c.die("more scanned than asked for");
  const copy = new Uint8Array(rscan.data.len);
  rscan.data.copyTo(copy, 0);
  const view = new DataView(copy.buffer);
  try {
    checkScan(copy, view, asked);
  } catch (e) {
    if (!(e instanceof ProtocolError)) throw e;
    return c.die(e.message);
  }
  return { bytes: copy, view };
}
