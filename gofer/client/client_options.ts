/** How a client of a Gofer is made (gofer_client.ts). */

import type { ByteString } from "../protocol/wire.ts";

export interface ClientOptions {
  /** The container whose files are served; default "", the first one. */
  readonly name?: string;
  /** Largest message to request, in bytes; the server may choose less. */
  readonly msize?: number;
  /** Non-blocking reads that a call tries before it sleeps. */
  readonly spins?: number;
  /** Names of the server's roots, which are not its own "0", "1", ... then. */
  readonly roots?: readonly ByteString[];
  /** False: do not offer the extension. */
  readonly offersExtension?: boolean;
}
