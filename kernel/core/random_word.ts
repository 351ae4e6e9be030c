/** Random numbers of 32 bits from the host, for packet filters and fanout. */

import type { Host } from "./host.ts";

const bytes = new Uint8Array(4);
const word = new DataView(bytes.buffer);

export function randomWord(host: Host): number {
  host.random(bytes);
  return word.getUint32(0, true);
}
